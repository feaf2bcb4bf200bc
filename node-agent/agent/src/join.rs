//! Becoming a node: from a join token to the node's own certificates, and their renewal.
//!
//! The cluster's CA is believed by the hash in the token alone; the certificates come by requests that the cluster decides
//! on (`certificates.k8s.io`). What was obtained is kept, so that the next start needs no token.

mod discover;
mod keep;
pub mod renew;
mod request;

use client::clock::Clock;
use client::join_token::JoinToken;
use client::transport::Servers;
use discover::Discovered;
use jiff::{SignedDuration, Timestamp};
use keep::Folder;
use kube::config::Kubeconfig;
use serde_json::json;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Who wants to be a node, and where others reach it.
#[derive(Clone, Debug)]
pub struct Place {
    pub node_name: String,
    /// One, or one of each family.
    pub node_ips: Vec<IpAddr>,
}

impl Place {
    /// The user that this node is.
    pub fn user(&self) -> String {
        format!("system:node:{}", self.node_name)
    }
}

/// A certificate with its key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    pub cert_pem: String,
    pub key_pem: String,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("cert_pem", &self.cert_pem).finish_non_exhaustive()
    }
}

/// All that makes this machine the node that it is.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub ca_pem: String,
    pub client: Pair,
    pub serving: Pair,
}

impl Credentials {
    pub fn kubeconfig(&self) -> Kubeconfig {
        kubeconfig(&self.ca_pem, &Proof::Certificate(&self.client))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error(
        "this machine is not part of a cluster yet: give --server and --token (`kctl token create` on the server prints one)"
    )]
    NoToken,
    #[error("no API server is named: give --server https://ADDRESS:6443")]
    NoServer,
    #[error("this machine has joined as node {is:?}, not as {wanted:?}: use --node-name {is}, or remove {} to join again", folder.display())]
    OtherName { is: String, wanted: String, folder: PathBuf },
    #[error("cannot reach {server}: {why}")]
    Unreachable { server: String, why: String },
    #[error(
        "{server} has another certificate authority than the token is for ({found}): the token is of another cluster, or \
         somebody answers in the server's place"
    )]
    OtherAuthority { server: String, found: String },
    #[error("{server} does not tell its certificate authority: {why}")]
    NoAuthority { server: String, why: String },
    #[error("the clock of this machine is {by} {direction} that of {server}: set it right (NTP), then join again")]
    Clock { server: String, by: String, direction: &'static str },
    #[error(
        "{server} refuses the token: it is wrong, has expired or was revoked (`kctl token list` shows those that are good)"
    )]
    TokenRefused { server: String },
    #[error("the cluster refuses node {node:?}: {why}")]
    Denied { node: String, why: String },
    #[error("nobody has approved the certificate request {name} (`kctl get csr`, `kctl describe csr {name}`)")]
    NotApproved { name: String },
    #[error("the API server refused: {0}")]
    Refused(String),
    #[error("cannot {action} {}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot make a certificate request")]
    Key(#[from] rcgen::Error),
    #[error("{what} of this node cannot be read (remove {} and join again)", folder.display())]
    Malformed { what: &'static str, folder: PathBuf },
    #[error(transparent)]
    Client(#[from] client::transport::Error),
}

/// What joining is given.
pub struct Wish<'a> {
    /// Where the credentials are kept: `<data-dir>/agent/pki`
    pub folder: &'a Path,
    pub place: &'a Place,
    /// `https://10.0.0.1:6443`
    pub servers: &'a [String],
    pub token: Option<&'a JoinToken>,
}

/// A certificate that ends within this time is as good as none for a start.
const LEFT_MIN: SignedDuration = SignedDuration::from_mins(5);

/// The node's credentials: those that are there, else new ones by the token.
pub async fn join(wish: &Wish<'_>, clock: &Arc<dyn Clock>) -> Result<Credentials, JoinError> {
    let folder = Folder::open(wish.folder)?;
    if let Some(kept) = folder.load()? {
        let certificate = keep::read(&kept.client.cert_pem, &folder)?;
        if certificate.user != wish.place.user() {
            let is = certificate.user.trim_start_matches("system:node:").to_owned();
            let wanted = wish.place.node_name.clone();
            return Err(JoinError::OtherName { is, wanted, folder: wish.folder.to_owned() });
        }
        if certificate.ends - LEFT_MIN > clock.now() {
            return settle(wish, kept, &folder, clock.now()).await;
        }
        tracing::warn!(ended = %certificate.ends, "the node's certificate has expired; joining again");
    }
    let token = wish.token.ok_or(JoinError::NoToken)?;
    let Discovered { server, ca_pem } = discover::discover(wish.servers, &token.ca_hash, clock).await?;
    tracing::info!(server, "the server's certificate authority is the one that the token names");
    let bearer = token.token.bearer();
    let bootstrap = Servers::open(&kubeconfig(&ca_pem, &Proof::Token(&bearer)), wish.servers).await?;
    let asked = request::Asked::client(wish.place, folder.key("client")?)?;
    let client = request::obtain(&bootstrap.client(), &asked, &server).await?;
    let own = Servers::open(&kubeconfig(&ca_pem, &Proof::Certificate(&client)), wish.servers).await?;
    let asked = request::Asked::serving(wish.place, folder.key("serving")?)?;
    let serving = request::obtain(&own.client(), &asked, &server).await?;
    let credentials = Credentials { ca_pem, client, serving };
    folder.save(&credentials)?;
    Ok(credentials)
}

/// What was kept, with a new serving certificate where the node has another address now.
async fn settle(wish: &Wish<'_>, kept: Credentials, folder: &Folder, now: Timestamp) -> Result<Credentials, JoinError> {
    let serving = keep::read(&kept.serving.cert_pem, folder)?;
    if wish.place.node_ips.iter().all(|ip| serving.addresses.contains(ip)) && serving.ends - LEFT_MIN > now {
        return Ok(kept);
    }
    let servers = Servers::open(&kept.kubeconfig(), wish.servers).await?;
    let asked = request::Asked::serving(wish.place, folder.key("serving")?)?;
    let serving = request::obtain(&servers.client(), &asked, &wish.servers.join(",")).await?;
    let credentials = Credentials { serving, ..kept };
    folder.save(&credentials)?;
    Ok(credentials)
}

/// How somebody shows who he is.
enum Proof<'a> {
    Token(&'a str),
    Certificate(&'a Pair),
}

fn kubeconfig(ca_pem: &str, proof: &Proof<'_>) -> Kubeconfig {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let user = match proof {
        Proof::Token(token) => json!({ "token": token }),
        Proof::Certificate(pair) => json!({
            "client-certificate-data": encode(&pair.cert_pem), "client-key-data": encode(&pair.key_pem),
        }),
    };
    let tree = json!({
        "clusters": [{ "name": "drover", "cluster": { "certificate-authority-data": encode(ca_pem) } }],
        "users": [{ "name": "node", "user": user }],
        "contexts": [{ "name": "drover", "context": { "cluster": "drover", "user": "node" } }],
        "current-context": "drover",
    });
    serde_json::from_value(tree).expect("it has a kubeconfig's form")
}
