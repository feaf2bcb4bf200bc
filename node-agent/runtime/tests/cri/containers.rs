//! What containers do and how they end.

use crate::client::{Node, context, script};
use proto::cri::*;
use std::time::Duration;

pub(crate) async fn exit_codes_and_reasons_are_told(mut node: Node) {
    let pod = node.pod("codes");
    let sandbox = node.run(pod.clone()).await;
    for (name, text, code, reason) in
        [("good", "exit 0", 0, "Completed"), ("bad", "exit 42", 42, "Error"), ("signal", "kill -9 $$; sleep 9", 0, "")]
    {
        let id = node.launch(&sandbox, &pod, script(name, text)).await;
        if name == "signal" {
            // Process 1 is not killed from inside its own namespace.
            assert_eq!(node.status(&id).await.state(), ContainerState::ContainerRunning);
            continue;
        }
        let status = node.exited(&id).await;
        assert_eq!((status.exit_code, status.reason.as_str()), (code, reason), "{name}");
        assert!(status.started_at > 0 && status.finished_at >= status.started_at);
    }
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn a_container_that_ignores_its_stop_signal_is_killed(mut node: Node) {
    let pod = node.pod("stop");
    let sandbox = node.run(pod.clone()).await;
    let polite = node
        .launch(&sandbox, &pod, script("polite", "trap 'exit 5' TERM; echo up; while true; do sleep 0.02; done"))
        .await;
    let deaf =
        node.launch(&sandbox, &pod, script("deaf", "trap '' TERM; echo up; while true; do sleep 0.02; done")).await;
    for id in [&polite, &deaf] {
        let log = node.status(id).await.log_path;
        while !std::fs::read_to_string(&log).unwrap().contains("up") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        node.runtime.stop_container(StopContainerRequest { container_id: id.clone(), timeout: 1 }).await.unwrap();
    }
    assert_eq!(node.status(&polite).await.exit_code, 5);
    assert_eq!(node.status(&deaf).await.exit_code, 137);
    node.runtime.stop_container(StopContainerRequest { container_id: deaf, timeout: 1 }).await.unwrap();
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn commands_see_their_streams_and_codes(mut node: Node) {
    let pod = node.pod("exec");
    let sandbox = node.run(pod.clone()).await;
    let mut config = script("main", "sleep 1000");
    config.envs = vec![KeyValue { key: "COLOUR".into(), value: "green".into() }];
    let id = node.launch(&sandbox, &pod, config).await;
    assert_eq!(node.exec(&id, "echo $COLOUR; echo err >&2; exit 4").await, (4, "green\n".into(), "err\n".into()));
    let big = node.exec(&id, "head -c 3000000 /dev/zero | tr '\\0' x").await;
    assert_eq!((big.0, big.1.len()), (0, 3_000_000));
    // A child left behind with the streams does not hold the answer up for ever.
    assert_eq!(node.exec(&id, "sleep 100 & echo done").await.1, "done\n");
    let slow = ExecSyncRequest { container_id: id.clone(), cmd: vec!["sleep".into(), "100".into()], timeout: 1 };
    let error = node.runtime.exec_sync(slow).await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::DeadlineExceeded);
    let missing = ExecSyncRequest { container_id: id.clone(), cmd: vec!["nonesuch".into()], timeout: 1 };
    let error = node.runtime.exec_sync(missing).await.unwrap_err();
    assert!(error.message().contains("\"nonesuch\": executable file not found in $PATH"), "{error}");
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn memory_limit_kills_are_told(mut node: Node) {
    let pod = node.pod("oom");
    let sandbox = node.run(pod.clone()).await;
    let mut config = script("main", "exec dd if=/dev/zero of=/dev/null bs=200M count=10");
    config.linux.as_mut().unwrap().resources =
        Some(LinuxContainerResources { memory_limit_in_bytes: 20 << 20, cpu_shares: 512, ..Default::default() });
    let id = node.launch(&sandbox, &pod, config).await;
    let status = node.exited(&id).await;
    assert_eq!((status.exit_code, status.reason.as_str()), (137, "OOMKilled"));
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn logs_are_reopened_after_rotation(mut node: Node) {
    let pod = node.pod("rotate");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "while true; do echo tick; sleep 0.02; done")).await;
    let log = node.status(&id).await.log_path;
    std::fs::rename(&log, format!("{log}.1")).unwrap();
    node.runtime.reopen_container_log(ReopenContainerLogRequest { container_id: id.clone() }).await.unwrap();
    for _ in 0..500 {
        if std::fs::read_to_string(&log).unwrap().contains("tick") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(std::fs::read_to_string(&log).unwrap().contains("stdout F tick"));
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn pods_reach_each_other_and_their_names(mut node: Node) {
    let mut pod = node.pod("server");
    pod.dns_config = Some(DnsConfig {
        servers: vec!["10.43.0.10".into()],
        searches: vec!["default.svc.cluster.local".into()],
        options: vec!["ndots:5".into()],
    });
    pod.port_mappings =
        vec![PortMapping { container_port: 8000, host_port: 18000, host_ip: String::new(), protocol: 0 }];
    let server = node.run(pod.clone()).await;
    let id =
        node.launch(&server, &pod, script("main", "echo hi > /tmp/index.html; exec httpd -f -p 8000 -h /tmp")).await;
    assert_eq!(
        node.sh(&id, "cat /etc/resolv.conf").await,
        "nameserver 10.43.0.10\nsearch default.svc.cluster.local\noptions ndots:5"
    );
    let ip = node.ip(&server).await;
    let pod = node.pod("client");
    let client = node.run(pod.clone()).await;
    let other = node.launch(&client, &pod, script("main", "sleep 1000")).await;
    assert_eq!(node.sh(&other, &format!("wget -qO- http://{ip}:8000/")).await, "hi");
    // The host port, from the node.
    let out = std::process::Command::new("/bin/busybox").args(["wget", "-qO-", "http://127.0.0.1:18000/"]).output();
    assert_eq!(String::from_utf8_lossy(&out.unwrap().stdout), "hi\n");
    node.remove(&server).await;
    node.remove(&client).await;
    node.finish().await;
}

pub(crate) async fn process_namespaces_are_shared_on_request(mut node: Node) {
    let mut pod = node.pod("shared");
    let options = NamespaceOption { pid: NamespaceMode::Pod as i32, ..Default::default() };
    pod.linux.as_mut().unwrap().security_context.as_mut().unwrap().namespace_options = Some(options.clone());
    let sandbox = node.run(pod.clone()).await;
    let mut one = script("one", "sleep 1001");
    context(&mut one).namespace_options = Some(options.clone());
    let mut two = script("two", "sleep 1002");
    context(&mut two).namespace_options = Some(options);
    let one = node.launch(&sandbox, &pod, one).await;
    let two = node.launch(&sandbox, &pod, two).await;
    let seen = node.sh(&one, "ps").await;
    assert!(seen.contains("sleep 1001") && seen.contains("sleep 1002"), "{seen}");
    assert_eq!(node.sh(&two, "cat /proc/1/comm").await, "pause");
    // A debug container that looks at another one, in a pod without sharing.
    let pod = node.pod("target");
    let apart = node.run(pod.clone()).await;
    let main = node.launch(&apart, &pod, script("main", "sleep 1003")).await;
    let mut debug = script("debug", "sleep 1004");
    context(&mut debug).namespace_options =
        Some(NamespaceOption { pid: NamespaceMode::Target as i32, target_id: main.clone(), ..Default::default() });
    let debug = node.launch(&apart, &pod, debug).await;
    assert!(node.sh(&debug, "ps").await.contains("sleep 1003"));
    node.remove(&sandbox).await;
    node.remove(&apart).await;
    node.finish().await;
}
