//! Pulling images from registries, with the credentials that the node agent hands over, or from a mirror without any. Layers are unpacked while they
//! arrive; digests of manifest, configuration, and of each layer compressed and plain are checked.

use super::archive::fits;
use super::layer::Hashing;
use super::store::{LayerSource, Names};
use super::{ConfigFile, ImageError, Record, Store, digest, parse_reference, repository};
use futures::TryStreamExt;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{ImageIndexEntry, OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use std::io::{self, Read};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::io::{StreamReader, SyncIoBridge};

/// A registry that sends nothing for this long is given up.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// A registry that does not answer the connection for this long is given up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Configurations are read into memory: larger ones are refused.
const CONFIG_BYTES_MAX: i64 = 8 << 20;

/// Whether a registry is this machine's own, where TLS would protect nothing.
pub(super) fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The credentials of a CRI request in the registry client's words.
pub(crate) fn credentials(auth: Option<&proto::cri::AuthConfig>) -> Result<RegistryAuth, ImageError> {
    use base64::Engine;
    let Some(auth) = auth else { return Ok(RegistryAuth::Anonymous) };
    if !auth.registry_token.is_empty() {
        return Ok(RegistryAuth::Bearer(auth.registry_token.clone()));
    }
    if !auth.username.is_empty() {
        return Ok(RegistryAuth::Basic(auth.username.clone(), auth.password.clone()));
    }
    if auth.auth.is_empty() {
        return Ok(RegistryAuth::Anonymous);
    }
    let bad = || ImageError::Unauthorized(auth.server_address.clone());
    let decoded = base64::engine::general_purpose::STANDARD.decode(&auth.auth).map_err(|_| bad())?;
    let text = String::from_utf8(decoded).map_err(|_| bad())?;
    let (user, password) = text.split_once(':').ok_or_else(bad)?;
    // Docker's tool pads passwords with zeros.
    Ok(RegistryAuth::Basic(user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// The registry client takes the process's cryptography; whoever set one before is right.
fn set_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none()
        && rustls::crypto::ring::default_provider().install_default().is_err()
    {
        tracing::debug!("another component has chosen the cryptography");
    }
}

pub(super) fn client(reference: &Reference) -> Client {
    let registry = reference.resolve_registry();
    client_by(if is_loopback(registry) { ClientProtocol::Http } else { ClientProtocol::Https })
}

fn client_by(protocol: ClientProtocol) -> Client {
    set_cryptography();
    Client::new(ClientConfig {
        protocol,
        platform_resolver: Some(Box::new(platform)),
        read_timeout: Some(READ_TIMEOUT),
        connect_timeout: Some(CONNECT_TIMEOUT),
        user_agent: "drover",
        ..ClientConfig::default()
    })
}

fn platform(entries: &[ImageIndexEntry]) -> Option<String> {
    let here = |e: &&ImageIndexEntry| {
        let platform = e
            .platform
            .as_ref()
            .map(|p| super::archive::Platform { os: p.os.to_string(), architecture: p.architecture.to_string() });
        fits(platform.as_ref())
    };
    entries.iter().find(here).map(|e| e.digest.clone())
}

pub(super) fn explain(image: &str, error: &OciDistributionError) -> ImageError {
    use OciDistributionError as E;
    match error {
        E::UnauthorizedError { .. } | E::AuthenticationFailure(_) | E::ServerError { code: 401 | 403, .. } => {
            ImageError::Unauthorized(image.to_owned())
        }
        E::RequestError(e) if e.status().is_some_and(|s| matches!(s.as_u16(), 401 | 403)) => {
            ImageError::Unauthorized(image.to_owned())
        }
        E::ImageManifestNotFoundError(_) | E::ServerError { code: 404, .. } => {
            ImageError::NotInRegistry(image.to_owned())
        }
        E::RegistryError { envelope, .. } => {
            use oci_client::errors::OciErrorCode as C;
            match envelope.errors.first().map(|e| &e.code) {
                Some(C::Unauthorized | C::Denied) => ImageError::Unauthorized(image.to_owned()),
                Some(C::ManifestUnknown | C::NameUnknown | C::NotFound) => ImageError::NotInRegistry(image.to_owned()),
                _ => ImageError::Registry { image: image.to_owned(), reason: crate::init::error_chain(error) },
            }
        }
        _ => ImageError::Registry { image: image.to_owned(), reason: crate::init::error_chain(error) },
    }
}

/// Brings the image `name` into the store: from the first mirror of its registry that has it, or from the registry.
pub(crate) async fn pull(store: &Arc<Store>, name: &str, auth: &RegistryAuth) -> Result<Arc<Record>, ImageError> {
    let reference = parse_reference(name)?;
    for mirror in store.mirrors() {
        let Some(there) = mirror.of(&reference) else { continue };
        // Credentials are the registry's, not its mirrors'.
        match pull_from(store, &there, client_by(mirror.protocol()), &RegistryAuth::Anonymous).await {
            Ok(record) => return Ok(record),
            Err(error) => {
                let error = crate::init::error_chain(&error);
                tracing::info!(image = name, mirror = mirror.host(), error, "a mirror did not give an image");
            }
        }
    }
    pull_from(store, &reference, client(&reference), auth).await
}

async fn pull_from(
    store: &Arc<Store>,
    reference: &Reference,
    client: Client,
    auth: &RegistryAuth,
) -> Result<Arc<Record>, ImageError> {
    let whole = reference.whole();
    let fail = |e: OciDistributionError| explain(&whole, &e);
    let (manifest, manifest_digest, list_digest) =
        client.pull_image_manifest_and_list_digest(reference, auth).await.map_err(fail)?;
    let config = pull_config(&client, reference, &manifest).await.map_err(|e| e.into_image_error(fail))?;
    // Pods know an image by the digest of what they asked for: the index where there is one.
    let digest = list_digest.unwrap_or(manifest_digest);
    let mut names = Names { tags: Vec::new(), digests: vec![format!("{}@{digest}", repository(reference))] };
    if reference.digest().is_none() {
        names.tags.push(whole.clone());
    }
    let runtime = tokio::runtime::Handle::current();
    let (store, reference) = (store.clone(), reference.clone());
    let unpack = move || {
        let file: ConfigFile =
            serde_json::from_slice(&config).map_err(|e| ImageError::BadArchive(format!("configuration: {e}")))?;
        if file.rootfs.diff_ids.len() != manifest.layers.len() {
            return Err(ImageError::BadArchive("its layers are not those of its configuration".into()));
        }
        let sources = manifest.layers.iter().zip(&file.rootfs.diff_ids).map(|(layer, diff_id)| LayerSource {
            diff_id,
            open: Box::new(|| open_layer(&runtime, &client, &reference, layer)),
        });
        store.add(&config, &names, sources.collect())
    };
    tokio::task::spawn_blocking(unpack).await.expect("unpacking does not panic")
}

/// Either the registry's error or ours.
enum PullError {
    Registry(OciDistributionError),
    Ours(ImageError),
}

impl PullError {
    fn into_image_error(self, fail: impl FnOnce(OciDistributionError) -> ImageError) -> ImageError {
        match self {
            PullError::Registry(e) => fail(e),
            PullError::Ours(e) => e,
        }
    }
}

async fn pull_config(
    client: &Client,
    reference: &Reference,
    manifest: &OciImageManifest,
) -> Result<Vec<u8>, PullError> {
    if manifest.config.size > CONFIG_BYTES_MAX {
        let reason = format!("its configuration has more than {CONFIG_BYTES_MAX} bytes");
        return Err(PullError::Ours(ImageError::Registry { image: reference.whole(), reason }));
    }
    let mut config = Vec::new();
    client.pull_blob(reference, &manifest.config, &mut config).await.map_err(PullError::Registry)?;
    let found = digest(&config);
    if found == manifest.config.digest {
        Ok(config)
    } else {
        let expected = manifest.config.digest.clone();
        Err(PullError::Ours(ImageError::Digest { what: "configuration".into(), expected, found }))
    }
}

/// A layer as it arrives, in a thread that may block.
fn open_layer(
    runtime: &tokio::runtime::Handle,
    client: &Client,
    reference: &Reference,
    layer: &OciDescriptor,
) -> Result<Box<dyn Read + Send>, ImageError> {
    let stream = runtime.block_on(client.pull_blob_stream(reference, layer));
    let stream = stream.map_err(|e| explain(&reference.whole(), &e))?;
    let reader = StreamReader::new(stream.stream.map_err(io::Error::other));
    let bridge = SyncIoBridge::new_with_handle(Box::pin(reader), runtime.clone());
    Ok(Box::new(Checked { inner: Some(Hashing::new(bridge)), expected: layer.digest.clone() }))
}

/// Ends with an error if what was read has not the expected digest.
struct Checked<R> {
    inner: Option<Hashing<R>>,
    expected: String,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(inner) = &mut self.inner else { return Ok(0) };
        let n = inner.read(buffer)?;
        if n == 0
            && !buffer.is_empty()
            && let Some(inner) = self.inner.take()
        {
            let found = inner.digest();
            if found != self.expected {
                return Err(io::Error::other(format!("layer has digest {found}, expected {}", self.expected)));
            }
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    /// A registry that has nothing, and tells by its name what it is asked for.
    async fn empty(name: &'static str, asked: mpsc::UnboundedSender<String>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                asked.send(format!("{name} {path}")).unwrap();
                while line != "\r\n" {
                    line.clear();
                    stream.read_line(&mut line).await.unwrap();
                }
                let nothing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                stream.get_mut().write_all(nothing).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn mirrors_are_asked_before_the_registry() {
        let (sender, mut asked) = mpsc::unbounded_channel();
        let registry = empty("registry", sender.clone()).await;
        let mirror = empty("mirror", sender).await;
        let folder = tempfile::tempdir().unwrap();
        let mirrors = vec![
            format!("elsewhere.example=http://{mirror}").parse().unwrap(),
            format!("{registry}=http://{mirror}").parse().unwrap(),
        ];
        let store = Arc::new(Store::open(folder.path(), mirrors).unwrap());
        let pulled = pull(&store, &format!("{registry}/web:1"), &RegistryAuth::Anonymous).await;
        assert!(matches!(pulled, Err(ImageError::NotInRegistry(_))), "{pulled:?}");
        let mut manifests = Vec::new();
        while let Ok(line) = asked.try_recv() {
            manifests.extend(Some(line).filter(|line| line.contains("/manifests/")));
        }
        manifests.dedup();
        assert_eq!(
            manifests,
            [format!("mirror /v2/web/manifests/1?ns={registry}"), "registry /v2/web/manifests/1".to_owned()]
        );
    }
}
