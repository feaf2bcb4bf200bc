//! `GET /logs/..`: the log files of the machine. Links are followed only as long as they stay below the folder: pods may
//! have the folder mounted, and must not be able to show other files of the machine through it.

use axum::body::Body;
use axum::extract::Path as UrlPath;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use tokio_util::io::ReaderStream;

const FOLDER: &str = "/var/log";

enum Found {
    File(File),
    /// The names in a folder; folders end with a slash.
    Names(Vec<String>),
}

pub(super) async fn root() -> Response {
    answer(String::new()).await
}

pub(super) async fn below(UrlPath(path): UrlPath<String>) -> Response {
    answer(path).await
}

async fn answer(path: String) -> Response {
    let is_folder_path = path.is_empty() || path.ends_with('/');
    let asked = path.clone();
    let found = tokio::task::spawn_blocking(move || find(Path::new(FOLDER), &asked)).await;
    match found.unwrap_or_else(|e| Err(io::Error::other(e))) {
        // k8s: names in a listing are relative to the folder's own path.
        Ok(Found::Names(_)) if !is_folder_path => Redirect::permanent(&format!("{}/", last(&path))).into_response(),
        Ok(Found::Names(names)) => {
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], listing(&names)).into_response()
        }
        Ok(Found::File(file)) => {
            let stream = ReaderStream::new(tokio::fs::File::from_std(file));
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from_stream(stream)).into_response()
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN.into_response(),
        Err(_) => (StatusCode::NOT_FOUND, "404 page not found\n").into_response(),
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn find(folder: &Path, path: &str) -> io::Result<Found> {
    let top = open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = path.trim_matches('/');
    // A pipe without a writer must not hold the request up.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let fd: OwnedFd = openat2(&top, if path.is_empty() { "." } else { path }, flags, Mode::empty(), resolve)?;
    match FileType::from_raw_mode(fstat(&fd)?.st_mode) {
        FileType::RegularFile => Ok(Found::File(File::from(fd))),
        FileType::Directory => names(&fd).map(Found::Names),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn names(folder: &OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(if entry.file_type() == FileType::Directory { format!("{name}/") } else { name });
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// k8s: as Go's file server writes it.
fn listing(names: &[String]) -> String {
    let mut text = String::from("<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n");
    for name in names {
        let shown = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;");
        let link = name.bytes().fold(String::with_capacity(name.len()), |mut link, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                link.push(char::from(byte));
            } else {
                write!(link, "%{byte:02X}").expect("a String takes every write");
            }
            link
        });
        writeln!(text, "<a href=\"{link}\">{shown}</a>").expect("a String takes every write");
    }
    text + "</pre>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_are_shown_and_links_out_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("log");
        std::fs::create_dir_all(logs.join("pods")).unwrap();
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        std::fs::write(logs.join("sys<log"), "one").unwrap();
        symlink("../secret", logs.join("out")).unwrap();
        symlink("/etc/passwd", logs.join("passwd")).unwrap();
        symlink("sys<log", logs.join("in")).unwrap();
        let text = |path: &str| match find(&logs, path) {
            Ok(Found::File(mut file)) => {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                Some(text)
            }
            Ok(Found::Names(names)) => Some(names.join(" ")),
            Err(_) => None,
        };
        assert_eq!(text("").unwrap(), "in out passwd pods/ sys<log");
        assert_eq!((text("sys<log").unwrap(), text("in").unwrap()), ("one".to_owned(), "one".to_owned()));
        assert_eq!(
            (text("out"), text("passwd"), text("../secret"), text("pods/../../secret")),
            (None, None, None, None)
        );
        assert!(listing(&["sys<log".to_owned()]).contains("<a href=\"sys%3Clog\">sys&lt;log</a>"));
    }
}
