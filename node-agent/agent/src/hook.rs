//! Lifecycle hooks: what runs right after a container's start and right before its stop.

use crate::cri::Cri;
use crate::probe::ask::Whom;
use crate::probe::http;
use k8s_openapi::api::core::v1::LifecycleHandler;
use proto::cri::ExecSyncRequest;
use std::time::Duration;

/// k8s: the user agent that hooked servers see.
const USER_AGENT: &str = "kube-lifecycle/1.37";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Exec lifecycle hook ({command:?}) failed: {said}")]
    Exec { command: Vec<String>, said: String },
    #[error("Http lifecycle hook failed: {0}")]
    Http(String),
    #[error("invalid handler: it does nothing")]
    Empty,
}

/// Runs the hook to its end; the caller bounds the time.
pub async fn run(cri: &Cri, handler: &LifecycleHandler, whom: &Whom) -> Result<(), Error> {
    if let Some(action) = &handler.exec {
        let command = action.command.clone().unwrap_or_default();
        let request = ExecSyncRequest { container_id: whom.container_id.clone(), cmd: command.clone(), timeout: 0 };
        return match cri.runtime().exec_sync(request).await {
            Ok(answer) if answer.get_ref().exit_code == 0 => Ok(()),
            Ok(answer) => {
                let answer = answer.into_inner();
                let output = String::from_utf8_lossy(&[answer.stdout, answer.stderr].concat()).into_owned();
                Err(Error::Exec { command, said: format!("exit code {}: {output}", answer.exit_code) })
            }
            Err(status) => Err(Error::Exec { command, said: status.message().to_owned() }),
        };
    }
    if let Some(action) = &handler.http_get {
        let port = http::port(&action.port, |name| whom.port_named(name)).map_err(|e| Error::Http(e.to_string()))?;
        let reply = http::get(action, &whom.pod_ip, port, USER_AGENT).await.map_err(|e| Error::Http(e.to_string()))?;
        // k8s: any answer will do, but not an error of the server.
        return if reply.status.is_client_error() || reply.status.is_server_error() {
            Err(Error::Http(format!("status {}: {}", reply.status.as_u16(), reply.body)))
        } else {
            Ok(())
        };
    }
    if let Some(action) = &handler.sleep {
        tokio::time::sleep(Duration::from_secs(action.seconds.max(0) as u64)).await;
        return Ok(());
    }
    // k8s: tcpSocket hooks were never implemented and are accepted for old objects' sake.
    if handler.tcp_socket.is_some() { Ok(()) } else { Err(Error::Empty) }
}
