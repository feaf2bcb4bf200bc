//! The environment of a container from its sources.

use super::super::fixture::pod_yaml;
use super::*;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

fn services() -> Vec<Arc<Service>> {
    let service = |ns: &str, name: &str, ip: &str| {
        let object = json!({
            "metadata": { "name": name, "namespace": ns },
            "spec": { "clusterIP": ip, "ports": [{ "name": "https", "port": 443, "protocol": "TCP" }] },
        });
        Arc::new(serde_json::from_value(object).unwrap())
    };
    vec![
        service("default", "kubernetes", "10.43.0.1"),
        service("default", "my-db", "10.43.0.9"),
        service("other", "far", "10.43.0.8"),
        service("default", "headless", "None"),
    ]
}

fn env_of(pod: &str, materials: &Materials) -> Result<Vec<String>, Error> {
    let pod = pod_yaml(pod);
    let container = &spec(&pod).containers[0];
    let env = environment(&pod, container, &services(), materials, &Surroundings::default())?;
    Ok(env.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
}

fn materials() -> Materials {
    let map: ConfigMap = serde_json::from_value(json!({ "data": { "a": "1", "b": "2" } })).unwrap();
    Materials { config_maps: [("cm".to_owned(), Arc::new(map))].into(), ..Materials::default() }
}

#[test]
fn literals_expand_what_came_before_them_and_the_service_addresses() {
    let pod = "spec: {containers: [{name: a, env: [{name: X, value: x}, {name: Y, value: '$(X)-$(KUBERNETES_SERVICE_HOST)-$(Z)'}, {name: Z, value: z}]}]}";
    let env = env_of(pod, &Materials::default()).unwrap();
    assert_eq!(env[..3], ["X=x", "Y=x-10.43.0.1-$(Z)", "Z=z"]);
    for want in ["KUBERNETES_SERVICE_PORT=443", "MY_DB_PORT=tcp://10.43.0.9:443", "MY_DB_SERVICE_PORT_HTTPS=443"] {
        assert!(env.contains(&want.to_owned()), "{want} in {env:?}");
    }
    assert!(!env.iter().any(|v| v.starts_with("FAR_") || v.starts_with("HEADLESS_")), "{env:?}");
}

#[test]
fn without_service_links_only_the_api_server_is_named() {
    let env = env_of("spec: {enableServiceLinks: false, containers: [{name: a}]}", &Materials::default()).unwrap();
    assert!(env.iter().all(|v| v.starts_with("KUBERNETES_")) && !env.is_empty(), "{env:?}");
}

#[test]
fn whole_config_maps_come_with_their_prefix_and_yield_to_env() {
    let pod = "spec: {containers: [{name: a, envFrom: [{prefix: p_, configMapRef: {name: cm}}], env: [{name: p_b, value: own}]}]}";
    assert_eq!(env_of(pod, &materials()).unwrap()[..2], ["p_a=1", "p_b=own"]);
}

#[test]
fn missing_references_are_named_unless_optional() {
    let pod = |optional: bool, map: &str, key: &str| {
        format!(
            "spec: {{enableServiceLinks: false, containers: [{{name: a, env: [{{name: X, valueFrom: {{configMapKeyRef: {{name: {map}, key: {key}, optional: {optional}}}}}}}]}}]}}"
        )
    };
    let error = |pod: String| env_of(&pod, &materials()).unwrap_err().to_string();
    assert_eq!(error(pod(false, "none", "a")), "configmap \"none\" not found");
    assert_eq!(error(pod(false, "cm", "z")), "couldn't find key z in ConfigMap default/cm");
    assert!(!env_of(&pod(true, "cm", "z"), &materials()).unwrap().iter().any(|v| v.starts_with("X=")));
    assert_eq!(env_of(&pod(false, "cm", "a"), &materials()).unwrap()[0], "X=1");
}

#[test]
fn variables_of_a_file_are_there_or_optional() {
    let of = |key: &str, path: &str, optional: bool| {
        let pod = format!(
            "spec: {{containers: [{{name: a, env: [{{name: X, valueFrom: {{fileKeyRef: {{volumeName: v, path: {path}, key: {key}, optional: {optional}}}}}}}]}}]}}"
        );
        let file = (("v".to_owned(), "f".to_owned()), "A='1'\nB".to_owned());
        let env = env_of(&pod, &Materials { env_files: [file].into(), ..Materials::default() });
        env.map(|env| env.into_iter().filter(|v| v.starts_with("X=")).collect::<Vec<_>>()).map_err(|e| e.to_string())
    };
    assert_eq!(of("A", "f", false), Ok(vec!["X=1".to_owned()]));
    assert_eq!(of("A", "g", true), Ok(Vec::new()));
    assert_eq!(of("A", "g", false), Err("file \"g\" of volume \"v\" not found".to_owned()));
    let broken = "couldn't parse env file \"f\": invalid environment variable format at line 2: missing '='";
    assert_eq!(of("B", "f", true), Err(broken.to_owned()));
}
