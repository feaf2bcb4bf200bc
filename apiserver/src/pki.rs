//! The cluster's keys and certificates: made at the first start, loaded and renewed at the next ones.
//!
//! Owns everything below `<data-dir>/pki`: the CA, the API server's serving certificate, the client certificates of the
//! API server (towards nodes) and of the admin, and the key that signs service-account tokens. What is presented to whom
//! is decided by the callers. The certificates of a running process are not swapped; a restart renews what is due.

mod files;
mod issue;
mod kubeconfig;
mod organizations;
pub mod request;
pub mod shared;

pub use kubeconfig::Kubeconfig;

use files::{Secrecy, read_optional, write_atomic};
use issue::{CaParts, Subject, Usage};
use jiff::Timestamp;
use rcgen::{Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What the serving certificate must be valid for.
#[derive(Clone, Debug)]
pub struct Params {
    /// First address of the service range, where pods reach the API (`10.43.0.1`).
    pub service_ip: IpAddr,
    /// Address by which nodes and clients outside reach this API server.
    pub advertise: IpAddr,
    pub hostname: String,
    /// `cluster.local`
    pub domain: String,
    /// More names and addresses, from the command line.
    pub extra_sans: Vec<String>,
}

impl Params {
    fn sans(&self) -> Vec<String> {
        let mut sans: Vec<String> = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
            .into_iter()
            .map(str::to_owned)
            .collect();
        sans.push(format!("kubernetes.default.svc.{}", self.domain));
        sans.push(self.hostname.clone());
        sans.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
        sans.extend([self.service_ip.to_string(), self.advertise.to_string()]);
        sans.extend(self.extra_sans.iter().cloned());
        sans.sort_unstable();
        sans.dedup();
        sans.retain(|san| !san.is_empty());
        sans
    }
}

/// A certificate with its key, as PEM.
#[derive(Clone)]
pub struct Credential {
    pub certificate_pem: String,
    pub key_pem: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

impl Credential {
    /// The chain and the key in the form that rustls takes.
    pub fn der(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), PkiError> {
        let malformed =
            |what: &str| PkiError::Malformed { path: PathBuf::from(what), what: "PEM", detail: String::new() };
        let chain = pem::parse_many(&self.certificate_pem).map_err(|_| malformed("certificate"))?;
        let key = pem::parse(&self.key_pem).map_err(|_| malformed("key"))?;
        let chain = chain.into_iter().map(|block| CertificateDer::from(block.into_contents())).collect();
        Ok((chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.into_contents()))))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    #[error("cannot {action} {path} (run as the user who owns the data folder, or give another one with --data-dir)")]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{path} can be read by others: run `chmod 600 {path}`, and replace the key if somebody may have copied it")]
    Exposed { path: PathBuf },
    #[error(
        "{path} is not a valid {what}: {detail} (restore it from a backup; if it is not ca.key, ca.crt or sa.key, \
         remove it with its .crt/.key sibling and a new one is made)"
    )]
    Malformed { path: PathBuf, what: &'static str, detail: String },
    #[error(
        "{present} exists but {missing} does not: restore it from a backup, or remove both to make a new \
         identity (every certificate and token of the old one then stops working)"
    )]
    Half { present: PathBuf, missing: PathBuf },
    #[error("{certificate} and {key} do not belong together: restore the pair from one backup")]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("the certificate authority {path} has expired: move the pki folder away and restart to make a new one")]
    CaExpired { path: PathBuf },
    #[error("a certificate cannot carry {found} organisations, at most {max}")]
    Organisations { found: usize, max: usize },
    #[error("cannot sign the certificate of {subject}")]
    Sign { subject: String, source: rcgen::Error },
}

/// The loaded cluster identity.
pub struct Pki {
    dir: PathBuf,
    ca_pem: String,
    issuer: Issuer<'static, KeyPair>,
    serving: Credential,
    kubelet_client: Credential,
    admin: Credential,
    front_proxy_ca_pem: String,
    front_proxy: Credential,
    service_account_key: Vec<u8>,
}

/// A certificate authority: its files, and what it calls itself.
struct Authority {
    file: &'static str,
    name: &'static str,
}

const CLUSTER_CA: Authority = Authority { file: "ca", name: "drover-ca" };
const FRONT_PROXY_CA: Authority = Authority { file: "front-proxy-ca", name: "drover-front-proxy-ca" };
/// The API server towards those that it aggregates.
pub const FRONT_PROXY: &str = "front-proxy-client";

impl Pki {
    /// Loads the folder; makes what is missing, renews what is near its end or no longer fits `params`.
    pub fn load_or_create(dir: &Path, params: &Params, now: Timestamp) -> Result<Self, PkiError> {
        files::create_dir(dir)?;
        let ca = load_or_create_ca(dir, &CLUSTER_CA, now)?;
        let leaf = |name: &str, subject: &Subject<'_>| load_or_create_leaf(dir, name, subject, &ca, now);
        let sans = params.sans();
        let serving =
            leaf("apiserver", &Subject { cn: "kube-apiserver", orgs: &[], sans: &sans, usage: Usage::Server })?;
        let client = |cn, orgs| Subject { cn, orgs, sans: &[], usage: Usage::Client };
        let kubelet_client =
            leaf("apiserver-kubelet-client", &client("kube-apiserver-kubelet-client", &["system:masters"]))?;
        let admin = leaf("admin", &client("kubernetes-admin", &["system:masters"]))?;
        // A CA of its own: what it signs may speak in anybody's name, so the cluster's CA must not be able to.
        let front_proxy_ca = load_or_create_ca(dir, &FRONT_PROXY_CA, now)?;
        let front_proxy = load_or_create_leaf(dir, FRONT_PROXY, &client(FRONT_PROXY, &[]), &front_proxy_ca, now)?;
        let service_account_key = load_or_create_key(&dir.join("sa.key"))?;
        let CaParts { pem: ca_pem, issuer, .. } = ca;
        Ok(Self {
            dir: dir.to_owned(),
            ca_pem,
            issuer,
            serving,
            kubelet_client,
            admin,
            front_proxy_ca_pem: front_proxy_ca.pem,
            front_proxy,
            service_account_key,
        })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What the API server presents on its port.
    pub fn serving(&self) -> &Credential {
        &self.serving
    }

    /// What the API server presents to nodes.
    pub fn kubelet_client(&self) -> &Credential {
        &self.kubelet_client
    }

    pub fn admin(&self) -> &Credential {
        &self.admin
    }

    /// Who may tell an aggregated API server in whose name a request comes.
    pub fn front_proxy_ca_pem(&self) -> &str {
        &self.front_proxy_ca_pem
    }

    /// What the API server presents to those that it aggregates.
    pub fn front_proxy(&self) -> &Credential {
        &self.front_proxy
    }

    /// PKCS#8 of the P-256 key that signs service-account tokens.
    pub fn service_account_key(&self) -> &[u8] {
        &self.service_account_key
    }

    /// A client certificate for the user `cn` in the groups `orgs`; nothing is written.
    pub fn issue_client(&self, cn: &str, orgs: &[&str], now: Timestamp) -> Result<Credential, PkiError> {
        issue::sign(&self.issuer, &Subject { cn, orgs, sans: &[], usage: Usage::Client }, now)
    }

    /// A serving certificate for names and addresses; nothing is written.
    pub fn issue_server(
        &self,
        cn: &str,
        sans: &[String],
        orgs: &[&str],
        now: Timestamp,
    ) -> Result<Credential, PkiError> {
        issue::sign(&self.issuer, &Subject { cn, orgs, sans, usage: Usage::Server }, now)
    }

    /// A certificate for somebody else's key; nothing is written.
    pub fn sign_request(
        &self,
        asked: &request::Asked,
        terms: &request::Terms<'_>,
        now: Timestamp,
    ) -> Result<String, request::RequestError> {
        request::sign(&self.issuer, asked, terms, now)
    }

    /// Roots that client certificates and nodes' serving certificates are verified with.
    pub fn roots(&self) -> Result<rustls::RootCertStore, PkiError> {
        let path = self.dir.join("ca.crt");
        let malformed =
            |detail: String| PkiError::Malformed { path: path.clone(), what: "certificate authority", detail };
        let mut roots = rustls::RootCertStore::empty();
        for block in pem::parse_many(&self.ca_pem).map_err(|error| malformed(error.to_string()))? {
            roots.add(CertificateDer::from(block.into_contents())).map_err(|error| malformed(error.to_string()))?;
        }
        Ok(roots)
    }

    /// Writes a kubeconfig for the admin, readable by its owner only.
    pub fn write_admin_kubeconfig(&self, path: &Path, server: &str) -> Result<(), PkiError> {
        self.write_kubeconfig(path, server, "kubernetes-admin", &self.admin)
    }

    /// Writes a kubeconfig for `user` with `credential`, readable by its owner only.
    pub fn write_kubeconfig(
        &self,
        path: &Path,
        server: &str,
        user: &str,
        credential: &Credential,
    ) -> Result<(), PkiError> {
        let text = Kubeconfig { server, ca_pem: &self.ca_pem, user, credential }.render();
        if read_optional(path, Secrecy::Public)?.as_deref() == Some(text.as_str()) {
            return Ok(());
        }
        write_atomic(path, text.as_bytes(), Secrecy::Secret)
    }
}

fn load_or_create_ca(dir: &Path, authority: &Authority, now: Timestamp) -> Result<CaParts, PkiError> {
    let file = |end: &str| dir.join(format!("{}.{end}", authority.file));
    let (certificate, key) = (file("crt"), file("key"));
    match (read_optional(&certificate, Secrecy::Public)?, read_optional(&key, Secrecy::Secret)?) {
        (Some(certificate_pem), Some(key_pem)) => issue::load_ca(&certificate_pem, &key_pem, (&certificate, &key), now),
        (None, None) => {
            let ca = issue::new_ca(authority.name, now)?;
            write_atomic(&key, ca.key_pem.as_bytes(), Secrecy::Secret)?;
            write_atomic(&certificate, ca.pem.as_bytes(), Secrecy::Public)?;
            Ok(ca)
        }
        (Some(_), None) => Err(PkiError::Half { present: certificate, missing: key }),
        (None, Some(_)) => Err(PkiError::Half { present: key, missing: certificate }),
    }
}

/// A leaf is cheap to make again, so a missing half, another CA, another subject or a near end all mean: a new one.
/// Only a file that cannot be read or parsed is an error, because somebody put it there.
fn load_or_create_leaf(
    dir: &Path,
    name: &str,
    subject: &Subject<'_>,
    ca: &CaParts,
    now: Timestamp,
) -> Result<Credential, PkiError> {
    let (certificate, key) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
    if let (Some(certificate_pem), Some(key_pem)) =
        (read_optional(&certificate, Secrecy::Public)?, read_optional(&key, Secrecy::Secret)?)
    {
        let credential = Credential { certificate_pem, key_pem };
        if issue::fits(&credential, subject, ca, (&certificate, &key), now)? {
            return Ok(credential);
        }
    }
    let credential = issue::sign(&ca.issuer, subject, now)?;
    write_atomic(&key, credential.key_pem.as_bytes(), Secrecy::Secret)?;
    write_atomic(&certificate, credential.certificate_pem.as_bytes(), Secrecy::Public)?;
    Ok(credential)
}

fn load_or_create_key(path: &Path) -> Result<Vec<u8>, PkiError> {
    let malformed = |detail: String| PkiError::Malformed { path: path.to_owned(), what: "private key", detail };
    if let Some(text) = read_optional(path, Secrecy::Secret)? {
        let key = KeyPair::from_pem(&text).map_err(|error| malformed(error.to_string()))?;
        return Ok(key.serialize_der());
    }
    let key = KeyPair::generate()
        .map_err(|source| PkiError::Sign { subject: "service-account tokens".to_owned(), source })?;
    write_atomic(path, key.serialize_pem().as_bytes(), Secrecy::Secret)?;
    Ok(key.serialize_der())
}

#[cfg(test)]
mod tests;
