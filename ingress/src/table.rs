//! The routing table: which backend a host and a path lead to. Data and lookups; `compile` fills it.
//!
//! k8s: the API's own words, <https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types>

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;

/// What requests are routed by. Never changed: a new one takes its place.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub hosts: ByHost<Paths>,
    /// Rules without a host.
    pub any: Paths,
    /// Where requests go that no rule is about.
    pub default: Option<Arc<Backend>>,
}

/// Values by host name, lower case: exact ones, and wildcards by what stands behind `*.`
#[derive(Debug, PartialEq, Eq)]
pub struct ByHost<V> {
    exact: HashMap<String, V>,
    wildcard: HashMap<String, V>,
}

impl<V> Default for ByHost<V> {
    fn default() -> Self {
        Self { exact: HashMap::new(), wildcard: HashMap::new() }
    }
}

impl<V> ByHost<V> {
    /// The value of `pattern`, a name or `*.` and a name; made by `make` where there is none.
    pub fn entry(&mut self, pattern: &str, make: impl FnOnce() -> V) -> &mut V {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_prefix("*.") {
            Some(parent) => self.wildcard.entry(parent.to_owned()).or_insert_with(make),
            None => self.exact.entry(pattern).or_insert_with(make),
        }
    }

    /// What is meant for `host` (lower case), the nearest first. A wildcard stands for exactly one label.
    pub fn of<'a>(&'a self, host: &str) -> impl Iterator<Item = &'a V> {
        let parent = host.split_once('.').filter(|(label, _)| !label.is_empty());
        let wildcard = parent.and_then(|(_, parent)| self.wildcard.get(parent));
        self.exact.get(host).into_iter().chain(wildcard)
    }
}

/// A Service's port with the endpoints that take requests now.
#[derive(Debug, PartialEq, Eq)]
pub struct Backend {
    /// `shop/web:http`
    pub name: String,
    /// In order, each once; may be empty.
    pub endpoints: Vec<SocketAddr>,
    pub protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    /// HTTP/2 without TLS, as gRPC servers want it.
    H2c,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathType {
    /// Equal, byte for byte.
    Exact,
    /// Equal element by element, as far as the rule goes.
    Prefix,
}

/// The paths of one host.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Paths {
    exact: HashMap<String, Arc<Backend>>,
    /// Without `/` at their ends; `/` itself is empty.
    prefixes: HashMap<String, Arc<Backend>>,
    /// Bytes of the longest prefix: a path is not searched for longer ones.
    longest: usize,
}

/// Somebody else has the path already.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken;

impl Paths {
    pub fn insert(&mut self, path: &str, path_type: PathType, backend: Arc<Backend>) -> Result<(), Taken> {
        let entry = match path_type {
            PathType::Exact => self.exact.entry(path.to_owned()),
            PathType::Prefix => {
                let prefix = path.trim_end_matches('/');
                self.longest = self.longest.max(prefix.len());
                self.prefixes.entry(prefix.to_owned())
            }
        };
        match entry {
            Entry::Occupied(_) => Err(Taken),
            Entry::Vacant(vacant) => {
                vacant.insert(backend);
                Ok(())
            }
        }
    }

    /// The backend of the longest rule that `path` matches; of two equal ones the exact.
    pub fn find(&self, path: &str) -> Option<&Arc<Backend>> {
        self.exact.get(path).or_else(|| self.candidates(path).find_map(|prefix| self.prefixes.get(prefix)))
    }

    /// What of `path` may be a prefix of whole elements, the longest first.
    fn candidates<'a>(&self, path: &'a str) -> impl Iterator<Item = &'a str> {
        let whole = (path.len() <= self.longest).then_some(path);
        // The slash behind the longest prefix counts.
        let searched = &path.as_bytes()[..path.len().min(self.longest + 1)];
        let ends = searched.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        whole.into_iter().chain(ends.map(|end| &path[..end]))
    }
}

impl Table {
    /// Where a request goes: to what is said of its host, then of all below the host's parent, then of every host.
    pub fn route(&self, host: &str, path: &str) -> Option<&Arc<Backend>> {
        let named = self.hosts.of(host).find_map(|paths| paths.find(path));
        named.or_else(|| self.any.find(path)).or(self.default.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn backend(name: &str) -> Arc<Backend> {
        Arc::new(Backend { name: name.to_owned(), endpoints: Vec::new(), protocol: Protocol::Http1 })
    }

    fn paths(rules: &[(PathType, &str)]) -> Paths {
        let mut paths = Paths::default();
        for (path_type, path) in rules {
            paths.insert(path, *path_type, backend(&format!("{path_type:?} {path}"))).unwrap();
        }
        paths
    }

    /// k8s: the examples of the API's documentation, row by row.
    #[test]
    fn paths_match_as_the_api_documents() {
        use PathType::{Exact, Prefix};
        for (rules, path, wanted) in [
            (&[(Prefix, "/")] as &[_], "/any/path", Some("Prefix /")),
            (&[(Exact, "/foo")], "/foo", Some("Exact /foo")),
            (&[(Exact, "/foo")], "/bar", None),
            (&[(Exact, "/foo")], "/foo/", None),
            (&[(Exact, "/foo/")], "/foo", None),
            (&[(Prefix, "/foo")], "/foo", Some("Prefix /foo")),
            (&[(Prefix, "/foo")], "/foo/", Some("Prefix /foo")),
            (&[(Prefix, "/foo/")], "/foo", Some("Prefix /foo/")),
            (&[(Prefix, "/foo/")], "/foo/", Some("Prefix /foo/")),
            (&[(Prefix, "/aaa/bb")], "/aaa/bbb", None),
            (&[(Prefix, "/aaa/bbb")], "/aaa/bbb", Some("Prefix /aaa/bbb")),
            (&[(Prefix, "/aaa/bbb/")], "/aaa/bbb", Some("Prefix /aaa/bbb/")),
            (&[(Prefix, "/aaa/bbb")], "/aaa/bbb/", Some("Prefix /aaa/bbb")),
            (&[(Prefix, "/aaa/bbb")], "/aaa/bbb/ccc", Some("Prefix /aaa/bbb")),
            (&[(Prefix, "/aaa/bbb")], "/aaa/bbbxyz", None),
            (&[(Prefix, "/"), (Prefix, "/aaa")], "/aaa/ccc", Some("Prefix /aaa")),
            (&[(Prefix, "/"), (Prefix, "/aaa")], "/ccc", Some("Prefix /")),
            (&[(Prefix, "/aaa")], "/ccc", None),
            (&[(Exact, "/foo"), (Prefix, "/foo")], "/foo", Some("Exact /foo")),
            (&[(Prefix, "/foo")], "/FOO", None),
        ] {
            let found = paths(rules).find(path).map(|backend| backend.name.clone());
            assert_eq!(found.as_deref(), wanted, "{rules:?} {path}");
        }
    }

    #[test]
    fn the_nearest_host_is_asked_first_and_then_the_wider_ones() {
        let mut table = Table { default: Some(backend("default")), ..Table::default() };
        for (host, path, name) in
            [("foo.bar.com", "/only", "exact"), ("*.bar.com", "/", "wildcard"), ("*.com", "/", "higher")]
        {
            let paths = table.hosts.entry(host, Paths::default);
            paths.insert(path, PathType::Prefix, backend(name)).unwrap();
        }
        table.any.insert("/all", PathType::Prefix, backend("any")).unwrap();
        for (host, path, wanted) in [
            ("foo.bar.com", "/only", "exact"),
            ("foo.bar.com", "/other", "wildcard"),
            ("baz.bar.com", "/", "wildcard"),
            ("baz.foo.bar.com", "/", "default"),
            ("bar.com", "/", "higher"),
            (".bar.com", "/", "default"),
            ("com", "/all/of", "any"),
            ("", "/", "default"),
        ] {
            assert_eq!(table.route(host, path).unwrap().name, wanted, "{host} {path}");
        }
    }

    #[test]
    fn who_comes_second_does_not_get_the_path() {
        let mut paths = paths(&[(PathType::Prefix, "/a"), (PathType::Exact, "/a")]);
        assert_eq!(paths.insert("/a/", PathType::Prefix, backend("late")), Err(Taken));
        assert_eq!(paths.insert("/a", PathType::Exact, backend("late")), Err(Taken));
        assert_eq!(paths.insert("/a/", PathType::Exact, backend("other")), Ok(()));
    }

    /// The definition, word for word: split by `/`, compare element by element; a slash at the rule's end says nothing.
    fn is_prefix(rule: &str, path: &str) -> bool {
        let rule: Vec<&str> = rule.trim_end_matches('/').split('/').collect();
        let path: Vec<&str> = path.split('/').collect();
        path.starts_with(&rule)
    }

    fn path() -> impl Strategy<Value = String> {
        "(/|/a|/b|/ab){1,5}"
    }

    proptest! {
        #[test]
        fn the_longest_rule_of_whole_elements_wins(rules in proptest::collection::btree_set((any::<bool>(), path()), 0..6), asked in path()) {
            let rules: Vec<(PathType, &str)> = rules
                .iter()
                .map(|(exact, path)| (if *exact { PathType::Exact } else { PathType::Prefix }, path.as_str()))
                .collect();
            let mut paths = Paths::default();
            let mut kept = Vec::new();
            for (path_type, path) in rules {
                if paths.insert(path, path_type, backend(&format!("{path_type:?} {path}"))).is_ok() {
                    kept.push((path_type, path));
                }
            }
            let exact = kept.iter().find(|(ty, path)| *ty == PathType::Exact && *path == asked);
            let prefix = kept.iter().filter(|(ty, path)| *ty == PathType::Prefix && is_prefix(path, &asked));
            let longest = prefix.max_by_key(|(_, path)| path.trim_end_matches('/').len());
            let wanted = exact.or(longest).map(|(ty, path)| format!("{ty:?} {path}"));
            prop_assert_eq!(paths.find(&asked).map(|backend| backend.name.clone()), wanted);
        }

        #[test]
        fn no_path_is_searched_for_longer_than_the_rules_are(path in "/{0,200}") {
            let paths = paths(&[(PathType::Prefix, "/aaa")]);
            prop_assert!(paths.candidates(&path).count() <= 5);
        }
    }
}
