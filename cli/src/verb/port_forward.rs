//! `port-forward`: local listeners whose connections go to ports of a pod, each over a stream of its own.

use super::pods;
use crate::low;
use crate::session::Session;
use crate::target;
use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A local port and the pod's; local 0 takes a free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ports {
    local: u16,
    remote: u16,
}

pub(super) async fn run(session: &Session, typed: &low::PortForward) -> Result<()> {
    let named = target::pod_or_owner(&session.server, &typed.pod).await?;
    let pod = pods::of_word(session, &typed.pod).await?;
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    anyhow::ensure!(phase == "Running", "unable to forward port because pod is not running. Current status={phase}");
    let service = if named.resource.is("", "services") {
        Some(session.server.get(&named.resource.object_path(&session.namespace, &named.name)).await?)
    } else {
        None
    };
    // All of them first, so that nothing is announced that a typing error undoes.
    let ports: Vec<Ports> =
        typed.ports.iter().map(|word| parse(word, &pod, service.as_ref())).collect::<Result<_>>()?;
    let mut listeners = vec![];
    for ports in ports {
        listeners.extend(listen(session, &typed.address, ports).await?);
    }
    let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let mut tasks = JoinSet::new();
    for (listener, remote) in listeners {
        tasks.spawn(accept(session.clone(), listener, pod_name.to_owned(), remote));
    }
    match tasks.join_next().await {
        Some(ended) => ended?,
        None => bail!("no address to listen on"),
    }
}

/// `8080`, `18080:8080`, `:8080`; the pod's side may be a name, and a Service's port means its target.
fn parse(word: &str, pod: &Value, service: Option<&Value>) -> Result<Ports> {
    let (local, remote) = word.split_once(':').unwrap_or((word, word));
    let remote = match service {
        Some(service) => of_service(remote, service, pod)?,
        None => of_pod(remote, pod)?,
    };
    let local = match local {
        "" => 0,
        // Without a colon a name stands for both sides.
        name if !word.contains(':') && name.parse::<u16>().is_err() => remote,
        local => local.parse().with_context(|| format!("error parsing local port '{local}'"))?,
    };
    Ok(Ports { local, remote })
}

fn of_pod(port: &str, pod: &Value) -> Result<u16> {
    if let Ok(number) = port.parse::<u16>() {
        anyhow::ensure!(number > 0, "remote port must be > 0");
        return Ok(number);
    }
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let found = ports.find(|known| known["name"] == port).and_then(|known| known["containerPort"].as_u64());
    found.and_then(|number| u16::try_from(number).ok()).with_context(|| format!("the pod has no port named \"{port}\""))
}

fn of_service(port: &str, service: &Value, pod: &Value) -> Result<u16> {
    let number = port.parse::<u64>().ok();
    let mut ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let found = ports.find(|known| known["name"] == port || (number.is_some() && known["port"].as_u64() == number));
    let Some(found) = found else { bail!("the Service has no port {port}") };
    match &found["targetPort"] {
        Value::String(name) => of_pod(name, pod),
        Value::Number(target) => of_pod(&target.to_string(), pod),
        _ => of_pod(&found["port"].to_string(), pod),
    }
}

/// Listeners for one pair of ports on every address; of `localhost`, one family is enough.
async fn listen(session: &Session, addresses: &[String], ports: Ports) -> Result<Vec<(TcpListener, u16)>> {
    let mut listeners: Vec<(TcpListener, u16)> = vec![];
    for address in addresses {
        let (candidates, needed): (Vec<IpAddr>, usize) = match address.as_str() {
            "localhost" => (vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()], 1),
            other => (vec![other.parse().with_context(|| format!("{other} is not an IP address or localhost"))?], 1),
        };
        let mut local = ports.local;
        let mut bound = 0;
        let mut refused = None;
        for candidate in candidates {
            match TcpListener::bind(SocketAddr::new(candidate, local)).await {
                Ok(listener) => {
                    let at = listener.local_addr()?;
                    // Both families share the port that was free in the first.
                    local = at.port();
                    bound += 1;
                    session.screen.line(&format!("Forwarding from {at} -> {}", ports.remote))?;
                    listeners.push((listener, ports.remote));
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if let Some(error) = refused.filter(|_| bound < needed) {
            return Err(error).with_context(|| format!("unable to listen on port {} of {address}", ports.local));
        }
    }
    Ok(listeners)
}

async fn accept(session: Session, listener: TcpListener, pod: String, remote: u16) -> Result<()> {
    let mut connections = JoinSet::new();
    let local = listener.local_addr()?.port();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (connection, _) = accepted.context("cannot take a connection")?;
                session.screen.line(&format!("Handling connection for {local}"))?;
                let (session, pod) = (session.clone(), pod.clone());
                connections.spawn(async move {
                    let outcome = forward(&session, connection, &pod, remote).await;
                    (session, outcome)
                });
            }
            Some(ended) = connections.join_next() => {
                // One connection's end is no reason to end the others.
                let (session, outcome) = ended?;
                if let Err(error) = outcome {
                    session.complain(&error.context(format!("an error occurred forwarding {local} -> {remote}")))?;
                }
            }
        }
    }
}

async fn forward(session: &Session, mut connection: TcpStream, pod: &str, remote: u16) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(session.server.client().clone(), &session.namespace);
    let mut forwarder = pods.portforward(pod, &[remote]).await?;
    let mut stream = forwarder.take_stream(remote).context("the server opened no stream")?;
    let refused = forwarder.take_error(remote).context("the server opened no error stream")?;
    tokio::select! {
        biased;
        Some(reason) = refused => bail!("{reason}"),
        // Either side may hang up when it has what it wanted.
        _ = copy_bidirectional(&mut connection, &mut stream) => {}
    }
    drop(stream);
    forwarder.abort();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ports_are_numbers_or_names_of_pods_and_services() {
        let pod = json!({"spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]}});
        let service = json!({"spec": {"ports": [{"name": "web", "port": 80, "targetPort": "http"}, {"port": 9, "targetPort": 90}]}});
        let pair = |word: &str, service| parse(word, &pod, service).map(|ports| (ports.local, ports.remote)).ok();
        assert_eq!(pair("18080:8080", None), Some((18080, 8080)));
        assert_eq!(pair("8080", None), Some((8080, 8080)));
        assert_eq!(pair(":8080", None), Some((0, 8080)));
        assert_eq!(pair("1:http", None), Some((1, 8080)));
        assert_eq!(pair("1:nope", None), None);
        assert_eq!(pair("x:80", None), None);
        assert_eq!(pair("8000:80", Some(&service)), Some((8000, 8080)));
        assert_eq!(pair("9", Some(&service)), Some((9, 90)));
        assert_eq!(pair("8000:81", Some(&service)), None);
    }
}
