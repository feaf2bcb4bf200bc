//! `apply`: brings objects to what manifests say, by a three-way merge computed here or by the server.

use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::failure;
use crate::high::DryRun;
use crate::low;
use crate::manifest::{self, Document};
use crate::print::{Format, tree};
use crate::resource::{self, NotServed, Resource};
use crate::server::{APPLY_PATCH, MERGE_PATCH, Query, STRATEGIC_PATCH};
use crate::session::{Failures, Session};
use anyhow::{Context, Result, bail};
use kinds::schema::merge;
use kinds::selector::LabelSelector;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// Where the manifest of the last apply is kept on the object.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The owner of fields; kubectl's names, so that objects may be applied by either.
const MANAGER: &str = "kubectl-client-side-apply";
const SERVER_SIDE_MANAGER: &str = "kubectl";

/// Attempts against others' concurrent writes, as kubectl's.
const ATTEMPTS_MAX: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    Configured,
    Unchanged,
    ServerSide,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Outcome::Created => "created",
            Outcome::Configured => "configured",
            Outcome::Unchanged => "unchanged",
            Outcome::ServerSide => "serverside-applied",
        }
    }
}

/// The flags, validated.
pub(super) struct Plan {
    dry_run: DryRun,
    server_side: bool,
    force_conflicts: bool,
    manager: String,
    selector: Option<LabelSelector>,
    format: Option<Format>,
}

impl Plan {
    pub(super) fn new(typed: &low::Applied, dry_run: DryRun, output: Option<&str>) -> Result<Self> {
        if typed.server_side && dry_run == DryRun::Client {
            bail!("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)");
        }
        if typed.files.names.is_empty() {
            bail!("must specify -f (a file, a folder, or - for standard input)");
        }
        let manager = if typed.server_side { SERVER_SIDE_MANAGER } else { MANAGER };
        Ok(Self {
            dry_run,
            server_side: typed.server_side,
            force_conflicts: typed.force_conflicts,
            manager: typed.field_manager.clone().unwrap_or_else(|| manager.to_owned()),
            selector: typed.selector.as_deref().map(LabelSelector::parse).transpose()?,
            format: output.map(|text| Format::parse(Some(text))).transpose()?,
        })
    }

    fn query(&self) -> Query {
        Query::new()
            .set("fieldManager", &self.manager)
            .set("fieldValidation", "Strict")
            .maybe("dryRun", self.dry_run.query())
            .maybe("force", self.force_conflicts.then_some("true"))
    }

    pub(super) fn selects(&self, document: &Document) -> bool {
        let labels = document.object["metadata"]["labels"].as_object();
        let labels =
            labels.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        let labels: std::collections::BTreeMap<String, String> = labels.collect();
        self.selector.as_ref().is_none_or(|selector| selector.matches(&labels))
    }
}

pub(super) async fn run(session: &Session, typed: &low::Apply) -> Result<()> {
    let dry_run = DryRun::parse(typed.dry_run.as_deref())?;
    let plan = Plan::new(&typed.what, dry_run, typed.format.output.as_deref())?;
    let files = &typed.what.files;
    let documents = manifest::read(&files.names, files.recursive);
    if documents.is_empty() {
        bail!("no objects passed to apply");
    }
    let defined: BTreeSet<Defined> = documents.iter().flatten().filter_map(Defined::by).collect();
    let mut run = Run { session, plan, failures: Failures::default(), applied: vec![], made: BTreeSet::new() };
    let mut early = vec![];
    for document in documents {
        let Some(document) = run.failures.take(session, document)? else { continue };
        if !run.plan.selects(&document) {
            continue;
        }
        let outcome = one(session, &run.plan, &document).await;
        match outcome {
            // Its definition comes later, or is not served yet.
            Err(error) if error.is::<NotServed>() && defined.contains(&Defined::of(&document)) => early.push(document),
            outcome => run.note(&document, outcome)?,
        }
    }
    let end = Instant::now() + SERVED_WITHIN;
    for document in early {
        if run.made.contains(&Defined::of(&document)) {
            served_by(session, &document, end).await;
        }
        let outcome = one(session, &run.plan, &document).await;
        run.note(&document, outcome)?;
    }
    run.end()
}

/// What a CustomResourceDefinition defines, or an object is of: group and kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Defined(String, String);

impl Defined {
    fn by(document: &Document) -> Option<Self> {
        if document.kind() != "CustomResourceDefinition" || !document.api_version().starts_with("apiextensions.k8s.io/")
        {
            return None;
        }
        let spec = &document.object["spec"];
        Some(Self(spec["group"].as_str()?.to_owned(), spec["names"]["kind"].as_str()?.to_owned()))
    }

    fn of(document: &Document) -> Self {
        let group = document.api_version().split_once('/').map_or("", |(group, _)| group);
        Self(group.to_owned(), document.kind().to_owned())
    }
}

/// How long the definitions that were just applied may take until they are served, and how often that is asked.
const SERVED_WITHIN: Duration = Duration::from_secs(10);
const SERVED_ASK_EVERY: Duration = Duration::from_millis(50);

/// Waits while the kind is not served; any other error is that of the attempt to apply it.
async fn served_by(session: &Session, document: &Document, end: Instant) {
    let resource = async || resource::of_object(&session.server, document.api_version(), document.kind()).await;
    while resource().await.is_err_and(|error| error.is::<NotServed>()) && Instant::now() < end {
        tokio::time::sleep(SERVED_ASK_EVERY).await;
    }
}

/// What became of the manifests so far.
struct Run<'a> {
    session: &'a Session,
    plan: Plan,
    failures: Failures,
    applied: Vec<Value>,
    /// By definitions that were applied.
    made: BTreeSet<Defined>,
}

impl Run<'_> {
    fn note(&mut self, document: &Document, outcome: Result<(Chosen, Outcome, Value)>) -> Result<()> {
        let outcome = outcome.map_err(|error| located(error, document));
        let Some((one, outcome, object)) = self.failures.take(self.session, outcome)? else { return Ok(()) };
        if self.plan.dry_run == DryRun::No {
            self.made.extend(Defined::by(document));
        }
        let title = one.title();
        match self.plan.format {
            None => {
                let suffix = self.plan.dry_run.suffix();
                self.session.screen.line(&format!("{title} {}{suffix}", outcome.word()))?;
            }
            Some(Format::Name) => self.session.screen.line(&title)?,
            Some(_) => self.applied.push(object),
        }
        Ok(())
    }

    fn end(mut self) -> Result<()> {
        if !self.applied.is_empty() {
            let whole = if self.applied.len() == 1 { self.applied.remove(0) } else { tree::list(&self.applied) };
            super::show_tree(self.session, self.plan.format.as_ref(), &whole)?;
        }
        self.failures.end()
    }
}

/// Shows the manifests of the last applies.
pub(super) async fn view_last(session: &Session, typed: &low::ViewLastApplied) -> Result<()> {
    let write = match typed.output.as_str() {
        "yaml" => tree::yaml,
        "json" => tree::json,
        other => bail!("unexpected -o output mode: {other}, the flag 'output' must be one of yaml|json"),
    };
    let select = low::Select { selector: typed.selector.clone(), ..low::Select::default() };
    let nameless = if typed.all { Nameless::All } else { Nameless::Refused };
    let choice = Choice { words: &typed.words, files: Some(&typed.files), select: &select, nameless };
    let mut failures = Failures::default();
    for one in chosen::choose(session, &choice).await? {
        let last = last_applied(session, &one).await;
        if let Some(last) = failures.take(session, last)? {
            session.screen.text(&write(&last))?;
        }
    }
    failures.end()
}

async fn last_applied(session: &Session, one: &Chosen) -> Result<Value> {
    let object = one.object(session).await?;
    match last_of(&object)? {
        Some(last) => Ok(last),
        None => bail!("no last-applied-configuration annotation found on resource: {}", one.name),
    }
}

/// The manifest of the last apply, from the object on the server.
fn last_of(object: &Value) -> Result<Option<Value>> {
    let Some(text) = object["metadata"]["annotations"][LAST_APPLIED].as_str() else { return Ok(None) };
    let last = serde_json::from_str(text);
    last.map(Some).with_context(|| format!("the {LAST_APPLIED} annotation of the object on the server is not JSON"))
}

/// An error with the file that it is about; of the server, in kubectl's words.
pub(super) fn located(error: anyhow::Error, document: &Document) -> anyhow::Error {
    if error.is::<failure::Unreachable>() || error.is::<std::io::Error>() {
        return error;
    }
    let source = if document.source == "-" { "STDIN" } else { &document.source };
    if failure::status(&error).is_some() {
        return error.context(failure::During(format!("error when applying \"{source}\"")));
    }
    error.context(format!("cannot apply {source}"))
}

/// Applies a manifest: to what, how that ended, and the object after it.
pub(super) async fn one(session: &Session, plan: &Plan, document: &Document) -> Result<(Chosen, Outcome, Value)> {
    let resource = resource::of_object(&session.server, document.api_version(), document.kind()).await?;
    let mut object = document.object.clone();
    let metadata = object["metadata"].clone();
    let Some(name) = metadata["name"].as_str().filter(|name| !name.is_empty()) else {
        bail!("the {} has no metadata.name (apply needs names; `create` takes generateName)", document.kind());
    };
    let namespace = session.namespace_of(&resource, metadata["namespace"].as_str())?.to_owned();
    if resource.namespaced {
        object["metadata"]["namespace"] = namespace.as_str().into();
    }
    let one = Chosen { resource, namespace, name: name.to_owned(), listed: None };
    if plan.server_side {
        let patched = session.server.patch(&plan.query().on(&one.path()), APPLY_PATCH, &object).await;
        let patched = patched.map_err(explain_conflict)?;
        return Ok((one, Outcome::ServerSide, patched));
    }
    let (outcome, object) = client_side(session, plan, &one.resource, &one.path(), object).await?;
    Ok((one, outcome, object))
}

/// A conflict of server-side apply names each field and its owner; say how to go on.
fn explain_conflict(error: anyhow::Error) -> anyhow::Error {
    let Some(status) = failure::status(&error).filter(|status| status.code == 409) else { return error };
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    let fields: Vec<String> = causes.iter().map(|cause| format!("\n- {} ({})", cause.field, cause.message)).collect();
    anyhow::anyhow!(
        "Apply failed with {} conflict(s):{}\nuse --force-conflicts to take these fields, or remove them from the manifest",
        fields.len(),
        fields.concat()
    )
}

async fn client_side(
    session: &Session,
    plan: &Plan,
    resource: &Resource,
    path: &str,
    object: Value,
) -> Result<(Outcome, Value)> {
    let modified = with_last_applied(object)?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let Some(live) = session.server.find(path).await? else {
            if plan.dry_run == DryRun::Client {
                return Ok((Outcome::Created, modified));
            }
            let namespace = modified["metadata"]["namespace"].as_str();
            let created = session.server.post(&plan.query().on(&resource.path(namespace)), &modified).await?;
            return Ok((Outcome::Created, created));
        };
        if live["metadata"]["annotations"][LAST_APPLIED].is_null() {
            session.screen.note(&format!(
                "Warning: resource {} is missing the {LAST_APPLIED} annotation which is required by apply. It will be added; fields removed from the manifest before that are kept.",
                resource.full_plural() + "/" + modified["metadata"]["name"].as_str().unwrap_or_default()
            ))?;
        }
        let change = patch(resource, &modified, &live)?;
        if change.body == json!({}) {
            return Ok((Outcome::Unchanged, live));
        }
        if plan.dry_run == DryRun::Client {
            return Ok((Outcome::Configured, live));
        }
        match session.server.patch(&plan.query().on(path), change.content_type, &change.body).await {
            Ok(patched) => return Ok((Outcome::Configured, patched)),
            Err(error) if failure::is_conflict(&error) && attempt < ATTEMPTS_MAX => {}
            Err(error) => return Err(error),
        }
    }
}

/// The object with itself, as the user wrote it, in its annotation.
fn with_last_applied(mut object: Value) -> Result<Value> {
    if !object["metadata"].is_object() {
        bail!("metadata must be an object");
    }
    let annotations = &mut object["metadata"]["annotations"];
    if annotations.is_null() {
        *annotations = json!({});
    }
    let Some(annotations) = annotations.as_object_mut() else { bail!("metadata.annotations must be an object") };
    annotations.remove(LAST_APPLIED);
    let configuration = as_go_writes(&object);
    object["metadata"]["annotations"][LAST_APPLIED] = configuration.into();
    Ok(object)
}

/// JSON byte for byte as kubectl keeps it (escaped for HTML, a line end after it), so that applying by one tool what was
/// applied by the other changes nothing.
fn as_go_writes(object: &Value) -> String {
    let mut text = object.to_string();
    for letter in ['<', '>', '&', '\u{2028}', '\u{2029}'] {
        // These stand in JSON inside strings only.
        if text.contains(letter) {
            text = text.replace(letter, &format!("\\u{:04x}", u32::from(letter)));
        }
    }
    text.push('\n');
    text
}

struct Change {
    content_type: &'static str,
    body: Value,
}

/// What to send so that `live` gets what `modified` says and loses what the last apply said and this one does not.
fn patch(resource: &Resource, modified: &Value, live: &Value) -> Result<Change> {
    let original = last_of(live)?.unwrap_or_else(|| json!({}));
    let builtin = kinds::table::find(&resource.group, &resource.version, &resource.plural);
    let schema = builtin.and_then(|kind| kinds::schema::lookup(&kind.row().schema));
    let content_type = if builtin.is_some() { STRATEGIC_PATCH } else { MERGE_PATCH };
    let mut body = merge::three_way(&original, modified, live, schema)?;
    // The server owns these; a manifest exported with them must not fight it.
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, value| !(key == "creationTimestamp" && value.is_null()));
        if metadata.is_empty() {
            body.as_object_mut().expect("a patch is an object").remove("metadata");
        }
    }
    if body.get("status").is_some_and(Value::is_null) {
        body.as_object_mut().expect("a patch is an object").remove("status");
    }
    Ok(Change { content_type, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn deployment(replicas: u32, image: &str) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "web", "image": image}]}}},
        })
    }

    fn check(last: &Value, manifest: Value, live: &dyn Fn(&mut Value), expected: &Expect) {
        let mut on_server = with_last_applied(last.clone()).unwrap();
        on_server["metadata"]["uid"] = "u".into();
        live(&mut on_server);
        let modified = with_last_applied(manifest).unwrap();
        let mut body = patch(&resource::known("apps", "deployments"), &modified, &on_server).unwrap().body;
        if let Some(annotations) = body["metadata"]["annotations"].as_object_mut() {
            annotations.remove(LAST_APPLIED);
        }
        expected.assert_eq(&body.to_string());
    }

    #[test]
    fn what_was_applied_is_kept_as_kubectl_keeps_it() {
        assert_eq!(as_go_writes(&json!({"a": "<b> & c"})), "{\"a\":\"\\u003cb\\u003e \\u0026 c\"}\n");
    }

    #[test]
    fn the_same_manifest_again_changes_nothing() {
        let last = deployment(3, "a");
        let modified = with_last_applied(last.clone()).unwrap();
        let mut live = modified.clone();
        live["metadata"]["uid"] = "u".into();
        live["spec"]["paused"] = false.into();
        assert_eq!(patch(&resource::known("apps", "deployments"), &modified, &live).unwrap().body, json!({}));
    }

    #[test]
    fn only_what_the_user_changed_is_sent() {
        check(
            &deployment(3, "a"),
            deployment(3, "b"),
            &|live| live["spec"]["template"]["spec"]["containers"][0]["terminationMessagePath"] = "/x".into(),
            &expect![[
                r#"{"metadata":{"annotations":{}},"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"web"}],"containers":[{"image":"b","name":"web"}]}}}}"#
            ]],
        );
    }

    #[test]
    fn what_left_the_manifest_is_removed_and_what_others_set_stays() {
        let mut manifest = deployment(3, "a");
        manifest["spec"].as_object_mut().unwrap().remove("replicas");
        check(
            &deployment(3, "a"),
            manifest,
            &|live| {
                live["spec"]["replicas"] = 7.into();
                live["metadata"]["labels"] = json!({"theirs": "x"});
            },
            &expect![[r#"{"metadata":{"annotations":{}},"spec":{"replicas":null}}"#]],
        );
    }
}
