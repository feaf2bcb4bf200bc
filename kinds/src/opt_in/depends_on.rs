//! Start order: what a pod waits for, as its annotation lists it.

use std::fmt;

/// The scheduling gate that holds such a pod back. Who takes it away by hand lets the pod go at once.
pub const GATE: &str = "drover.dev/depends-on";

/// The condition of a pod that says what it still waits for.
pub const CONDITION: &str = "drover.dev/DependenciesReady";

/// A longer list is a mistake: it would be read at every change of each thing in it.
const MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    DaemonSet,
    Deployment,
    Job,
    Service,
    StatefulSet,
}

const WORDS: &[(&str, Kind)] = &[
    ("daemonset", Kind::DaemonSet),
    ("deployment", Kind::Deployment),
    ("job", Kind::Job),
    ("service", Kind::Service),
    ("statefulset", Kind::StatefulSet),
];

/// Something of the pod's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    pub kind: Kind,
    pub name: String,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = WORDS.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(word, _)| *word);
        write!(f, "{word}/{}", self.name)
    }
}

/// All of a list, or what is wrong with it.
pub fn parse(value: &str) -> Result<Vec<Dependency>, String> {
    let all: Vec<Dependency> = value.split(',').map(|one| dependency(one.trim())).collect::<Result<_, _>>()?;
    if all.len() > MAX {
        return Err(format!("it lists {} things, and at most {MAX} are possible", all.len()));
    }
    Ok(all)
}

fn dependency(text: &str) -> Result<Dependency, String> {
    let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
    let Some((word, name)) = text.split_once('/') else {
        return Err(format!("{text:?} is not KIND/NAME, as deployment/db is (kinds: {})", words.join(", ")));
    };
    let Some((_, kind)) = WORDS.iter().find(|(known, _)| *known == word) else {
        return Err(format!("{word:?} in {text:?} is none of these: {}", words.join(", ")));
    };
    if !crate::name::dns_subdomain(name).is_empty() {
        return Err(format!("{name:?} in {text:?} cannot be a name"));
    }
    Ok(Dependency { kind: *kind, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whole_or_not_at_all() {
        let read = |value| parse(value).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        let told = |value| parse(value).unwrap_err();
        assert_eq!(
            read("deployment/db, job/migrate,service/cache").unwrap(),
            "deployment/db job/migrate service/cache"
        );
        assert!(told("deployment/db, migrate").starts_with("\"migrate\" is not KIND/NAME"));
        assert!(told("").starts_with("\"\" is not KIND/NAME"));
        assert!(told("pod/x").starts_with("\"pod\" in \"pod/x\" is none of these: daemonset, deployment"));
        assert_eq!(told("job/A B"), "\"A B\" in \"job/A B\" cannot be a name");
        assert!(told(&vec!["job/a"; 33].join(",")).starts_with("it lists 33 things"));
    }
}
