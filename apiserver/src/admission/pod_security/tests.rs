//! Pods in, what their namespace's standard says of them out.

use super::policy::Defaults;
use super::*;
use expect_test::{Expect, expect};
use serde_json::json;

fn check(labels: Value, spec: Value, expected: Expect) {
    let namespace = json!({"metadata": {"labels": labels}});
    let policy = Policy::of(&namespace, &Defaults::default());
    let spec: PodSpec = serde_json::from_value(spec).unwrap();
    let broken = violations(policy.enforce, &ObjectMeta::default(), &spec);
    let lines: Vec<String> = broken.iter().map(|one| format!("{} ({})", one.reason, one.detail)).collect();
    expected.assert_eq(&format!("{}\n{}", policy.enforce, lines.join("\n")));
}

#[test]
fn baseline_closes_the_known_ways_out() {
    check(
        json!({"pod-security.kubernetes.io/enforce": "baseline"}),
        json!({
            "hostNetwork": true, "hostIPC": true,
            "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
            "securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}, {"name": "net.ipv4.tcp_rmem", "value": "1"}],
                "seccompProfile": {"type": "Unconfined"}, "seLinuxOptions": {"user": "u", "type": "spc_t"}},
            "containers": [
                {"name": "a", "ports": [{"containerPort": 1, "hostPort": 8080}],
                 "securityContext": {"privileged": true, "procMount": "Unmasked", "capabilities": {"add": ["SYS_ADMIN", "CHOWN"]}}},
                {"name": "b", "livenessProbe": {"httpGet": {"host": "10.0.0.1", "port": 1}},
                 "securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
            ],
        }),
        expect![[r#"
            baseline:latest
            forbidden AppArmor profile (container "b" must not set AppArmor profile type to "Unconfined")
            non-default capabilities (container "a" must not include "SYS_ADMIN" in securityContext.capabilities.add)
            host namespaces (hostNetwork=true, hostIPC=true)
            hostPath volumes (volume "v")
            hostPort (container "a" uses hostPort 8080)
            probe or lifecycle host (container "b" uses probe or lifecycle host "10.0.0.1")
            privileged (container "a" must not set securityContext.privileged=true)
            procMount (container "a" must not set securityContext.procMount to "Unmasked")
            seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)
            seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")
            forbidden sysctls (kernel.msgmax)"#]],
    );
}

#[test]
fn restricted_wants_a_pod_to_ask_for_its_limits() {
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "v1.36"});
    let open = json!({
        "volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}],
        "containers": [{"name": "a"}, {"name": "b", "securityContext": {"runAsUser": 0}}],
    });
    check(
        labels.clone(),
        open,
        expect![[r#"
            restricted:v1.36
            allowPrivilegeEscalation != false (containers "a", "b" must set securityContext.allowPrivilegeEscalation=false)
            unrestricted capabilities (containers "a", "b" must set securityContext.capabilities.drop=["ALL"])
            restricted volume types (volume "v" uses restricted volume type "nfs")
            runAsNonRoot != true (pod or containers "a", "b" must set securityContext.runAsNonRoot=true)
            runAsUser=0 (container "b" must not set runAsUser=0)
            seccompProfile (pod or containers "a", "b" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")"#]],
    );
    let closed = json!({
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "a", "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}],
    });
    check(labels, closed, expect![["restricted:v1.36\n"]]);
}

#[test]
fn labels_that_cannot_be_read_enforce_the_strictest() {
    let namespace = |labels: Value| json!({"metadata": {"labels": labels}});
    let odd = namespace(
        json!({"pod-security.kubernetes.io/enforce": "strict", "pod-security.kubernetes.io/warn-version": "1.2"}),
    );
    assert_eq!(Policy::of(&odd, &Defaults::default()).enforce.to_string(), "restricted:latest");
    let errors: Vec<String> = label_errors(&odd).iter().map(ToString::to_string).collect();
    expect![[r#"
        metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted
        metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1.2": must be "latest" or "v1.x""#]]
    .assert_eq(&errors.join("\n"));
    let quiet = namespace(json!({"pod-security.kubernetes.io/enforce": "baseline"}));
    assert_eq!(
        Policy::of(&quiet, &Defaults::default()).warn.to_string(),
        "baseline:latest",
        "templates are warned of what pods are refused for"
    );
}
