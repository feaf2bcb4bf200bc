//! Scripts of `kubectl` commands, one a line:
//!
//! ```text
//! get pods -l app=web => web-            it must say this
//! ! get pods none => not found           it must fail, and say this
//! ~ get pods -o name => pod/a            it says this within a minute
//! EDITOR=cat edit pod web => cancelled   with an environment variable
//! ```
//! Words are split at spaces, except inside quotes. Files are those that the test put into the cluster's scratch folder.

use crate::Cluster;
use crate::wait::eventually;
use anyhow::{Result, ensure};
use std::time::Duration;

const SOON: Duration = Duration::from_mins(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Succeeds,
    Fails,
    Soon,
}

/// Runs every line; an error names the first that does not hold.
pub fn run(cluster: &Cluster, script: &str) -> Result<()> {
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (mood, rest) = match line.split_once(' ') {
            Some(("!", rest)) => (Mood::Fails, rest),
            Some(("~", rest)) => (Mood::Soon, rest),
            _ => (Mood::Succeeds, line),
        };
        let (command, expected) = rest.split_once(" => ").unwrap_or((rest, ""));
        let look = || {
            let (ok, said) = say(cluster, command)?;
            ensure!(ok != (mood == Mood::Fails), "kubectl {command}\nsucceeded: {ok}\n{said}");
            ensure!(said.contains(expected.trim()), "kubectl {command}\ndoes not say {:?}:\n{said}", expected.trim());
            Ok(())
        };
        match mood {
            Mood::Succeeds | Mood::Fails => look()?,
            Mood::Soon => eventually(command, SOON, || look().map_err(|error| error.to_string())),
        }
    }
    Ok(())
}

/// Whether a command succeeded, and all that it printed.
fn say(cluster: &Cluster, command: &str) -> Result<(bool, String)> {
    let words = words(command);
    let is_variable = |word: &&String| {
        word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase()))
    };
    let variables = words.iter().take_while(is_variable).count();
    let args: Vec<&str> = words[variables..].iter().map(String::as_str).collect();
    let mut kubectl = cluster.client_command("kubectl", &args);
    kubectl.envs(words[..variables].iter().filter_map(|word| word.split_once('=')));
    let output = kubectl.output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output.status.success(), said))
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (None, ' ') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(words(r#"patch x -p='{"a": "b c"}' "" d"#), ["patch", "x", r#"-p={"a": "b c"}"#, "", "d"]);
    }
}
