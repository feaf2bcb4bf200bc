//! Asks one question of one container, within its time.

use super::state::Answer;
use super::{grpc, http};
use crate::cri::Cri;
use k8s_openapi::api::core::v1::{Container, ContainerPort, Probe};
use proto::cri::ExecSyncRequest;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// k8s: the user agent that probed servers see.
const USER_AGENT: &str = "kube-probe/1.37";
/// As much output as goes into an event.
const OUTPUT_BYTES_MAX: usize = 1 << 10;

/// Whom to ask.
#[derive(Clone, Debug)]
pub struct Whom {
    pub container_id: String,
    pub pod_ip: String,
    pub ports: Vec<ContainerPort>,
}

impl Whom {
    pub fn new(container: &Container, container_id: &str, pod_ip: &str) -> Self {
        Self {
            container_id: container_id.to_owned(),
            pod_ip: pod_ip.to_owned(),
            ports: container.ports.clone().unwrap_or_default(),
        }
    }

    pub fn port_named(&self, name: &str) -> Option<i32> {
        self.ports.iter().find(|p| p.name.as_deref() == Some(name)).map(|p| p.container_port)
    }
}

pub async fn ask(cri: &Cri, probe: &Probe, whom: &Whom) -> Answer {
    let limit = Duration::from_secs(u64::try_from(probe.timeout_seconds.unwrap_or(1).max(1)).unwrap_or(1));
    if let Some(action) = &probe.exec {
        return exec(cri, action.command.clone().unwrap_or_default(), whom, limit).await;
    }
    let asked = timeout(limit, async {
        if let Some(action) = &probe.http_get {
            match http::port(&action.port, |name| whom.port_named(name)) {
                Err(error) => Answer::Unknown(error.to_string()),
                Ok(port) => judge(http::get(action, &whom.pod_ip, port, USER_AGENT).await),
            }
        } else if let Some(action) = &probe.tcp_socket {
            let host = action.host.as_deref().filter(|h| !h.is_empty()).unwrap_or(&whom.pod_ip);
            match http::port(&action.port, |name| whom.port_named(name)) {
                Err(error) => Answer::Unknown(error.to_string()),
                Ok(port) => match TcpStream::connect((host, port)).await {
                    Ok(_) => Answer::Success,
                    Err(error) => Answer::Failure(format!("dial tcp {host}:{port}: {error}")),
                },
            }
        } else if let Some(action) = &probe.grpc {
            let port = u16::try_from(action.port).unwrap_or(0);
            match grpc::check(&whom.pod_ip, port, action.service.as_deref().unwrap_or_default(), limit).await {
                Ok(()) => Answer::Success,
                Err(said) => Answer::Failure(said),
            }
        } else {
            Answer::Unknown("missing probe handler".to_owned())
        }
    });
    asked.await.unwrap_or_else(|_| Answer::Failure(format!("no answer within {}s", limit.as_secs())))
}

/// k8s: 200 to 399 is healthy.
fn judge(reply: Result<http::Reply, http::Error>) -> Answer {
    match reply {
        Err(error) => Answer::Failure(error.to_string()),
        Ok(reply) if reply.elsewhere => {
            Answer::Warning(format!("Probe terminated redirects, Response body: {}", reply.body))
        }
        Ok(reply) if (200..400).contains(&reply.status.as_u16()) => Answer::Success,
        Ok(reply) => Answer::Failure(format!("HTTP probe failed with statuscode: {}", reply.status.as_u16())),
    }
}

async fn exec(cri: &Cri, cmd: Vec<String>, whom: &Whom, limit: Duration) -> Answer {
    let request = ExecSyncRequest { container_id: whom.container_id.clone(), cmd, timeout: limit.as_secs() as i64 };
    match cri.runtime().exec_sync(request).await {
        Ok(answer) => {
            let answer = answer.into_inner();
            let output = [answer.stdout, answer.stderr].concat();
            let cut = output.len().min(OUTPUT_BYTES_MAX);
            match answer.exit_code {
                0 => Answer::Success,
                _ => Answer::Failure(String::from_utf8_lossy(&output[..cut]).into_owned()),
            }
        }
        // A command that runs too long has failed; a runtime that cannot be asked says nothing about the container.
        Err(status) if status.code() == tonic::Code::DeadlineExceeded => {
            Answer::Failure(format!("command timed out after {}s", limit.as_secs()))
        }
        Err(status) => Answer::Unknown(status.message().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers each connection with the next of `replies`.
    async fn server(replies: &'static [&'static str]) -> (u16, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = async move {
            for reply in replies {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 1024];
                assert!(stream.read(&mut buffer).await.unwrap() > 0);
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
        };
        #[expect(clippy::disallowed_methods, reason = "the test ends with its server")]
        let joined = tokio::spawn(task);
        (port, joined)
    }

    async fn answer(reply: &'static [&'static str]) -> Answer {
        let (port, _server) = server(reply).await;
        let cri = Cri::new(std::path::Path::new("/nonexistent"));
        let whom = Whom { container_id: String::new(), pod_ip: "127.0.0.1".into(), ports: Vec::new() };
        let mut probe: Probe =
            serde_json::from_value(serde_json::json!({ "httpGet": { "path": "/x", "port": 1 } })).unwrap();
        probe.http_get.as_mut().unwrap().port = IntOrString::Int(port.into());
        ask(&cri, &probe, &whom).await
    }

    #[tokio::test]
    async fn statuses_from_200_to_399_are_healthy() {
        assert_eq!(answer(&["HTTP/1.1 204 No Content\r\n\r\n"]).await, Answer::Success);
        let failed = Answer::Failure("HTTP probe failed with statuscode: 500".into());
        assert_eq!(answer(&["HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"]).await, failed);
    }

    #[tokio::test]
    async fn redirects_are_followed_on_the_same_host_only() {
        let follow = &[
            "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ];
        assert_eq!(answer(follow).await, Answer::Success);
        let away = answer(&["HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n"]).await;
        assert!(matches!(away, Answer::Warning(_)), "{away:?}");
    }

    #[tokio::test]
    async fn a_refused_connection_is_a_failure_and_an_unnamed_port_is_unknown() {
        let cri = Cri::new(std::path::Path::new("/nonexistent"));
        let whom = Whom { container_id: String::new(), pod_ip: "127.0.0.1".into(), ports: Vec::new() };
        let probe = |port: serde_json::Value| -> Probe {
            serde_json::from_value(serde_json::json!({ "tcpSocket": { "port": port } })).unwrap()
        };
        assert!(matches!(ask(&cri, &probe(1.into()), &whom).await, Answer::Failure(_)));
        assert!(matches!(ask(&cri, &probe("web".into()), &whom).await, Answer::Unknown(_)));
    }
}
