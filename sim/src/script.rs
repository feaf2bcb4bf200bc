//! Scripts: a few lines of commands, and what each said when it was last found right. Lines that begin with `>` are
//! commands, `|` their documents, `#` words for the reader; everything else is what was said.

mod command;
mod manifest;
mod show;

use crate::cluster::Cluster;
use crate::trace::{Keep, Trace};
use anyhow::{Context as _, Result, bail};
use command::Script;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Long enough for a new cluster to have its nodes, namespaces and leaders.
const WARM_UP: Duration = Duration::from_secs(20);
const NODES: usize = 2;

/// One command with its document.
#[derive(Debug, PartialEq, Eq)]
struct Command {
    words: Vec<String>,
    document: String,
}

/// The script with what its commands say now.
pub(crate) async fn run(text: &str, seed: u64) -> Result<String> {
    let mut script: Option<Script> = None;
    let mut said = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix('>') else {
            if line.is_empty() || line.starts_with('#') {
                said.push_str(line);
                said.push('\n');
            }
            continue;
        };
        said.push_str(line);
        said.push('\n');
        let mut document = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with('|')) {
            said.push_str(line);
            said.push('\n');
            document.push_str(line.strip_prefix("| ").unwrap_or(""));
            document.push('\n');
        }
        let command = Command { words: words(command), document };
        let nodes = match (command.words.as_slice(), &script) {
            ([first, count], None) if first == "nodes" => Some(count.parse().context("how many nodes")?),
            (_, None) => Some(NODES),
            (_, Some(_)) => None,
        };
        if let Some(nodes) = nodes {
            script = Some(start(nodes, seed).await?);
        }
        let script = script.as_mut().context("a script has begun")?;
        let answer = script.obey(&command).await.with_context(|| format!("`{}`", command.words.join(" ")))?;
        if let Some(broken) = script.cluster.broken() {
            bail!("`{}`: {broken}", command.words.join(" "));
        }
        for line in answer.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
            said.push_str(line);
            said.push('\n');
        }
    }
    Ok(said)
}

async fn start(nodes: usize, seed: u64) -> Result<Script> {
    let cluster = Cluster::start(seed, nodes, Arc::new(Trace::new(Keep::Tail))).await?;
    sleep(WARM_UP).await;
    Ok(Script::new(cluster))
}

/// Words are between blanks; quotes keep several together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let quoted = rest.strip_prefix('"').and_then(|inside| inside.split_once('"'));
        let (word, after) = quoted.or_else(|| rest.split_once(' ')).unwrap_or((rest, ""));
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(
            words(" create cronjob tick \"0 0 31 2 *\" now"),
            ["create", "cronjob", "tick", "0 0 31 2 *", "now"]
        );
    }
}
