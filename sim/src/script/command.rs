//! What a script can ask for.

use super::{Command, manifest, show};
use crate::cluster::Cluster;
use crate::network::Held;
use crate::scenario::{may_pass, send};
use crate::world::text;
use anyhow::{Context as _, Result, bail};
use http::Method;
use kinds::row::Row;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

pub(super) struct Script {
    pub(super) cluster: Cluster,
    pub(super) client: kube::Client,
    /// Where the objects are that are spoken of.
    ns: String,
}

/// How often the user tries what somebody else may have got in the way of.
const TRIES: u32 = 10;

impl Script {
    pub(super) fn new(cluster: Cluster) -> Self {
        let client = cluster.admin();
        Self { cluster, client, ns: NAMESPACE.to_owned() }
    }

    /// Does it; returns what there is to say.
    pub(super) async fn obey(&mut self, command: &Command) -> Result<String> {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["nodes", _] => Ok(String::new()),
            ["create", kind, name, more @ ..] => {
                let object = manifest::of(kind, name, more)?;
                self.apply(object).await
            }
            ["apply"] => {
                let mut said = String::new();
                for document in command.document.split("\n---\n") {
                    said += &self.apply(serde_norway::from_str(document).context("the document")?).await?;
                }
                Ok(said)
            }
            ["scale", kind, name, replicas] => {
                let replicas: i64 = replicas.parse().context("how many replicas")?;
                self.patch(kind, name, &json!({"spec": {"replicas": replicas}})).await
            }
            ["image", kind, name, image] => {
                let containers = json!([manifest::container(image, manifest::CPU)]);
                self.patch(kind, name, &json!({"spec": {"template": {"spec": {"containers": containers}}}})).await
            }
            ["label", kind, name, label] => {
                let (key, value) = label.split_once('=').context("a label is KEY=VALUE")?;
                self.patch(kind, name, &json!({"metadata": {"labels": {(key): value}}})).await
            }
            ["patch", kind, name] => {
                let patch = serde_norway::from_str(&command.document).context("the patch")?;
                self.patch(kind, name, &patch).await
            }
            ["own", kind, name, by_kind, by_name] => self.own((kind, name), (by_kind, by_name)).await,
            ["in", ns] => {
                (*ns).clone_into(&mut self.ns);
                Ok(String::new())
            }
            ["delete", kind, name] => self.delete(kind, name, "Background").await,
            ["delete", kind, name, "foreground"] => self.delete(kind, name, "Foreground").await,
            ["delete", kind, name, "orphan"] => self.delete(kind, name, "Orphan").await,
            ["evict", name] => self.evict(name).await,
            ["advance", time] => {
                sleep(duration(time)?).await;
                Ok(String::new())
            }
            ["advance", time, "at", "most", most, "writes"] => self.count_writes(duration(time)?, most.parse()?).await,
            ["compact"] => {
                self.cluster.compact().await;
                Ok(String::new())
            }
            ["kill", "apiserver"] => {
                self.cluster.kill_server();
                Ok(String::new())
            }
            ["start", "apiserver"] => self.cluster.start_server().await.map(|()| String::new()),
            ["say-cpu", node, millis] => {
                let millis = millis.parse()?;
                self.on(node, |cluster, which| cluster.say_cpu(which, millis))
            }
            ["show", rest @ ..] => show::show(self, rest).await,
            [fault, process] => self.fault(fault, process),
            _ => bail!("there is no such command"),
        }
    }

    fn fault(&mut self, fault: &str, process: &str) -> Result<String> {
        let what: fn(&mut Cluster, usize) = match fault {
            "kill" => Cluster::kill,
            "start" => Cluster::start_process,
            "power-off" => Cluster::power_off,
            "cut-off" => |cluster, which| cluster.set_down(which, true),
            "reconnect" => |cluster, which| cluster.set_down(which, false),
            "hold-up" => |cluster, which| cluster.set_held(which, Held::Everything),
            "mute" => |cluster, which| cluster.set_held(which, Held::Requests),
            "let-pass" => |cluster, which| cluster.set_held(which, Held::Nothing),
            _ => bail!("there is no such command"),
        };
        self.on(process, what)
    }

    /// Every process whose name begins so: `scheduler` are both.
    fn on(&mut self, prefix: &str, what: impl Fn(&mut Cluster, usize)) -> Result<String> {
        let named = |which: &usize| self.cluster.processes[*which].name.starts_with(prefix);
        let meant: Vec<usize> = (0..self.cluster.processes.len()).filter(named).collect();
        if meant.is_empty() {
            bail!("there is no process {prefix}");
        }
        meant.into_iter().for_each(|which| what(&mut self.cluster, which));
        Ok(String::new())
    }

    /// Insists for a while; what is refused for good is said.
    async fn request(&self, method: Method, path: &str, body: &Value) -> Result<String> {
        for _ in 0..TRIES {
            match send(&self.client, &method, path, body).await {
                Ok(_) => return Ok(String::new()),
                Err(kube::Error::Api(status)) if matches!(status.code, 400..=500) && status.code != 409 => {
                    return Ok(format!("refused: {}", self.masked(&status.message)));
                }
                Err(error) if may_pass(&error) => sleep(Duration::from_secs(1)).await,
                Err(error) => return Err(error).with_context(|| format!("{method} {path}")),
            }
        }
        Ok("refused again and again".to_owned())
    }

    pub(super) fn masked(&self, text: &str) -> String {
        self.cluster.look(|world| world.masked(text))
    }

    async fn apply(&self, object: Value) -> Result<String> {
        let api_version = text(&object, "/apiVersion");
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = kinds::table::find_kind(group, version, text(&object, "/kind")).context("there is no such kind")?;
        let ns = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or(&self.ns);
        self.request(Method::POST, &collection_in(kind.row(), ns), &object).await
    }

    async fn patch(&self, kind: &str, name: &str, patch: &Value) -> Result<String> {
        self.request(Method::PATCH, &self.path(kind, name)?, patch).await
    }

    async fn delete(&self, kind: &str, name: &str, propagation: &str) -> Result<String> {
        self.request(Method::DELETE, &self.path(kind, name)?, &json!({"propagationPolicy": propagation})).await
    }

    async fn evict(&self, name: &str) -> Result<String> {
        let path = self.path("pod", name)?;
        let name = path.rsplit('/').next().unwrap_or_default();
        let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}});
        self.request(Method::POST, &format!("{path}/eviction"), &body).await
    }

    fn path(&self, kind: &str, name: &str) -> Result<String> {
        let row = row(kind)?;
        Ok(format!("{}/{}", self.collection(row), self.named(row, name)?))
    }

    pub(super) fn collection(&self, row: &Row) -> String {
        collection_in(row, &self.ns)
    }

    /// Makes the second an owner of the first, which does not go without it.
    async fn own(&self, (kind, name): (&str, &str), (by_kind, by_name): (&str, &str)) -> Result<String> {
        let row = row(by_kind)?;
        let uid =
            self.cluster.look(|world| world.named(&row.storage, by_name).map(|owner| owner["metadata"]["uid"].clone()));
        let owner = json!({
            "apiVersion": row.api_version(), "kind": row.kind, "name": by_name, "blockOwnerDeletion": true,
            "uid": uid.with_context(|| format!("there is no {by_kind} {by_name}"))?,
        });
        self.patch(kind, name, &json!({"metadata": {"ownerReferences": [owner]}})).await
    }

    /// `web-*` is the first one that is called so, `app=web` the first one that is labelled so.
    pub(super) fn named(&self, row: &Row, name: &str) -> Result<String> {
        if let Some((key, value)) = name.split_once('=') {
            let found = self.cluster.look(|world| {
                let mut objects = world.of(&row.storage);
                let found = objects.find(|object| object["metadata"]["labels"][key] == *value);
                found.map(|object| text(object, "/metadata/name").to_owned())
            });
            return found.with_context(|| format!("nothing is labelled {name}"));
        }
        let Some(prefix) = name.strip_suffix('*') else { return Ok(name.to_owned()) };
        let found = self.cluster.look(|world| {
            let names = world.of(&row.storage).map(|object| text(object, "/metadata/name"));
            names.filter(|name| name.starts_with(prefix)).map(str::to_owned).next()
        });
        found.with_context(|| format!("nothing is called {name}"))
    }

    /// Says so if there were more, and of what.
    async fn count_writes(&self, time: Duration, most: u64) -> Result<String> {
        let before = self.cluster.look(|world| world.written.clone());
        sleep(time).await;
        let after = self.cluster.look(|world| world.written.clone());
        let more = after.iter().map(|(of, count)| (of, count - before.get(of).copied().unwrap_or(0)));
        let more: Vec<_> = more.filter(|(_, count)| *count > 0).collect();
        let total: u64 = more.iter().map(|(_, count)| count).sum();
        let said = if total > most { format!("{total} writes: {more:?}") } else { "no more than that".to_owned() };
        Ok(said)
    }
}

const NAMESPACE: &str = "default";

/// By plural, singular or short name.
pub(super) fn row(word: &str) -> Result<&'static Row> {
    let called =
        |row: &&Row| row.plural == word || row.singular == word || row.short_names.iter().any(|name| name == word);
    let mut rows = kinds::table::builtin().iter().map(|kind| kind.row());
    rows.find(called).with_context(|| format!("there is no kind {word}"))
}

fn collection_in(row: &Row, ns: &str) -> String {
    let root = if row.group.is_empty() { "/api" } else { "/apis" };
    let ns = if row.namespaced() { format!("/namespaces/{ns}") } else { String::new() };
    format!("{root}/{}{ns}/{}", row.api_version(), row.plural)
}

fn duration(text: &str) -> Result<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count: u64 = digits.parse().with_context(|| format!("{text} is no time"))?;
    match &text[digits.len()..] {
        "s" => Ok(Duration::from_secs(count)),
        "m" => Ok(Duration::from_mins(count)),
        "h" => Ok(Duration::from_hours(count)),
        _ => bail!("{text} is no time: write 30s, 5m or 1h"),
    }
}
