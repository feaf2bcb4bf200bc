//! The runtime from outside: real namespaces, cgroups, overlays and networks, driven over its CRI socket. Runs in mount
//! and network namespaces of its own, in a cgroup subtree of its own, and counts what is left behind.

#![expect(clippy::large_futures, reason = "tests run one at a time")]
#![expect(clippy::wildcard_imports, reason = "tests use most messages of the interface")]

mod archives;
mod attacks;
mod build;
mod census;
mod client;
mod containers;
mod critest;
mod features;
mod image;
mod lifecycle;
mod registry;
mod security;
mod streaming;
mod terse;

use client::Node;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;

type Test = (&'static str, fn(Node) -> Pin<Box<dyn Future<Output = ()>>>);

macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => {
        &[$((concat!(stringify!($module), "::", stringify!($name)), |node| Box::pin($module::$name(node)))),*]
    };
}

const TESTS: &[Test] = tests![
    lifecycle::a_pod_runs_logs_and_goes_without_a_trace,
    lifecycle::containers_survive_a_restart_of_the_runtime,
    lifecycle::a_lost_supervisor_ends_its_pod,
    lifecycle::a_pod_that_nobody_can_ask_for_any_more_ends,
    lifecycle::a_client_that_leaves_does_not_leave_half_a_pod,
    lifecycle::a_runtime_takes_back_what_the_one_before_had_begun,
    lifecycle::a_container_is_made_in_a_sandbox_that_stays_or_not_at_all,
    lifecycle::what_is_asked_for_many_times_at_once_is_made_once,
    lifecycle::a_bridge_that_was_deleted_comes_back_with_its_pods,
    lifecycle::events_tell_starts_and_exits,
    lifecycle::a_network_that_somebody_holds_goes_with_its_pod,
    lifecycle::an_end_does_not_wait_for_the_disk,
    lifecycle::pods_start_quickly,
    lifecycle::a_quiet_supervisor_is_small,
    containers::exit_codes_and_reasons_are_told,
    containers::a_container_that_ignores_its_stop_signal_is_killed,
    containers::commands_see_their_streams_and_codes,
    containers::memory_limit_kills_are_told,
    containers::logs_are_reopened_after_rotation,
    containers::pods_reach_each_other_and_their_names,
    containers::process_namespaces_are_shared_on_request,
    security::a_container_is_confined,
    security::a_privileged_container_has_the_node,
    security::mounts_are_read_only_and_inner_ones_on_top,
    security::users_are_resolved_in_the_image,
    security::links_in_images_do_not_lead_mounts_out,
    security::a_start_that_fails_says_why_and_leaves_nothing,
    attacks::the_runtimes_program_cannot_be_overwritten,
    attacks::no_descriptor_or_folder_of_the_host_is_left_open,
    attacks::a_mount_target_that_is_swapped_for_a_link_leads_nowhere_else,
    attacks::devices_that_a_container_replaced_mask_nothing,
    attacks::proc_cannot_be_redirected,
    attacks::a_container_gets_neither_capabilities_to_inherit_nor_its_cgroups,
    attacks::a_mount_target_that_is_swapped_for_a_link_into_proc_stays_out_of_it,
    attacks::what_is_long_arrives_whole_or_is_refused,
    attacks::users_of_an_image_are_read_strictly,
    attacks::layers_reach_nothing_beside_them,
    features::a_pod_has_users_of_its_own,
    features::a_pod_is_sent_and_sends_as_much_as_it_asks_for,
    features::profiles_of_the_node_are_enforced,
    features::images_are_mounted_as_volumes,
    features::pods_are_limited_as_a_whole_and_can_be_resized,
    features::lists_can_be_streamed_and_stops_repeated,
    features::devices_are_given_by_what_their_vendor_wrote_down,
    critest::lists_are_filtered,
    critest::calls_can_be_made_again_and_for_what_is_not_there,
    critest::an_image_is_one_under_all_its_names,
    critest::groups_are_merged_or_strictly_those_asked_for,
    streaming::commands_run_over_websockets,
    streaming::terminals_have_a_size_and_containers_can_be_attached_to,
    streaming::a_client_that_has_said_all_leaves_where_input_is_kept,
    streaming::who_is_attached_gets_all_that_was_said_before_the_end,
    streaming::the_first_who_attaches_to_an_interactive_container_missed_nothing,
    streaming::strangers_on_the_loopback_do_not_keep_clients_out,
    streaming::ports_are_forwarded_into_the_pod,
    streaming::a_token_is_good_once,
    terse::a_pod_without_a_cgroup_is_counted_alone,
    terse::a_node_with_a_range_of_its_own_needs_nobody_to_name_one,
    terse::pods_on_the_nodes_namespaces_have_its_files,
    terse::mounts_are_made_where_they_are_said_to_be,
    terse::mounts_pass_between_node_and_container_as_asked,
    terse::read_only_goes_as_deep_as_asked,
    terse::profiles_may_be_said_in_the_words_of_older_clients,
    terse::paths_are_hidden_and_ids_found_by_what_leads_to_them,
    registry::images_are_pulled_with_credentials_and_checked,
    registry::images_are_pushed_with_their_digests,
    build::an_image_is_built_in_two_stages_and_runs,
    build::steps_are_done_again_only_when_something_changed,
    build::builds_are_confined_and_leave_nothing_when_they_fail,
    archives::images_are_tagged_saved_and_loaded_again,
    archives::hostile_archives_are_refused_and_leave_nothing,
    archives::a_full_disk_leaves_nothing_half_written,
    archives::images_share_layers_and_go_one_by_one,
    archives::an_image_that_goes_while_a_container_is_made_of_it_leaves_its_layers,
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let Some(code) = runtime::supervisor::main(&args) {
        return code;
    }
    let filter: Vec<&String> = args.iter().skip(1).filter(|a| !a.starts_with('-')).collect();
    if args.iter().any(|a| a == "--list") {
        return ExitCode::SUCCESS;
    }
    client::enter_namespaces();
    let mut failed = Vec::new();
    let is_wanted = |name: &str| filter.is_empty() || filter.iter().any(|f| name.contains(f.as_str()));
    for (name, test) in TESTS.iter().filter(|(name, _)| is_wanted(name)) {
        let before = census::take();
        let result = std::panic::catch_unwind(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let node = Node::new().await;
                test(node).await;
            });
        });
        let left = census::settled(&before);
        let ok = result.is_ok() && left.is_empty();
        say(&format!("test {name} ... {}", if ok { "ok" } else { "FAILED" }));
        if !left.is_empty() {
            say(&format!("left behind: {left:#?}"));
        }
        if !ok {
            failed.push(*name);
        }
    }
    if let Err(error) = client::leave_cgroups() {
        say(&format!("cgroups are left: {error}"));
        failed.push("the end");
    }
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        say(&format!("failed: {failed:?}"));
        ExitCode::FAILURE
    }
}

/// Tells whoever runs the tests.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{text}\n").as_bytes()).unwrap();
}
