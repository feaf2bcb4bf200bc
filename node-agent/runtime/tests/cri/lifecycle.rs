//! Pods from beginning to end, and across restarts of the runtime.

use crate::client::{Node, script};
use crate::say;
use proto::cri::*;
use std::time::Duration;
use tokio_stream::StreamExt;

pub(crate) async fn a_pod_runs_logs_and_goes_without_a_trace(mut node: Node) {
    let pod = node.pod("web");
    let sandbox = node.run(pod.clone()).await;
    let id =
        node.launch(&sandbox, &pod, script("main", "echo hello; echo oops >&2; printf part; exec sleep 1000")).await;
    assert_eq!(node.sh(&id, "hostname").await, "web");
    assert_eq!(node.sh(&id, "cat /proc/1/comm").await, "sleep");
    let ip = node.ip(&sandbox).await;
    assert!(node.sh(&id, "ip -4 -o addr show eth0").await.contains(&format!("{ip}/24")));
    let status = node.status(&id).await;
    assert_eq!(status.state(), ContainerState::ContainerRunning);
    let log = std::fs::read_to_string(&status.log_path).unwrap();
    let mut lines: Vec<&str> = log.lines().filter_map(|l| l.split_once(' ')).map(|(_, rest)| rest).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["stderr F oops", "stdout F hello"]);
    let stop = StopContainerRequest { container_id: id.clone(), timeout: 0 };
    node.runtime.stop_container(stop).await.unwrap();
    let status = node.exited(&id).await;
    assert_eq!((status.exit_code, status.reason.as_str()), (137, "Error"));
    let log = std::fs::read_to_string(&status.log_path).unwrap();
    assert!(log.contains("stdout P part\n"), "{log}");
    node.remove(&sandbox).await;
    let left = node.runtime.list_containers(ListContainersRequest::default()).await.unwrap().into_inner().containers;
    assert!(left.is_empty());
    node.finish().await;
}

pub(crate) async fn containers_survive_a_restart_of_the_runtime(mut node: Node) {
    let pod = node.pod("stay");
    let sandbox = node.run(pod.clone()).await;
    let runs =
        node.launch(&sandbox, &pod, script("runs", "i=0; while true; do echo $i; i=$((i+1)); sleep 0.05; done")).await;
    let ends = node.launch(&sandbox, &pod, script("ends", "sleep 0.3; exit 7")).await;
    let waits = node.create(&sandbox, &pod, script("waits", "true")).await.unwrap();
    let (pid, ip) = (node.pid(&runs).await, node.ip(&sandbox).await);
    let mut node = node.restart().await;
    assert_eq!((node.pid(&runs).await, node.ip(&sandbox).await), (pid, ip));
    let status = node.exited(&ends).await;
    assert_eq!(status.exit_code, 7);
    assert_eq!(node.status(&waits).await.state(), ContainerState::ContainerCreated);
    node.start_container(&waits).await.unwrap();
    assert_eq!(node.exited(&waits).await.exit_code, 0);
    assert_eq!(node.sh(&runs, "echo in").await, "in");
    // Another pod must not get the address that is in use.
    let other = node.run(node.pod("other")).await;
    assert_ne!(node.ip(&other).await, node.ip(&sandbox).await);
    let mut node = node.restart().await;
    assert_eq!(node.exited(&ends).await.exit_code, 7);
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn a_lost_supervisor_ends_its_pod(mut node: Node) {
    let pod = node.pod("lost");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
    let pid = node.pid(&id).await;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(parent(pid)), nix::sys::signal::Signal::SIGKILL).unwrap();
    let status = node.exited(&id).await;
    assert_eq!(status.exit_code, 255);
    let request = ListPodSandboxRequest::default();
    let items = node.runtime.list_pod_sandbox(request).await.unwrap().into_inner().items;
    assert_eq!(items[0].state(), PodSandboxState::SandboxNotready);
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn a_pod_that_nobody_can_ask_for_any_more_ends(mut node: Node) {
    let pod = node.pod("forgotten");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
    let pid = node.pid(&id).await;
    let supervisor = parent(pid);
    let folder = node.folder.path().join("runtime/sandboxes").join(&sandbox);
    // As long as a runtime is connected it may be asked for.
    std::fs::remove_file(folder.join("supervisor.sock")).unwrap();
    assert_eq!(node.sh(&id, "echo still here").await, "still here");
    let cgroups = crate::client::cgroups_of("podforgotten");
    node.finish().await;
    let gone = |pid: i64| !std::path::Path::new(&format!("/proc/{pid}")).exists();
    for _ in 0..500 {
        if gone(pid) && gone(supervisor.into()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(gone(pid) && gone(supervisor.into()), "supervisor {supervisor}, container {pid}");
    assert!(cgroups.iter().all(|cgroup| !cgroup.exists()), "{cgroups:?}");
}

/// Supervisors that there are, the spare one included.
fn supervisors() -> usize {
    crate::census::take().iter().filter(|l| l.starts_with("process") && l.contains("pod-supervisor")).count()
}

pub(crate) async fn a_client_that_leaves_does_not_leave_half_a_pod(mut node: Node) {
    for i in 0..20_u64 {
        let request = RunPodSandboxRequest { config: Some(node.pod(&format!("left{i}"))), ..Default::default() };
        let made = node.runtime.run_pod_sandbox(request);
        drop(tokio::time::timeout(Duration::from_micros(i * 500), made).await);
    }
    for _ in 0..200 {
        let found = node.runtime.list_pod_sandbox(ListPodSandboxRequest::default()).await.unwrap().into_inner().items;
        for item in found {
            node.remove(&item.id).await;
        }
        if supervisors() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(supervisors(), 1, "the spare one alone");
    let left: Vec<_> = std::fs::read_dir(node.folder.path().join("runtime/sandboxes")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    node.finish().await;
}

/// As a runtime that is killed leaves them: what has no record was not finished.
pub(crate) async fn a_runtime_takes_back_what_the_one_before_had_begun(mut node: Node) {
    let mut begun = node.pod("begun");
    begun.linux.as_mut().unwrap().resources =
        Some(LinuxContainerResources { cpu_shares: 2, ..LinuxContainerResources::default() });
    let begun = node.run(begun).await;
    let pod = node.pod("stays");
    let stays = node.run(pod.clone()).await;
    let container = node.create(&stays, &pod, script("main", "true")).await.unwrap();
    let sandboxes = node.folder.path().join("runtime/sandboxes");
    let cgroups = |name: &str| crate::client::cgroups_of(name);
    let there = |folders: &[std::path::PathBuf]| folders.iter().filter(|f| f.exists()).count();
    let of_container: Vec<_> = cgroups("podstays").iter().map(|folder| folder.join(&container)).collect();
    assert!(there(&cgroups("podbegun")) > 0 && there(&of_container) > 0);
    std::fs::remove_file(sandboxes.join(&begun).join("record.json")).unwrap();
    std::fs::remove_file(sandboxes.join(&stays).join("containers").join(&container).join("record.json")).unwrap();
    let mut node = node.restart().await;
    assert_eq!((there(&cgroups("podbegun")), there(&of_container)), (0, 0));
    let left: Vec<_> = std::fs::read_dir(&sandboxes).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, [stays.as_str()]);
    let again = node.launch(&stays, &pod, script("main", "sleep 1000")).await;
    assert_eq!(node.sh(&again, "echo in").await, "in");
    node.remove(&stays).await;
    node.finish().await;
}

pub(crate) async fn a_container_is_made_in_a_sandbox_that_stays_or_not_at_all(mut node: Node) {
    for i in 0..30_u64 {
        let pod = node.pod(&format!("brief{i}"));
        let sandbox = node.run(pod.clone()).await;
        let mut runtime = node.runtime.clone();
        let id = sandbox.clone();
        let removing = async move {
            tokio::time::sleep(Duration::from_micros(i * 200)).await;
            runtime.remove_pod_sandbox(RemovePodSandboxRequest { pod_sandbox_id: id }).await.unwrap();
        };
        let (made, ()) = tokio::join!(node.create(&sandbox, &pod, script("main", "true")), removing);
        if let Err(status) = made {
            assert!(status.message().contains(&sandbox), "{status}");
        }
    }
    let left = node.runtime.list_containers(ListContainersRequest::default()).await.unwrap().into_inner().containers;
    assert!(left.is_empty(), "{left:?}");
    let left: Vec<_> = std::fs::read_dir(node.folder.path().join("runtime/sandboxes")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    node.finish().await;
}

pub(crate) async fn a_bridge_that_was_deleted_comes_back_with_its_pods(mut node: Node) {
    let serve = "echo hi > /tmp/index.html; exec httpd -f -p 8000 -h /tmp";
    let mut pods = Vec::new();
    for name in ["before", "after"] {
        let pod = node.pod(name);
        let sandbox = node.run(pod.clone()).await;
        let id = node.launch(&sandbox, &pod, script("main", serve)).await;
        while node.exec(&id, "wget -qO- http://127.0.0.1:8000/").await.0 != 0 {}
        pods.push((sandbox.clone(), id, node.ip(&sandbox).await));
        if name == "before" {
            let deleted = std::process::Command::new("ip").args(["link", "delete", "drovertest0"]).status().unwrap();
            assert!(deleted.success());
        }
    }
    for (from, to) in [(0, 1), (1, 0)] {
        let ask = format!("wget -qO- http://{}:8000/", pods[to].2);
        assert_eq!(node.sh(&pods[from].1, &ask).await, "hi");
    }
    let deleted = std::process::Command::new("ip").args(["link", "delete", "drovertest0"]).status().unwrap();
    assert!(deleted.success());
    // Without a new pod: whoever asks how the node is gets it mended.
    node.runtime.status(StatusRequest::default()).await.unwrap();
    assert_eq!(node.sh(&pods[0].1, &format!("wget -qO- http://{}:8000/", pods[1].2)).await, "hi");
    for (sandbox, ..) in pods {
        node.remove(&sandbox).await;
    }
    node.finish().await;
}

pub(crate) async fn events_tell_starts_and_exits(mut node: Node) {
    let mut events = node.runtime.get_container_events(GetEventsRequest {}).await.unwrap().into_inner();
    let pod = node.pod("news");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "exit 3")).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&ContainerEventType::ContainerStoppedEvent) {
        let event = tokio::time::timeout(Duration::from_secs(5), events.next()).await.unwrap().unwrap().unwrap();
        if event.container_id == id {
            seen.push(event.container_event_type());
            assert_eq!(event.pod_sandbox_status.unwrap().id, sandbox);
        }
    }
    assert_eq!(seen[0], ContainerEventType::ContainerCreatedEvent);
    assert!(seen.contains(&ContainerEventType::ContainerStartedEvent), "{seen:?}");
    drop(events);
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn pods_start_quickly(mut node: Node) {
    let mut times = Vec::new();
    for i in 0..20 {
        let pod = node.pod(&format!("quick{i}"));
        let begin = now();
        let sandbox = node.run(pod.clone()).await;
        let made = begin.elapsed();
        let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
        times.push((begin.elapsed(), made));
        assert_eq!(node.status(&id).await.state(), ContainerState::ContainerRunning);
        node.remove(&sandbox).await;
    }
    times.sort_unstable();
    say(&format!("sandbox and container, p50 {:?} (sandbox {:?}), max {:?}", times[10].0, times[10].1, times[19].0));
    assert!(times[10].0 < Duration::from_millis(500), "{times:?}");
    node.finish().await;
}

pub(crate) async fn a_network_that_somebody_holds_goes_with_its_pod(mut node: Node) {
    let pod = node.pod("held");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
    let held = std::fs::File::open(format!("/proc/{}/ns/net", node.pid(&id).await)).unwrap();
    let link = format!("veth{}", &sandbox[..11]);
    let there = || nix::net::if_::if_nametoindex(link.as_str()).is_ok();
    assert!(there());
    node.remove(&sandbox).await;
    for _ in 0..100 {
        if !there() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!there(), "{link} is left");
    drop(held);
    node.finish().await;
}

pub(crate) async fn an_end_does_not_wait_for_the_disk(mut node: Node) {
    let pod = node.pod("end");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
    // An overlay without it writes everything of its file system to the disk when it is unmounted, as it is at the end.
    let root = node.sh(&id, "grep ' / overlay ' /proc/mounts").await;
    assert!(root.contains("volatile"), "{root}");
    node.remove(&sandbox).await;
    node.finish().await;
}

/// The process that started another.
fn parent(pid: i64) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.split(") ").nth(1).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

pub(crate) async fn a_quiet_supervisor_is_small(mut node: Node) {
    let pod = node.pod("small");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
    let supervisor = parent(node.pid(&id).await);
    let kib = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{supervisor}/status")).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    let busy = kib();
    let mut quiet = busy;
    for _ in 0..100 {
        quiet = kib();
        if quiet < busy / 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    say(&format!("supervisor: {busy} KiB resident after a start, {quiet} KiB when quiet"));
    // Of an unoptimised program, whose relocated data is most of it.
    assert!(quiet < 8 * 1024, "{quiet} KiB");
    assert_eq!(node.sh(&id, "echo still here").await, "still here");
    node.remove(&sandbox).await;
    node.finish().await;
}

#[expect(clippy::disallowed_methods, reason = "tests measure real time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

pub(crate) async fn what_is_asked_for_many_times_at_once_is_made_once(mut node: Node) {
    let pod = node.pod("once");
    let sandbox = node.run(pod.clone()).await;
    for attempt in 0..20 {
        let mut config = script("main", "true");
        config.metadata.as_mut().unwrap().attempt = attempt;
        let request = CreateContainerRequest {
            pod_sandbox_id: sandbox.clone(),
            config: Some(config),
            sandbox_config: Some(pod.clone()),
        };
        let create = || {
            let (mut runtime, request) = (node.runtime.clone(), request.clone());
            async move { runtime.create_container(request).await.map(|answer| answer.into_inner().container_id) }
        };
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..8 {
            asking.spawn(create());
        }
        let (made, refused): (Vec<_>, Vec<_>) = asking.join_all().await.into_iter().partition(Result::is_ok);
        let ids: std::collections::BTreeSet<String> = made.into_iter().map(Result::unwrap).collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
        for refusal in refused.into_iter().map(Result::unwrap_err) {
            assert_eq!(refusal.code(), tonic::Code::FailedPrecondition, "{refusal}");
            assert_eq!(refusal.message(), format!("container main/{attempt} is being made"));
        }
        let again = create().await.unwrap();
        assert!(ids.contains(&again), "the answer of a call whose first answer was lost");
    }
    let all = node.runtime.list_containers(ListContainersRequest::default()).await.unwrap().into_inner().containers;
    assert_eq!(all.len(), 20);
    node.remove(&sandbox).await;
    node.finish().await;
}
