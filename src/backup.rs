//! `drover backup` and `drover restore`: the cluster's objects and its keys in one file. The objects come from the running
//! API server, at one revision, while it goes on; the keys from the data folder.

use crate::args::{Backup, Restore};
use crate::control_plane::prepare_folder;
use crate::steps::say;
use anyhow::{Context, Result, anyhow, bail, ensure};
use futures::TryStreamExt;
use http_body_util::BodyExt as _;
use kube::client::Body;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use store::embedded::{EmbeddedStore, Options};
use tokio::io::AsyncWriteExt as _;

/// Where the API server hands out what its store holds.
const PATH: &str = "/drover/backup";
const OBJECTS: &str = "objects";
const KEYS: &str = "pki";
/// The store in the data folder, as `--store` names it.
const EMBEDDED: &str = "embedded";
/// A restored cluster counts on from so far beyond the backup: beyond all that clients may have seen since.
const REVISIONS_AHEAD: u64 = 1_000_000_000;

pub(crate) async fn backup(args: Backup) -> Result<()> {
    let data_dir = &args.place.data_dir;
    let kubeconfig = data_dir.join("admin.kubeconfig");
    let client = client::transport::https(&kubeconfig).await?;
    let scratch = data_dir.join(".backup-objects.new");
    let fetched = fetch(&client, &scratch).await;
    let outcome = match fetched {
        Ok(()) => pack(&scratch, data_dir, &args.file),
        Err(error) => Err(error),
    };
    if let Err(error) = std::fs::remove_file(&scratch) {
        tracing::debug!(%error, "no temporary file to remove");
    }
    let objects = outcome?;
    say(&format!(
        "{} objects and the cluster's keys are in {}: keep it where only you can read it",
        objects,
        args.file.display()
    ));
    Ok(())
}

/// The objects, whole or as an error.
async fn fetch(client: &kube::Client, to: &Path) -> Result<()> {
    let request = http::Request::get(PATH).body(Body::empty())?;
    let response = client.send(request).await.context("cannot reach the API server (is it running?)")?;
    ensure!(response.status().is_success(), "the API server answered {}", response.status());
    let mut file = tokio::fs::File::create(to).await?;
    let mut pieces = std::pin::pin!(response.into_body().into_data_stream());
    while let Some(piece) = pieces.try_next().await.context("the backup broke off")? {
        file.write_all(&piece).await?;
    }
    file.sync_all().await?;
    Ok(())
}

/// One archive of both; how many objects are in it.
fn pack(objects: &Path, data_dir: &Path, to: &Path) -> Result<usize> {
    let read = store::backup::Backup::read(std::io::BufReader::new(File::open(objects)?))?;
    let open = File::options().write(true).create_new(true).mode(0o600).open(to);
    let file = open.with_context(|| format!("cannot make {}", to.display()))?;
    let mut archive = tar::Builder::new(file);
    archive.append_path_with_name(objects, OBJECTS)?;
    let keys = data_dir.join(KEYS);
    for entry in std::fs::read_dir(&keys).with_context(|| format!("cannot read {}", keys.display()))? {
        let entry = entry?;
        archive.append_path_with_name(entry.path(), Path::new(KEYS).join(entry.file_name()))?;
    }
    archive.into_inner()?.sync_all()?;
    Ok(read.len())
}

pub(crate) async fn restore(args: Restore) -> Result<()> {
    let data_dir = &args.place.data_dir;
    let keys = data_dir.join(KEYS);
    if keys.exists() {
        bail!("{} exists: restore into an empty --data-dir, so that no other cluster's keys are lost", keys.display());
    }
    let Unpacked { objects, keys } = unpack(&args.file)?;
    prepare_folder(&args.place)?;
    let folder = data_dir.join("store");
    if args.store == EMBEDDED {
        let (folder, rev) = (folder.clone(), objects.rev + REVISIONS_AHEAD);
        let made = tokio::task::spawn_blocking(move || EmbeddedStore::create_after(&folder, rev, Options::standard()));
        made.await??;
    }
    let store = store::open(&args.store, &folder).await?;
    // Before the keys are written: whoever is refused here can try again.
    store::backup::Backup::check_empty(store.as_ref()).await.with_context(|| advice(&args.store))?;
    keep(&keys, data_dir)?;
    objects.restore(store.as_ref()).await.with_context(|| advice(&args.store))?;
    say(&format!("{} objects restored; start with: {}", objects.len(), next_command(data_dir, &args.store)));
    if args.store != EMBEDDED {
        say(
            "their resourceVersions are new ones, smaller than before: restart the agents and whatever else has watched",
        );
    }
    Ok(())
}

/// What to do about a store that cannot be restored into.
fn advice(store: &str) -> String {
    if store == EMBEDDED {
        return "cannot restore into the data folder (use an empty --data-dir)".to_owned();
    }
    format!(
        "cannot restore into {store} (name an etcd that no cluster uses; to give up what is in this one: \
         etcdctl del --prefix /registry/ and etcdctl del --prefix /drover/, and remove the pki folder in --data-dir)"
    )
}

/// The command that serves what was restored.
fn next_command(data_dir: &Path, store: &str) -> String {
    let store = if store == EMBEDDED { String::new() } else { format!(" --store {store}") };
    format!("drover server --data-dir {}{store}", data_dir.display())
}

/// What a backup holds, checked.
struct Unpacked {
    objects: store::backup::Backup,
    /// File names in the folder of keys, and what is in them.
    keys: Vec<(OsString, Vec<u8>)>,
}

fn unpack(file: &Path) -> Result<Unpacked> {
    // The reader's own words quote what it read, which may be anything.
    let foreign = || anyhow!("{} is not a backup of drover", file.display());
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut archive = tar::Archive::new(opened);
    let mut objects = None;
    let mut keys = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry.map_err(|_| foreign())?;
        let path = entry.path()?.into_owned();
        match path.file_name() {
            Some(_) if path == Path::new(OBJECTS) => objects = Some(store::backup::Backup::read(&mut entry)?),
            Some(name) if path.parent() == Some(Path::new(KEYS)) => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                keys.push((name.to_owned(), bytes));
            }
            Some(_) | None => bail!("{}: it holds {}", foreign(), path.display()),
        }
    }
    let objects = objects.ok_or_else(foreign)?;
    Ok(Unpacked { objects, keys })
}

/// Keys into the data folder.
fn keep(keys: &[(OsString, Vec<u8>)], data_dir: &Path) -> Result<()> {
    let folder = data_dir.join(KEYS);
    std::fs::create_dir_all(&folder)?;
    for (name, bytes) in keys {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(folder.join(name))?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_command_names_the_store_that_was_restored_into() {
        let command = |store| next_command(Path::new("/d"), store);
        assert_eq!(command("embedded"), "drover server --data-dir /d");
        assert_eq!(command("etcd://10.0.0.1:2379"), "drover server --data-dir /d --store etcd://10.0.0.1:2379");
    }

    #[test]
    fn what_is_no_backup_is_refused_without_a_word_of_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "root:x:0:0:secret\n".repeat(100)).unwrap();
        let told = format!("{:#}", unpack(&file).err().unwrap());
        assert!(told.contains("is not a backup of drover") && !told.contains("secret"), "{told}");
        assert!(unpack(&folder.path().join("none")).is_err());
    }
}
