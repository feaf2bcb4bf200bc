//! Files that configure the server, in the form of API objects: read strictly, and some of them read again when they change.

mod reloads;

pub(crate) use reloads::Reloads;

use client::transport;
use kinds::errors::{FieldErrors, aggregate};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A configuration is a page or two; a longer file is not one.
const FILE_BYTES_MAX: usize = 4 << 20;

/// A changed file counts so soon. Its content is compared, because a mounted ConfigMap changes by renaming folders.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a file has to be.
pub(crate) trait ConfigFile: DeserializeOwned {
    const KIND: &'static str;
    /// All have the same fields.
    const API_VERSIONS: &'static [&'static str];
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    #[error("cannot read {}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} is longer than {FILE_BYTES_MAX} bytes", path.display())]
    TooLong { path: PathBuf },
    #[error("{} is no YAML or JSON", path.display())]
    Form { path: PathBuf, source: serde_norway::Error },
    #[error("{} is no {kind} of {versions}", path.display())]
    Kind { path: PathBuf, kind: &'static str, versions: String },
    #[error("{}: strict decoding error: {why}", path.display())]
    Fields { path: PathBuf, why: String },
    /// Of a file that is read line by line.
    #[error("{}:{line}: {why}", path.display())]
    Line { path: PathBuf, line: usize, why: String },
    #[error("{}: {}", path.display(), aggregate(errors))]
    Invalid { path: PathBuf, errors: FieldErrors },
    #[error("the authorization modes are wrong: {}", aggregate(errors))]
    Modes { errors: FieldErrors },
    #[error("{}: the webhook {name:?} cannot be asked", path.display())]
    Webhook { path: PathBuf, name: String, source: Box<transport::Error> },
}

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String, ConfigFileError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|source| ConfigFileError::Unreadable { path: path.to_owned(), source })?;
    if text.len() > FILE_BYTES_MAX {
        return Err(ConfigFileError::TooLong { path: path.to_owned() });
    }
    Ok(text)
}

/// `path` is for the messages.
pub(crate) fn parse<T: ConfigFile>(path: &Path, text: &str) -> Result<T, ConfigFileError> {
    let form = |source| ConfigFileError::Form { path: path.to_owned(), source };
    let mut tree: Value = serde_norway::from_str(text).map_err(form)?;
    let is_one = tree["kind"] == T::KIND && T::API_VERSIONS.iter().any(|version| tree["apiVersion"] == *version);
    let Some(fields) = tree.as_object_mut().filter(|_| is_one) else {
        let versions = T::API_VERSIONS.join(" or ");
        return Err(ConfigFileError::Kind { path: path.to_owned(), kind: T::KIND, versions });
    };
    for known in ["apiVersion", "kind", "metadata"] {
        fields.remove(known);
    }
    // As everywhere, null is the same as nothing.
    fields.retain(|_, value| !value.is_null());
    T::deserialize(tree).map_err(|error| ConfigFileError::Fields { path: path.to_owned(), why: error.to_string() })
}

/// Tells `take` the text of the file each time that it is another than `known`, which is in force; what `take` refuses is
/// logged, and told no second time.
pub(crate) async fn follow<T>(
    path: PathBuf,
    mut known: String,
    take: impl Fn(String) -> T + Send,
    reloads: Reloads,
    drain: CancellationToken,
) where
    T: Future<Output = Result<(), ConfigFileError>> + Send,
{
    reloads.in_force(&known);
    let mut was_readable = true;
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let outcome = match text(&path) {
            Ok(found) if found == known => {
                was_readable = true;
                continue;
            }
            Ok(found) => {
                was_readable = true;
                known = found;
                take(known.clone()).await
            }
            Err(_) if !was_readable => continue,
            Err(error) => {
                was_readable = false;
                Err(error)
            }
        };
        match outcome {
            Ok(()) => {
                reloads.taken(&known);
                tracing::info!(path = %path.display(), "a changed configuration is in force");
            }
            Err(error) => {
                reloads.refused();
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, path = %path.display(), "a changed configuration is refused, the old one stays");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;
    use serde::Deserialize;
    use std::sync::Arc;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Shelf {
        #[serde(default)]
        books: Vec<String>,
    }

    impl ConfigFile for Shelf {
        const KIND: &'static str = "Shelf";
        const API_VERSIONS: &'static [&'static str] = &["x/v1", "x/v1beta1"];
    }

    fn parsed(text: &str) -> Result<Vec<String>, String> {
        parse::<Shelf>(Path::new("f"), text).map(|shelf| shelf.books).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_of_its_kind_and_says_nothing_unknown() {
        assert_eq!(parsed("{apiVersion: x/v1, kind: Shelf, books: [a]}"), Ok(vec!["a".to_owned()]));
        assert_eq!(parsed("{apiVersion: x/v1beta1, kind: Shelf, books: null}"), Ok(vec![]));
        assert_eq!(parsed("{apiVersion: x/v2, kind: Shelf}"), Err("f is no Shelf of x/v1 or x/v1beta1".to_owned()));
        assert_eq!(parsed("just text"), Err("f is no Shelf of x/v1 or x/v1beta1".to_owned()));
        assert!(parsed("{apiVersion: x/v1, kind: Shelf, boks: []}").unwrap_err().contains("unknown field `boks`"));
    }

    #[tokio::test]
    async fn a_changed_file_is_told_once_and_a_refused_one_does_not_end_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "first").unwrap();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let refused = ConfigFileError::TooLong { path: path.clone() };
        let refused = std::sync::Mutex::new(Some(refused));
        let take = move |text: String| {
            tell.send(text).unwrap();
            std::future::ready(refused.lock().unwrap().take().map_or(Ok(()), Err))
        };
        let drain = CancellationToken::new();
        let clock: Arc<dyn client::clock::Clock> = Arc::new(client::clock::SystemClock);
        let reloads = Reloads::new("shelf", "test", &clock);
        let following = follow(path.clone(), "first".to_owned(), take, reloads.clone(), drain.clone());
        let acting = async {
            for text in ["spoilt", "good"] {
                std::fs::write(&path, text).unwrap();
                assert_eq!(told.recv().await.as_deref(), Some(text));
            }
            drain.cancel();
        };
        tokio::join!(following, acting);
        assert!(told.recv().await.is_none());
        let (mut registry, mut metrics) = (Registry::default(), String::new());
        reloads.register(&mut registry);
        text::encode(&mut metrics, &registry).unwrap();
        let counted = |status: &str| {
            let line = format!("apiserver_shelf_config_controller_automatic_reloads_total{{status=\"{status}\"");
            metrics.lines().find(|found| found.starts_with(&line)).map(|found| found.ends_with(" 1"))
        };
        assert_eq!((counted("success"), counted("failure")), (Some(true), Some(true)), "{metrics}");
        assert_eq!(metrics.matches(",hash=\"sha256:").count(), 1, "{metrics}");
    }
}
