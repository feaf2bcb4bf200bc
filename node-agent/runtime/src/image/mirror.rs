//! Registries that are asked first for what another one has: `registry.k8s.io=https://mirror.example:5000`. Knows how they
//! are written, and nothing of pulling.

use super::pull::is_loopback;
use oci_client::Reference;
use oci_client::client::ClientProtocol;
use std::str::FromStr;
use thiserror::Error;

/// A mirror of one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// As image names have it: `docker.io`.
    registry: String,
    /// Host, with a port where it is not the protocol's own.
    host: String,
    plain: bool,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("not REGISTRY=URL, as in registry.k8s.io=https://mirror.example:5000")]
pub struct MirrorError;

impl FromStr for Mirror {
    type Err = MirrorError;

    fn from_str(text: &str) -> Result<Self, MirrorError> {
        let (registry, url) = text.split_once('=').ok_or(MirrorError)?;
        let (plain, host) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(host), _) => (false, host),
            (None, Some(host)) => (true, host),
            (None, None) => return Err(MirrorError),
        };
        let host = host.trim_end_matches('/');
        let is_host = |text: &str| !text.is_empty() && !text.contains(['/', '@', '?', '#', ' ']);
        if !is_host(registry) || !is_host(host) {
            return Err(MirrorError);
        }
        Ok(Self { registry: registry.to_owned(), host: host.to_owned(), plain })
    }
}

impl Mirror {
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The image at this mirror, where it is one of its registry.
    pub(super) fn of(&self, reference: &Reference) -> Option<Reference> {
        if reference.registry() != self.registry {
            return None;
        }
        let mut there = reference.clone();
        there.set_mirror_registry(self.host.clone());
        Some(there)
    }

    pub(super) fn protocol(&self) -> ClientProtocol {
        if self.plain || is_loopback(&self.host) { ClientProtocol::Http } else { ClientProtocol::Https }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_a_registry_and_where_to_ask_first() {
        let read = |text: &str| text.parse::<Mirror>().map(|mirror| (mirror.registry, mirror.host, mirror.plain));
        assert_eq!(read("docker.io=https://m.example/"), Ok(("docker.io".into(), "m.example".into(), false)));
        assert_eq!(
            read("registry.k8s.io=http://10.0.0.1:5000"),
            Ok(("registry.k8s.io".into(), "10.0.0.1:5000".into(), true))
        );
        for bad in ["docker.io", "docker.io=m.example", "=https://m", "docker.io=https://", "docker.io=https://m/v2/x"]
        {
            assert_eq!(read(bad), Err(MirrorError), "{bad}");
        }
    }
}
