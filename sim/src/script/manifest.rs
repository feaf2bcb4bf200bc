//! The objects that `create KIND NAME ..` stands for; everything else is written out for `apply`.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

/// Millicores that a pod asks for.
pub(super) const CPU: &str = "200m";

pub(super) fn container(image: &str, cpu: &str) -> Value {
    json!({"name": "c", "image": image, "resources": {"requests": {"cpu": cpu}}})
}

/// `more` is the number of replicas, completions or the schedule, then `image=IMAGE` and `cpu=CPU`.
pub(super) fn of(kind: &str, name: &str, more: &[&str]) -> Result<Value> {
    let option = |key: &str, default: &'static str| {
        let given = more.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        given.unwrap_or(default).to_owned()
    };
    let first = more.first().copied().unwrap_or("1");
    let number = || first.parse::<i64>().with_context(|| format!("{first} is no number"));
    let labels = json!({"app": name});
    let template = |image: &'static str| json!({"metadata": {"labels": labels}, "spec": {"containers": [container(&option("image", image), &option("cpu", CPU))]}});
    let job = |completions: i64| {
        let mut template = template("work");
        template["spec"]["restartPolicy"] = json!("Never");
        json!({"completions": completions, "template": template})
    };
    let selector = json!({"matchLabels": labels});
    let (api_version, kind, spec) = match kind {
        "deployment" => {
            ("apps/v1", "Deployment", json!({"replicas": number()?, "selector": selector, "template": template("one")}))
        }
        "replicaset" => {
            ("apps/v1", "ReplicaSet", json!({"replicas": number()?, "selector": selector, "template": template("one")}))
        }
        "statefulset" => {
            let spec =
                json!({"replicas": number()?, "serviceName": name, "selector": selector, "template": template("one")});
            ("apps/v1", "StatefulSet", spec)
        }
        "daemonset" => ("apps/v1", "DaemonSet", json!({"selector": selector, "template": template("one")})),
        "replicationcontroller" => (
            "v1",
            "ReplicationController",
            json!({"replicas": number()?, "selector": labels, "template": template("one")}),
        ),
        "job" => ("batch/v1", "Job", job(number()?)),
        "cronjob" => ("batch/v1", "CronJob", json!({"schedule": first, "jobTemplate": {"spec": job(1)}})),
        other => bail!("write a {other} out, for `apply`"),
    };
    Ok(json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}))
}
