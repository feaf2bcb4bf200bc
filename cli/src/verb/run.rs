//! `run` and `expose`: a pod from an image, a Service for a workload.

use super::create::{Plan, post};
use super::delete::until_gone;
use super::exec::{Shown, Streams, attach_to};
use super::pods;
use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::failure::{self, Exit};
use crate::follow::Follow;
use crate::high::{self, DryRun};
use crate::low;
use crate::resource;
use crate::session::Session;
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

pub(super) async fn run(session: &Session, typed: &low::Run) -> Result<()> {
    let attached = typed.attach || typed.stdin || typed.tty;
    if typed.rm && !attached {
        bail!("--rm should only be used for attached containers");
    }
    let plan = Plan::new(typed.dry_run.as_deref(), typed.format.output.as_deref())?;
    let resource = resource::known("", "pods");
    let created = post(session, &plan, &resource, pod(typed)?).await?;
    if !attached || plan.dry_run != DryRun::No {
        return Ok(());
    }
    let one = Chosen { resource, namespace: session.namespace.clone(), name: typed.name.clone(), listed: None };
    let outcome = accompany(session, typed, &one).await;
    if typed.rm {
        session.server.delete(&one.path(), &json!({"propagationPolicy": "Background"})).await?;
        until_gone(session, &one, created["metadata"]["uid"].as_str().unwrap_or_default()).await?;
        session.screen.note(&format!("pod \"{}\" deleted", one.name))?;
    }
    outcome
}

/// Waits for the container, stays with it, and ends as it ends.
async fn accompany(session: &Session, typed: &low::Run, one: &Chosen) -> Result<()> {
    let streams = Streams::new(session, typed.stdin, typed.tty)?;
    let pod = phase(session, one, &["Running", "Succeeded", "Failed"]).await?;
    let attached = match pod["status"]["phase"].as_str() {
        Some("Running") => attach_to(session, &pod, Some(&typed.name), false, streams).await,
        _ => (Shown::Nothing, Ok(())),
    };
    let lost = match attached {
        (shown, Ok(())) => shown == Shown::Nothing,
        (_, Err(error)) if ends_all(&error) => return Err(error),
        (shown, Err(error)) => {
            let name = &one.name;
            let why = failure::message(&error);
            session.screen.note(&format!("warning: couldn't attach to pod/{name}, falling back to its log: {why}"))?;
            shown == Shown::Nothing
        }
    };
    if typed.restart == "Always" {
        return if lost { show_log(session, one).await } else { Ok(()) };
    }
    let pod = phase(session, one, &["Succeeded", "Failed"]).await?;
    if lost {
        // It was faster than we were: its log says what there was to say.
        show_log(session, one).await?;
    }
    let code = pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"].as_i64().unwrap_or(0);
    if code == 0 { Ok(()) } else { Err(Exit(code as u8).into()) }
}

/// Whether no log would say more: the program's own exit code, or the end of our output.
fn ends_all(error: &anyhow::Error) -> bool {
    error.is::<Exit>() || error.is::<std::io::Error>()
}

async fn show_log(session: &Session, one: &Chosen) -> Result<()> {
    Ok(session.screen.text(&session.server.text(&format!("{}/log", one.path())).await?)?)
}

async fn phase(session: &Session, one: &Chosen, phases: &[&str]) -> Result<Value> {
    let mut follow = Follow::new(&session.server, &one.resource, &one.namespace, &one.name);
    while let Some(pod) = follow.next().await? {
        if pod["status"]["phase"].as_str().is_some_and(|phase| phases.contains(&phase)) {
            return Ok(pod);
        }
    }
    bail!("the pod was deleted before its container ran")
}

fn pairs(words: &[String], what: &str) -> Result<Vec<(String, String)>> {
    high::changes(words)?
        .into_iter()
        .map(|(key, value)| Ok((key, value.with_context(|| format!("{what} must be KEY=VALUE"))?)))
        .collect()
}

fn pod(typed: &low::Run) -> Result<Value> {
    if !["Always", "OnFailure", "Never"].contains(&typed.restart.as_str()) {
        bail!("invalid restart policy: {} (Always, OnFailure or Never)", typed.restart);
    }
    let mut labels: Map<String, Value> =
        pairs(&typed.labels, "labels")?.into_iter().map(|(key, value)| (key, value.into())).collect();
    if labels.is_empty() {
        labels.insert("run".to_owned(), typed.name.as_str().into());
    }
    let mut container = json!({"name": typed.name, "image": typed.image});
    if !typed.arguments.is_empty() {
        container[if typed.command { "command" } else { "args" }] = json!(typed.arguments);
    }
    let env: Vec<Value> =
        pairs(&typed.env, "--env")?.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    if !env.is_empty() {
        container["env"] = env.into();
    }
    if let Some(port) = typed.port {
        container["ports"] = json!([{"containerPort": port}]);
    }
    if let Some(policy) = &typed.image_pull_policy {
        container["imagePullPolicy"] = policy.as_str().into();
    }
    if typed.stdin {
        container["stdin"] = true.into();
        container["stdinOnce"] = true.into();
    }
    if typed.tty {
        container["tty"] = true.into();
    }
    Ok(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": typed.name, "labels": labels},
        "spec": {"containers": [container], "restartPolicy": typed.restart},
    }))
}

pub(super) async fn expose(session: &Session, typed: &low::Expose) -> Result<()> {
    let select = low::Select::default();
    let choice = Choice { words: &typed.words, files: None, select: &select, nameless: Nameless::Refused };
    for one in chosen::choose(session, &choice).await? {
        let object = one.object(session).await?;
        let service = service(typed, &one, &object)?;
        let plan = Plan { dry_run: DryRun::No, format: None, done: "exposed" };
        let resource = resource::known("", "services");
        post(session, &plan, &resource, service).await?;
    }
    Ok(())
}

fn service(typed: &low::Expose, one: &Chosen, object: &Value) -> Result<Value> {
    let selector: Map<String, Value> = if one.resource.kind == "Pod" {
        object["metadata"]["labels"].as_object().cloned().unwrap_or_default()
    } else {
        let selector = pods::selector(object).with_context(|| format!("{} has no selector", one.title()))?;
        let equal = |part: &str| part.split_once('=').map(|(key, value)| (key.to_owned(), value.into()));
        let read: Option<Map<String, Value>> = selector.split(',').map(equal).collect();
        read.with_context(|| {
            format!("the selector of {} is more than labels; write the Service yourself", one.title())
        })?
    };
    anyhow::ensure!(!selector.is_empty(), "{} has no labels that a Service could select by", one.title());
    let spec = super::template::pod_spec_path(&one.resource.kind).map(|path| super::template::at(object, path));
    let declared = spec.and_then(|spec| spec["containers"][0]["ports"][0]["containerPort"].as_u64());
    let port = typed.port.map(u64::from).or(declared);
    let port = port.context("couldn't find port via --port flag or introspection")?;
    let target = match &typed.target_port {
        None => json!(port),
        Some(text) => text.parse::<u16>().map_or_else(|_| json!(text), |number| json!(number)),
    };
    Ok(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": typed.name.as_deref().unwrap_or(&one.name), "labels": object["metadata"]["labels"]},
        "spec": {
            "type": typed.service_type, "selector": selector,
            "ports": [{"port": port, "targetPort": target, "protocol": typed.protocol}],
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_shown_for_what_attaching_missed_but_not_for_the_programs_own_end() {
        assert!(ends_all(&Exit(3).into()));
        assert!(ends_all(&std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()));
        assert!(!ends_all(&anyhow::anyhow!("the container does not run")));
    }
}
