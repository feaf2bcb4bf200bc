//! Three virtual machines with a server and a member of etcd each, and one with pods: the loss of whoever leads, while clients
//! at all three servers keep books of what they were told.

#![expect(clippy::print_stdout, reason = "how far a long test is belongs to its output")]

use anyhow::{Context, Result, ensure};
use e2e::cluster::is_ready;
use e2e::vm::lab::{self, Cast, Lab, SOON};
use e2e::vm::recovery::Stopwatch;
use e2e::wait::eventually;
use std::time::Duration;

const SERVERS: [&str; 3] = ["server-1", "server-2", "server-3"];
const NODE: &str = "node-1";
const LEASES: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];

/// A lease of three seconds and a look at it each half second; emulated, with an election of etcd's before it.
const LED_WITHIN: Duration = Duration::from_secs(15);

#[test]
fn three_servers_on_etcd_survive_the_loss_of_whoever_leads() -> Result<()> {
    lab::take(
        "vm-servers",
        Cast { servers: &SERVERS, nodes: &[NODE] },
        &[
            ("three servers on etcd and a node", start),
            ("the leading server is killed", kill_the_leader),
            ("the machine of the leading server is powered off, and comes back", power_off_the_leader),
            ("the leading server is cut from the others, and the cut heals", cut_the_leader),
        ],
    )
}

/// All members of etcd, as `--store` takes them.
fn store(lab: &Lab) -> String {
    let addresses = lab.servers.iter().map(|machine| format!("{}:2379", machine.spec.address));
    format!("etcd://{}", addresses.collect::<Vec<_>>().join(","))
}

fn start_etcd(lab: &mut Lab, at: usize) -> Result<()> {
    let member = |machine: &e2e::vm::Machine| format!("{}=http://{}:2380", machine.spec.name, machine.spec.address);
    let cluster = lab.servers.iter().map(member).collect::<Vec<_>>().join(",");
    let machine = &mut lab.servers[at];
    let (name, address) = (machine.spec.name.clone(), machine.spec.address.clone());
    machine.spawn(
        &format!(
            "etcd --name {name} --data-dir /var/lib/etcd --initial-cluster {cluster} --log-level warn \
             --listen-peer-urls http://{address}:2380 --initial-advertise-peer-urls http://{address}:2380 \
             --listen-client-urls http://{address}:2379 --advertise-client-urls http://{address}:2379"
        ),
        "/var/log/etcd.log",
    )
}

fn start_server(lab: &mut Lab, at: usize) -> Result<()> {
    let command = format!("drover server --store {}", store(lab));
    lab.start_server(at, &command)
}

fn start(lab: &mut Lab) -> Result<()> {
    let watch = Stopwatch::start();
    (0..SERVERS.len()).try_for_each(|at| start_etcd(lab, at))?;
    (0..SERVERS.len()).try_for_each(|at| start_server(lab, at))?;
    let others = lab.servers.iter().map(|machine| format!(" --server https://{}:6443", machine.spec.address));
    let line = format!("{}{}", lab.join_line, others.collect::<String>());
    lab.spawn_agent(0, &line)?;
    lab.await_agent(0);
    lab.until_condition(NODE, "Ready", "True");
    lab.recoveries.note("three servers on etcd", "the first node is Ready", watch.elapsed(), None);
    lab.nodes[0].read("drover image import /images/web.tar")?;
    pod_starts(lab).map(drop)
}

/// Who holds a lease.
fn holder(lab: &Lab, lease: &str) -> Result<String> {
    lab.kctl(&["get", "lease", "-n", "kube-system", lease, "-o", "jsonpath={.spec.holderIdentity}"])
}

/// The server that leads the controllers, by its place; `kctl` asks another one from now on.
fn leader(lab: &mut Lab) -> Result<usize> {
    let held = eventually("a leader of the controllers", SOON, || match holder(lab, LEASES[0]) {
        Ok(holder) if !holder.is_empty() => Ok(holder),
        other => Err(format!("{other:?}")),
    });
    let at = SERVERS.iter().position(|name| held.starts_with(&format!("{name}_")));
    let at = at.with_context(|| format!("who is {held}?"))?;
    lab.asked = (at + 1) % SERVERS.len();
    println!("{} leads", SERVERS[at]);
    Ok(at)
}

/// Waits until no lease is held by a machine.
fn others_lead(lab: &Lab, lost: &str) {
    for lease in LEASES {
        eventually(&format!("another leader of {lease}"), SOON, || match holder(lab, lease) {
            Ok(now) if !now.is_empty() && !now.starts_with(&format!("{lost}_")) => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
}

/// A pod that a controller makes, a scheduler places and a node runs; it is gone afterwards.
fn pod_starts(lab: &Lab) -> Result<()> {
    lab.apply(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: fresh}\nspec:\n  selector: {matchLabels: {app: fresh}}\n\
         \x20 template:\n    metadata: {labels: {app: fresh}}\n    spec:\n      terminationGracePeriodSeconds: 0\n\
         \x20     containers: [{name: web, image: 'drover.local/web:1'}]\n",
    )?;
    lab.until("a fresh pod", "deployment", "fresh", |it| it["status"]["availableReplicas"] == 1);
    lab.kctl(&["delete", "deployment", "fresh", "--cascade=foreground", "--wait"])?;
    Ok(())
}

/// What holds while the leader is away: others lead, new pods run, and the node was never lost.
fn others_take_over(lab: &mut Lab, fault: &'static str, at: usize, watch: Stopwatch) -> Result<()> {
    others_lead(lab, SERVERS[at]);
    lab.recoveries.note(fault, "controllers and scheduler are led by others", watch.elapsed(), Some(LED_WITHIN));
    pod_starts(lab)?;
    lab.recoveries.note(fault, "a new pod ran", watch.elapsed(), None);
    let node = lab.json(&["get", "node", NODE])?;
    ensure!(is_ready(&node), "the node reaches another server: {node}");
    Ok(())
}

fn kill_the_leader(lab: &mut Lab) -> Result<()> {
    const FAULT: &str = "leading server killed (kill -9)";
    let at = leader(lab)?;
    let books = lab.books()?;
    let watch = Stopwatch::start();
    lab.servers[at].read("pkill -KILL -f '^drover server'")?;
    others_take_over(lab, FAULT, at, watch)?;
    start_server(lab, at)?;
    books.balance()
}

fn power_off_the_leader(lab: &mut Lab) -> Result<()> {
    const FAULT: &str = "leading server's machine powered off";
    let at = leader(lab)?;
    let books = lab.books()?;
    let watch = Stopwatch::start();
    lab.servers[at].power_off()?;
    others_take_over(lab, FAULT, at, watch)?;
    let watch = Stopwatch::start();
    lab.servers[at].power_on()?;
    lab.servers[at].booted()?;
    start_etcd(lab, at)?;
    start_server(lab, at)?;
    lab.recoveries.note("its machine powered on again", "its server serves", watch.elapsed(), None);
    books.balance()
}

fn cut_the_leader(lab: &mut Lab) -> Result<()> {
    const FAULT: &str = "leading server cut from the others";
    let at = leader(lab)?;
    let books = lab.books()?;
    let others = || SERVERS.into_iter().filter(|name| *name != SERVERS[at]);
    let watch = Stopwatch::start();
    others().for_each(|other| lab.switch.cut(SERVERS[at], other));
    others_take_over(lab, FAULT, at, watch)?;
    let usual = std::mem::replace(&mut lab.asked, at);
    let answer = lab.try_kctl(&["create", "configmap", "split", "--from-literal=a=b", "--request-timeout=10s"])?;
    ensure!(!answer.status.success(), "a server without its store takes nothing: {answer:?}");
    let watch = Stopwatch::start();
    others().for_each(|other| lab.switch.heal(SERVERS[at], other));
    lab.until_condition(NODE, "Ready", "True");
    lab.recoveries.note("cut healed", "the server that was cut off answers", watch.elapsed(), None);
    lab.asked = usual;
    books.balance()
}
