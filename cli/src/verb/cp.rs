//! `cp`: files and folders into a container and out of it, as a tar that the container's own `tar` reads or writes.

use super::exec;
use crate::low;
use crate::session::Session;
use anyhow::{Context, Result, anyhow, bail, ensure};
use kube::api::AttachedProcess;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};
use tokio::task::spawn_blocking;
use tokio_util::io::SyncIoBridge;

/// An end of the copy, as typed: `PATH`, `POD:PATH` or `NAMESPACE/POD:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Here(PathBuf),
    There { namespace: Option<String>, pod: String, path: String },
}

impl Place {
    fn parse(text: &str) -> Result<Self> {
        // What begins as a path is one, whatever letters follow.
        let Some((pod, path)) = text.split_once(':').filter(|_| !text.starts_with(['/', '.'])) else {
            ensure!(!text.is_empty(), "filepath can not be empty");
            return Ok(Place::Here(text.into()));
        };
        let (namespace, pod) = pod.split_once('/').map_or((None, pod), |(namespace, pod)| (Some(namespace), pod));
        if pod.is_empty() || pod.contains('/') || namespace == Some("") {
            bail!("filespec must match the canonical format: [[namespace/]pod:]file/path");
        }
        ensure!(!path.is_empty(), "filepath can not be empty");
        Ok(Place::There { namespace: namespace.map(str::to_owned), pod: pod.to_owned(), path: path.to_owned() })
    }
}

pub(super) async fn run(session: &Session, typed: &low::Copy) -> Result<()> {
    match (Place::parse(&typed.from)?, Place::parse(&typed.to)?) {
        (Place::Here(_), Place::Here(_)) => bail!("one of src or dest must be a remote file specification"),
        (Place::There { .. }, Place::There { .. }) => bail!("one of src or dest must be a local file specification"),
        (Place::Here(from), Place::There { namespace, pod, path }) => {
            let container = Container::find(session, namespace, &pod, typed).await?;
            send(&container, &from, &path, typed.no_preserve).await
        }
        (Place::There { namespace, pod, path }, Place::Here(to)) => {
            let container = Container::find(session, namespace, &pod, typed).await?;
            fetch(&container, &path, to).await
        }
    }
}

/// The container at one end.
struct Container<'a> {
    session: Session,
    pod: Value,
    name: Option<&'a str>,
}

impl<'a> Container<'a> {
    async fn find(session: &Session, namespace: Option<String>, pod: &str, typed: &'a low::Copy) -> Result<Self> {
        let namespace = namespace.unwrap_or_else(|| session.namespace.clone());
        let session = Session { namespace, ..session.clone() };
        let pod = super::pods::of_word(&session, pod).await?;
        Ok(Self { session, pod, name: typed.container.as_deref() })
    }

    async fn start(&self, command: &[&str], stdin: bool) -> Result<AttachedProcess> {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        exec::start(&self.session, &self.pod, self.name, command, stdin).await
    }

    /// Whether there is a folder at the path.
    async fn is_folder(&self, path: &str) -> Result<bool> {
        let mut program = self.start(&["test", "-d", path], false).await?;
        let unread = |_: &[u8]| Ok(());
        tokio::try_join!(exec::carry(program.stdout(), unread), exec::carry(program.stderr(), unread))?;
        Ok(exec::end(program).await.is_ok())
    }
}

async fn send(container: &Container<'_>, from: &Path, to: &str, no_preserve: bool) -> Result<()> {
    ensure!(fs::symlink_metadata(from).is_ok(), "{} doesn't exist in local filesystem", from.display());
    let mut to = Path::new(to).to_owned();
    if container.is_folder(&to.to_string_lossy()).await? {
        let from = fs::canonicalize(from).with_context(|| format!("cannot find {}", from.display()))?;
        to.push(from.file_name().unwrap_or_default());
    }
    let Some(name) = to.file_name().map(PathBuf::from) else { bail!("{} names no file", to.display()) };
    let folder = to.parent().filter(|parent| !parent.as_os_str().is_empty()).map(|parent| parent.to_string_lossy());
    let mut command = vec!["tar"];
    if no_preserve {
        command.extend(["--no-same-permissions", "--no-same-owner"]);
    }
    command.extend(["-xmf", "-"]);
    if let Some(folder) = &folder {
        command.extend(["-C", folder]);
    }
    let mut program = container.start(&command, true).await?;
    let input = program.stdin().context("the program has no standard input")?;
    let mut input = SyncIoBridge::new(input);
    let from = from.to_owned();
    let packed = spawn_blocking(move || {
        let packed = pack(&mut input, &from, &name);
        // Whatever was packed, the other end learns that there is no more.
        input.shutdown().and(packed)
    });
    let screen = &container.session.screen;
    tokio::try_join!(
        exec::carry(program.stdout(), |bytes| screen.bytes(bytes)),
        exec::carry(program.stderr(), |bytes| screen.error_bytes(bytes)),
    )?;
    let ended = exec::end(program).await;
    match packed.await? {
        // The program went away before it had read everything, and says why itself.
        Err(error) if error.kind() == ErrorKind::BrokenPipe && ended.is_err() => ended,
        Err(error) => Err(anyhow!("cannot send everything: {error}")),
        Ok(()) => ended,
    }
}

/// Writes a file, or a folder and all in it, under a name.
fn pack(to: impl Write, from: &Path, name: &Path) -> io::Result<()> {
    let mut archive = tar::Builder::new(to);
    archive.follow_symlinks(false);
    if fs::symlink_metadata(from)?.is_dir() {
        archive.append_dir_all(name, from)?;
    } else {
        archive.append_path_with_name(from, name)?;
    }
    archive.finish()
}

async fn fetch(container: &Container<'_>, from: &str, to: PathBuf) -> Result<()> {
    let mut program = container.start(&["tar", "cf", "-", from], false).await?;
    let output = program.stdout().context("the program has no standard output")?;
    let output = SyncIoBridge::new(output);
    let prefix = cleaned(Path::new(from));
    let unpacked = spawn_blocking(move || unpack(output, &prefix, &to));
    let screen = &container.session.screen;
    exec::carry(program.stderr(), |bytes| screen.error_bytes(bytes)).await?;
    let ended = exec::end(program).await;
    let skipped = unpacked.await??;
    for note in skipped {
        screen.note(&note)?;
    }
    ended
}

/// The names on the way to a path: `a`, `c` for `/a/../b/./../a/c`. `tar` leaves out a root and what leads out of it.
fn cleaned(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    clean
}

/// Makes the files and folders of an archive, whose names begin with `prefix`, at `to`; what was left out, and why.
fn unpack(from: impl Read, prefix: &Path, to: &Path) -> Result<Vec<String>> {
    let mut skipped = vec![];
    let mut archive = tar::Archive::new(from);
    for entry in archive.entries()? {
        let mut entry = entry.context("cannot read what the container's tar says")?;
        let name = entry.path()?.into_owned();
        let inner = name.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let cleaned = cleaned(&name);
        let Some(rest) = cleaned.strip_prefix(prefix).ok().filter(|_| inner) else {
            bail!("the container's tar sent {}, which was not asked for", name.display());
        };
        let is_whole = rest.as_os_str().is_empty();
        let mut path = if is_whole { to.to_owned() } else { to.join(rest) };
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
            continue;
        }
        if !kind.is_file() {
            skipped.push(format!("warning: skipping {}: it is no file and no folder", path.display()));
            continue;
        }
        if is_whole && to.is_dir() {
            path.push(name.file_name().unwrap_or_default());
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let cannot = || format!("cannot write {}", path.display());
        io::copy(&mut entry, &mut File::create(&path).with_context(cannot)?).with_context(cannot)?;
    }
    // Padding after the archive's end; its writer waits until it is read.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_path_here_or_in_a_pod() {
        let there = |namespace: Option<&str>, pod: &str, path: &str| Place::There {
            namespace: namespace.map(str::to_owned),
            pod: pod.to_owned(),
            path: path.to_owned(),
        };
        for (text, expected) in [
            ("a/b", Place::Here("a/b".into())),
            ("./a:b", Place::Here("./a:b".into())),
            ("web:/tmp/a", there(None, "web", "/tmp/a")),
            ("shop/web:a:b", there(Some("shop"), "web", "a:b")),
        ] {
            assert_eq!(Place::parse(text).unwrap(), expected, "{text}");
        }
        for bad in ["", ":a", "web:", "a/b/c:d"] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }

    fn tree(at: &Path) -> Vec<String> {
        let mut found = vec![];
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.to_string_lossy().into_owned());
            if path.is_dir() {
                found.extend(tree(&path));
            }
        }
        found.sort();
        found
    }

    #[test]
    fn a_folder_comes_back_as_it_was_without_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("inner/empty")).unwrap();
        fs::write(from.join("a"), "first").unwrap();
        fs::write(from.join("inner/b"), vec![7; 100_000]).unwrap();
        std::os::unix::fs::symlink("/etc", from.join("link")).unwrap();
        let mut archive = vec![];
        pack(&mut archive, &from, Path::new("x")).unwrap();
        let skipped = unpack(archive.as_slice(), Path::new("x"), &to).unwrap();
        assert_eq!(skipped.len(), 1, "{skipped:?}");
        let expected =
            ["a", "inner", "inner/b", "inner/empty"].map(|name| to.join(name).to_string_lossy().into_owned());
        assert_eq!(tree(&to), expected);
        assert_eq!(fs::read(to.join("inner/b")).unwrap(), vec![7; 100_000]);
    }

    #[test]
    fn a_file_becomes_the_one_that_was_named_or_one_in_the_folder_that_was() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        fs::write(&from, "text").unwrap();
        let mut archive = vec![];
        pack(&mut archive, &from, Path::new("etc/name")).unwrap();
        let prefix = cleaned(Path::new("/etc/../etc/./name"));
        let (file, into) = (folder.path().join("new/file"), folder.path().join("into"));
        fs::create_dir(&into).unwrap();
        for (to, expected) in [(&file, &file), (&into, &into.join("name"))] {
            unpack(archive.as_slice(), &prefix, to).unwrap();
            assert_eq!(fs::read_to_string(expected).unwrap(), "text");
        }
    }

    #[test]
    fn names_that_were_not_asked_for_write_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x/../../escaped", "other/a"] {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(1);
            header.set_entry_type(tar::EntryType::Regular);
            header.set_cksum();
            let mut archive = tar::Builder::new(vec![]);
            archive.append(&header, &b"a"[..]).unwrap();
            let archive = archive.into_inner().unwrap();
            let refused = unpack(archive.as_slice(), Path::new("x"), &folder.path().join("to")).unwrap_err();
            assert!(refused.to_string().contains("not asked for"), "{refused}");
        }
        assert_eq!(tree(folder.path()), Vec::<String>::new());
    }
}
