//! The contract of `Store`, run by every backend: each case of `suite` and the random histories of `model`.

#[path = "contract/backends.rs"]
mod backends;
#[path = "contract/etcd_outage.rs"]
mod etcd_outage;
#[path = "contract/model.rs"]
mod model;
#[path = "contract/suite.rs"]
mod suite;

/// A test per case and backend.
macro_rules! every_backend_keeps {
    ($($path:ident :: $case:ident),+ $(,)?) => {
        every_backend_keeps!(@ mem: $($path::$case),+);
        every_backend_keeps!(@ embedded: $($path::$case),+);
        every_backend_keeps!(@ etcd: $($path::$case),+);
    };
    (@ $backend:ident: $($path:ident :: $case:ident),+) => {
        mod $backend {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let backend = crate::backends::$backend().await;
                    crate::$path::$case(backend.store()).await;
                }
            )+
        }
    };
}

every_backend_keeps!(
    suite::every_write_takes_the_next_revision,
    suite::a_recreated_key_starts_anew,
    suite::values_are_any_bytes,
    suite::a_read_at_a_revision_shows_the_past,
    suite::a_range_holds_its_prefix_in_key_order,
    suite::pages_at_one_revision_join_without_gap,
    suite::expectations_decide,
    suite::a_transaction_is_all_or_nothing,
    suite::a_transaction_takes_the_most_writes_allowed,
    suite::a_transaction_may_demand_that_a_range_is_empty,
    suite::deleting_what_is_absent_writes_nothing,
    suite::racing_increments_lose_nothing,
    suite::a_watch_replays_the_past_and_goes_on,
    suite::a_watch_shows_only_its_prefix,
    suite::a_watch_far_behind_catches_up,
    suite::watchers_of_racing_writers_see_one_order,
    suite::compaction_forgets_the_past_and_keeps_the_present,
    suite::compaction_ends_watches_of_the_past,
    suite::compacting_twice_is_once,
    suite::the_future_is_an_error,
    suite::an_idle_watch_makes_progress,
    suite::a_store_has_a_size,
    model::random_histories_agree_with_a_map,
);
