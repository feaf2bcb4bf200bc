//! Credential providers: programs of the node's operator that are asked for a registry's credentials when an image is pulled,
//! as registries of clouds want them. A request goes to the program's standard input, its answer comes from the output.
//! k8s: `pkg/credentialprovider/plugin`, credentialprovider.kubelet.k8s.io/v1

mod cache;
pub mod config;

use super::credential::{Credential, glob_hosts, most_specific_first};
use super::reference::repository;
use cache::{Cache, KeyKind, Login, Logins};
use config::Provider;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use proto::cri::AuthConfig;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::OnceCell;
use tracing::warn;

/// k8s: what a program has for its answer.
const ANSWER_MAX: Duration = Duration::from_mins(1);
/// An answer longer than this is none.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// As much of a program's complaints goes to the log.
const COMPLAINT_CHARS_MAX: usize = 1000;

/// Where the operator has put configuration and programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A file, or a folder of files.
    pub config: PathBuf,
    pub programs: PathBuf,
}

/// All providers of the node, in the order of the configuration.
#[derive(Debug, Default)]
pub struct Providers(Vec<Asked>);

#[derive(Debug)]
struct Asked {
    provider: Provider,
    program: PathBuf,
    /// How long the program has for its answer.
    patience: Duration,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    cache: Cache,
    /// What is being asked: a hundred pods of one image ask once, and hear together what came of it.
    asking: HashMap<String, Weak<OnceCell<Logins>>>,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot run {}, or not hear what it says", path.display())]
    Run {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("{status}: {complaint}")]
    Failed { status: std::process::ExitStatus, complaint: String },
    #[error("the answer is no CredentialProviderResponse of {version}: {why}")]
    Answer { version: String, why: String },
}

/// What a program answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    kind: String,
    api_version: String,
    cache_key_type: KeyKind,
    cache_duration: Option<String>,
    #[serde(default)]
    auth: Option<BTreeMap<String, Login>>,
}

impl Providers {
    pub fn open(place: &Place) -> Result<Self, config::Error> {
        let asked = |provider: Provider| {
            let program = place.programs.join(&provider.name);
            if is_program(&program) {
                Ok(Asked { program, provider, patience: ANSWER_MAX, known: Mutex::default() })
            } else {
                Err(config::Error::NoProgram { path: program })
            }
        };
        config::read(&place.config)?.into_iter().map(asked).collect::<Result<_, _>>().map(Self)
    }

    /// What the providers have for an image, the most specific registry first. One that fails gives nothing: the registry
    /// says what it thinks of that.
    pub async fn credentials(&self, image: &str, now: impl Fn() -> Timestamp) -> Vec<Credential> {
        let image = repository(image);
        let answers = join_all(self.0.iter().filter(|one| one.is_for(&image)).map(|one| one.ask(&image, &now))).await;
        let all = answers.iter().flat_map(|logins| logins.iter()).map(|(registry, login)| {
            let (Login { username, password }, registry) = (login.clone(), registry.clone());
            let server_address = registry.clone();
            // k8s: what a program of the node fetches is for all of its pods.
            let auth = AuthConfig { username, password, server_address, ..AuthConfig::default() };
            (registry, Credential { auth, proof: None })
        });
        most_specific_first(&image, all)
    }
}

impl Asked {
    fn is_for(&self, image: &str) -> bool {
        self.provider.match_images.iter().any(|pattern| matches_image(pattern, image))
    }

    async fn ask(&self, image: &str, now: impl Fn() -> Timestamp) -> Logins {
        let asking = {
            let mut known = self.known.lock();
            if let Some(logins) = known.cache.get(image, now()) {
                return logins;
            }
            known.asking.retain(|_, asking| asking.strong_count() > 0);
            known.asking.get(image).and_then(Weak::upgrade).unwrap_or_else(|| {
                let asking = Arc::default();
                known.asking.insert(image.to_owned(), Arc::downgrade(&asking));
                asking
            })
        };
        Arc::clone(asking.get_or_init(|| self.fetch(image, now)).await)
    }

    async fn fetch(&self, image: &str, now: impl Fn() -> Timestamp) -> Logins {
        match tokio::time::timeout(self.patience, self.run(image)).await.unwrap_or(Err(Error::Late(self.patience))) {
            Ok((kind, duration, logins)) => {
                let logins = Arc::new(logins);
                if duration > SignedDuration::ZERO {
                    self.known.lock().cache.put(kind, image, Arc::clone(&logins), now(), duration);
                }
                logins
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                warn!(provider = self.provider.name, image, error, "a credential provider gives no credentials");
                Logins::default()
            }
        }
    }

    async fn run(&self, image: &str) -> Result<(KeyKind, SignedDuration, BTreeMap<String, Login>), Error> {
        let version = &self.provider.api_version;
        let request = json!({ "kind": "CredentialProviderRequest", "apiVersion": version, "image": image }).to_string();
        let mut command = Command::new(&self.program);
        command.args(&self.provider.args).kill_on_drop(true);
        command.envs(self.provider.env.iter().map(|var| (&var.name, &var.value)));
        let output = run(command, request.as_bytes()).await;
        let output = output.map_err(|source| Error::Run { path: self.program.clone(), source })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let complaint = said.trim().chars().take(COMPLAINT_CHARS_MAX).collect();
            return Err(Error::Failed { status: output.status, complaint });
        }
        self.read(&output.stdout).map_err(|why| Error::Answer { version: version.clone(), why })
    }

    fn read(&self, answer: &[u8]) -> Result<(KeyKind, SignedDuration, BTreeMap<String, Login>), String> {
        // What the error quotes may be a password.
        let unreadable = |error: serde_json::Error| {
            format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column())
        };
        let answer: Answer = serde_json::from_slice(answer).map_err(unreadable)?;
        if answer.kind != "CredentialProviderResponse" || answer.api_version != self.provider.api_version {
            return Err(format!("it is a {} of {}", answer.kind, answer.api_version));
        }
        let duration = match answer.cache_duration {
            Some(text) => kinds::duration::parse(&text).ok_or_else(|| format!("{text:?} is no duration"))?,
            None => self.provider.default_cache_duration,
        };
        Ok((answer.cache_key_type, duration, answer.auth.unwrap_or_default()))
    }
}

/// What a program makes of `input`. One that never ends is ended when the caller gives up.
async fn run(mut command: Command, input: &[u8]) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let give = async move {
        match stdin.write_all(input).await {
            // It knows without having read all.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    };
    let (given, stdout, stderr) = tokio::join!(give, read(child.stdout.take()), read(child.stderr.take()));
    given?;
    Ok(Output { stdout: stdout?, stderr: stderr?, status: child.wait().await? })
}

async fn read(pipe: Option<impl tokio::io::AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let pipe = pipe.expect("it is a pipe");
    pipe.take(ANSWER_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() > ANSWER_BYTES_MAX {
        return Err(io::Error::other(format!("it says more than {ANSWER_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// `*.registry.example/team`: the host by its parts, its port as it is, the path by its beginning.
/// k8s: URLsMatch
fn matches_image(pattern: &str, repository: &str) -> bool {
    let pattern = pattern.trim_start_matches("https://").trim_start_matches("http://");
    let (pattern_host, pattern_path) = pattern.split_once('/').unwrap_or((pattern, ""));
    let (host, path) = repository.split_once('/').unwrap_or((repository, ""));
    glob_hosts(pattern_host, host) && path.starts_with(pattern_path)
}

fn is_program(path: &Path) -> bool {
    let may_run = |file: std::fs::Metadata| file.is_file() && file.permissions().mode() & 0o111 != 0;
    std::fs::metadata(path).is_ok_and(may_run)
}

#[cfg(test)]
mod tests;
