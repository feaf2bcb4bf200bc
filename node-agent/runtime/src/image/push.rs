//! Pushing images to registries: layers are written again from their recipes, compressed into a temporary file, and
//! sent unless the registry has them.

use super::layer::Writing;
use super::pull::{client, explain};
use super::store::{Names, Scratch};
use super::{ConfigFile, ImageError, Store, digest, parse_reference, repository};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt;
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{
    IMAGE_CONFIG_MEDIA_TYPE, IMAGE_LAYER_GZIP_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OciDescriptor, OciImageManifest,
};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::io::ReaderStream;

/// Pieces in which a layer is read from disk.
const CHUNK_BYTES: usize = 1 << 20;

/// Sends the image `name` to the registry that its name says; the digest under which it is known there.
pub(crate) async fn push(store: &Arc<Store>, name: &str, auth: &RegistryAuth) -> Result<String, ImageError> {
    let record = store.find(name).ok_or_else(|| ImageError::NotFound(name.to_owned()))?;
    let reference = parse_reference(name)?;
    let whole = reference.whole();
    if !record.tags.contains(&whole) {
        return Err(ImageError::NotTagged(name.to_owned()));
    }
    let client = client(&reference);
    let fail = |e: OciDistributionError| explain(&whole, &e);
    // Whether a blob is there is asked with the right to read, the rest with the right to write.
    for operation in [RegistryOperation::Pull, RegistryOperation::Push] {
        client.auth(&reference, auth, operation).await.map_err(fail)?;
    }
    let file: ConfigFile =
        serde_json::from_str(&record.raw_config).map_err(|e| ImageError::BadArchive(format!("configuration: {e}")))?;
    let mut layers = Vec::new();
    for (folder, diff_id) in record.layers.iter().zip(file.rootfs.diff_ids) {
        let (store, folder) = (store.clone(), folder.clone());
        let packing = tokio::task::spawn_blocking(move || pack(&store, &folder, &diff_id)).await;
        let packed = packing.expect("packing does not panic")?;
        layers.push(descriptor(IMAGE_LAYER_GZIP_MEDIA_TYPE, &packed.digest, packed.bytes));
        send(&client, &reference, &packed).await?;
    }
    let config = record.raw_config.clone().into_bytes();
    if !client.blob_exists(&reference, &record.id).await.map_err(fail)? {
        client.push_blob(&reference, config.clone(), &record.id).await.map_err(fail)?;
    }
    let manifest = OciImageManifest {
        media_type: Some(IMAGE_MANIFEST_MEDIA_TYPE.into()),
        config: descriptor(IMAGE_CONFIG_MEDIA_TYPE, &record.id, config.len() as u64),
        layers,
        ..OciImageManifest::default()
    };
    let manifest = serde_json::to_vec(&manifest).expect("a manifest is plain data");
    let known = digest(&manifest);
    let kind = http::HeaderValue::from_static(IMAGE_MANIFEST_MEDIA_TYPE);
    client.push_manifest_raw(&reference, manifest, kind).await.map_err(fail)?;
    // Pods know an image by its digest in a registry, which it has now.
    let names = Names { tags: Vec::new(), digests: vec![format!("{}@{known}", repository(&reference))] };
    store.add_names(&record.id, names)?;
    Ok(known)
}

fn descriptor(kind: &str, digest: &str, bytes: u64) -> OciDescriptor {
    OciDescriptor {
        media_type: kind.into(),
        digest: digest.into(),
        size: i64::try_from(bytes).unwrap_or(i64::MAX),
        ..OciDescriptor::default()
    }
}

/// A compressed layer in a temporary file.
struct Packed {
    digest: String,
    bytes: u64,
    path: PathBuf,
    _folder: Scratch,
}

fn pack(store: &Store, folder: &str, diff_id: &str) -> Result<Packed, ImageError> {
    let doing = |e| ImageError::doing("compress a layer")(e);
    let scratch = store.scratch()?;
    let path = scratch.path.join("layer");
    let out = Writing::new(io::BufWriter::new(File::create_new(&path).map_err(doing)?));
    let mut gzip = GzEncoder::new(out, Compression::default());
    store.write_layer(folder, diff_id, &mut gzip)?;
    let mut out = gzip.finish().map_err(doing)?;
    out.flush().map_err(doing)?;
    let bytes = out.bytes;
    Ok(Packed { digest: out.digest(), bytes, path, _folder: scratch })
}

async fn send(client: &Client, reference: &Reference, layer: &Packed) -> Result<(), ImageError> {
    let fail = |e: OciDistributionError| explain(&reference.whole(), &e);
    if client.blob_exists(reference, &layer.digest).await.map_err(fail)? {
        return Ok(());
    }
    let file = tokio::fs::File::open(&layer.path).await.map_err(ImageError::doing("read a layer"))?;
    let stream = ReaderStream::with_capacity(file, CHUNK_BYTES).map_err(OciDistributionError::from);
    client.push_blob_stream(reference, stream, &layer.digest, Some(layer.bytes)).await.map_err(fail).map(drop)
}
