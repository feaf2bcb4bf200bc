//! The ConfigMaps, Secrets, tokens, trust bundles and certificates that a pod's containers and volumes refer to: which they
//! are (pure), and the bundle that is handed to the pure functions once they have been fetched.

use crate::pod::member::{members, name, spec};
use crate::pod_certificate::Pair;
use k8s_openapi::api::certificates::v1::ClusterTrustBundle;
use k8s_openapi::api::core::v1::{
    ClusterTrustBundleProjection, ConfigMap, PersistentVolume, Pod, PodCertificateProjection, Secret,
    ServiceAccountTokenProjection, Volume,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// k8s: tokens live an hour unless the projection says otherwise.
pub const TOKEN_SECONDS_DEFAULT: i64 = 3600;

/// A reference by name, in the pod's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    ConfigMap(String),
    Secret(String),
}

/// A token of the pod's service account, bound to the pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenNeed {
    /// Empty: the API server's own.
    pub audience: String,
    pub seconds: i64,
}

/// Trust bundles, which belong to the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BundleNeed {
    Named(String),
    /// All of a signer; a selector leaves some of them.
    OfSigner(String),
}

/// A source of a projected volume: the volume's name, and which of its sources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    pub volume: String,
    pub source: usize,
}

/// What a pod's volumes are made from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VolumeNeeds {
    pub objects: BTreeSet<Need>,
    pub tokens: BTreeSet<TokenNeed>,
    pub bundles: BTreeSet<BundleNeed>,
    pub certificates: BTreeMap<Spot, PodCertificateProjection>,
}

/// What was fetched. A need that is absent from the maps does not exist in the API.
#[derive(Clone, Debug, Default)]
pub struct Materials {
    pub config_maps: BTreeMap<String, Arc<ConfigMap>>,
    pub secrets: BTreeMap<String, Arc<Secret>>,
    pub tokens: BTreeMap<TokenNeed, String>,
    pub bundles: BTreeMap<BundleNeed, Vec<Arc<ClusterTrustBundle>>>,
    pub certificates: BTreeMap<Spot, Pair>,
    /// Behind the pod's claims, by the name of the volume in the pod.
    pub volumes: BTreeMap<String, Arc<PersistentVolume>>,
    /// Files of environment variables, by the name of the volume and the path in it.
    pub env_files: BTreeMap<(String, String), String>,
}

/// A claim that a volume of the pod is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub name: String,
    /// A generic ephemeral volume: the claim belongs to the pod.
    pub made_for_pod: bool,
}

/// The claims of the pod, by volume.
pub fn of_claims(pod: &Pod) -> BTreeMap<String, Claim> {
    let one = |volume: &Volume| {
        let claim = match (&volume.persistent_volume_claim, &volume.ephemeral) {
            (Some(source), _) => Claim { name: source.claim_name.clone(), made_for_pod: false },
            // k8s: the claim of a generic ephemeral volume is named after pod and volume.
            (None, Some(_)) => Claim { name: format!("{}-{}", name(pod), volume.name), made_for_pod: true },
            (None, None) => return None,
        };
        Some((volume.name.clone(), claim))
    };
    spec(pod).volumes.iter().flatten().filter_map(one).collect()
}

impl TokenNeed {
    pub fn of(projection: &ServiceAccountTokenProjection) -> Self {
        Self {
            audience: projection.audience.clone().unwrap_or_default(),
            seconds: projection.expiration_seconds.unwrap_or(TOKEN_SECONDS_DEFAULT),
        }
    }
}

impl BundleNeed {
    /// `None` where the projection names nothing, which the API server does not let through.
    pub fn of(projection: &ClusterTrustBundleProjection) -> Option<Self> {
        let named = projection.name.clone().map(Self::Named);
        named.or_else(|| projection.signer_name.clone().map(Self::OfSigner))
    }
}

pub fn of_volumes(pod: &Pod) -> VolumeNeeds {
    let mut needs = VolumeNeeds::default();
    let objects = &mut needs.objects;
    for volume in spec(pod).volumes.iter().flatten() {
        objects.extend(volume.config_map.iter().map(|c| Need::ConfigMap(c.name.clone())));
        objects.extend(volume.secret.iter().filter_map(|s| s.secret_name.clone()).map(Need::Secret));
        let sources = volume.projected.iter().flat_map(|p| p.sources.iter().flatten());
        for (at, source) in sources.enumerate() {
            objects.extend(source.config_map.iter().map(|c| Need::ConfigMap(c.name.clone())));
            objects.extend(source.secret.iter().map(|s| Need::Secret(s.name.clone())));
            needs.tokens.extend(source.service_account_token.iter().map(TokenNeed::of));
            needs.bundles.extend(source.cluster_trust_bundle.iter().filter_map(BundleNeed::of));
            let spot = || Spot { volume: volume.name.clone(), source: at };
            needs.certificates.extend(source.pod_certificate.iter().map(|c| (spot(), c.clone())));
        }
    }
    needs
}

/// What the environment of one container is made from.
pub fn of_environment(pod: &Pod, container: &str) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    for member in members(pod).iter().filter(|m| m.name() == container) {
        for source in member.spec.env_from.iter().flatten() {
            needs.extend(source.config_map_ref.iter().map(|r| Need::ConfigMap(r.name.clone())));
            needs.extend(source.secret_ref.iter().map(|r| Need::Secret(r.name.clone())));
        }
        for source in member.spec.env.iter().flatten().filter_map(|e| e.value_from.as_ref()) {
            needs.extend(source.config_map_key_ref.iter().map(|r| Need::ConfigMap(r.name.clone())));
            needs.extend(source.secret_key_ref.iter().map(|r| Need::Secret(r.name.clone())));
        }
    }
    needs
}

/// The secrets with registry credentials.
pub fn of_pulls(pod: &Pod) -> BTreeSet<Need> {
    spec(pod).image_pull_secrets.iter().flatten().map(|r| Need::Secret(r.name.clone())).collect()
}
