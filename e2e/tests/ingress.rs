//! The Ingress controller on a real node: hosts, paths, certificates, upgrades, and pods that come and go.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "counts and failures belong to the test's output")]

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::wait::eventually;
use e2e::{Cluster, Options, cluster};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_mins(1);

const INGRESS: &str = "
apiVersion: v1
kind: Pod
metadata: {name: other, labels: {app: other}}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: web, image: 'drover.local/web:1'}]}
---
apiVersion: v1
kind: Service
metadata: {name: other}
spec: {selector: {app: other}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: echo, labels: {kubernetes.io/service-name: echo}}
addressType: IPv4
ports: [{port: 9000}]
endpoints: [{addresses: [192.168.77.2]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  tls: [{hosts: [a.example], secretName: shop}]
  rules:
  - host: a.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
      - {path: /hostname, pathType: Exact, backend: {service: {name: other, port: {name: http}}}}
      - {path: /echo, pathType: Prefix, backend: {service: {name: echo, port: {number: 80}}}}
      - {path: /nobody, pathType: Prefix, backend: {service: {name: nobody, port: {number: 80}}}}
      - {path: /wrong, pathType: Prefix, backend: {service: {name: other, port: {name: https}}}}
  - host: '*.b.example'
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: other, port: {number: 80}}}}]}
";

fn start() -> Result<Cluster> {
    let cluster = Cluster::start(Options { args: vec!["--ingress".to_owned()], ..Options::default() })?;
    let web = cluster::root().join("manifests/examples/web.yaml");
    cluster.kctl(&["apply", "-f", &web.to_string_lossy()])?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    Ok(cluster)
}

/// Status, HTTP version and body of a GET by name, or what curl says.
fn ask(cluster: &Cluster, url: &str, options: &[&str]) -> Result<(String, String), String> {
    let door = |port: u16| format!("::{}:{port}", cluster.host.address);
    let door = if url.starts_with("https") { door(443) } else { door(80) };
    let mut args = vec!["--silent", "--show-error", "--max-time", "5", "--write-out", "\n%{http_code} %{http_version}"];
    args.extend(options.iter().copied().chain(["--connect-to", door.as_str(), url]));
    let output = cluster.host.run("curl", &args).map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, code) = text.rsplit_once('\n').ok_or("no status")?;
    Ok((code.to_owned(), body.to_owned()))
}

fn until(cluster: &Cluster, url: &str, options: &[&str], code: &str, holds: &str) {
    eventually(&format!("{code} with {holds} at {url}"), SOON, || match ask(cluster, url, options) {
        Ok((status, body)) if status == code && body.contains(holds) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// A certificate of its own for `host` in the Secret `shop`; gives the file that clients trust it by.
fn certify(cluster: &Cluster, host: &str, file: &str) -> Result<String> {
    let made = rcgen::generate_simple_self_signed([host.to_owned()])?;
    let encode = |text: String| STANDARD.encode(text);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop"}, "type": "kubernetes.io/tls",
        "data": {"tls.crt": encode(made.cert.pem()), "tls.key": encode(made.signing_key.serialize_pem())},
    });
    cluster.apply(&secret.to_string())?;
    let path = cluster.scratch().join(file);
    std::fs::write(&path, made.cert.pem())?;
    Ok(path.to_string_lossy().into_owned())
}

/// `upgrade ..` inside the host.
struct Upgrade {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Upgrade {
    fn start(cluster: &Cluster, args: &[&str], first: &str) -> Result<Self> {
        let mut command = cluster.host.command(&cluster::binary("upgrade").to_string_lossy(), args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let to = child.stdin.take().context("stdin")?;
        let from = BufReader::new(child.stdout.take().context("stdout")?);
        let mut upgrade = Self { child, to, from };
        assert_eq!(upgrade.line()?, first);
        Ok(upgrade)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn says(&mut self, line: &str) -> Result<String> {
        writeln!(self.to, "{line}")?;
        self.line()
    }
}

impl Drop for Upgrade {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            eprintln!("upgrade: {error}");
        }
    }
}

fn address(cluster: &Cluster) -> Result<Value> {
    Ok(cluster.json(&["get", "ingress", "shop"])?["status"]["loadBalancer"]["ingress"][0]["ip"].clone())
}

fn said(cluster: &Cluster, reason: &str, message: &str) {
    eventually(&format!("event {reason}"), SOON, || {
        let events = cluster.json(&["get", "events"]).map_err(|error| format!("{error:#}"))?;
        let all = events["items"].as_array().cloned().unwrap_or_default();
        let found = all.iter().any(|event| {
            event["reason"] == reason && event["message"].as_str().is_some_and(|text| text.contains(message))
        });
        if found { Ok(()) } else { Err(events.to_string()) }
    });
}

#[test]
fn requests_go_by_host_and_path_and_certificates_change_under_open_connections() -> Result<()> {
    let cluster = start()?;
    cluster.apply(INGRESS)?;
    let echo = Upgrade::start(&cluster, &["serve", "192.168.77.2:9000"], "listening")?;
    until(&cluster, "http://a.example/", &[], "200 1.1", "It runs.");
    until(&cluster, "http://a.example/hostname", &[], "200 1.1", "other");
    until(&cluster, "http://x.b.example/hostname", &[], "200 1.1", "other");
    until(&cluster, "http://b.example/hostname", &[], "404 1.1", "no rule matches");
    until(&cluster, "http://a.example/nobody", &[], "503 1.1", "no endpoint is ready");
    until(&cluster, "http://a.example/wrong", &[], "503 1.1", "no endpoint is ready");
    said(&cluster, "ServicePortNotFound", "Service other has no TCP port https");
    said(&cluster, "SecretNotFound", "there is no Secret shop");
    assert_eq!(cluster.json(&["get", "ingress", "shop"])?["spec"]["ingressClassName"], "drover");
    eventually("the node's address in the status", SOON, || match address(&cluster) {
        Ok(ip) if ip == cluster.host.address => Ok(()),
        other => Err(format!("{other:?}")),
    });

    let door = format!("{}:80", cluster.host.address);
    let mut tunnel = Upgrade::start(&cluster, &["ask", &door, "a.example"], "switched")?;
    assert_eq!(tunnel.says("one")?, "echo one");
    let first = certify(&cluster, "a.example", "first.pem")?;
    until(&cluster, "https://a.example/hostname", &["--cacert", &first], "200 2", "other");
    let second = certify(&cluster, "a.example", "second.pem")?;
    until(&cluster, "https://a.example/hostname", &["--cacert", &second, "--http1.1"], "200 1.1", "other");
    assert!(ask(&cluster, "https://a.example/", &["--cacert", &first]).is_err(), "the old certificate is still shown");
    assert!(ask(&cluster, "https://x.b.example/", &["--insecure"]).is_err(), "a certificate for another name");
    assert_eq!(tunnel.says("two")?, "echo two");
    drop((tunnel, echo));
    Ok(())
}

#[test]
fn a_rolling_update_behind_an_ingress_fails_no_request() -> Result<()> {
    let cluster = start()?;
    cluster.apply(
        "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: all}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
",
    )?;
    until(&cluster, "http://any.example/hostname", &[], "200 1.1", "web-");
    let door = format!("{}:80", cluster.host.address);
    let load = cluster
        .host
        .command(&cluster::binary("load").to_string_lossy(), &[&door, "/hostname", "20"])
        .stdout(Stdio::piped())
        .spawn()?;
    cluster.kctl(&["set", "image", "deployment/web", "web=drover.local/web:2"])?;
    cluster.kctl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    let counts: Value = serde_json::from_slice(&load.wait_with_output()?.stdout)?;
    println!("during the rolling update: {counts}");
    assert_eq!(counts["failures"], json!({}), "{counts}");
    assert!(
        counts["ok"].as_u64() > Some(500) && counts["pods"].as_object().is_some_and(|pods| pods.len() >= 4),
        "{counts}"
    );
    Ok(())
}
