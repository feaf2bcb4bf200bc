//! A node on a kernel of its own with cgroup v2, in a virtual machine: what a host with cgroup v1 cannot show.

use anyhow::Result;
use e2e::vm::Machine;
use std::time::Duration;

/// Emulated, on a busy machine.
const SOON: Duration = Duration::from_mins(4);

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
