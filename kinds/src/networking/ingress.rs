//! Ingress (networking.k8s.io/v1).

use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{each, format, given, invalid_each, network};
use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressRule};
use serde_json::Value;

pub(crate) struct IngressKind;

impl TypedKind for IngressKind {
    type Object = Ingress;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] =
        &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn validate(ingress: &Ingress) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let spec = ingress.spec.clone().unwrap_or_default();
        if each(&spec.rules).len() == 0 && spec.default_backend.is_none() {
            let detail = "either `defaultBackend` or `rules` must be specified";
            errors.push(FieldError::invalid(path, &spec, detail));
        }
        if let Some(name) = &spec.ingress_class_name {
            invalid_each(name, format::dns_subdomain(name), &path.child("ingressClassName"), &mut errors);
        }
        if let Some(backend) = &spec.default_backend {
            self::backend(backend, &path.child("defaultBackend"), &mut errors);
        }
        let list = path.child("rules");
        for (i, rule) in each(&spec.rules).enumerate() {
            self::rule(rule, &list.index(i), &mut errors);
        }
        let list = path.child("tls");
        for (i, tls) in each(&spec.tls).enumerate() {
            let at = list.index(i);
            let hosts = at.child("hosts");
            for (j, host) in each(&tls.hosts).enumerate() {
                self::host(host, &hosts.index(j), &mut errors);
            }
            if let Some(name) = given(tls.secret_name.as_ref()) {
                invalid_each(name, format::dns_subdomain(name), &at.child("secretName"), &mut errors);
            }
        }
        errors
    }

    /// k8s: ValidateIngressCreate: the annotation that came before the field says nothing else than it.
    fn validate_create(ingress: &Ingress) -> FieldErrors {
        let annotation =
            ingress.metadata.annotations.as_ref().and_then(|annotations| annotations.get(CLASS_ANNOTATION));
        let field = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_ref());
        let mut errors = FieldErrors::new();
        if let (Some(said), Some(class)) = (annotation, field)
            && said != class
        {
            let at = Path::new("annotations");
            let detail = "must match `ingressClassName` when both are specified";
            errors.push(FieldError::invalid(at.child(CLASS_ANNOTATION), said, detail));
        }
        errors
    }

    fn validate_status(ingress: &Ingress, _old: &Ingress) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let list = Path::new("status.loadBalancer.ingress");
        let balancer = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
        for (i, point) in balancer.into_iter().flat_map(|balancer| each(&balancer.ingress)).enumerate() {
            let at = list.index(i);
            if let Some(ip) = given(point.ip.as_ref()) {
                network::ip(ip, &at.child("ip"), &mut errors);
            }
            if let Some(name) = given(point.hostname.as_ref()) {
                network::balancer_name(name, &at.child("hostname"), &mut errors);
            }
        }
        errors
    }
}

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// Parts of a path that proxies read differently from one another.
const AMBIGUOUS: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];

fn host(host: &str, path: &Path<'_>, errors: &mut FieldErrors) {
    let details = if host.contains('*') { format::wildcard_subdomain(host) } else { format::dns_subdomain(host) };
    invalid_each(host, details, path, errors);
}

fn rule(rule: &IngressRule, path: &Path<'_>, errors: &mut FieldErrors) {
    if let Some(name) = given(rule.host.as_ref()) {
        if name.parse::<std::net::IpAddr>().is_ok() {
            errors.push(FieldError::invalid(path.child("host"), name, "must be a DNS name, not an IP address"));
        }
        host(name, &path.child("host"), errors);
    }
    let Some(http) = &rule.http else { return };
    let list = path.child("http");
    let list = list.child("paths");
    if http.paths.is_empty() {
        errors.push(FieldError::required(list, ""));
    }
    for (i, entry) in http.paths.iter().enumerate() {
        let at = list.index(i);
        http_path(entry, &at, errors);
        backend(&entry.backend, &at.child("backend"), errors);
    }
}

fn http_path(entry: &HTTPIngressPath, path: &Path<'_>, errors: &mut FieldErrors) {
    let text = entry.path.as_deref().unwrap_or_default();
    let at = path.child("path");
    match entry.path_type.as_str() {
        "" => errors.push(FieldError::required(path.child("pathType"), "pathType must be specified")),
        "Exact" | "Prefix" => {
            if !text.starts_with('/') {
                errors.push(FieldError::invalid(at, text, "must be an absolute path"));
            }
            for part in AMBIGUOUS.iter().filter(|part| text.contains(**part)) {
                errors.push(FieldError::invalid(at, text, format!("must not contain '{part}'")));
            }
            for end in ["/..", "/."].iter().filter(|end| text.ends_with(**end)) {
                errors.push(FieldError::invalid(at, text, format!("cannot end with '{end}'")));
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !text.starts_with('/') {
                errors.push(FieldError::invalid(at, text, "must be an absolute path"));
            }
        }
        other => {
            let known = ["Exact", "ImplementationSpecific", "Prefix"];
            errors.push(FieldError::not_supported(path.child("pathType"), other, &known));
        }
    }
}

fn backend(backend: &IngressBackend, path: &Path<'_>, errors: &mut FieldErrors) {
    match (&backend.service, &backend.resource) {
        (Some(_), Some(_)) => {
            errors.push(FieldError::invalid(path, "", "cannot set both resource and service backends"));
        }
        (None, None) => errors.push(FieldError::required(path, "must specify a service or a resource")),
        (None, Some(resource)) => {
            let at = path.child("resource");
            for (field, value) in [("kind", &resource.kind), ("name", &resource.name)] {
                if value.is_empty() {
                    errors.push(FieldError::required(at.child(field), ""));
                }
            }
        }
        (Some(service), None) => {
            let at = path.child("service");
            if service.name.is_empty() {
                errors.push(FieldError::required(at.child("name"), ""));
            } else {
                invalid_each(&service.name, format::dns_1035_label(&service.name), &at.child("name"), errors);
            }
            let port = service.port.clone().unwrap_or_default();
            match (given(port.name.as_ref()), port.number.unwrap_or_default()) {
                (Some(_), 1..) => errors.push(FieldError::invalid(path, "", "cannot set both port name & port number")),
                (Some(name), _) => {
                    invalid_each(name, format::port_name(name), &at.child("port").child("name"), errors);
                }
                (None, 0) => errors.push(FieldError::required(path, "port name or number is required")),
                (None, number) => network::port_number(number, &at.child("port").child("number"), errors),
            }
        }
    }
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.networking.v1.Ingress" "networking.k8s.io" "v1" "Ingress" "ingresses" "ingress" Namespaced,
    short: ["ing"],
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Class", "string"),
        Column::new("Hosts", "string"),
        Column::new("Address", "string"),
        Column::new("Ports", "string"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let ports = if tree::count(object, "spec.tls") > 0 { "80, 443" } else { "80" };
    vec![
        cells::of::name(object),
        cells::or_none(Some(tree::text(object, "spec.ingressClassName"))).into(),
        hosts(object).into(),
        addresses(object).into(),
        ports.into(),
        cells::of::age(object, now_unix_secs),
    ]
}

/// Hosts printed before the rest is counted.
const HOSTS_MAX: usize = 3;

fn hosts(ingress: &Value) -> String {
    let rules = tree::list(ingress, "spec.rules").iter();
    let hosts: Vec<String> =
        rules.map(|rule| tree::text(rule, "host").to_owned()).filter(|host| !host.is_empty()).collect();
    if hosts.is_empty() { "*".to_owned() } else { cells::cut(&hosts, HOSTS_MAX) }
}

fn addresses(ingress: &Value) -> String {
    let points = tree::list(ingress, "status.loadBalancer.ingress").iter();
    let addresses = points.map(|point| match tree::text(point, "ip") {
        "" => tree::text(point, "hostname"),
        ip => ip,
    });
    addresses.filter(|address| !address.is_empty()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn rules_have_hosts_paths_and_backends() {
        let create = |spec: Value| check::create::<IngressKind>(json!({"spec": spec}));
        let service = json!({"service": {"name": "web", "port": {"number": 80}}});
        assert_eq!(create(json!({"defaultBackend": service})), "");
        assert_eq!(
            create(
                json!({"rules": [{"host": "*.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": service}]}}]})
            ),
            ""
        );
        expect!["spec: Invalid value: {}: either `defaultBackend` or `rules` must be specified"]
            .assert_eq(&create(json!({})));
        expect![[r#"
            spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address
            spec.rules[0].http.paths[0].path: Invalid value: "a/../b": must be an absolute path
            spec.rules[0].http.paths[0].path: Invalid value: "a/../b": must not contain '/../'
            spec.rules[0].http.paths[0].backend: Required value: must specify a service or a resource"#]]
        .assert_eq(&create(json!({"rules": [{"host": "10.0.0.1", "http": {"paths": [{"path": "a/../b", "pathType": "Exact", "backend": {}}]}}]})));
    }

    #[test]
    fn a_new_ingress_names_its_class_one_way() {
        let ingress = |class: &str| {
            let backend = json!({"service": {"name": "a", "port": {"number": 80}}});
            json!({"metadata": {"annotations": {CLASS_ANNOTATION: "a"}}, "spec": {"ingressClassName": class, "defaultBackend": backend}})
        };
        assert_eq!(check::create::<IngressKind>(ingress("a")), "");
        expect![[r#"annotations.kubernetes.io/ingress.class: Invalid value: "a": must match `ingressClassName` when both are specified"#]]
            .assert_eq(&check::create::<IngressKind>(ingress("b")));
        assert_eq!(check::update::<IngressKind>(ingress("b"), &json!({"metadata": {"labels": {"a": "b"}}})), "");
        let points =
            json!([{"ip": "10.0.0.256"}, {"hostname": "10.0.0.1"}, {"ip": "10.0.0.1"}, {"hostname": "a.example.com"}]);
        expect![[r#"
            status.loadBalancer.ingress[0].ip: Invalid value: "10.0.0.256": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
            status.loadBalancer.ingress[1].hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address"#]]
        .assert_eq(&check::status::<IngressKind>(ingress("a"), &json!({"status": {"loadBalancer": {"ingress": points}}})));
    }
}
