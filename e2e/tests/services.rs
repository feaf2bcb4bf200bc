//! The Service proxy on a real node: what it answers to load balancers, and what others take away from it.

use anyhow::Result;
use e2e::wait::eventually;
use e2e::{Cluster, Options};
use std::time::Duration;

const SOON: Duration = Duration::from_mins(1);

const BALANCED: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: web, image: 'drover.local/web:1'}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  healthCheckNodePort: 31000
  loadBalancerSourceRanges: [203.0.113.0/24]
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080, nodePort: 30081}]
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec: {type: NodePort, selector: {app: nobody}, ports: [{port: 80, nodePort: 30082}]}
";

/// HTTP status and body, or curl's exit code.
fn ask(cluster: &Cluster, url: &str) -> Result<(String, String), i32> {
    let args = ["--silent", "--max-time", "3", "--write-out", "\n%{http_code}", url];
    let output = cluster.host.command("curl", &args).output().map_err(|_| -1)?;
    if !output.status.success() {
        return Err(output.status.code().unwrap_or(-1));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, code) = text.rsplit_once('\n').unwrap_or(("", &text));
    Ok((code.to_owned(), body.to_owned()))
}

fn until(cluster: &Cluster, url: &str, code: &str, holds: &str) {
    eventually(&format!("{code} with {holds} at {url}"), SOON, || match ask(cluster, url) {
        Ok((status, body)) if status == code && body.contains(holds) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn load_balancers_are_told_where_pods_are_and_strangers_are_kept_out() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.apply(BALANCED)?;
    until(&cluster, "http://127.0.0.1:10256/healthz", "200", r#""nodeEligible":true"#);
    until(&cluster, "http://127.0.0.1:31000/", "200", r#""localEndpoints":1"#);
    until(&cluster, "http://127.0.0.1:30081/hostname", "200", "web");

    let balancer = r#"{"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.7", "ipMode": "VIP"}]}}}"#;
    cluster.kctl(&["patch", "service", "web", "--subresource=status", "--type=merge", "-p", balancer])?;
    eventually("the balancer's address to be closed to this node", SOON, || {
        let rules = cluster.host.read("iptables-save", &["-t", "filter"]).map_err(|error| format!("{error:#}"))?;
        if rules.contains("-A KUBE-PROXY-FIREWALL -d 198.51.100.7/32") { Ok(()) } else { Err(rules) }
    });
    assert_eq!(ask(&cluster, "http://198.51.100.7/hostname"), Err(28), "dropped: a timeout");
    cluster.kctl(&[
        "patch",
        "service",
        "web",
        "--type=merge",
        "-p",
        r#"{"spec": {"loadBalancerSourceRanges": null}}"#,
    ])?;
    until(&cluster, "http://198.51.100.7/hostname", "200", "web");

    cluster.kctl(&["delete", "pod", "web"])?;
    until(&cluster, "http://127.0.0.1:31000/", "503", r#""localEndpoints":0"#);
    assert_eq!(ask(&cluster, "http://127.0.0.1:30082/"), Err(7), "refused at once");
    Ok(())
}

#[test]
fn rules_that_somebody_flushes_come_back_by_themselves() -> Result<()> {
    let cluster = Cluster::start(Options::default())?;
    cluster.apply(BALANCED)?;
    until(&cluster, "http://127.0.0.1:30081/hostname", "200", "web");
    for (program, args) in [
        ("iptables", vec!["-t", "nat", "-F"]),
        ("iptables", vec!["-t", "filter", "-F"]),
        ("iptables", vec!["-t", "nat", "-F", "PREROUTING"]),
        ("iptables", vec!["-t", "nat", "-F", "KUBE-SERVICES"]),
    ] {
        cluster.host.read(program, &args)?;
        until(&cluster, "http://127.0.0.1:30081/hostname", "200", "web");
        eventually("the refusal of a Service without endpoints", SOON, || {
            match ask(&cluster, "http://127.0.0.1:30082/") {
                Err(7) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
    }
    Ok(())
}
