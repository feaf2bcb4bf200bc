//! Dockerfiles: text to stages and instructions. Pure. Words are kept as they were written; what variables mean is only
//! known when a step runs.
//!
//! Where the behaviour comes from: the Dockerfile reference, and BuildKit where that is silent.

use super::word::{self, Escape};
use std::collections::BTreeMap;
use thiserror::Error;

/// What is wrong, and in which line (the first is 1) its instruction begins.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {what}")]
pub(crate) struct ParseError {
    pub(crate) line: usize,
    pub(crate) what: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    pub(crate) escape: Escape,
    /// Arguments before the first stage, which only FROM lines see.
    pub(crate) args: Vec<Step>,
    pub(crate) stages: Vec<Stage>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) line: usize,
    pub(crate) base: String,
    pub(crate) platform: Option<String>,
    /// In lower case.
    pub(crate) name: Option<String>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) line: usize,
    /// The instruction as it was written, on one line.
    pub(crate) text: String,
    pub(crate) what: Instruction,
}

/// A command for the stage's shell, or one that is executed as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Shell(String),
    Exec(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    /// A stage's name or number, or an image; the build context where none is given.
    pub(crate) from: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) sources: Vec<String>,
    pub(crate) target: String,
    /// Local archives are unpacked.
    pub(crate) unpack: bool,
}

/// Durations are nanoseconds, 0 for the default of whoever checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) interval: u64,
    pub(crate) timeout: u64,
    pub(crate) start_period: u64,
    pub(crate) start_interval: u64,
    pub(crate) retries: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Instruction {
    Run(Command),
    Cmd(Command),
    Entrypoint(Command),
    Shell(Vec<String>),
    Copy(Copy),
    Env(Vec<(String, String)>),
    Label(Vec<(String, String)>),
    Arg(Vec<(String, Option<String>)>),
    Workdir(String),
    User(String),
    Expose(Vec<String>),
    Volume(Vec<String>),
    StopSignal(String),
    /// None takes the base image's check away.
    Healthcheck(Option<(Command, Check)>),
}

/// Reads a whole file.
pub(crate) fn parse(text: &str) -> Result<Dockerfile, ParseError> {
    let escape = directive(text)?;
    let mut file = Dockerfile { escape, args: Vec::new(), stages: Vec::new() };
    for (line, text) in logical_lines(text, escape) {
        let fail = |what: String| ParseError { line, what };
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text.as_str(), ""));
        let rest = rest.trim();
        if name.eq_ignore_ascii_case("FROM") {
            let earlier = |name: &str| file.stages.iter().any(|s| s.name.as_deref() == Some(name));
            let stage = from(line, rest).map_err(fail)?;
            if let Some(name) = stage.name.as_deref().filter(|n| earlier(n)) {
                return Err(fail(format!("there is a stage {name} already")));
            }
            file.stages.push(stage);
            continue;
        }
        let what = instruction(name, rest, escape).map_err(fail)?;
        let step = Step { line, text: text.clone(), what };
        match file.stages.last_mut() {
            Some(stage) => stage.steps.push(step),
            None if matches!(step.what, Instruction::Arg(_)) => file.args.push(step),
            None => return Err(fail(format!("{name} stands before the first FROM"))),
        }
    }
    if file.stages.is_empty() {
        return Err(ParseError { line: text.lines().count().max(1), what: "there is no FROM".into() });
    }
    Ok(file)
}

/// The escape character that the comments at the start choose.
fn directive(text: &str) -> Result<Escape, ParseError> {
    for (i, line) in text.lines().enumerate() {
        let pair = line.trim().strip_prefix('#').and_then(|l| l.split_once('='));
        let Some((key, value)) = pair else { break };
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        match (key.as_str(), value) {
            ("escape", "\\") => return Ok(Escape('\\')),
            ("escape", "`") => return Ok(Escape('`')),
            ("escape", _) => {
                return Err(ParseError { line: i + 1, what: format!("escape must be \\ or `, not {value:?}") });
            }
            ("syntax" | "check", _) => {}
            // Any other comment ends the directives.
            _ => break,
        }
    }
    Ok(Escape('\\'))
}

/// Instructions with their continuation lines, and the number of their first line.
fn logical_lines(text: &str, escape: Escape) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (i, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (start, mut whole) = open.take().unwrap_or((i + 1, String::new()));
        let part = if whole.is_empty() { line.trim_start() } else { line };
        if let Some(part) = part.trim_end().strip_suffix(escape.0) {
            whole.push_str(part);
            open = Some((start, whole));
        } else {
            whole.push_str(part.trim_end());
            found.push((start, whole));
        }
    }
    found.extend(open);
    found.retain(|(_, text)| !text.trim().is_empty());
    found.into_iter().map(|(line, text)| (line, text.trim().to_owned())).collect()
}

/// Takes `--name=value` words off the front; one without a value has an empty one.
fn flags(mut rest: &str) -> (BTreeMap<String, String>, &str) {
    let mut found = BTreeMap::new();
    while let Some(flag) = rest.strip_prefix("--") {
        let end = flag.find(char::is_whitespace).unwrap_or(flag.len());
        let (name, value) = flag[..end].split_once('=').unwrap_or((&flag[..end], ""));
        found.insert(name.to_owned(), value.to_owned());
        rest = flag[end..].trim_start();
    }
    (found, rest)
}

fn only(flags: &BTreeMap<String, String>, known: &[&str]) -> Result<(), String> {
    match flags.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(format!("flag --{name} is not supported")),
        None => match flags.iter().find(|(_, value)| value.is_empty()) {
            Some((name, _)) => Err(format!("flag --{name} needs a value")),
            None => Ok(()),
        },
    }
}

fn from(line: usize, rest: &str) -> Result<Stage, String> {
    let (flags, rest) = flags(rest);
    only(&flags, &["platform"])?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let (base, name) = match words.as_slice() {
        [base] => (*base, None),
        [base, r#as, name] if r#as.eq_ignore_ascii_case("AS") => (*base, Some(stage_name(name)?)),
        _ => return Err("FROM takes an image, and optionally AS and a name".into()),
    };
    let platform = flags.get("platform").cloned();
    Ok(Stage { line, base: base.to_owned(), platform, name, steps: Vec::new() })
}

fn stage_name(name: &str) -> Result<String, String> {
    let name = name.to_ascii_lowercase();
    let sound = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if sound {
        Ok(name)
    } else {
        Err(format!("{name:?} is not a name of a stage (a letter, then letters, digits, -, _ or .)"))
    }
}

fn json_words(rest: &str) -> Option<Vec<String>> {
    rest.starts_with('[').then(|| serde_json::from_str(rest).ok()).flatten()
}

fn command(name: &str, rest: &str) -> Result<Command, String> {
    match json_words(rest) {
        Some(words) if words.is_empty() => Err(format!("{name} has no command")),
        Some(words) => Ok(Command::Exec(words)),
        None if rest.is_empty() => Err(format!("{name} has no command")),
        None => Ok(Command::Shell(rest.to_owned())),
    }
}

/// The lines after a here-document are not instructions: it is refused before they are taken for some.
fn refuse_here_document(rest: &str) -> Result<(), String> {
    let begins = |word: &str| {
        let name = word.strip_prefix("<<").map(|w| w.trim_start_matches(['-', '"', '\'']));
        name.is_some_and(|n| n.starts_with(|c: char| c.is_ascii_alphabetic()))
    };
    if rest.split_whitespace().any(begins) { Err("here-documents are not supported".into()) } else { Ok(()) }
}

fn instruction(name: &str, rest: &str, escape: Escape) -> Result<Instruction, String> {
    use Instruction as I;
    let upper = name.to_ascii_uppercase();
    let words = || -> Result<Vec<String>, String> {
        let words = json_words(rest).unwrap_or_else(|| rest.split_whitespace().map(str::to_owned).collect());
        if words.is_empty() { Err(format!("{upper} needs an argument")) } else { Ok(words) }
    };
    let one = || if rest.is_empty() { Err(format!("{upper} needs an argument")) } else { Ok(rest.to_owned()) };
    Ok(match upper.as_str() {
        "RUN" => {
            let (flags, rest) = flags(rest);
            only(&flags, &[])?;
            refuse_here_document(rest)?;
            I::Run(command("RUN", rest)?)
        }
        "CMD" => I::Cmd(command("CMD", rest)?),
        "ENTRYPOINT" => I::Entrypoint(command("ENTRYPOINT", rest)?),
        "SHELL" => match json_words(rest) {
            Some(words) if !words.is_empty() => I::Shell(words),
            _ => return Err("SHELL takes a JSON list, such as [\"/bin/sh\", \"-c\"]".into()),
        },
        "COPY" => I::Copy(copy(rest, &["from", "chown", "chmod"])?),
        "ADD" => {
            let add = Copy { unpack: true, ..copy(rest, &["chown", "chmod"])? };
            if add.sources.iter().any(|s| s.contains("://") || s.starts_with("git@")) {
                return Err("ADD from a URL is not supported (fetch it in a RUN)".into());
            }
            I::Copy(add)
        }
        "ENV" => I::Env(pairs("ENV", rest, escape)?),
        "LABEL" => I::Label(pairs("LABEL", rest, escape)?),
        "ARG" => I::Arg(args(rest, escape)?),
        "WORKDIR" => I::Workdir(one()?),
        "USER" => I::User(one()?),
        "EXPOSE" => I::Expose(words()?),
        "VOLUME" => I::Volume(words()?),
        "STOPSIGNAL" => I::StopSignal(one()?),
        "HEALTHCHECK" => I::Healthcheck(healthcheck(rest)?),
        "ONBUILD" => return Err("ONBUILD is not supported".into()),
        "MAINTAINER" => return Err("MAINTAINER is not supported (use LABEL maintainer=...)".into()),
        _ => return Err(format!("{name:?} is not an instruction")),
    })
}

fn copy(rest: &str, known: &[&str]) -> Result<Copy, String> {
    let (flags, rest) = flags(rest);
    only(&flags, known)?;
    refuse_here_document(rest)?;
    let mut words = json_words(rest).unwrap_or_else(|| rest.split_whitespace().map(str::to_owned).collect());
    let target = words.pop().filter(|_| !words.is_empty()).ok_or("a source and a target are needed")?;
    if words.len() > 1 && !target.ends_with('/') {
        return Err(format!("with several sources the target must be a folder and end with /, not {target:?}"));
    }
    let flag = |name: &str| flags.get(name).cloned();
    Ok(Copy { from: flag("from"), owner: flag("chown"), mode: flag("chmod"), sources: words, target, unpack: false })
}

/// `KEY=value KEY="other value"`, or `KEY all the rest`.
fn pairs(name: &str, rest: &str, escape: Escape) -> Result<Vec<(String, String)>, String> {
    let words = word::split(rest, escape)?;
    let first = words.first().ok_or_else(|| format!("{name} needs an argument"))?;
    if !first.contains('=') {
        let (key, value) =
            rest.split_once(char::is_whitespace).ok_or_else(|| format!("{name} {first} has no value"))?;
        return Ok(vec![(key.to_owned(), value.trim().to_owned())]);
    }
    let pair = |word: &String| match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("{word:?} is not of the form name=value")),
    };
    words.iter().map(pair).collect()
}

fn args(rest: &str, escape: Escape) -> Result<Vec<(String, Option<String>)>, String> {
    let words = word::split(rest, escape)?;
    if words.is_empty() {
        return Err("ARG needs a name".into());
    }
    let arg = |word: &String| {
        let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(n, v)| (n, Some(v.to_owned())));
        if word::is_name(name) { Ok((name.to_owned(), value)) } else { Err(format!("{name:?} is not a name")) }
    };
    words.iter().map(arg).collect()
}

fn healthcheck(rest: &str) -> Result<Option<(Command, Check)>, String> {
    let (flags, rest) = flags(rest);
    only(&flags, &["interval", "timeout", "start-period", "start-interval", "retries"])?;
    let (kind, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if kind.eq_ignore_ascii_case("NONE") && rest.is_empty() && flags.is_empty() {
        return Ok(None);
    }
    if !kind.eq_ignore_ascii_case("CMD") {
        return Err("HEALTHCHECK takes NONE, or CMD and a command".into());
    }
    let time = |name: &str| flags.get(name).map_or(Ok(0), |v| duration(v));
    let retries = flags.get("retries").map_or(Ok(0), |v| v.parse());
    let check = Check {
        interval: time("interval")?,
        timeout: time("timeout")?,
        start_period: time("start-period")?,
        start_interval: time("start-interval")?,
        retries: retries.map_err(|_| "--retries is not a number".to_owned())?,
    };
    Ok(Some((command("HEALTHCHECK", rest.trim())?, check)))
}

/// Nanoseconds of a duration as Go writes it: `1m30s`, `500ms`.
fn duration(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is not a duration, such as 30s or 1m30s");
    let (mut total, mut rest) = (0_f64, text);
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(bad)?;
        let value: f64 = rest[..number].parse().map_err(|_| bad())?;
        let unit = rest[number..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |n| number + n);
        total += value
            * match &rest[number..unit] {
                "ns" => 1.0,
                "us" | "µs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3600e9,
                _ => return Err(bad()),
            };
        rest = &rest[unit..];
    }
    if text.is_empty() { Err(bad()) } else { Ok(total as u64) }
}

#[cfg(test)]
mod tests;
