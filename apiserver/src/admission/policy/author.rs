//! Who writes a policy or binds it must be able to read its parameters: its messages could tell them to anybody.
//! k8s: `pkg/registry/admissionregistration/validatingadmissionpolicy{,binding}/authz.go`

use super::super::{Call, Operation};
use super::Policies;
use crate::auth::{Attributes, GROUP_MASTERS};
use crate::error::ApiError;
use kinds::errors::FieldError;
use kinds::tree;
use serde_json::Value;

const ALL: &str = "*";

/// Group, version and plural of the parameters.
type Resource = (String, String, String);

impl Policies {
    pub(in crate::admission) async fn check_author(&self, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
        let written = matches!(call.operation, Operation::Create | Operation::Update) && call.subresource().is_empty();
        if !written || call.identity().groups.iter().any(|group| group == GROUP_MASTERS) {
            return Ok(());
        }
        let changed = |path: &str| {
            let new = tree::at(object, path).filter(|value| value.is_object())?;
            (call.old.and_then(|old| tree::at(old, path)) != Some(new)).then_some(new)
        };
        let refused = match call.resource() {
            "validatingadmissionpolicies" | "mutatingadmissionpolicies" => match changed("spec.paramKind") {
                Some(kind) => self.refused_kind(call, kind).await,
                None => None,
            },
            "validatingadmissionpolicybindings" | "mutatingadmissionpolicybindings" => match changed("spec.paramRef") {
                Some(param) => self.refused_param(call, object, param).await,
                None => None,
            },
            _ => None,
        };
        match (refused, &call.request.kind) {
            (Some(error), Some(kind)) => Err(ApiError::invalid(kind.row(), call.name_of(object), vec![error])),
            _ => Ok(()),
        }
    }

    async fn refused_kind(&self, call: &Call<'_>, kind: &Value) -> Option<FieldError> {
        let (api_version, name) = (tree::text(kind, "apiVersion"), tree::text(kind, "kind"));
        if self.may_read(call, "get", &self.resource(api_version, name), (ALL, ALL)).await {
            return None;
        }
        let user = &call.identity().user;
        let why = format!(
            "user {user} must have \"get\" permission on all objects of the referenced paramKind (kind={name}, apiVersion={api_version})"
        );
        Some(FieldError::forbidden("spec.paramKind", why))
    }

    async fn refused_param(&self, call: &Call<'_>, binding: &Value, param: &Value) -> Option<FieldError> {
        let policy = tree::text(binding, "spec.policyName");
        let kind = if call.resource().starts_with("validating") {
            self.table.validating_param_kind(policy)
        } else {
            self.table.mutating_param_kind(policy)
        };
        // A policy that comes later may have parameters of any kind.
        let resource = match &kind {
            Some((api_version, name)) => self.resource(api_version, name),
            None => (ALL.to_owned(), ALL.to_owned(), ALL.to_owned()),
        };
        let (name, namespace) = (tree::text(param, "name"), tree::text(param, "namespace"));
        let verb = if name.is_empty() { "list" } else { "get" };
        if self.may_read(call, verb, &resource, (namespace, name)).await {
            return None;
        }
        let user = &call.identity().user;
        let why = format!("user {user} does not have \"{verb}\" permission on the object referenced by paramRef");
        Some(FieldError::forbidden("spec.paramRef", why))
    }

    fn resource(&self, api_version: &str, kind: &str) -> Resource {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let found = self.matcher.kinds().find_kind(group, version, kind);
        let plural = found.map_or_else(|| ALL.to_owned(), |kind| kind.row().plural.to_string());
        (group.to_owned(), version.to_owned(), plural)
    }

    async fn may_read(
        &self,
        call: &Call<'_>,
        verb: &str,
        (group, version, resource): &Resource,
        (namespace, name): (&str, &str),
    ) -> bool {
        let attributes = Attributes { verb, group, version, resource, namespace, name, ..Attributes::default() };
        self.authorizer.authorize(call.identity(), &attributes).await.is_allowed()
    }
}
