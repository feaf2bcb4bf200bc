//! Names of sandboxes and containers that are being made: who asks again meanwhile must not get a second one.

use super::{PodError, Pods};
use parking_lot::Mutex;
use proto::cri;
use std::collections::BTreeSet;

/// What is being made, by what makes it another than all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    /// Namespace, name, uid and attempt.
    Sandbox(String, String, String, u32),
    /// Its sandbox, name and attempt.
    Container(String, String, u32),
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sandbox(namespace, name, uid, attempt) => write!(f, "sandbox {namespace}/{name}/{uid}/{attempt}"),
            Self::Container(_, name, attempt) => write!(f, "container {name}/{attempt}"),
        }
    }
}

impl Name {
    pub(super) fn of_sandbox(metadata: &cri::PodSandboxMetadata) -> Self {
        let cri::PodSandboxMetadata { name, uid, namespace, attempt } = metadata.clone();
        Self::Sandbox(namespace, name, uid, attempt)
    }

    pub(super) fn of_container(sandbox: &str, metadata: &cri::ContainerMetadata) -> Self {
        Self::Container(sandbox.to_owned(), metadata.name.clone(), metadata.attempt)
    }
}

/// Names that are taken for now.
pub(super) type Names = Mutex<BTreeSet<Name>>;

/// A name that is free again when this is dropped.
#[derive(Debug)]
#[must_use]
pub(super) struct Reserved<'a> {
    names: &'a Names,
    name: Name,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.names.lock().remove(&self.name);
    }
}

impl Pods {
    /// To be asked for before it is looked whether the name is that of something made before: between the two nobody makes it.
    pub(super) fn reserve(&self, name: Name) -> Result<Reserved<'_>, PodError> {
        if !self.reserved.lock().insert(name.clone()) {
            return Err(PodError::NotNow(format!("{name} is being made")));
        }
        Ok(Reserved { names: &self.reserved, name })
    }
}
