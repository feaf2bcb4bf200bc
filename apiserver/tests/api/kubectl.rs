//! The real kubectl 1.32 against this server over TLS: one server, one script of rows in order. What needs a node is in
//! `e2e/tests/kubectl.rs`.
//!
//! A new row goes into the file of its verb under `kubectl/`; a script is a list of rows that share one namespace.

mod read;
mod scripts;
mod writes;

use crate::server::{Client, Server};
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// One command and what it must print.
pub(crate) struct Row {
    /// Arguments, split at blanks; a part in single quotes stays together.
    pub(crate) args: &'static str,
    /// Given on standard input.
    pub(crate) input: &'static str,
    pub(crate) expect: Expect,
}

/// Fragments that the output must hold.
pub(crate) enum Expect {
    /// Exit code 0, on standard output.
    Out(&'static [&'static str]),
    /// Exit code 0, on standard error: warnings.
    Warns(&'static [&'static str]),
    /// Any other exit code, on standard error or output.
    Fails(&'static [&'static str]),
}

/// `row("get pods", &["web"])`
pub(crate) const fn row(args: &'static str, out: &'static [&'static str]) -> Row {
    Row { args, input: "", expect: Expect::Out(out) }
}

pub(crate) const fn feed(args: &'static str, input: &'static str, out: &'static [&'static str]) -> Row {
    Row { args, input, expect: Expect::Out(out) }
}

pub(crate) const fn warns(args: &'static str, input: &'static str, err: &'static [&'static str]) -> Row {
    Row { args, input, expect: Expect::Warns(err) }
}

pub(crate) const fn fails(args: &'static str, err: &'static [&'static str]) -> Row {
    Row { args, input: "", expect: Expect::Fails(err) }
}

pub(crate) const fn refuses(args: &'static str, input: &'static str, err: &'static [&'static str]) -> Row {
    Row { args, input, expect: Expect::Fails(err) }
}

/// Runs the rows in order in a namespace of their own and says which failed, all of them. `prepare` makes what no kubectl
/// command makes without controllers.
pub(crate) async fn run<F: Future<Output = ()>>(rows: &[Row], prepare: impl FnOnce(Client) -> F) {
    let server = Server::start().await;
    let admin = server.admin();
    admin.namespace("rows").await;
    prepare(admin).await;
    let config = server.kubeconfig();
    let home = tempfile::tempdir().expect("a temporary folder");
    let drain = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let until = drain.clone();
    tasks.spawn(async move { server.run(until).await });
    let mut broken = Vec::new();
    for row in rows {
        if let Err(why) = check(row, &config, home.path()).await {
            broken.push(format!("kubectl {}\n{why}", row.args));
        }
    }
    drain.cancel();
    tasks.join_next().await.expect("the server was started").expect("the server ends in order");
    assert!(broken.is_empty(), "{} of {} rows:\n\n{}", broken.len(), rows.len(), broken.join("\n\n"));
}

async fn check(row: &Row, config: &Path, home: &Path) -> Result<(), String> {
    let mut child = Command::new("kubectl")
        .args(["--namespace", "rows", "--request-timeout", "20s"])
        .args(words(row.args))
        .env("KUBECONFIG", config)
        .env("HOME", home)
        // `edit` changes what it is given with this.
        .env("KUBE_EDITOR", "sed -i -e s/first/second/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl 1.32 must be installed: its commands are what this test is about");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin.write_all(row.input.as_bytes()).await.map_err(|error| error.to_string())?;
    drop(stdin);
    let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    let shown = format!("{}\nstdout: {out}\nstderr: {err}", output.status);
    let (success, text, fragments) = match &row.expect {
        Expect::Out(fragments) => (true, out, fragments),
        Expect::Warns(fragments) => (true, err, fragments),
        Expect::Fails(fragments) => (false, format!("{err}{out}"), fragments),
    };
    if output.status.success() != success {
        return Err(shown);
    }
    match fragments.iter().find(|fragment| !text.contains(**fragment)) {
        Some(missing) => Err(format!("no {missing:?} in: {shown}")),
        None => Ok(()),
    }
}

/// Splits at blanks outside of single quotes.
fn words(args: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for (index, part) in args.split('\'').enumerate() {
        let quoted = index % 2 == 1;
        let mut pieces = if quoted { vec![part] } else { part.split(' ').collect() }.into_iter();
        let last = all.last_mut().expect("never empty");
        last.push_str(pieces.next().unwrap_or(""));
        all.extend(pieces.map(str::to_owned));
    }
    all.retain(|word| !word.is_empty());
    all
}
