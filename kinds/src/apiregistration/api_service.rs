//! APIService (apiregistration.k8s.io/v1). k8s: `kube-aggregator/pkg/apis/apiregistration/validation`

mod printer;

use crate::errors::{FieldError, FieldErrors};
use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{format, given, network, one_of};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{APIService, APIServiceSpec};
use serde_json::Value;

const SERVICE_PORT: i32 = 443;
const GROUP_PRIORITY_MAX: i32 = 20_000;
const VERSION_PRIORITY_MAX: i32 = 1_000;

pub(crate) struct APIServiceKind;

impl TypedKind for APIServiceKind {
    type Object = APIService;

    const ROW: Row = printer::ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(printer::cells);

    fn default(api_service: &mut APIService) {
        if let Some(service) = api_service.spec.as_mut().and_then(|spec| spec.service.as_mut()) {
            service.port.get_or_insert(SERVICE_PORT);
        }
    }

    fn validate(api_service: &APIService) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let spec = api_service.spec.clone().unwrap_or_default();
        name(api_service.metadata.name.as_deref().unwrap_or_default(), &spec, &mut errors);
        self::spec(&spec, &mut errors);
        errors
    }

    fn validate_status(api_service: &APIService, _: &APIService) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let (status, conditions) = (Path::new("status"), "conditions");
        let path = status.child(conditions);
        let all = api_service.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        for (i, condition) in all.iter().enumerate() {
            let at = path.index(i);
            one_of(&condition.status, &["False", "True", "Unknown"], &at.child("status"), &mut errors);
        }
        errors
    }
}

fn name(name: &str, spec: &APIServiceSpec, errors: &mut FieldErrors) {
    let version = spec.version.as_deref().unwrap_or_default();
    let wanted = format!("{version}.{}", spec.group.as_deref().unwrap_or_default());
    if name != wanted {
        let detail = format!("must be `spec.version+\".\"+spec.group`: {wanted:?}");
        errors.push(FieldError::invalid("metadata.name", name, detail));
    }
}

fn spec(spec: &APIServiceSpec, errors: &mut FieldErrors) {
    let path = Path::new("spec");
    let version = spec.version.as_deref().unwrap_or_default();
    match given(spec.group.as_ref()) {
        None if version != "v1" => {
            errors.push(FieldError::required(
                path.child("group"),
                "only v1 may have an empty group and it better be legacy kube",
            ));
        }
        None => {}
        Some(group) => {
            for detail in format::dns_subdomain(group) {
                errors.push(FieldError::invalid(path.child("group"), group, detail));
            }
        }
    }
    for detail in format::dns_1035_label(version) {
        errors.push(FieldError::invalid(path.child("version"), version, detail));
    }
    let priorities = [
        ("groupPriorityMinimum", spec.group_priority_minimum, GROUP_PRIORITY_MAX),
        ("versionPriority", spec.version_priority, VERSION_PRIORITY_MAX),
    ];
    for (field, value, max) in priorities {
        if value <= 0 || value > max {
            let detail = format!("must be positive and less than {max}");
            errors.push(FieldError::invalid(path.child(field), value, detail));
        }
    }
    let (bundle, insecure) = (
        spec.ca_bundle.as_ref().is_some_and(|bundle| !bundle.0.is_empty()),
        spec.insecure_skip_tls_verify == Some(true),
    );
    let Some(service) = &spec.service else {
        if bundle {
            let detail = "local APIServices may not have a caBundle";
            errors.push(FieldError::invalid(path.child("caBundle"), "<bundle>", detail));
        }
        if insecure {
            let detail = "local APIServices may not have insecureSkipTLSVerify";
            errors.push(FieldError::invalid(path.child("insecureSkipTLSVerify"), true, detail));
        }
        return;
    };
    let at = path.child("service");
    for (field, value) in [("namespace", &service.namespace), ("name", &service.name)] {
        if given(value.as_ref()).is_none() {
            errors.push(FieldError::required(at.child(field), ""));
        }
    }
    if let Some(port) = service.port {
        network::port_number(port, &at.child("port"), errors);
    }
    if insecure && bundle {
        let detail = "may not be true if caBundle is present";
        errors.push(FieldError::invalid(path.child("insecureSkipTLSVerify"), true, detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::typed::Typed;
    use serde_json::json;

    #[test]
    fn the_name_is_that_of_group_and_version_and_priorities_are_bounded() {
        let kind = Typed::<APIServiceKind>::new();
        let object = |name: &str, priority: i32| {
            json!({
                "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name},
                "spec": {"group": "a.example.com", "version": "v1", "groupPriorityMinimum": priority, "versionPriority": 1},
            })
        };
        assert_eq!(kind.validate(&object("v1.a.example.com", 1)), []);
        let errors: Vec<String> = kind.validate(&object("v1.b", 20_001)).iter().map(ToString::to_string).collect();
        assert!(errors[0].contains("must be `spec.version+\".\"+spec.group`: \"v1.a.example.com\""), "{errors:?}");
        assert!(errors[1].starts_with("spec.groupPriorityMinimum: Invalid value: 20001"), "{errors:?}");
    }
}
