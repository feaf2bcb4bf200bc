//! Servers that are killed again and again while clients keep books of what they were told.

use anyhow::Result;
use e2e::books::Books;
use e2e::cluster::binary;
use e2e::etcd::Etcd;
use e2e::host::Network;
use e2e::{Fleet, wait};
use std::time::Duration;

/// `make soak ROUNDS=200` asks for more.
fn rounds() -> Result<u64> {
    Ok(std::env::var("DROVER_SOAK_ROUNDS").ok().map(|text| text.parse()).transpose()?.unwrap_or(5))
}

/// Between two kills: long enough for some hundred writes, and another moment each time.
fn life(round: u64) -> Duration {
    Duration::from_millis(300 + round * 377 % 1_000)
}

fn nothing_is_lost(mut fleet: Fleet) -> Result<()> {
    let mut command = fleet.server.host.command(&binary("books").to_string_lossy(), &[]);
    command.env("KUBECONFIG", fleet.server.data_dir().join("admin.kubeconfig"));
    let books = Books::open(command)?;
    for round in 0..rounds()? {
        wait::pause(life(round));
        fleet.server.process.kill()?;
        fleet.restart_server()?;
    }
    wait::pause(life(0));
    books.balance()
}

#[test]
fn a_server_that_is_killed_loses_no_acknowledged_write_and_no_event() -> Result<()> {
    nothing_is_lost(Fleet::start(&[], &[])?)
}

#[test]
fn a_server_on_etcd_that_is_killed_loses_no_acknowledged_write_and_no_event() -> Result<()> {
    let network = Network::new()?;
    let etcd = Etcd::start(&network.router, "192.168.77.1")?;
    nothing_is_lost(Fleet::on(network, &[], &["--store=etcd://192.168.77.1:2379"])?)?;
    drop(etcd);
    Ok(())
}
