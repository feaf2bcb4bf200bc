//! The container runtime as the agent sees it: CRI v1 over a Unix socket, with records in the agent's own terms.

mod record;

use crate::dial;
use crate::pod::label;
use crate::pod::observed::{Record, RunState, Sandbox};
use proto::cri::image_service_client::ImageServiceClient;
use proto::cri::runtime_service_client::RuntimeServiceClient;
use proto::cri::{
    ContainerFilter, ContainerStatusRequest, ListContainersRequest, ListPodSandboxRequest, PodSandboxFilter,
    PodSandboxStatusRequest,
};
use std::collections::HashMap;
use std::path::Path;
use tonic::transport::Channel;

/// Largest answer of the runtime: lists of thousands of containers, output of execs.
const MESSAGE_BYTES_MAX: usize = 32 << 20;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the container runtime refused: {}", .0.message())]
    Status(#[from] tonic::Status),
    #[error("the runtime answered without {what}")]
    Empty { what: &'static str },
}

impl Error {
    /// What the runtime said, as events and statuses quote it.
    pub fn said(&self) -> String {
        match self {
            Self::Status(status) => format!("rpc error: code = {:?} desc = {}", status.code(), status.message()),
            Self::Empty { .. } => self.to_string(),
        }
    }
}

/// Everything the runtime has of one pod.
#[derive(Clone, Debug, Default)]
pub struct PodRecords {
    pub sandboxes: Vec<Sandbox>,
    pub containers: Vec<Record>,
}

#[derive(Clone)]
pub struct Cri {
    channel: Channel,
}

impl Cri {
    /// Connects when first used, and again when the runtime comes back.
    pub fn new(socket: &Path) -> Self {
        Self { channel: dial::unix(socket) }
    }

    pub fn runtime(&self) -> RuntimeServiceClient<Channel> {
        RuntimeServiceClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub fn images(&self) -> ImageServiceClient<Channel> {
        ImageServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Sandboxes and containers of a pod, newest first. `known` are earlier records: what has exited does not change.
    pub async fn pod(&self, uid: &str, known: &[Record]) -> Result<PodRecords, Error> {
        let labels = HashMap::from([(label::POD_UID.to_owned(), uid.to_owned())]);
        let filter = PodSandboxFilter { label_selector: labels.clone(), ..PodSandboxFilter::default() };
        let containers = ContainerFilter { label_selector: labels, ..ContainerFilter::default() };
        let (mut client, mut other) = (self.runtime(), self.runtime());
        let (sandboxes, containers) = tokio::try_join!(
            client.list_pod_sandbox(ListPodSandboxRequest { filter: Some(filter) }),
            other.list_containers(ListContainersRequest { filter: Some(containers) }),
        )?;
        let mut listed = sandboxes.into_inner().items;
        listed.sort_by_key(|s| std::cmp::Reverse((s.metadata.as_ref().map_or(0, |m| m.attempt), s.created_at)));
        let mut found = PodRecords::default();
        for sandbox in listed {
            found.sandboxes.extend(self.sandbox(&sandbox.id).await?);
        }
        for container in containers.into_inner().containers {
            let exited = known.iter().find(|k| k.id == container.id && k.state == RunState::Exited);
            match exited {
                Some(record) => found.containers.push(record.clone()),
                None => found.containers.extend(self.container(&container.id, &container.pod_sandbox_id).await?),
            }
        }
        found.containers.sort_by_key(|c| std::cmp::Reverse((c.attempt, c.created)));
        Ok(found)
    }

    async fn sandbox(&self, id: &str) -> Result<Option<Sandbox>, Error> {
        let request = PodSandboxStatusRequest { pod_sandbox_id: id.to_owned(), verbose: false };
        match self.runtime().pod_sandbox_status(request).await {
            Ok(answer) => Ok(answer.into_inner().status.map(record::sandbox)),
            Err(status) if status.code() == tonic::Code::NotFound => Ok(None),
            Err(status) => Err(status.into()),
        }
    }

    pub async fn container(&self, id: &str, sandbox: &str) -> Result<Option<Record>, Error> {
        let request = ContainerStatusRequest { container_id: id.to_owned(), verbose: false };
        match self.runtime().container_status(request).await {
            Ok(answer) => Ok(answer.into_inner().status.map(|s| record::container(s, sandbox))),
            Err(status) if status.code() == tonic::Code::NotFound => Ok(None),
            Err(status) => Err(status.into()),
        }
    }
}
