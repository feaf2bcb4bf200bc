//! exec, attach and port-forward: the runtime is asked for a streaming endpoint on the loopback, and the client's upgraded
//! connection is joined to it. The protocols inside are the runtime's business.

use crate::node::Node;
use crate::pod::member::{member, members, uid};
use crate::pod::observed::{Record, Sandbox};
use crate::pods::find;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use proto::cri::{AttachRequest, ExecRequest, PortForwardRequest};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tracing::debug;

/// The runtime answers on the loopback: an endpoint that takes longer is broken.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// As much of the runtime's reason as is passed on.
const REFUSAL_BYTES_MAX: usize = 4 << 10;

/// Why there is no stream.
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

type Names = Path<(String, String, String)>;
type NamesWithUid = Path<(String, String, String, String)>;

pub(super) async fn exec(
    node: State<Arc<Node>>,
    Path((ns, pod, name)): Names,
    query: RawQuery,
    request: Request,
) -> Response {
    run(&node, (&ns, &pod, &name), query, request, Kind::Exec).await
}

pub(super) async fn exec_uid(
    node: State<Arc<Node>>,
    Path((ns, pod, _, name)): NamesWithUid,
    query: RawQuery,
    request: Request,
) -> Response {
    run(&node, (&ns, &pod, &name), query, request, Kind::Exec).await
}

pub(super) async fn attach(
    node: State<Arc<Node>>,
    Path((ns, pod, name)): Names,
    query: RawQuery,
    request: Request,
) -> Response {
    run(&node, (&ns, &pod, &name), query, request, Kind::Attach).await
}

pub(super) async fn attach_uid(
    node: State<Arc<Node>>,
    Path((ns, pod, _, name)): NamesWithUid,
    query: RawQuery,
    request: Request,
) -> Response {
    run(&node, (&ns, &pod, &name), query, request, Kind::Attach).await
}

pub(super) async fn port_forward(
    node: State<Arc<Node>>,
    Path((ns, pod)): Path<(String, String)>,
    query: RawQuery,
    request: Request,
) -> Response {
    forward(&node, &ns, &pod, query, request).await
}

pub(super) async fn port_forward_uid(
    node: State<Arc<Node>>,
    Path((ns, pod, _)): Names,
    query: RawQuery,
    request: Request,
) -> Response {
    forward(&node, &ns, &pod, query, request).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Exec,
    Attach,
}

/// The parameters of exec and attach, under the node API's names and the API server's.
#[derive(Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the streams are independent of each other")]
struct Wanted {
    command: Vec<String>,
    stdin: bool,
    stdout: bool,
    stderr: bool,
    tty: bool,
}

fn wanted(query: &str) -> Wanted {
    let mut wanted = Wanted::default();
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.replace('+', " ");
        let value = percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned();
        let on = matches!(value.as_str(), "1" | "true" | "True" | "t");
        match key {
            "command" => wanted.command.push(value),
            "input" | "stdin" => wanted.stdin = on,
            "output" | "stdout" => wanted.stdout = on,
            "error" | "stderr" => wanted.stderr = on,
            "tty" => wanted.tty = on,
            _ => {}
        }
    }
    // A terminal has one output.
    wanted.stderr &= !wanted.tty;
    wanted
}

fn ports(query: &str) -> Vec<i32> {
    let values = query.split('&').filter_map(|pair| pair.strip_prefix("port=").or_else(|| pair.strip_prefix("ports=")));
    values.flat_map(|v| v.split(',')).filter_map(|v| v.parse().ok()).filter(|p| (1..=65_535).contains(p)).collect()
}

async fn run(
    node: &Node,
    (ns, pod, name): (&str, &str, &str),
    RawQuery(query): RawQuery,
    request: Request,
    kind: Kind,
) -> Response {
    let wanted = wanted(query.as_deref().unwrap_or_default());
    let url = async {
        let (_, record) = container(node, ns, pod, name).await?;
        let mut runtime = node.cri.runtime();
        let Wanted { command: cmd, stdin, stdout, stderr, tty } = wanted;
        let audit_request_id = String::new();
        match kind {
            Kind::Exec => {
                let request =
                    ExecRequest { container_id: record.id, cmd, tty, stdin, stdout, stderr, audit_request_id };
                runtime.exec(request).await.map(|a| a.into_inner().url).map_err(|s| refused(&s))
            }
            Kind::Attach => {
                let request = AttachRequest { container_id: record.id, stdin, tty, stdout, stderr, audit_request_id };
                runtime.attach(request).await.map(|a| a.into_inner().url).map_err(|s| refused(&s))
            }
        }
    };
    match url.await {
        Ok(url) => join(node, &url, request).await.unwrap_or_else(IntoResponse::into_response),
        Err(refusal) => refusal.into_response(),
    }
}

async fn forward(node: &Node, ns: &str, pod: &str, RawQuery(query): RawQuery, request: Request) -> Response {
    let url = async {
        let sandbox = sandbox(node, ns, pod).await?;
        let port = ports(query.as_deref().unwrap_or_default());
        let request = PortForwardRequest { pod_sandbox_id: sandbox.id, port };
        node.cri.runtime().port_forward(request).await.map(|a| a.into_inner().url).map_err(|s| refused(&s))
    };
    match url.await {
        Ok(url) => join(node, &url, request).await.unwrap_or_else(IntoResponse::into_response),
        Err(refusal) => refusal.into_response(),
    }
}

pub(super) fn refused(status: &tonic::Status) -> Refusal {
    let code = match status.code() {
        tonic::Code::NotFound => StatusCode::NOT_FOUND,
        tonic::Code::InvalidArgument => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Refusal(code, status.message().to_owned())
}

fn known(node: &Node, ns: &str, pod: &str) -> Result<Arc<Pod>, Refusal> {
    find(node, ns, pod).ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("pod does not exist: {ns}/{pod}")))
}

pub(super) async fn container(
    node: &Node,
    ns: &str,
    pod_name: &str,
    name: &str,
) -> Result<(Arc<Pod>, Record), Refusal> {
    let pod = known(node, ns, pod_name)?;
    if member(&pod, name).is_none() {
        let names: Vec<String> = members(&pod).iter().map(|m| m.name().to_owned()).collect();
        let text = format!("container {name} is not valid for pod {pod_name} (it has {})", names.join(", "));
        return Err(Refusal(StatusCode::NOT_FOUND, text));
    }
    let found = node.cri.pod(uid(&pod), &[]).await;
    let found = found.map_err(|e| Refusal(StatusCode::INTERNAL_SERVER_ERROR, e.said()))?;
    let record = found.containers.into_iter().find(|r| r.name == name && r.is_running());
    let record = record
        .ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("container not found (\"{name}\" does not run)")))?;
    Ok((pod, record))
}

async fn sandbox(node: &Node, ns: &str, pod_name: &str) -> Result<Sandbox, Refusal> {
    let pod = known(node, ns, pod_name)?;
    let found = node.cri.pod(uid(&pod), &[]).await;
    let found = found.map_err(|e| Refusal(StatusCode::INTERNAL_SERVER_ERROR, e.said()))?;
    let ready = found.sandboxes.into_iter().find(|s| s.ready);
    ready.ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("pod {pod_name} has no running sandbox")))
}

/// Passes the upgrade on to the runtime's endpoint; once that answers 101, joins both connections.
async fn join(node: &Node, url: &str, mut request: Request) -> Result<Response, Refusal> {
    let broken = |text: String| Refusal(StatusCode::BAD_GATEWAY, text);
    let uri: Uri = url.parse().map_err(|_| broken("the runtime gave an address that is none".to_owned()))?;
    let (host, port) = (uri.host().unwrap_or_default().to_owned(), uri.port_u16().unwrap_or(80));
    let loopback =
        host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if !loopback {
        return Err(broken(format!("the runtime's endpoint {host} is not on this machine")));
    }
    let connect = TcpStream::connect((host.trim_matches(['[', ']']), port));
    let socket = tokio::time::timeout(CONNECT_TIMEOUT, connect).await;
    let socket = socket.map_err(|_| broken("the runtime's endpoint does not answer".to_owned()))?;
    let socket = socket.map_err(|e| broken(format!("cannot connect to the runtime's endpoint: {e}")))?;
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let mut onward = http::Request::builder().method(request.method()).uri(path);
    if let Some(headers) = onward.headers_mut() {
        *headers = passed_on(request.headers());
        headers.insert(header::HOST, format!("{host}:{port}").parse().map_err(|_| broken("bad host".to_owned()))?);
    }
    let onward = onward.body(Empty::<Bytes>::new()).map_err(|e| broken(e.to_string()))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await;
    let (mut sender, connection) = handshake.map_err(|e| broken(e.to_string()))?;
    let upgraded = hyper::upgrade::on(&mut request);
    node.tracker.spawn(node.drain.clone().run_until_cancelled_owned(async move {
        if let Err(error) = connection.with_upgrades().await {
            debug!(%error, "the runtime's connection ended");
        }
    }));
    let answer = sender.send_request(onward).await;
    let mut answer = answer.map_err(|e| broken(e.to_string()))?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        // Never spliced: what is not an upgrade is an error, and the runtime says which.
        let code = if answer.status().is_client_error() { answer.status() } else { StatusCode::BAD_GATEWAY };
        let said = Limited::new(answer.into_body(), REFUSAL_BYTES_MAX).collect().await;
        let said = said.map(|b| String::from_utf8_lossy(&b.to_bytes()).into_owned()).unwrap_or_default();
        return Err(Refusal(
            code,
            format!("the runtime did not upgrade the connection: {code} {said}").trim_end().to_owned(),
        ));
    }
    let mut response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    if let Some(headers) = response.headers_mut() {
        *headers = answer.headers().clone();
    }
    let response = response.body(Body::empty()).map_err(|e| broken(e.to_string()))?;
    let onward = hyper::upgrade::on(&mut answer);
    node.tracker.spawn(node.drain.clone().run_until_cancelled_owned(splice(upgraded, onward)));
    Ok(response)
}

/// Copies bytes both ways until both sides have ended.
async fn splice(client: OnUpgrade, server: OnUpgrade) {
    match tokio::try_join!(client, server) {
        Ok((client, server)) => {
            let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
            if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut server).await {
                debug!(%error, "stream ended");
            }
        }
        Err(error) => debug!(%error, "upgrade failed"),
    }
}

/// What belongs to the upgrade; credentials and hop-by-hop headers stay here.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let keep = |name: &str| {
        matches!(name, "connection" | "upgrade" | "x-stream-protocol-version" | "user-agent")
            || name.starts_with("sec-websocket-")
    };
    headers.iter().filter(|(name, _)| keep(name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_under_both_names() {
        let want =
            Wanted { command: vec!["sh".into(), "a b&c".into()], stdin: true, stdout: true, stderr: false, tty: true };
        assert_eq!(wanted("command=sh&command=a+b%26c&stdin=true&output=1&error=1&tty=true"), want);
        assert_eq!(ports("port=80&port=443,8080&ports=99999&x=1"), [80, 443, 8080]);
    }

    #[test]
    fn credentials_do_not_reach_the_runtime() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("authorization", "Bearer x"), ("upgrade", "SPDY/3.1"), ("cookie", "a"), ("sec-websocket-key", "k")]
        {
            headers.insert(name, value.parse().unwrap());
        }
        let mut names: Vec<_> = passed_on(&headers).keys().map(ToString::to_string).collect();
        names.sort();
        assert_eq!(names, ["sec-websocket-key", "upgrade"]);
    }
}
