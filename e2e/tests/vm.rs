//! A node on a kernel of its own with cgroup v2, in a virtual machine: what a host with cgroup v1 cannot show.

use anyhow::Result;
use e2e::vm::Machine;
use std::time::Duration;

/// Emulated, on a busy machine.
const SOON: Duration = Duration::from_mins(4);

/// Some twenty tests, each of which starts a runtime and imports an image.
const TESTS_WITHIN: Duration = Duration::from_mins(10);

const UP: &str =
    "setsid drover up --node-name=node-1 --node-ip=192.168.77.2 --image=/images/web.tar >/run/drover.log 2>&1 &";

const LIMITED: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: limited}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: drover.local/web:1
    resources:
      requests: {cpu: 100m, memory: 32Mi}
      limits: {cpu: 500m, memory: 64Mi}
";

fn machine() -> Result<Machine> {
    let mut machine = Machine::boot()?;
    machine.read(UP)?;
    let nodes = "kctl get nodes || { tail -n 20 /run/drover.log; exit 1; }";
    machine.eventually("a Ready node", SOON, nodes, |nodes| nodes.contains(" Ready "));
    Ok(machine)
}

fn apply(machine: &mut Machine, manifest: &str) -> Result<()> {
    machine.read(&format!(
        "cat >/run/manifest.yaml <<'MANIFEST'\n{manifest}\nMANIFEST\nkctl apply -f /run/manifest.yaml"
    ))?;
    Ok(())
}

#[test]
fn a_container_on_cgroup_v2_gets_its_limits_and_leaves_nothing() -> Result<()> {
    let mut machine = machine()?;
    apply(&mut machine, LIMITED)?;
    machine.eventually("a Ready pod", SOON, "kctl get pod limited", |pod| pod.contains("1/1"));

    // The pod and its container both have the limit; the container's folder is the deeper one.
    let limited = "find /sys/fs/cgroup/kubepods/burstable -name memory.max | xargs grep -lx 67108864";
    let folder = machine
        .read(&format!("dirname $({limited} | awk '{{ print length, $0 }}' | sort -n | tail -n 1 | cut -d' ' -f2)"))?;
    let folder = folder.trim();
    let value = |machine: &mut Machine, file: &str| machine.read(&format!("cat {folder}/{file}"));
    assert_eq!(value(&mut machine, "memory.max")?.trim(), (64 << 20).to_string());
    assert_eq!(value(&mut machine, "cpu.max")?.trim(), "50000 100000");
    assert_eq!(value(&mut machine, "memory.oom.group")?.trim(), "1");

    let seen = machine.read("kctl exec limited -- /web cat /sys/fs/cgroup/memory.max")?;
    assert_eq!(seen.trim(), (64 << 20).to_string(), "the container sees its own cgroup as the root");
    let masked = machine.read("kctl exec limited -- /web ls /proc/acpi")?;
    assert_eq!(masked.trim(), "", "masked folders are empty");

    machine.read("kctl delete pod limited --wait")?;
    machine.eventually("no cgroup of the pod", SOON, "find /sys/fs/cgroup/kubepods -name 'pod*' | wc -l", |count| {
        count.trim() == "0"
    });
    machine.eventually("no veth", SOON, "ip -o link | grep -c veth || true", |count| count.trim() == "0");
    Ok(())
}

/// The runtime's own tests that look at what a kernel with cgroup v2 does differently from one with v1: limits in force and
/// what exceeding them means, what containers see of their cgroups and of the machine, who they are, and what is left.
const OF_THE_RUNTIME: &[&str] = &[
    "lifecycle::a_pod_runs_logs_and_goes_without_a_trace",
    "lifecycle::containers_survive_a_restart_of_the_runtime",
    "lifecycle::a_lost_supervisor_ends_its_pod",
    "containers::a_container_that_ignores_its_stop_signal_is_killed",
    "containers::memory_limit_kills_are_told",
    "containers::process_namespaces_are_shared_on_request",
    "security::",
    "attacks::a_container_gets_neither_capabilities_to_inherit_nor_its_cgroups",
    "attacks::no_descriptor_or_folder_of_the_host_is_left_open",
    "attacks::devices_that_a_container_replaced_mask_nothing",
    "features::a_pod_has_users_of_its_own",
    "features::profiles_of_the_node_are_enforced",
    "features::pods_are_limited_as_a_whole_and_can_be_resized",
    "terse::a_pod_without_a_cgroup_is_counted_alone",
    "terse::read_only_goes_as_deep_as_asked",
];

#[test]
fn containers_on_cgroup_v2_are_as_confined_and_limited_as_on_v1() -> Result<()> {
    let mut machine = Machine::boot()?;
    // On the disk: a tmpfs of this kernel takes no mapped ids.
    let command = format!("mkdir /root/tmp && TMPDIR=/root/tmp /usr/lib/drover/tests/cri {}", OF_THE_RUNTIME.join(" "));
    let (code, output) = machine.run_within(&command, TESTS_WITHIN)?;
    anyhow::ensure!(code == 0, "exit code {code}\n{output}");
    let passed = output.lines().filter(|line| line.ends_with(" ... ok")).count();
    anyhow::ensure!(passed >= OF_THE_RUNTIME.len(), "{output}");
    Ok(())
}

/// A cluster with two dozen containers, started and looked at by emulated debug binaries.
const INSIDE_WITHIN: Duration = Duration::from_mins(15);

#[test]
fn containers_on_cgroup_v2_see_what_the_examples_promise() -> Result<()> {
    let mut machine = Machine::boot()?;
    let command = "mkdir /root/tmp && TMPDIR=/root/tmp DROVER_BIN=/usr/bin DROVER_ROOT=/root DROVER_TEST_PATIENCE=8 \
        /usr/lib/drover/tests/inside --nocapture 2>&1";
    let (code, output) = machine.run_within(command, INSIDE_WITHIN)?;
    anyhow::ensure!(code == 0 && output.contains("1 passed"), "exit code {code}\n{output}");
    Ok(())
}

#[test]
fn after_a_power_cut_the_node_runs_its_pods_again() -> Result<()> {
    let mut machine = machine()?;
    apply(&mut machine, LIMITED)?;
    machine.eventually("a Ready pod", SOON, "kctl get pod limited", |pod| pod.contains("1/1"));
    let uid = machine.read("kctl get pod limited -o jsonpath='{.metadata.uid}'")?;
    machine.cut_power()?;
    machine.read(UP)?;
    let restarted = "kctl get pod limited -o jsonpath='{.metadata.uid} {.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}'";
    machine.eventually("the same pod, started once more", SOON, restarted, |seen| seen == format!("{uid} 1 true"));
    machine.read("kctl exec limited -- /web ls /")?;
    Ok(())
}
