//! Tells the authors of ValidatingAdmissionPolicies in `status` what the types of the resources that they name say of their
//! expressions. Nothing is refused for it. k8s: `pkg/controller/validatingadmissionpolicystatus`

use crate::write;
use client::action::{Action, Key, PatchKind};
use client::cache::{Caches, Tracked as _};
use client::controller::{Controller, Reconcile, Watches};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyStatus};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kinds::admission::{Warning, type_check};
use kinds::kind::Kind;
use kinds::{custom, table};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const CONTROLLER: Controller = Controller {
    name: "validatingadmissionpolicy-status",
    watches,
    reconcile: Reconcile::Cached(|key, caches, _| reconcile(key, caches)),
    refused: None,
};

fn watches(watches: &mut Watches) {
    watches.mapped::<ValidatingAdmissionPolicy>(|policy, _| vec![policy.key()]);
    // A resource that comes or changes has types that a policy may trip over.
    watches.mapped::<CustomResourceDefinition>(|definition, caches| {
        let group = definition.spec.group.as_str();
        let policies = caches.of::<ValidatingAdmissionPolicy>().list().into_iter();
        policies.filter(|policy| groups(policy).any(|named| named == group)).map(|policy| policy.key()).collect()
    });
}

/// Groups of the resources and parameters that a policy names.
fn groups(policy: &ValidatingAdmissionPolicy) -> impl Iterator<Item = &str> {
    let spec = policy.spec.as_ref();
    let constraints = spec.and_then(|spec| spec.match_constraints.as_ref());
    let rules = constraints.and_then(|constraints| constraints.resource_rules.as_ref()).into_iter().flatten();
    let param = spec.and_then(|spec| spec.param_kind.as_ref()?.api_version.as_deref());
    let of_param = param.and_then(|version| version.split_once('/')).map(|(group, _)| group);
    rules.flat_map(|rule| rule.api_groups.iter().flatten()).map(String::as_str).chain(of_param)
}

fn reconcile(key: &Key, caches: &Caches) -> Vec<Action> {
    let Some(policy) = caches.of::<ValidatingAdmissionPolicy>().get("", &key.name) else { return Vec::new() };
    if policy.deleting() {
        return Vec::new();
    }
    let named: Vec<&str> = groups(&policy).collect();
    let definitions = caches.of::<CustomResourceDefinition>().list().into_iter();
    let custom =
        definitions.filter(|definition| named.contains(&definition.spec.group.as_str())).flat_map(|definition| {
            let tree = serde_json::to_value(definition.as_ref()).expect("an API object can always be written");
            custom::kinds_of(&tree)
        });
    let all: Vec<Arc<dyn Kind>> = table::builtin().iter().cloned().chain(custom).collect();
    let warnings = type_check(&json!(policy.spec), &all);
    let wanted = status(&warnings, policy.metadata.generation.unwrap_or_default());
    if is_said(policy.status.as_ref(), &wanted) {
        return Vec::new();
    }
    vec![write::patch(policy.as_ref(), "status", PatchKind::Merge, json!({"status": wanted}))]
}

/// That there is a `typeChecking` says that it is done.
fn status(warnings: &[Warning], generation: i64) -> Value {
    let warning = |warning: &Warning| json!({"fieldRef": warning.field, "warning": warning.text});
    let warnings = match warnings {
        [] => Value::Null,
        some => some.iter().map(warning).collect(),
    };
    json!({"observedGeneration": generation, "typeChecking": {"expressionWarnings": warnings}})
}

fn is_said(status: Option<&ValidatingAdmissionPolicyStatus>, wanted: &Value) -> bool {
    let status = json!(status);
    status["typeChecking"].is_object()
        && status["observedGeneration"] == wanted["observedGeneration"]
        && status["typeChecking"]["expressionWarnings"] == wanted["typeChecking"]["expressionWarnings"]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{caches, lines};

    fn run(expression: &str, status: &str) -> String {
        let yaml = format!(
            r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: p, generation: 2}}
spec:
  matchConstraints: {{resourceRules: [{{apiGroups: [stable.example.com], apiVersions: [v1], operations: [CREATE], resources: [crontabs]}}]}}
  validations: [{{expression: "{expression}"}}]
status: {status}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: crontabs.stable.example.com}}
spec:
  group: stable.example.com
  names: {{plural: crontabs, kind: CronTab}}
  scope: Namespaced
  versions:
  - {{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: {{replicas: {{type: integer}}}}}}}}}}}}}}
"#
        );
        lines(&reconcile(&Key::new("", "p"), &caches(watches, &yaml)))
    }

    #[test]
    fn expressions_are_checked_against_the_types_of_custom_resources() {
        let fine = "object.spec.replicas > 1 && object.metadata.labels['a'] == 'b'";
        let done = r#"{"status":{"observedGeneration":2,"typeChecking":{"expressionWarnings":null}}}"#;
        assert_eq!(run(fine, "{}"), format!("patch ValidatingAdmissionPolicy p status {done}\n"));
        assert_eq!(run(fine, "{observedGeneration: 2, typeChecking: {}}"), "");
        let confused = run("object.spec.maxRetries < 10", "{observedGeneration: 2, typeChecking: {}}");
        assert!(confused.contains(r#""fieldRef":"spec.validations[0].expression""#), "{confused}");
        assert!(confused.contains("stable.example.com/v1, Kind=CronTab: ERROR"), "{confused}");
        assert!(confused.contains("undefined field 'maxRetries'"), "{confused}");
    }
}
