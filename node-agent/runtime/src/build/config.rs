//! What a Dockerfile's instructions make of an image's configuration. Pure.

use super::dockerfile::{Check, Command};
use crate::image::nullable;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The `config` part of an image's configuration file; what is not known here is kept as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Config {
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub(super) user: String,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) exposed_ports: BTreeMap<String, Value>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub(super) env: Vec<String>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub(super) entrypoint: Vec<String>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub(super) cmd: Vec<String>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) volumes: BTreeMap<String, Value>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub(super) working_dir: String,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub(super) stop_signal: String,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub(super) shell: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) healthcheck: Option<Value>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// The shell of a stage that chose none.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

impl Config {
    /// The words to execute.
    pub(super) fn words(&self, command: &Command) -> Vec<String> {
        match command {
            Command::Exec(words) => words.clone(),
            Command::Shell(text) => {
                let own: Vec<String> = self.shell.clone();
                let mut words = if own.is_empty() { SHELL.map(str::to_owned).to_vec() } else { own };
                words.push(text.clone());
                words
            }
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let found = self.env.iter().filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
        found.map(|(_, value)| value.to_owned())
    }

    pub(super) fn set_variable(&mut self, name: &str, value: &str) {
        let pair = format!("{name}={value}");
        match self.env.iter_mut().find(|p| p.split_once('=').is_some_and(|(key, _)| key == name)) {
            Some(old) => *old = pair,
            None => self.env.push(pair),
        }
    }

    /// The working folder after `WORKDIR path`; links and `..` are for whoever enters it.
    pub(super) fn enter(&self, path: &str) -> String {
        let full = if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", self.working_dir) };
        format!("/{}", super::tree::inside(&full).join("/"))
    }

    /// `EXPOSE 80`, `53/udp`, `8000-8010/tcp`.
    pub(super) fn expose(&mut self, port: &str) -> Result<(), String> {
        let (range, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        let protocol = protocol.to_ascii_lowercase();
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.parse::<u16>().ok().filter(|n| *n > 0);
        match (number(first), number(last), protocol.as_str()) {
            (Some(first), Some(last), "tcp" | "udp" | "sctp") if first <= last => {
                self.exposed_ports.extend((first..=last).map(|n| (format!("{n}/{protocol}"), json!({}))));
                Ok(())
            }
            _ => Err(format!("{port:?} is not a port, such as 80, 53/udp or 8000-8010")),
        }
    }

    pub(super) fn check(&mut self, check: Option<&(Command, Check)>) {
        let Some((command, check)) = check else {
            self.healthcheck = Some(json!({ "Test": ["NONE"] }));
            return;
        };
        let mut test = Map::new();
        let words = match command {
            Command::Shell(text) => vec!["CMD-SHELL".to_owned(), text.clone()],
            Command::Exec(words) => std::iter::once("CMD".to_owned()).chain(words.iter().cloned()).collect(),
        };
        test.insert("Test".into(), json!(words));
        for (key, value) in [
            ("Interval", check.interval),
            ("Timeout", check.timeout),
            ("StartPeriod", check.start_period),
            ("StartInterval", check.start_interval),
            ("Retries", u64::from(check.retries)),
        ] {
            if value != 0 {
                test.insert(key.into(), json!(value));
            }
        }
        self.healthcheck = Some(Value::from(test));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_kept() {
        let text = json!({"Env": ["A=1"], "Cmd": null, "OnBuild": ["RUN x"], "Labels": {"a": "b"}});
        let mut config: Config = serde_json::from_value(text).unwrap();
        config.set_variable("A", "2");
        config.set_variable("B", "3");
        let expect = json!({"Env": ["A=2", "B=3"], "OnBuild": ["RUN x"], "Labels": {"a": "b"}});
        assert_eq!(serde_json::to_value(&config).unwrap(), expect);
        assert_eq!(config.variable("B").as_deref(), Some("3"));
    }

    #[test]
    fn ports_folders_and_checks_take_their_form() {
        let mut config = Config::default();
        for port in ["80", "53/UDP", "8000-8001"] {
            config.expose(port).unwrap();
        }
        let ports: Vec<&String> = config.exposed_ports.keys().collect();
        assert_eq!(ports, ["53/udp", "80/tcp", "8000/tcp", "8001/tcp"]);
        for bad in ["0", "x", "80/icmp", "9-8", "70000"] {
            assert!(config.expose(bad).is_err(), "{bad}");
        }
        config.working_dir = config.enter("/srv/./app");
        assert_eq!(config.enter("../x"), "/srv/x");
        assert_eq!(config.enter("../../../.."), "/");
        let check = Check { interval: 5, ..Check::default() };
        config.check(Some(&(Command::Shell("ok".into()), check)));
        assert_eq!(config.healthcheck, Some(json!({"Test": ["CMD-SHELL", "ok"], "Interval": 5})));
        assert_eq!(config.words(&Command::Shell("x".into())), ["/bin/sh", "-c", "x"]);
    }
}
