//! `logs`: the output of containers, one or many, to its end or as it comes.

use super::pods;
use crate::high;
use crate::low;
use crate::resource;
use crate::server::Query;
use crate::session::Session;
use anyhow::{Result, bail};
use serde_json::Value;
use tokio::io::AsyncBufReadExt;
use tokio::task::JoinSet;

/// Lines of each pod where a selector chooses several, unless told otherwise; kubectl's.
const TAIL_OF_MANY: i64 = 10;

/// One container's log.
#[derive(Clone, Debug)]
struct Source {
    path: String,
    /// Before each line, where several logs are mixed.
    prefix: String,
}

pub(super) async fn run(session: &Session, typed: &low::Logs) -> Result<()> {
    let sources = sources(session, typed).await?;
    if !typed.follow {
        for source in &sources {
            tolerate(session, typed, print(session, source).await)?;
        }
        return Ok(());
    }
    if sources.len() > typed.max_log_requests && typed.selector.is_some() {
        bail!(
            "you are attempting to follow {} log streams, but maximum allowed concurrency is {}, use --max-log-requests to increase the limit",
            sources.len(),
            typed.max_log_requests
        );
    }
    let mut streams = JoinSet::new();
    for source in sources {
        let session = session.clone();
        streams.spawn(async move { print(&session, &source).await });
    }
    while let Some(ended) = streams.join_next().await {
        tolerate(session, typed, ended?)?;
    }
    Ok(())
}

fn tolerate(session: &Session, typed: &low::Logs, outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) if typed.ignore_errors => session.complain(&error),
        outcome => outcome,
    }
}

async fn sources(session: &Session, typed: &low::Logs) -> Result<Vec<Source>> {
    let pods = match (typed.words.first(), &typed.selector) {
        (Some(_), Some(_)) => bail!("only a selector (-l) or a POD name is allowed"),
        (None, None) => bail!("expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'"),
        (Some(word), None) => vec![pods::of_word(session, word).await?],
        (None, Some(selector)) => {
            let path = resource::known("", "pods").path(Some(&session.namespace));
            let pods = session.server.list(&path, &Query::new().set("labelSelector", selector)).await?;
            if pods.is_empty() {
                session.screen.note(&format!("No resources found in {} namespace.", session.namespace))?;
            }
            pods
        }
    };
    let query = query(typed)?;
    let asked = typed.words.get(1).or(typed.container.as_ref()).map(String::as_str);
    let mut sources = vec![];
    for pod in &pods {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        for container in wanted(session, typed, pod, asked)? {
            let path = resource::known("", "pods").object_path(&session.namespace, name);
            let prefix = if typed.prefix { format!("[pod/{name}/{container}] ") } else { String::new() };
            sources.push(Source { path: query.clone().set("container", container).on(&format!("{path}/log")), prefix });
        }
    }
    Ok(sources)
}

fn wanted(session: &Session, typed: &low::Logs, pod: &Value, asked: Option<&str>) -> Result<Vec<String>> {
    if typed.all_containers {
        return Ok(pods::containers(pod));
    }
    let (container, note) = pods::container(pod, asked)?;
    if let Some(note) = note {
        session.screen.note(&note)?;
    }
    Ok(vec![container])
}

fn query(typed: &low::Logs) -> Result<Query> {
    let since = typed.since.as_deref().map(high::duration).transpose()?;
    anyhow::ensure!(
        since.is_none() || typed.since_time.is_none(),
        "at most one of --since and --since-time can be given"
    );
    let tail = typed.tail.or(typed.selector.as_ref().map(|_| TAIL_OF_MANY)).filter(|lines| *lines >= 0);
    let flag = |on: bool| on.then_some("true");
    Ok(Query::new()
        .maybe("follow", flag(typed.follow))
        .maybe("previous", flag(typed.previous))
        .maybe("timestamps", flag(typed.timestamps))
        .maybe("tailLines", tail)
        .maybe("sinceSeconds", since.map(|since| since.as_secs().max(1)))
        .maybe("sinceTime", typed.since_time.as_deref())
        .maybe("limitBytes", typed.limit_bytes))
}

/// Whole lines only, so that several logs mix well; bytes as they are.
async fn print(session: &Session, source: &Source) -> Result<()> {
    let mut stream = session.server.stream(&source.path, "*/*").await?;
    let mut line = source.prefix.clone().into_bytes();
    loop {
        let read = stream.read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(());
        }
        session.screen.bytes(&line)?;
        line.truncate(source.prefix.len());
    }
}
