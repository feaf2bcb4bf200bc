//! Upstream's chain names: a prefix that says what a chain is, and a hash that leaves room for it in 28 characters.

use crate::ruleset::{Endpoint, PortKey, Target};
use sha2::{Digest, Sha256};

pub(super) struct Names {
    /// Any endpoint.
    pub(super) cluster: String,
    /// Endpoints on this node.
    pub(super) local: String,
    /// Traffic from outside.
    pub(super) external: String,
    /// Traffic to a load balancer's address that only some may use.
    pub(super) firewall: String,
}

impl Names {
    pub(super) fn of(key: &PortKey) -> Self {
        let hash = hash(&format!("{key}{}", key.protocol.name()));
        Self {
            cluster: format!("KUBE-SVC-{hash}"),
            local: format!("KUBE-SVL-{hash}"),
            external: format!("KUBE-EXT-{hash}"),
            firewall: format!("KUBE-FW-{hash}"),
        }
    }

    pub(super) fn target(&self, target: &Target) -> &str {
        match target {
            Target::Cluster => &self.cluster,
            Target::Local => &self.local,
        }
    }
}

pub(super) fn endpoint_chain(key: &PortKey, endpoint: Endpoint) -> String {
    format!("KUBE-SEP-{}", hash(&format!("{key}{}{endpoint}", key.protocol.name())))
}

/// First 16 characters of the base32 form of a SHA-256.
fn hash(text: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = Sha256::digest(text.as_bytes());
    (0..16)
        .map(|place| {
            let bits = (0..5)
                .map(|bit| place * 5 + bit)
                .fold(0, |value, bit: usize| value << 1 | usize::from(digest[bit / 8] >> (7 - bit % 8) & 1));
            char::from(ALPHABET[bits])
        })
        .collect()
}
