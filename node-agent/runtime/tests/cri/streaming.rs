//! Exec, attach and port-forward as clients of Kubernetes speak them.

use crate::client::{Node, script};
use futures::{SinkExt, StreamExt};
use proto::cri::*;
use std::collections::BTreeMap;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(url: &str, protocol: &str) -> Socket {
    let mut request = url.replacen("http://", "ws://", 1).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    let (socket, response) = connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], protocol);
    socket
}

async fn send(socket: &mut Socket, channel: u8, text: &[u8]) {
    let mut bytes = vec![channel];
    bytes.extend_from_slice(text);
    socket.send(Message::Binary(bytes.into())).await.unwrap();
}

/// What arrives on each channel until the server says that this was all.
async fn read_all(socket: &mut Socket) -> BTreeMap<u8, String> {
    let mut found: BTreeMap<u8, String> = BTreeMap::new();
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                found.entry(bytes[0]).or_default().push_str(&String::from_utf8_lossy(&bytes[1..]));
            }
            Some(Ok(Message::Close(frame))) => {
                assert_eq!(frame.map(|f| f.code), Some(CloseCode::Normal), "{found:?}");
                assert!(socket.next().await.is_none_or(|end| end.is_err()), "nothing comes after the Close");
                return found;
            }
            other => panic!("{other:?} and no Close after {found:?}"),
        }
    }
}

/// Reads until a channel has said `text`.
async fn read_until(socket: &mut Socket, channel: u8, text: &str) -> String {
    let mut found = String::new();
    while !found.contains(text) {
        if let Message::Binary(bytes) = socket.next().await.expect(&found).unwrap()
            && bytes[0] == channel
        {
            found.push_str(&String::from_utf8_lossy(&bytes[1..]));
        }
    }
    found
}

fn exec(id: &str, text: &str) -> ExecRequest {
    ExecRequest {
        container_id: id.into(),
        cmd: ["sh", "-c", text].map(str::to_owned).to_vec(),
        stdin: true,
        stdout: true,
        stderr: true,
        ..Default::default()
    }
}

pub(crate) async fn commands_run_over_websockets(mut node: Node) {
    let pod = node.pod("ws");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
    let request = exec(&id, "tr a-z A-Z; echo oops >&2; exit 6");
    let url = node.runtime.exec(request).await.unwrap().into_inner().url;
    let mut socket = open(&url, "v5.channel.k8s.io").await;
    send(&mut socket, 0, b"some text\n").await;
    send(&mut socket, 255, &[0]).await;
    let found = read_all(&mut socket).await;
    assert_eq!((found[&1].as_str(), found[&2].as_str()), ("SOME TEXT\n", "oops\n"));
    let status: serde_json::Value = serde_json::from_str(&found[&3]).unwrap();
    assert_eq!(status["details"]["causes"][0]["message"], "6");
    let url = node.runtime.exec(exec(&id, "true")).await.unwrap().into_inner().url;
    let found = read_all(&mut open(&url, "v4.channel.k8s.io").await).await;
    assert_eq!(found[&3], r#"{"metadata":{},"status":"Success"}"#);
    let missing = ExecRequest { cmd: vec!["nonesuch".into()], ..exec(&id, "") };
    let url = node.runtime.exec(missing).await.unwrap().into_inner().url;
    let found = read_all(&mut open(&url, "v4.channel.k8s.io").await).await;
    assert!(found[&3].contains("executable file not found in $PATH"), "{found:?}");
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn terminals_have_a_size_and_containers_can_be_attached_to(mut node: Node) {
    let pod = node.pod("tty");
    let sandbox = node.run(pod.clone()).await;
    let mut config = script("main", "while read line; do echo \"got $line\"; done; exit 9");
    (config.stdin, config.stdin_once) = (true, true);
    let id = node.launch(&sandbox, &pod, config).await;
    let request = ExecRequest {
        tty: true,
        stderr: false,
        ..exec(&id, "read x; stty size; tty=$(readlink /proc/self/fd/0); echo $tty; test -t 0")
    };
    let url = node.runtime.exec(request).await.unwrap().into_inner().url;
    let mut socket = open(&url, "v5.channel.k8s.io").await;
    send(&mut socket, 4, br#"{"Width":132,"Height":43}"#).await;
    send(&mut socket, 0, b"go\n").await;
    let found = read_all(&mut socket).await;
    assert!(found[&1].contains("43 132\r\n") && found[&1].contains("/dev/pts/0"), "{found:?}");
    assert!(found[&3].contains("Success"));
    let url = node.runtime.attach(attach(&id)).await.unwrap().into_inner().url;
    let mut socket = open(&url, "v5.channel.k8s.io").await;
    send(&mut socket, 0, b"one\n").await;
    assert_eq!(read_until(&mut socket, 1, "\n").await, "got one\n");
    send(&mut socket, 255, &[0]).await;
    let found = read_all(&mut socket).await;
    assert!(found[&3].contains("Success"), "{found:?}");
    assert_eq!(node.exited(&id).await.exit_code, 9);
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn a_client_that_has_said_all_leaves_where_input_is_kept(mut node: Node) {
    let pod = node.pod("kept");
    let sandbox = node.run(pod.clone()).await;
    let mut config = script("main", "read line; echo \"got $line\"; cat; echo over");
    config.stdin = true;
    let id = node.launch(&sandbox, &pod, config).await;
    for (said, heard) in [("one\n", "got one\n"), ("two\n", "two\n")] {
        let url = node.runtime.attach(attach(&id)).await.unwrap().into_inner().url;
        let mut socket = open(&url, "v5.channel.k8s.io").await;
        send(&mut socket, 0, said.as_bytes()).await;
        assert_eq!(read_until(&mut socket, 1, "\n").await, heard);
        send(&mut socket, 255, &[0]).await;
        let found = read_all(&mut socket).await;
        assert!(found[&3].contains("Success") && !found.contains_key(&1), "{found:?}");
    }
    assert_eq!(node.status(&id).await.state(), ContainerState::ContainerRunning, "it still waits for input");
    node.remove(&sandbox).await;
    node.finish().await;
}

fn attach(id: &str) -> AttachRequest {
    AttachRequest { container_id: id.into(), stdin: true, stdout: true, stderr: true, ..Default::default() }
}

/// The container ends while every buffer on the way to the client is full, and its own pipe is; and the client says
/// something to it before it hears of that.
pub(crate) async fn who_is_attached_gets_all_that_was_said_before_the_end(mut node: Node) {
    let pod = node.pod("said");
    let sandbox = node.run(pod.clone()).await;
    let shared = node.folder.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    // Lines with numbers until nobody takes them any more; what the last one was is written down.
    let text = "read go; pad=$(dd if=/dev/zero bs=4000 count=1 2>/dev/null | tr '\\000' x); \
                (i=0; while i=$((i+1)); do echo $i $pad; echo $i > /shared/said; done) & \
                while ! [ -e /shared/end ]; do sleep 0.05; done";
    let mut config = script("much", text);
    (config.stdin, config.stdin_once) = (true, false);
    let host_path = shared.display().to_string();
    config.mounts = vec![Mount { container_path: "/shared".into(), host_path, ..Default::default() }];
    let id = node.launch(&sandbox, &pod, config).await;
    let url = node.runtime.attach(attach(&id)).await.unwrap().into_inner().url;
    let mut socket = open(&url, "v5.channel.k8s.io").await;
    send(&mut socket, 0, b"go\n").await;
    let said = || std::fs::read_to_string(shared.join("said")).ok()?.trim().parse::<usize>().ok();
    let mut last = None;
    while last.is_none() || last != said() {
        last = said();
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    }
    std::fs::write(shared.join("end"), "").unwrap();
    assert_eq!(node.exited(&id).await.exit_code, 0);
    send(&mut socket, 0, b"anybody?\n").await;
    let found = read_all(&mut socket).await;
    let lines: Vec<&str> = found[&1].lines().collect();
    let (last, heard) = (last.unwrap(), lines.len());
    assert!(heard >= last, "{heard} of {last} lines");
    let whole = |(i, line): (usize, &&str)| line.strip_prefix(&format!("{} ", i + 1)).is_some_and(|x| x.len() == 4000);
    assert!(lines[..last].iter().enumerate().all(whole));
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn the_first_who_attaches_to_an_interactive_container_missed_nothing(mut node: Node) {
    let pod = node.pod("early");
    let sandbox = node.run(pod.clone()).await;
    let mut config = script("once", "echo early; echo oops >&2; read x; echo late $x");
    (config.stdin, config.stdin_once) = (true, true);
    let id = node.launch(&sandbox, &pod, config).await;
    let log = node.status(&id).await.log_path;
    while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("oops") && text.contains("early")) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let url = node.runtime.attach(attach(&id)).await.unwrap().into_inner().url;
    let mut socket = open(&url, "v5.channel.k8s.io").await;
    send(&mut socket, 0, b"x\n").await;
    let found = read_all(&mut socket).await;
    assert_eq!((found[&1].as_str(), found[&2].as_str()), ("early\nlate x\n", "oops\n"));
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn strangers_on_the_loopback_do_not_keep_clients_out(mut node: Node) {
    let pod = node.pod("crowd");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
    let url = node.runtime.exec(exec(&id, "echo in")).await.unwrap().into_inner().url;
    let address = url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    // More than have a place; none ever shows a token.
    let mut crowd = Vec::new();
    for _ in 0..400 {
        crowd.push(TcpStream::connect(&address).await.unwrap());
    }
    let found = read_all(&mut open(&url, "v4.channel.k8s.io").await).await;
    assert_eq!(found[&1], "in\n");
    drop(crowd);
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn ports_are_forwarded_into_the_pod(mut node: Node) {
    let pod = node.pod("ports");
    let sandbox = node.run(pod.clone()).await;
    let id = node
        .launch(&sandbox, &pod, script("main", "echo hi > /tmp/index.html; exec httpd -f -p 127.0.0.1:8000 -h /tmp"))
        .await;
    while node.exec(&id, "wget -qO- http://127.0.0.1:8000/").await.0 != 0 {}
    let request = PortForwardRequest { pod_sandbox_id: sandbox.clone(), port: vec![8000, 9] };
    let url = node.runtime.port_forward(request).await.unwrap().into_inner().url;
    let mut socket = open(&url, "v4.channel.k8s.io").await;
    send(&mut socket, 0, b"GET / HTTP/1.0\r\n\r\n").await;
    let found = read_all(&mut socket).await;
    assert!(found[&0].starts_with("@\u{1f}HTTP/1.") && found[&0].ends_with("hi\n"), "{found:?}");
    assert!(found[&3].contains("Connection refused"), "{found:?}");
    node.remove(&sandbox).await;
    node.finish().await;
}

pub(crate) async fn a_token_is_good_once(mut node: Node) {
    let pod = node.pod("token");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
    let url = node.runtime.exec(exec(&id, "true")).await.unwrap().into_inner().url;
    read_all(&mut open(&url, "v4.channel.k8s.io").await).await;
    for (url, protocol) in [
        (url.clone(), "v4.channel.k8s.io"),
        (url.replace("exec", "attach"), "v4.channel.k8s.io"),
        (node.runtime.exec(exec(&id, "true")).await.unwrap().into_inner().url, "v9.channel.k8s.io"),
    ] {
        let mut request = url.replacen("http://", "ws://", 1).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        assert!(connect_async(request).await.is_err());
    }
    node.remove(&sandbox).await;
    node.finish().await;
}
