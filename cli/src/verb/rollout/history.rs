//! Revisions of a workload: the ReplicaSets of a Deployment, the ControllerRevisions of the others; listing them and
//! going back to one.

use super::workloads;
use crate::chosen::Chosen;
use crate::high::DryRun;
use crate::low;
use crate::print::{grid, tree};
use crate::resource;
use crate::server::{JSON_PATCH, Query, STRATEGIC_PATCH};
use crate::session::{Failures, Session};
use anyhow::{Result, bail};
use serde_json::{Value, json};

pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";
const TEMPLATE_HASH: &str = "pod-template-hash";

/// Annotations that a way back does not bring along: they are about the Deployment as it is.
// k8s: kubectl polymorphichelpers/rollback annotationsToSkip
const STAY: [&str; 6] = [
    super::super::apply::LAST_APPLIED,
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

/// A revision and the object that holds it.
struct Revision {
    number: i64,
    holder: Value,
}

impl Revision {
    fn cause(&self) -> &str {
        self.holder["metadata"]["annotations"][CHANGE_CAUSE].as_str().unwrap_or("<none>")
    }

    /// The pod template of the revision.
    fn template(&self) -> Value {
        let of_controller = &self.holder["data"]["spec"]["template"];
        let mut template =
            if of_controller.is_null() { self.holder["spec"]["template"].clone() } else { of_controller.clone() };
        if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
            labels.remove(TEMPLATE_HASH);
        }
        if let Some(fields) = template.as_object_mut() {
            fields.remove("$patch");
        }
        template
    }
}

/// The revisions of a workload, oldest first.
async fn revisions(session: &Session, one: &Chosen, object: &Value) -> Result<Vec<Revision>> {
    let plural = if one.resource.kind == "Deployment" { "replicasets" } else { "controllerrevisions" };
    let selector = super::super::pods::selector(object);
    let path = resource::known("apps", plural).path(Some(&one.namespace));
    let holders = session.server.list(&path, &Query::new().maybe("labelSelector", selector)).await?;
    let uid = &object["metadata"]["uid"];
    let owned = |holder: &Value| {
        let owners = holder["metadata"]["ownerReferences"].as_array();
        owners.into_iter().flatten().any(|owner| owner["uid"] == *uid && owner["controller"] == true)
    };
    let mut revisions: Vec<Revision> = holders
        .into_iter()
        .filter(owned)
        .filter_map(|holder| {
            let annotated = holder["metadata"]["annotations"][REVISION].as_str().and_then(|text| text.parse().ok());
            let number = holder["revision"].as_i64().or(annotated)?;
            Some(Revision { number, holder })
        })
        .collect();
    revisions.sort_by_key(|revision| revision.number);
    Ok(revisions)
}

pub(in crate::verb) async fn history(session: &Session, named: &low::Named, revision: Option<i64>) -> Result<()> {
    let mut failures = Failures::default();
    for one in workloads(session, named).await? {
        failures.take(session, show(session, &one, revision).await)?;
    }
    failures.end()
}

async fn show(session: &Session, one: &Chosen, wanted: Option<i64>) -> Result<()> {
    let object = one.object(session).await?;
    let revisions = revisions(session, one, &object).await?;
    if let Some(wanted) = wanted.filter(|wanted| *wanted > 0) {
        let Some(revision) = revisions.iter().find(|revision| revision.number == wanted) else {
            bail!("unable to find the specified revision");
        };
        session.screen.line(&format!("{} with revision #{wanted}", one.title()))?;
        return Ok(session.screen.text(&tree::yaml(&json!({"Pod Template": revision.template()})))?);
    }
    let titles = vec!["REVISION".to_owned(), "CHANGE-CAUSE".to_owned()];
    let rows = revisions.iter().map(|revision| vec![revision.number.to_string(), revision.cause().to_owned()]);
    let rows: Vec<Vec<String>> = std::iter::once(titles).chain(rows).collect();
    session.screen.line(&one.title())?;
    Ok(session.screen.text(&(grid::lines(&rows).join("\n") + "\n\n"))?)
}

pub(in crate::verb) async fn undo(session: &Session, typed: &low::RolloutUndo) -> Result<()> {
    anyhow::ensure!(typed.to_revision >= 0, "revision must be a positive integer: {}", typed.to_revision);
    let mut failures = Failures::default();
    for one in workloads(session, &typed.named).await? {
        if let Some(word) = failures.take(session, back(session, &one, typed.to_revision).await)? {
            session.screen.line(&format!("{} {word}", one.title()))?;
        }
    }
    failures.end()
}

/// Goes back to a revision; what was done, in words.
async fn back(session: &Session, one: &Chosen, wanted: i64) -> Result<String> {
    let object = one.object(session).await?;
    if object["spec"]["paused"] == true {
        bail!(
            "you cannot rollback a paused deployment; resume it first with 'kctl rollout resume {}' and try again",
            one.title()
        );
    }
    let revisions = revisions(session, one, &object).await?;
    let target = choose(&revisions, wanted)?;
    let mut current = object["spec"]["template"].clone();
    if let Some(labels) = current["metadata"]["labels"].as_object_mut() {
        labels.remove(TEMPLATE_HASH);
    }
    let template = target.template();
    if current == template {
        return Ok(format!("skipped rollback (current template already matches revision {})", target.number));
    }
    let path = one.write_path(DryRun::No);
    if one.resource.kind == "Deployment" {
        let patch = json!([
            {"op": "replace", "path": "/spec/template", "value": template},
            {"op": "add", "path": "/metadata/annotations", "value": annotations(&object, &target.holder)},
        ]);
        session.server.patch(&path, JSON_PATCH, &patch).await?;
    } else {
        session.server.patch(&path, STRATEGIC_PATCH, &target.holder["data"]).await?;
    }
    Ok("rolled back".to_owned())
}

/// The revision to go to: the named one, or the last but one.
fn choose(revisions: &[Revision], wanted: i64) -> Result<&Revision> {
    let found = match wanted {
        0 => revisions.len().checked_sub(2).and_then(|at| revisions.get(at)),
        wanted => revisions.iter().find(|revision| revision.number == wanted),
    };
    match found {
        Some(revision) => Ok(revision),
        None if wanted == 0 => bail!("no rollout history found to go back to"),
        None => bail!("unable to find specified revision {wanted} in history"),
    }
}

/// The annotations after the way back: those of the revision, but for what is about the Deployment as it is.
fn annotations(deployment: &Value, replica_set: &Value) -> Value {
    let of = |object: &Value| object["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    let stays = |key: &String| STAY.contains(&key.as_str());
    let own = of(deployment).into_iter().filter(|(key, _)| stays(key));
    let theirs = of(replica_set).into_iter().filter(|(key, _)| !stays(key));
    Value::Object(own.chain(theirs).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(number: i64) -> Revision {
        let template = json!({"metadata": {"labels": {"app": "web", TEMPLATE_HASH: "x"}}, "spec": {}});
        Revision { number, holder: json!({"spec": {"template": template}}) }
    }

    #[test]
    fn undo_takes_the_last_but_one_or_the_named_revision() {
        let revisions = [revision(1), revision(3), revision(4)];
        assert_eq!(choose(&revisions, 0).unwrap().number, 3);
        assert_eq!(choose(&revisions, 1).unwrap().number, 1);
        assert!(choose(&revisions, 2).is_err());
        assert!(choose(&revisions[..1], 0).is_err());
    }

    #[test]
    fn a_template_loses_what_its_replica_set_added() {
        assert_eq!(revision(1).template(), json!({"metadata": {"labels": {"app": "web"}}, "spec": {}}));
    }

    #[test]
    fn the_deployments_own_annotations_stay() {
        let deployment = json!({"metadata": {"annotations": {REVISION: "4", "mine": "x"}}});
        let replica_set = json!({"metadata": {"annotations": {REVISION: "3", "theirs": "y"}}});
        assert_eq!(annotations(&deployment, &replica_set), json!({REVISION: "4", "theirs": "y"}));
    }
}
