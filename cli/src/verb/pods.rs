//! From a word to pods and containers: `web-1`, `deployment/web`, `service/web`.

use crate::resource::{self, Resource};
use crate::server::Query;
use crate::session::Session;
use crate::target;
use anyhow::{Result, bail};
use serde_json::Value;
use std::cmp::Reverse;

/// The container that commands use unless told otherwise.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// The pod that a word means; of several behind a workload, the readiest and then the oldest.
pub(super) async fn of_word(session: &Session, word: &str) -> Result<Value> {
    let named = target::pod_or_owner(&session.server, word).await?;
    let object = session.server.get(&named.resource.object_path(&session.namespace, &named.name)).await?;
    if named.resource.is("", "pods") {
        return Ok(object);
    }
    let mut pods = behind(session, &named.resource, &object).await?;
    pods.sort_by_key(|pod| (Reverse(rank(pod)), text(pod, "creationTimestamp"), text(pod, "name")));
    match pods.into_iter().next() {
        Some(pod) => Ok(pod),
        None => bail!("no pod belongs to {} (see `kctl describe {0}`)", named.resource.named(&named.name)),
    }
}

/// The pods that a workload or Service selects.
pub(super) async fn behind(session: &Session, resource: &Resource, object: &Value) -> Result<Vec<Value>> {
    let Some(selector) = selector(object) else {
        bail!("cannot tell the pods of a {}: it has no selector", resource.full_singular());
    };
    let path = resource::known("", "pods").path(Some(&session.namespace));
    session.server.list(&path, &Query::new().set("labelSelector", selector)).await
}

/// The selector of a workload or Service as a query's text.
pub(super) fn selector(object: &Value) -> Option<String> {
    let selector = object["spec"]["selector"].as_object()?;
    let pairs = |map: &serde_json::Map<String, Value>| -> Vec<String> {
        map.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect()
    };
    if !selector.contains_key("matchLabels") && !selector.contains_key("matchExpressions") {
        return Some(pairs(selector).join(",")).filter(|text| !text.is_empty());
    }
    let mut parts = selector.get("matchLabels").and_then(Value::as_object).map(pairs).unwrap_or_default();
    for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let key = expression["key"].as_str()?;
        let values: Vec<&str> =
            expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        parts.push(match expression["operator"].as_str()? {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    Some(parts.join(",")).filter(|text| !text.is_empty())
}

fn text(pod: &Value, key: &str) -> String {
    pod["metadata"][key].as_str().unwrap_or_default().to_owned()
}

/// How likely the pod is the one that is meant.
fn rank(pod: &Value) -> u8 {
    let ready = pod["status"]["conditions"].as_array().into_iter().flatten();
    let ready = ready.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    let running = pod["status"]["phase"] == "Running";
    let ending = !pod["metadata"]["deletionTimestamp"].is_null();
    u8::from(!ending) * 4 + u8::from(running) * 2 + u8::from(ready)
}

/// The names of a pod's containers: those that run, init ones, ephemeral ones.
pub(super) fn containers(pod: &Value) -> Vec<String> {
    let of = |list: &str| {
        let items = pod["spec"][list].as_array().cloned().unwrap_or_default();
        items.iter().filter_map(|item| item["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    [of("containers"), of("initContainers"), of("ephemeralContainers")].concat()
}

/// The container to use, with a note where it was chosen among several.
pub(super) fn container(pod: &Value, asked: Option<&str>) -> Result<(String, Option<String>)> {
    let all = containers(pod);
    let pod_name = text(pod, "name");
    let known = |name: &str| all.iter().any(|known| known == name);
    if let Some(asked) = asked {
        anyhow::ensure!(known(asked), "container {asked} not found in pod {pod_name}: it has {}", all.join(", "));
        return Ok((asked.to_owned(), None));
    }
    if let Some(annotated) = pod["metadata"]["annotations"][DEFAULT_CONTAINER].as_str().filter(|name| known(name)) {
        return Ok((annotated.to_owned(), None));
    }
    let Some(first) = all.first() else { bail!("pod {pod_name} has no containers") };
    let note = (all.len() > 1).then(|| format!("Defaulted container \"{first}\" out of: {}", all.join(", ")));
    Ok((first.clone(), note))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_of_workloads_and_services_become_queries() {
        let labels = json!({"spec": {"selector": {"matchLabels": {"a": "b"}, "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["d", "e"]}, {"key": "f", "operator": "DoesNotExist"}]}}});
        assert_eq!(selector(&labels).as_deref(), Some("a=b,c in (d,e),!f"));
        assert_eq!(selector(&json!({"spec": {"selector": {"a": "b"}}})).as_deref(), Some("a=b"));
        assert_eq!(selector(&json!({"spec": {}})), None);
        assert_eq!(selector(&json!({"spec": {"selector": {}}})), None);
    }

    #[test]
    fn the_container_is_the_asked_the_annotated_or_the_first() {
        let mut pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]}});
        assert_eq!(container(&pod, Some("b")).unwrap().0, "b");
        assert_eq!(container(&pod, None).unwrap(), ("a".into(), Some("Defaulted container \"a\" out of: a, b".into())));
        pod["metadata"]["annotations"][DEFAULT_CONTAINER] = "b".into();
        assert_eq!(container(&pod, None).unwrap(), ("b".into(), None));
        assert!(container(&pod, Some("c")).is_err());
    }
}
