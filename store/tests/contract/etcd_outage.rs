//! What only etcd can do: go away and come back.

use crate::backends::EtcdServer;
use crate::suite::{batches_until, put};
use std::sync::Arc;
use store::{Expect, Store, TxnError};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_outlives_a_restart_and_a_write_without_reply_is_unknown() {
    let mut server = EtcdServer::start();
    let store: Arc<dyn Store> = server.connect().await;
    let start = store.rev().await.expect("a revision");
    let mut watch = store.watch("/", start).await.expect("a watch");
    let first = store.txn(vec![put("/a", "1", Expect::Any)]).await.expect("a write").rev;
    assert_eq!(batches_until(&mut watch, first).await.len(), 1);

    server.kill();
    let error = store.txn(vec![put("/a", "2", Expect::Any)]).await.expect_err("nobody answers");
    assert!(matches!(error, TxnError::Unknown(_)), "{error:?}");
    server.start_again();

    let again = server.connect().await;
    let last = again.txn(vec![put("/b", "1", Expect::Any)]).await.expect("a write").rev;
    let revs: Vec<_> = batches_until(&mut watch, last).await.iter().map(|batch| batch.rev).collect();
    assert_eq!(revs, (first + 1..=last).collect::<Vec<_>>(), "a gap or a duplicate");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_are_down_are_not_asked() {
    let server = EtcdServer::start();
    let store = server.connect_beside_the_dead().await;
    for number in 0..50 {
        let name = format!("/a{number}");
        store.txn(vec![put(&name, "1", Expect::Absent)]).await.expect("a write at the member that is up");
        assert!(store.get(&name, None).await.expect("a read at the member that is up").0.is_some());
    }
}
