//! Extenders behind real connections, which have their say while the shell goes on.

use super::*;
use crate::extender::{Settings, Tls};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// (path, body) of each request.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// Answers each request by its path, for as long as it is held; what it was asked is kept.
async fn extender(answer: fn(&str) -> (u16, Value)) -> (String, Asked, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/scheduler", listener.local_addr().expect("an address"));
    let asked = Asked::default();
    let heard = Arc::clone(&asked);
    let mut server = JoinSet::new();
    server.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = Vec::new();
            let (head, body) = loop {
                let mut buffer = [0; 4096];
                let count = stream.read(&mut buffer).await.expect("a request");
                text.extend_from_slice(&buffer[..count]);
                let whole = String::from_utf8_lossy(&text).into_owned();
                let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
                let length =
                    head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    break (head.to_owned(), body.to_owned());
                }
            };
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let (code, said) = answer(&path);
            heard.lock().push((path, serde_json::from_str(&body).unwrap_or_default()));
            let said = said.to_string();
            let answer = format!(
                "HTTP/1.1 {code} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
                said.len()
            );
            stream.write_all(answer.as_bytes()).await.expect("an answer");
        }
    });
    (url, asked, server)
}

fn settings(url: String) -> Settings {
    Settings {
        url,
        filter_verb: Some("filter".to_owned()),
        prioritize_verb: Some("prioritize".to_owned()),
        preempt_verb: None,
        bind_verb: None,
        weight: 1,
        tls: Tls::default(),
        timeout: Duration::from_secs(5),
        knows_nodes: true,
        resources: BTreeSet::new(),
        is_ignorable: false,
    }
}

async fn stage(nodes: &[&str], settings: &Settings) -> Stage {
    let mut stage = Stage::new(nodes);
    stage.shell.outside = Outside::new(vec![Extender::connect(settings).await.expect("a client")]);
    stage
}

/// The next write that ends, which the API server never lets.
async fn next(stage: &mut Stage) {
    let ended = tokio::time::timeout(Duration::from_secs(10), stage.shell.writes.join_next()).await;
    let ended = ended.expect("an answer").expect("somebody was asked").expect("a task that ends");
    stage.shell.write_ended(ended);
}

async fn bindings(stage: &Stage) -> Vec<String> {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let asked = stage.asked.lock();
    asked.iter().filter(|asked| asked.starts_with("POST") && asked.contains("/binding ")).cloned().collect()
}

#[tokio::test]
async fn the_node_that_an_extender_allows_and_likes_best_is_taken() {
    let (url, asked, _server) = extender(|path| match path {
        "/scheduler/filter" => (200, json!({"NodeNames": ["a", "b"], "FailedNodes": {"c": "no"}})),
        _ => (200, json!([{"Host": "a", "Score": 1}, {"Host": "b", "Score": 10}])),
    })
    .await;
    let mut stage = stage(&["a", "b", "c"], &settings(url)).await;
    stage.pod("p", &SMALL, as_it_is);
    stage.pod("q", &SMALL, as_it_is);
    stage.after(0);
    assert_eq!((stage.home("p"), stage.home("q")), (None, None));
    next(&mut stage).await;
    let first = [stage.home("p"), stage.home("q")];
    assert_eq!(first.iter().flatten().collect::<Vec<_>>(), [&"b"], "one is asked about at a time");
    next(&mut stage).await;
    assert_eq!((stage.home("p"), stage.home("q")), (Some("b"), Some("b")));
    assert_eq!(bindings(&stage).await.len(), 2);
    let asked = asked.lock();
    assert_eq!(asked[0].1["NodeNames"].as_array().map(Vec::len), Some(3));
    assert_eq!((asked[1].0.as_str(), asked[1].1["NodeNames"].clone()), ("/scheduler/prioritize", json!(["a", "b"])));
}

#[tokio::test]
async fn where_an_extender_leaves_no_node_the_pod_waits_and_says_why() {
    let (url, _, _server) = extender(|_| (200, json!({"NodeNames": [], "FailedNodes": {"a": "no license"}}))).await;
    let mut stage = stage(&["a"], &settings(url)).await;
    stage.pod("p", &SMALL, as_it_is);
    stage.after(0);
    next(&mut stage).await;
    let said = stage.said_of("p").await;
    let message = said[0]["conditions"][0]["message"].as_str().expect("a message");
    assert!(message.starts_with("0/1 nodes are available: 1 no license."), "{message}");
    // Anything may make it think otherwise.
    stage.node("b");
    stage.after(1500);
    assert!(stage.shell.outside_is_asked());
}

#[tokio::test]
async fn an_extender_that_fails_stops_the_pod_unless_it_may_be_ignored() {
    let (url, _, _server) = extender(|_| (500, json!({}))).await;
    let mut stage = stage(&["a"], &settings(url.clone())).await;
    stage.pod("p", &SMALL, as_it_is);
    stage.after(0);
    next(&mut stage).await;
    assert_eq!(stage.home("p"), None);
    let said = stage.said_of("p").await;
    assert_eq!(said[0]["conditions"][0]["reason"], "SchedulerError");
    let message = said[0]["conditions"][0]["message"].as_str().expect("a message");
    assert!(message.contains("failed filter with extender at URL") && message.ends_with("code 500"), "{message}");
    stage.shell.outside = Outside::new(vec![
        Extender::connect(&Settings { is_ignorable: true, ..settings(url) }).await.expect("a client"),
    ]);
    stage.after(2000);
    next(&mut stage).await;
    assert_eq!(stage.home("p"), Some("a"));
}

#[tokio::test]
async fn an_extender_binds_in_the_schedulers_place() {
    let (url, asked, _server) = extender(|_| (200, json!({"Error": ""}))).await;
    let only_binds =
        Settings { filter_verb: None, prioritize_verb: None, bind_verb: Some("bind".to_owned()), ..settings(url) };
    let mut stage = stage(&["a"], &only_binds).await;
    stage.pod("p", &SMALL, as_it_is);
    stage.after(0);
    next(&mut stage).await;
    next(&mut stage).await;
    assert_eq!(stage.home("p"), Some("a"));
    assert_eq!(bindings(&stage).await, Vec::<String>::new());
    let told = json!({"PodName": "p", "PodNamespace": "shop", "PodUID": "p", "Node": "a"});
    assert_eq!(asked.lock().last(), Some(&("/scheduler/bind".to_owned(), told)));
}

#[tokio::test]
async fn an_extender_says_who_goes() {
    let (url, asked, _server) = extender(|path| match path {
        "/scheduler/preempt" => {
            (200, json!({"NodeNameToMetaVictims": {"b": {"Pods": [{"UID": "victim-b"}], "NumPDBViolations": 0}}}))
        }
        _ => (200, json!({"NodeNames": ["a", "b"]})),
    })
    .await;
    let mut stage = stage(&["a", "b"], &Settings { preempt_verb: Some("preempt".to_owned()), ..settings(url) }).await;
    stage.pod("victim-a", &LARGE, on("a"));
    stage.pod("victim-b", &LARGE, on("b"));
    stage.pod("vip", &VIP, as_it_is);
    stage.after(0);
    next(&mut stage).await;
    assert_eq!(stage.nomination("vip"), Some("b"));
    stage.said_of("vip").await;
    let evicted = |pod: &str| {
        stage
            .asked
            .lock()
            .iter()
            .any(|asked| asked.contains(&format!("/pods/{pod}/status ")) && asked.contains("DisruptionTarget"))
    };
    assert_eq!((evicted("victim-a"), evicted("victim-b")), (false, true));
    let asked = asked.lock();
    assert_eq!(asked[0].1["NodeNameToMetaVictims"].as_object().map(serde_json::Map::len), Some(2));
}

#[tokio::test]
async fn a_pod_that_does_not_concern_an_extender_is_placed_without_it() {
    let (url, asked, _server) = extender(|_| (500, json!({}))).await;
    let managed = Settings { resources: BTreeSet::from(["example.com/gpu".to_owned()]), ..settings(url) };
    let mut stage = stage(&["a"], &managed).await;
    stage.pod("p", &SMALL, as_it_is);
    stage.after(0);
    assert_eq!(stage.home("p"), Some("a"));
    assert!(asked.lock().is_empty());
}
