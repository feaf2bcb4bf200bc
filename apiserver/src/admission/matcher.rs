//! Which operations a webhook, a policy or a binding is about, and in which version of the resource it sees them: its rules,
//! also for equivalent versions of the resource, and its selectors of objects and namespaces.
//! k8s: `plugin/policy/matching`, `plugin/webhook/predicates`

use super::Call;
use super::rule::{Asked, Rule};
use crate::auth::objects::{NAMESPACES, Objects, find};
use crate::custom::Kinds;
use crate::custom::convert::{self, Conversions};
use crate::error::{ApiError, Qualified};
use crate::registry::view;
use crate::webhook::WebhookClient;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kinds::kind::Kind;
use kinds::schema::decode::{DecodeError, Decoded, Strictness};
use kinds::selector::LabelSelector;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// What something is about.
#[derive(Clone, Debug)]
pub(super) struct Criteria {
    /// `None`: everything that the rest lets through.
    rules: Option<Vec<Rule>>,
    excluded: Vec<Rule>,
    /// Rules for one version of a resource also mean the others.
    equivalent: bool,
    namespaces: LabelSelector,
    objects: LabelSelector,
}

impl Criteria {
    /// Of a webhook: without rules it is about nothing.
    pub(super) fn of_webhook(hook: &Value) -> Option<Self> {
        let rules = Vec::deserialize(&hook["rules"]).unwrap_or_default();
        Self::with_rules(hook, Some(rules), Vec::new())
    }

    /// `matchConstraints` of a policy or `matchResources` of a binding: without rules they are about everything.
    pub(super) fn of_resources(resources: &Value) -> Option<Self> {
        let rules = |field: &str| Vec::<Rule>::deserialize(&resources[field]).unwrap_or_default();
        let named = Some(rules("resourceRules")).filter(|rules| !rules.is_empty());
        Self::with_rules(resources, named, rules("excludeResourceRules"))
    }

    /// `None` where a selector cannot be read.
    fn with_rules(tree: &Value, rules: Option<Vec<Rule>>, excluded: Vec<Rule>) -> Option<Self> {
        let selector = |field: &str| match &tree[field] {
            Value::Null => Some(LabelSelector::everything()),
            given => LabelSelector::from_meta(&meta::LabelSelector::deserialize(given).ok()?).ok(),
        };
        Some(Self {
            rules,
            excluded,
            equivalent: tree["matchPolicy"] != "Exact",
            namespaces: selector("namespaceSelector")?,
            objects: selector("objectSelector")?,
        })
    }
}

/// Finds what [`Criteria`] ask of the cluster.
pub struct Matcher {
    objects: Arc<dyn Objects>,
    kinds: Arc<Kinds>,
    conversions: Arc<Conversions>,
}

impl Matcher {
    pub fn new(objects: Arc<dyn Objects>, kinds: Arc<Kinds>, conversions: Arc<Conversions>) -> Self {
        Self { objects, kinds, conversions }
    }

    pub(super) fn client(&self) -> &WebhookClient {
        self.conversions.client()
    }

    pub(super) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// The kind in whose version the operation is seen; `None` where it is no concern.
    pub(super) async fn matches(
        &self,
        criteria: &Criteria,
        call: &Call<'_>,
        object: &Value,
    ) -> Result<Option<Arc<dyn Kind>>, ApiError> {
        let name = call.name_of(object);
        let named = |rules: &[Rule]| self.named(rules, criteria.equivalent, call, name);
        let kind = match &criteria.rules {
            Some(rules) => named(rules),
            None => call.request.kind.clone(),
        };
        let Some(kind) = kind else { return Ok(None) };
        if !criteria.objects.is_everything() {
            let matches = |object: &Value| object["metadata"].is_object() && criteria.objects.matches(labels(object));
            if !matches(object) && !call.old.is_some_and(matches) {
                return Ok(None);
            }
        }
        if !criteria.excluded.is_empty() && named(&criteria.excluded).is_some() {
            return Ok(None);
        }
        let chosen = criteria.namespaces.is_everything() || self.namespace_matches(criteria, call, object).await?;
        Ok(chosen.then_some(kind))
    }

    fn named(&self, rules: &[Rule], equivalent: bool, call: &Call<'_>, name: &str) -> Option<Arc<dyn Kind>> {
        let own = call.request.kind.as_ref()?;
        let is_named = |kind: &Arc<dyn Kind>| {
            let asked = Asked::of(call, kind.as_ref(), name);
            rules.iter().any(|rule| rule.names(asked))
        };
        if is_named(own) {
            return Some(Arc::clone(own));
        }
        if !equivalent {
            return None;
        }
        self.kinds.equivalents(own.row()).into_iter().find(is_named)
    }

    async fn namespace_matches(&self, criteria: &Criteria, call: &Call<'_>, object: &Value) -> Result<bool, ApiError> {
        if call.is_of_namespace() && object.is_object() {
            return Ok(criteria.namespaces.matches(labels(object)));
        }
        let ns = if call.is_of_namespace() { call.name() } else { call.ns() };
        // k8s: cluster-scoped objects are never left out by a namespace selector
        if ns.is_empty() {
            return Ok(true);
        }
        Ok(criteria.namespaces.matches(labels(self.namespace(ns).await?.as_ref())))
    }

    pub(super) async fn namespace(&self, ns: &str) -> Result<Arc<Value>, ApiError> {
        let found = find(self.objects.as_ref(), NAMESPACES, "", ns).await?;
        found.ok_or_else(|| ApiError::NotFound { resource: Qualified::new("", "namespaces"), name: ns.to_owned() })
    }

    /// An object in the version of `kind`. `Null` stays, and so does the body of a subresource that has a type of its own.
    pub(super) async fn shown(
        &self,
        call: &Call<'_>,
        kind: &Arc<dyn Kind>,
        object: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let Some(object) = object.filter(|object| object.is_object()) else { return Ok(Value::Null) };
        if call.body().is_some() {
            return Ok(object.clone());
        }
        if let Some(converted) = convert::tree(&self.conversions, kind.as_ref(), object).await? {
            return Ok(converted);
        }
        Ok(view::to_kind(kind.as_ref(), object).unwrap_or_else(|| object.clone()))
    }

    /// What something made of [`Matcher::shown`], back in the version of the request, as a whole object: what the type does
    /// not know goes (or is complained of), what it defaults comes.
    pub(super) async fn taken(&self, call: &Call<'_>, changed: Value, strictness: Strictness) -> Result<Value, String> {
        if let Some(schema) = call.body_schema() {
            return whole(schema.decode_tree(changed, strictness));
        }
        let Some(own) = call.request.kind.as_ref() else { return Ok(changed) };
        let converted =
            convert::tree(&self.conversions, own.as_ref(), &changed).await.map_err(|error| error.to_string())?;
        let converted = converted.or_else(|| view::to_kind(own.as_ref(), &changed)).unwrap_or(changed);
        let mut object = whole(own.decode_tree(converted, strictness))?;
        own.default(&mut object);
        Ok(object)
    }
}

fn whole(decoded: Result<Decoded, DecodeError>) -> Result<Value, String> {
    let decoded = decoded.map_err(|error| error.to_string())?;
    match decoded.unknown.first() {
        None => Ok(decoded.object),
        Some(field) => Err(format!("strict decoding error: unknown field {field:?}")),
    }
}

fn labels(object: &Value) -> &Value {
    &object["metadata"]["labels"]
}
