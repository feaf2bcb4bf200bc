//! Pods and observations for tests, from short YAML.

use super::observed::{Health, Image, Observed, Record, RunState, Sandbox, Volumes};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

/// A pod named `web` in `default` with uid `uid-1`; `text` is laid over that.
pub(crate) fn pod_yaml(text: &str) -> Pod {
    let mut base = serde_json::json!({
        "metadata": { "name": "web", "namespace": "default", "uid": "uid-1", "generation": 1 },
        "spec": { "containers": [] },
    });
    let over: Value = serde_norway::from_str(text).unwrap();
    merge(&mut base, over);
    serde_json::from_value(base).unwrap()
}

/// Runs `test` where nothing that it mounts is seen by others or stays.
pub(crate) fn with_own_mounts(test: impl FnOnce() + Send) {
    use rustix::mount::{MountPropagationFlags, mount_change};
    std::thread::scope(|scope| {
        let alone = scope.spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("tests that mount run as root");
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
            test();
        });
        if let Err(panicked) = alone.join() {
            std::panic::resume_unwind(panicked);
        }
    });
}

fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + secs).unwrap()
}

/// Volumes and sandbox are ready, every image of the pod is present, nothing runs yet.
pub(crate) fn prepared(pod: &Pod) -> Observed {
    let sandbox = Sandbox { id: "s0".into(), attempt: 0, ready: true, ips: vec!["10.42.0.2".into()] };
    let images =
        super::member::members(pod).iter().map(|m| (m.name().to_owned(), Image::Present("sha".into()))).collect();
    Observed { sandboxes: vec![sandbox], volumes: Volumes::Ready { renew_at: None }, images, ..Observed::default() }
}

/// `web#0 running`, `web#1 exited 2`: a container in sandbox `s0` with id `<name>-<attempt>`.
pub(crate) fn record(text: &str) -> Record {
    let words: Vec<&str> = text.split(' ').collect();
    let (name, attempt) = words[0].split_once('#').unwrap();
    let state = match words[1] {
        "running" => RunState::Running,
        "created" => RunState::Created,
        "exited" => RunState::Exited,
        _ => RunState::Unknown,
    };
    let code: i32 = words.get(2).map_or(0, |w| w.parse().unwrap());
    Record {
        id: format!("{name}-{attempt}"),
        name: name.to_owned(),
        attempt: attempt.parse().unwrap(),
        sandbox: "s0".to_owned(),
        state,
        created: Some(at(0)),
        started: (state != RunState::Created).then(|| at(0)),
        finished: (state == RunState::Exited).then(|| at(5)),
        exit_code: code,
        reason: String::new(),
        message: String::new(),
        image: String::new(),
        image_id: String::new(),
        hash: String::new(),
        log_path: String::new(),
        user: None,
        resources: None,
    }
}

/// Adds containers, oldest first; running ones are started and ready.
pub(crate) fn with(mut seen: Observed, records: &[&str]) -> Observed {
    for text in records {
        let record = record(text);
        if record.is_running() {
            seen.health.insert(record.id.clone(), Health { started: true, ready: true, failed: None });
        }
        seen.containers.insert(0, record);
    }
    seen
}
