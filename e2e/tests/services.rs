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

/// Both modes answer alike.
#[derive(Clone, Copy)]
enum Mode {
    Iptables,
    Nftables,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
        }
    }
}

fn start(mode: Mode) -> Result<Cluster> {
    Cluster::start(Options { args: vec![format!("--proxy-mode={}", mode.name())], ..Options::default() })
}

/// What shows that a balancer's address is closed to some: a command and a part of its output.
fn firewall(mode: Mode) -> (&'static str, &'static [&'static str], &'static str) {
    match mode {
        Mode::Iptables => ("iptables-save", &["-t", "filter"], "-A KUBE-PROXY-FIREWALL -d 198.51.100.7/32"),
        Mode::Nftables => {
            ("nft", &["list", "map", "ip", "kube-proxy", "service-ips"], "198.51.100.7 . tcp . 80 : goto firewall-")
        }
    }
}

#[test]
fn load_balancers_are_told_where_pods_are_and_strangers_are_kept_out() -> Result<()> {
    balance(Mode::Iptables)
}

#[test]
fn nftables_tells_load_balancers_where_pods_are_and_keeps_strangers_out() -> Result<()> {
    balance(Mode::Nftables)
}

fn balance(mode: Mode) -> Result<()> {
    let cluster = start(mode)?;
    cluster.apply(BALANCED)?;
    until(&cluster, "http://127.0.0.1:10256/healthz", "200", r#""nodeEligible":true"#);
    until(&cluster, "http://127.0.0.1:10249/proxyMode", "200", mode.name());
    until(&cluster, "http://127.0.0.1:31000/", "200", r#""localEndpoints":1"#);
    until(&cluster, "http://127.0.0.1:30081/hostname", "200", "web");

    let service = cluster.json(&["get", "service", "web"])?;
    let itself = format!("{}:80/hostname", service["spec"]["clusterIP"].as_str().unwrap_or_default());
    assert_eq!(cluster.kctl(&["exec", "web", "--", "/web", "get", &itself])?.trim(), "web", "hairpin");

    let balancer = r#"{"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.7", "ipMode": "VIP"}]}}}"#;
    cluster.kctl(&["patch", "service", "web", "--subresource=status", "--type=merge", "-p", balancer])?;
    eventually("the balancer's address to be closed to this node", SOON, || {
        let (program, args, part) = firewall(mode);
        let rules = cluster.host.read(program, args).map_err(|error| format!("{error:#}"))?;
        if rules.contains(part) { Ok(()) } else { Err(rules) }
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
    flush(
        Mode::Iptables,
        &[
            "iptables -t nat -F",
            "iptables -t filter -F",
            "iptables -t nat -F PREROUTING",
            "iptables -t nat -F KUBE-SERVICES",
        ],
    )
}

#[test]
fn nftables_that_somebody_flushes_come_back_by_themselves() -> Result<()> {
    flush(
        Mode::Nftables,
        &["nft flush table ip kube-proxy", "nft delete table ip kube-proxy", "nft flush chain ip kube-proxy services"],
    )
}

fn flush(mode: Mode, commands: &[&str]) -> Result<()> {
    let cluster = start(mode)?;
    cluster.apply(BALANCED)?;
    until(&cluster, "http://127.0.0.1:30081/hostname", "200", "web");
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        cluster.host.read(words[0], &words[1..])?;
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

/// Ten answers of a Service, as the names of the pods that gave them.
fn ten(cluster: &Cluster, address: &str) -> Vec<String> {
    let url = format!("http://{address}/hostname");
    (0..10).filter_map(|_| ask(cluster, &url).ok()).map(|(_, body)| body.trim().to_owned()).collect()
}

#[test]
fn services_outlive_a_change_of_the_mode() -> Result<()> {
    let mut cluster = Cluster::start(Options::default())?;
    cluster.apply(&BALANCED.replace("name: web, labels", "name: other, labels"))?;
    cluster.apply(BALANCED)?;
    for mode in ["nftables", "iptables"] {
        cluster.stop()?;
        cluster.set_args(&[&format!("--proxy-mode={mode}")]);
        cluster.up()?;
        cluster.kctl(&["wait", "--for=condition=Ready", "pod", "web", "other", "--timeout=60s"])?;
        eventually(&format!("both pods to answer in mode {mode}"), SOON, || {
            let answers = ten(&cluster, "127.0.0.1:30081");
            if ["web", "other"].iter().all(|pod| answers.iter().any(|a| a == pod)) {
                Ok(())
            } else {
                Err(format!("{answers:?}"))
            }
        });
        let affinity = |kind: &str| format!(r#"{{"spec": {{"sessionAffinity": "{kind}"}}}}"#);
        cluster.kctl(&["patch", "service", "web", "--type=merge", "-p", &affinity("ClientIP")])?;
        eventually(&format!("one pod to answer one client in mode {mode}"), SOON, || {
            let answers = ten(&cluster, "127.0.0.1:30081");
            let same = answers.len() == 10 && answers.iter().all(|answer| *answer == answers[0]);
            if same { Ok(()) } else { Err(format!("{answers:?}")) }
        });
        cluster.kctl(&["patch", "service", "web", "--type=merge", "-p", &affinity("None")])?;
        let rules = cluster.host.read("iptables-save", &["-t", "nat"])?;
        assert_eq!(rules.contains("KUBE-SERVICES"), mode == "iptables", "{rules}");
        let tables = cluster.host.read("nft", &["list", "tables"])?;
        assert_eq!(tables.contains("kube-proxy"), mode == "nftables", "{tables}");
    }
    Ok(())
}
