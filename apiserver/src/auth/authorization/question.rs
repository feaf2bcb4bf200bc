//! What a webhook is asked: a SubjectAccessReview, as it is sent and as match conditions see it, and what an answer says.

use super::super::Attributes;
use super::Opinion;
use client::identity::Identity;
use kinds::selector::{FieldSelector, LabelSelector, Operator, Requirement};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Longer questions are not remembered: whoever asks could fill the memory with what he makes up.
/// k8s: maxControlledAttrCacheSize
const REMEMBERED_BYTES_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V1Beta1,
}

impl Version {
    const fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "authorization.k8s.io/v1",
            Self::V1Beta1 => "authorization.k8s.io/v1beta1",
        }
    }
}

/// The spec of a review, without what is empty.
pub(super) fn spec(identity: &Identity, attributes: &Attributes<'_>) -> Value {
    let mut spec = Map::new();
    match attributes.path {
        Some(path) => {
            let asked = texts(&[("path", path), ("verb", attributes.verb)]);
            spec.insert("nonResourceAttributes".to_owned(), Value::Object(asked));
        }
        None => drop(spec.insert("resourceAttributes".to_owned(), Value::Object(resource(attributes)))),
    }
    spec.extend(texts(&[("user", &identity.user), ("uid", &identity.uid)]));
    if !identity.groups.is_empty() {
        spec.insert("groups".to_owned(), json!(identity.groups));
    }
    if !identity.extra.is_empty() {
        spec.insert("extra".to_owned(), json!(identity.extra));
    }
    Value::Object(spec)
}

fn resource(attributes: &Attributes<'_>) -> Map<String, Value> {
    let mut asked = texts(&[
        ("namespace", attributes.namespace),
        ("verb", attributes.verb),
        ("group", attributes.group),
        ("version", attributes.version),
        ("resource", attributes.resource),
        ("subresource", attributes.subresource),
        ("name", attributes.name),
    ]);
    let fields = attributes.fields.map(field_requirements).unwrap_or_default();
    let labels = attributes.labels.map(label_requirements).unwrap_or_default();
    for (name, requirements) in [("fieldSelector", fields), ("labelSelector", labels)] {
        if !requirements.is_empty() {
            asked.insert(name.to_owned(), json!({"requirements": requirements}));
        }
    }
    asked
}

fn texts(all: &[(&str, &str)]) -> Map<String, Value> {
    let said = all.iter().filter(|(_, text)| !text.is_empty());
    said.map(|(name, text)| ((*name).to_owned(), json!(text))).collect()
}

/// k8s: FieldSelectorAsRequirements
fn field_requirements(selector: &FieldSelector) -> Vec<Value> {
    let one = |operator: &str, key: &str, value: &str| json!({"key": key, "operator": operator, "values": [value]});
    selector.requirements().iter().map(|it| one(if it.equal { "In" } else { "NotIn" }, &it.field, &it.value)).collect()
}

/// Those that a review has no word for are left out, which makes the question wider. k8s: LabelSelectorAsRequirements
fn label_requirements(selector: &LabelSelector) -> Vec<Value> {
    let one = |it: &Requirement| {
        let operator = match it.operator {
            Operator::Equals | Operator::DoubleEquals | Operator::In => "In",
            Operator::NotEquals | Operator::NotIn => "NotIn",
            Operator::Exists => "Exists",
            Operator::DoesNotExist => "DoesNotExist",
            Operator::GreaterThan | Operator::LessThan => return None,
        };
        let mut said = json!({"key": it.key, "operator": operator});
        if !it.values.is_empty() {
            said["values"] = json!(it.values);
        }
        Some(said)
    };
    selector.requirements().iter().filter_map(one).collect()
}

/// The spec as expressions see it: everything is there, but for the attributes that are not meant, and selectors.
/// k8s: convertObjectToUnstructured
pub(super) fn seen(mut spec: Value) -> Value {
    let complete = |tree: &mut Value, all: &[(&str, Value)]| {
        for (name, empty) in all.iter().filter(|_| tree.is_object()).cloned().collect::<Vec<_>>() {
            if tree.get(name).is_none() {
                tree[name] = empty;
            }
        }
    };
    complete(&mut spec, &[("user", json!("")), ("groups", json!([])), ("uid", json!("")), ("extra", json!({}))]);
    let names = ["namespace", "verb", "group", "version", "resource", "subresource", "name"];
    if let Some(asked) = spec.get_mut("resourceAttributes") {
        complete(asked, &names.map(|name| (name, json!(""))));
    }
    if let Some(asked) = spec.get_mut("nonResourceAttributes") {
        complete(asked, &["path", "verb"].map(|name| (name, json!(""))));
    }
    spec
}

/// Whether whoever asks has kept the question short. k8s: shouldCache
pub(super) fn is_remembered(attributes: &Attributes<'_>) -> bool {
    let Attributes { verb, group, version, resource, subresource, namespace, name, path, .. } = *attributes;
    let all = [verb, group, version, resource, subresource, namespace, name, path.unwrap_or_default()];
    all.iter().map(|text| text.len()).sum::<usize>() < REMEMBERED_BYTES_MAX
}

/// The whole review.
pub(super) fn review(spec: &Value, version: Version) -> Vec<u8> {
    let mut spec = spec.clone();
    if version == Version::V1Beta1
        && let Some(fields) = spec.as_object_mut()
        && let Some(groups) = fields.remove("groups")
    {
        fields.insert("group".to_owned(), groups);
    }
    let review = json!({
        "kind": "SubjectAccessReview", "apiVersion": version.api_version(), "metadata": {}, "spec": spec,
        "status": {"allowed": false},
    });
    review.to_string().into_bytes()
}

/// What a webhook says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    pub(super) allowed: bool,
    pub(super) denied: bool,
    pub(super) reason: String,
    pub(super) evaluation_error: String,
}

impl Status {
    pub(super) fn of(answer: &str, version: Version) -> Result<Self, String> {
        let mut answer: Value = serde_json::from_str(answer).map_err(|error| error.to_string())?;
        let (kind, api_version) = (&answer["kind"], &answer["apiVersion"]);
        if *kind != "SubjectAccessReview" || *api_version != version.api_version() {
            return Err(format!(
                "it is {kind} of {api_version}, not a SubjectAccessReview of {}",
                version.api_version()
            ));
        }
        match answer["status"].take() {
            Value::Null => Ok(Self::default()),
            status => Self::deserialize(status).map_err(|error| error.to_string()),
        }
    }

    pub(super) fn opinion(self) -> Opinion {
        match (self.denied, self.allowed) {
            (true, true) => {
                let error = "webhook subject access review returned both allow and deny response";
                Opinion::Deny { reason: self.reason, error: Some(error.to_owned()) }
            }
            (true, false) => Opinion::Deny { reason: self.reason, error: None },
            (false, true) => Opinion::Allow { reason: self.reason },
            (false, false) => Opinion::None { reason: self.reason, error: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_not_sent_and_yet_seen() {
        let ann = Identity::new("ann", ["people"]);
        let (labels, fields) = (LabelSelector::parse("app=web,!old,n>1"), FieldSelector::parse("metadata.name!=x"));
        let (labels, fields) = (labels.unwrap(), fields.unwrap());
        let asked = Attributes {
            verb: "list",
            version: "v1",
            resource: "pods",
            labels: Some(&labels),
            fields: Some(&fields),
            ..Attributes::default()
        };
        let sent = spec(&ann, &asked);
        assert_eq!(
            sent,
            json!({"user": "ann", "groups": ["people"], "resourceAttributes": {
                "verb": "list", "version": "v1", "resource": "pods",
                "fieldSelector": {"requirements": [{"key": "metadata.name", "operator": "NotIn", "values": ["x"]}]},
                "labelSelector": {"requirements": [
                    {"key": "app", "operator": "In", "values": ["web"]}, {"key": "old", "operator": "DoesNotExist"},
                ]},
            }})
        );
        let seen = seen(sent.clone());
        assert_eq!((&seen["uid"], &seen["extra"]), (&json!(""), &json!({})));
        assert_eq!((&seen["resourceAttributes"]["name"], seen.get("nonResourceAttributes")), (&json!(""), None));
        let older: Value = serde_json::from_slice(&review(&sent, Version::V1Beta1)).unwrap();
        assert_eq!((&older["spec"]["group"], older["spec"].get("groups")), (&json!(["people"]), None));
        let path = Attributes { verb: "get", path: Some("/metrics"), ..Attributes::default() };
        assert_eq!(spec(&ann, &path)["nonResourceAttributes"], json!({"path": "/metrics", "verb": "get"}));
    }

    #[test]
    fn an_answer_is_a_review_of_the_version_that_was_asked() {
        let answer = |status: &str| {
            let review =
                format!(r#"{{"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", {status}}}"#);
            Status::of(&review, Version::V1).map(Status::opinion)
        };
        let reason = "why".to_owned();
        let none = Opinion::None { reason: String::new(), error: None };
        assert_eq!(answer(r#""status": {"allowed": true, "reason": "why"}"#), Ok(Opinion::Allow { reason }));
        assert_eq!(answer(r#""status": {"allowed": false}"#).as_ref(), Ok(&none));
        assert_eq!(answer(r#""spec": {}"#), Ok(none));
        assert!(matches!(answer(r#""status": {"denied": true}"#), Ok(Opinion::Deny { error: None, .. })));
        let both = answer(r#""status": {"denied": true, "allowed": true}"#);
        assert!(matches!(both, Ok(Opinion::Deny { error: Some(_), .. })));
        assert!(answer(r#""status": {"allowed": "yes"}"#).is_err());
        assert!(Status::of(r#"{"kind": "Status", "apiVersion": "v1"}"#, Version::V1).is_err());
        assert!(Status::of("yes", Version::V1).is_err());
    }
}
