//! How far a rollout is, in kubectl's words; pure.

use anyhow::{Result, bail};
use kinds::tree::{integer, text};
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Waiting(String),
    Done(String),
}

use Progress::{Done, Waiting};

pub(super) fn of(kind: &str, object: &Value, revision: Option<i64>) -> Result<Progress> {
    match kind {
        "Deployment" => deployment(object, revision),
        "DaemonSet" => daemon_set(object),
        "StatefulSet" => stateful_set(object),
        other => bail!("no status viewer has been implemented for {other}"),
    }
}

fn observed(object: &Value) -> bool {
    integer(object, "metadata.generation") <= integer(object, "status.observedGeneration")
}

fn desired(object: &Value) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or(1)
}

// k8s: kubectl polymorphichelpers/rollout_status; people and scripts read these sentences
fn deployment(object: &Value, revision: Option<i64>) -> Result<Progress> {
    let name = text(object, "metadata.name");
    if let Some(wanted) = revision.filter(|wanted| *wanted > 0) {
        let current = object["metadata"]["annotations"][super::history::REVISION].as_str().unwrap_or("0");
        if current != wanted.to_string() {
            bail!("desired revision ({wanted}) is different from the running revision ({current})");
        }
    }
    if !observed(object) {
        return Ok(Waiting("Waiting for deployment spec update to be observed...".to_owned()));
    }
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let mut progressing = conditions.filter(|condition| condition["type"] == "Progressing");
    if progressing.any(|condition| condition["reason"] == "ProgressDeadlineExceeded") {
        bail!("deployment \"{name}\" exceeded its progress deadline");
    }
    let replicas = desired(object);
    let (total, updated, available) = (
        integer(object, "status.replicas"),
        integer(object, "status.updatedReplicas"),
        integer(object, "status.availableReplicas"),
    );
    let waiting = |what: String| Ok(Waiting(format!("Waiting for deployment \"{name}\" rollout to finish: {what}...")));
    if updated < replicas {
        return waiting(format!("{updated} out of {replicas} new replicas have been updated"));
    }
    if total > updated {
        return waiting(format!("{} old replicas are pending termination", total - updated));
    }
    if available < updated {
        return waiting(format!("{available} of {updated} updated replicas are available"));
    }
    Ok(Done(format!("deployment \"{name}\" successfully rolled out")))
}

fn daemon_set(object: &Value) -> Result<Progress> {
    if text(object, "spec.updateStrategy.type") == "OnDelete" {
        bail!("rollout status is only available for RollingUpdate strategy type");
    }
    let name = text(object, "metadata.name");
    if !observed(object) {
        return Ok(Waiting("Waiting for daemon set spec update to be observed...".to_owned()));
    }
    let (desired, updated, available) = (
        integer(object, "status.desiredNumberScheduled"),
        integer(object, "status.updatedNumberScheduled"),
        integer(object, "status.numberAvailable"),
    );
    let waiting = |what: String| Ok(Waiting(format!("Waiting for daemon set \"{name}\" rollout to finish: {what}...")));
    if updated < desired {
        return waiting(format!("{updated} out of {desired} new pods have been updated"));
    }
    if available < desired {
        return waiting(format!("{available} of {desired} updated pods are available"));
    }
    Ok(Done(format!("daemon set \"{name}\" successfully rolled out")))
}

fn stateful_set(object: &Value) -> Result<Progress> {
    if text(object, "spec.updateStrategy.type") == "OnDelete" {
        bail!("rollout status is only available for RollingUpdate strategy type");
    }
    if !observed(object) || integer(object, "status.observedGeneration") == 0 {
        return Ok(Waiting("Waiting for statefulset spec update to be observed...".to_owned()));
    }
    let (replicas, ready) = (desired(object), integer(object, "status.readyReplicas"));
    if ready < replicas {
        return Ok(Waiting(format!("Waiting for {} pods to be ready...", replicas - ready)));
    }
    let updated = integer(object, "status.updatedReplicas");
    let partition = integer(object, "spec.updateStrategy.rollingUpdate.partition");
    if partition > 0 {
        let wanted = replicas - partition;
        return Ok(if updated < wanted {
            Waiting(format!(
                "Waiting for partitioned roll out to finish: {updated} out of {wanted} new pods have been updated..."
            ))
        } else {
            Done(format!("partitioned roll out complete: {updated} new pods have been updated..."))
        });
    }
    let (current, update) = (text(object, "status.currentRevision"), text(object, "status.updateRevision"));
    if current != update {
        return Ok(Waiting(format!(
            "waiting for statefulset rolling update to complete {updated} pods at revision {update}..."
        )));
    }
    let done = integer(object, "status.currentReplicas");
    Ok(Done(format!("statefulset rolling update complete {done} pods at revision {current}...")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment_with(status: Value) -> Value {
        let mut object = json!({"metadata": {"name": "web", "generation": 2}, "spec": {"replicas": 3}});
        object["status"] = status;
        object
    }

    #[test]
    fn a_deployment_goes_from_observed_over_updated_to_available() {
        for (status, expected) in [
            (json!({"observedGeneration": 1}), "Waiting for deployment spec update to be observed..."),
            (
                json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 3}),
                "Waiting for deployment \"web\" rollout to finish: 1 out of 3 new replicas have been updated...",
            ),
            (
                json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "availableReplicas": 3}),
                "Waiting for deployment \"web\" rollout to finish: 1 old replicas are pending termination...",
            ),
            (
                json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 1}),
                "Waiting for deployment \"web\" rollout to finish: 1 of 3 updated replicas are available...",
            ),
        ] {
            assert_eq!(of("Deployment", &deployment_with(status), None).unwrap(), Waiting(expected.to_owned()));
        }
        let done = json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3});
        let done = of("Deployment", &deployment_with(done), None).unwrap();
        assert_eq!(done, Done("deployment \"web\" successfully rolled out".to_owned()));
    }

    #[test]
    fn a_deadline_exceeded_is_an_error() {
        let status = json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]});
        let error = of("Deployment", &deployment_with(status), None).unwrap_err();
        assert_eq!(error.to_string(), "deployment \"web\" exceeded its progress deadline");
    }

    #[test]
    fn daemon_sets_and_stateful_sets_have_their_own_words() {
        let daemon_set = json!({"metadata": {"name": "d"}, "status": {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1}});
        let expected = "Waiting for daemon set \"d\" rollout to finish: 1 of 2 updated pods are available...";
        assert_eq!(of("DaemonSet", &daemon_set, None).unwrap(), Waiting(expected.to_owned()));
        let stateful_set = json!({"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": {"observedGeneration": 1, "readyReplicas": 1}});
        assert_eq!(
            of("StatefulSet", &stateful_set, None).unwrap(),
            Waiting("Waiting for 1 pods to be ready...".to_owned())
        );
    }
}
