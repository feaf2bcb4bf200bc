//! What the typed flags mean, validated: values that every verb uses. The typed form is [`crate::low`].

use crate::low;
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::time::Duration;

/// Flags of every command.
#[derive(Clone, Debug, Default)]
pub struct Global {
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    pub namespace: Option<String>,
    pub server: Option<String>,
    pub impersonate: Option<String>,
    pub impersonate_groups: Vec<String>,
    pub request_timeout: Option<Duration>,
    pub verbosity: u8,
}

impl Global {
    pub fn new(typed: &low::Global) -> Result<Self> {
        if typed.impersonate.is_none() && !typed.impersonate_groups.is_empty() {
            bail!("--as-group needs --as");
        }
        let request_timeout = typed.request_timeout.as_deref().map(timeout).transpose()?.flatten();
        if let Some(namespace) = &typed.namespace
            && let Err(reason) = namespace_name(namespace)
        {
            bail!("invalid namespace \"{namespace}\": {reason}");
        }
        Ok(Self {
            kubeconfig: typed.kubeconfig.clone(),
            context: typed.context.clone(),
            namespace: typed.namespace.clone(),
            server: typed.server.clone(),
            impersonate: typed.impersonate.clone(),
            impersonate_groups: typed.impersonate_groups.clone(),
            request_timeout,
            verbosity: typed.verbosity,
        })
    }
}

/// A namespace becomes part of a path, so it is checked before.
fn namespace_name(name: &str) -> Result<(), &'static str> {
    let good = !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if good { Ok(()) } else { Err("it must be a DNS label: lower case letters, digits and '-', at most 63") }
}

/// A dry run, and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    No,
    Client,
    Server,
}

impl DryRun {
    pub fn parse(typed: Option<&str>) -> Result<Self> {
        match typed {
            None | Some("none") => Ok(DryRun::No),
            Some("client") => Ok(DryRun::Client),
            Some("server") => Ok(DryRun::Server),
            Some(other) => bail!("invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\""),
        }
    }

    /// What messages add.
    pub fn suffix(self) -> &'static str {
        match self {
            DryRun::No => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        }
    }

    /// The query value for the server.
    pub fn query(self) -> Option<&'static str> {
        match self {
            DryRun::Server => Some("All"),
            DryRun::No | DryRun::Client => None,
        }
    }
}

/// A Go duration: `90s`, `1h30m`, `1.5s`, `250ms`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration> {
    let invalid = || anyhow::anyhow!("invalid duration \"{text}\" (try 30s, 5m or 1h30m)");
    if let Ok(secs) = text.parse::<u64>() {
        return Ok(Duration::from_secs(secs));
    }
    let mut rest = text;
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').ok_or_else(invalid)?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after.find(|letter: char| letter.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(invalid()),
        };
        total += number.parse::<f64>().map_err(|_| invalid())? * factor;
        rest = after;
    }
    if text.is_empty() {
        return Err(invalid());
    }
    Duration::try_from_secs_f64(total).map_err(|_| invalid())
}

/// A time limit, where zero means none.
pub fn timeout(text: &str) -> Result<Option<Duration>> {
    Ok(Some(duration(text)?).filter(|limit| !limit.is_zero()))
}

/// `key=value` words and `key-` words, as `label`, `annotate` and `set env` take them: `None` removes.
pub fn changes(words: &[String]) -> Result<Vec<(String, Option<String>)>> {
    let mut changes = vec![];
    for word in words {
        match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => changes.push((key.to_owned(), Some(value.to_owned()))),
            None if word.len() > 1 && word.ends_with('-') => {
                changes.push((word[..word.len() - 1].to_owned(), None));
            }
            _ => bail!("expected KEY=VALUE or KEY-, not \"{word}\""),
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, millis) in
            [("90s", 90_000), ("1h30m", 5_400_000), ("1.5s", 1_500), ("250ms", 250), ("7", 7_000), ("0s", 0)]
        {
            assert_eq!(duration(text).unwrap().as_millis(), millis, "{text}");
        }
        for bad in ["", "s", "5x", "1h2", "-1s", "1..5s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(timeout("0").unwrap(), None);
    }

    #[test]
    fn namespaces_cannot_leave_their_path_segment() {
        for bad in ["../x", "a/b", "", "A", "a?b", "-a"] {
            let typed = low::Global { namespace: Some(bad.into()), ..low::Global::default() };
            assert!(Global::new(&typed).is_err(), "{bad}");
        }
    }

    #[test]
    fn changes_set_and_remove() {
        let words = ["a=b=c".to_owned(), "d-".to_owned(), "e=".to_owned()];
        let expected = [("a", Some("b=c")), ("d", None), ("e", Some(""))];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
        assert_eq!(changes(&words).unwrap(), expected);
        assert!(changes(&["plain".to_owned()]).is_err());
    }
}
