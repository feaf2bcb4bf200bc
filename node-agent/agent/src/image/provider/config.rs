//! The configuration of credential providers: a CredentialProviderConfig of kubelet.config.k8s.io/v1, or a folder of them.
//! k8s: `pkg/credentialprovider/plugin/config.go`

use jiff::SignedDuration;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

const KIND: &str = "CredentialProviderConfig";
/// All have the same fields.
const VERSIONS: [&str; 3] =
    ["kubelet.config.k8s.io/v1", "kubelet.config.k8s.io/v1beta1", "kubelet.config.k8s.io/v1alpha1"];
/// What programs speak; all the same.
const SPOKEN: [&str; 3] = [
    "credentialprovider.kubelet.k8s.io/v1",
    "credentialprovider.kubelet.k8s.io/v1beta1",
    "credentialprovider.kubelet.k8s.io/v1alpha1",
];
const ENDINGS: [&str; 3] = ["json", "yaml", "yml"];

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{}: {why}", path.display())]
    Invalid { path: PathBuf, why: String },
    #[error("{} is not there, or cannot be executed (is it in the folder of --image-credential-provider-bin-dir?)", path.display())]
    NoProgram { path: PathBuf },
}

/// One program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its file's.
    pub name: String,
    pub match_images: Vec<String>,
    /// For answers that name none.
    pub default_cache_duration: SignedDuration,
    pub api_version: String,
    pub args: Vec<String>,
    pub env: Vec<Variable>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    pub name: String,
    pub value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    kind: String,
    api_version: String,
    #[serde(default)]
    providers: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default)]
    match_images: Vec<String>,
    default_cache_duration: String,
    api_version: String,
    #[serde(default)]
    args: Option<Vec<String>>,
    #[serde(default)]
    env: Option<Vec<Variable>>,
    #[serde(default)]
    token_attributes: Option<serde_json::Value>,
}

/// The providers of a file, or of all files of a folder in the order of their names.
pub(super) fn read(place: &Path) -> Result<Vec<Provider>, Error> {
    let invalid = |why: &str| Error::Invalid { path: place.to_owned(), why: why.to_owned() };
    let mut all: Vec<Provider> = Vec::new();
    for file in files(place).map_err(|source| Error::Read { path: place.to_owned(), source })? {
        let text = std::fs::read_to_string(&file).map_err(|source| Error::Read { path: file.clone(), source })?;
        all.extend(parse(&text).map_err(|why| Error::Invalid { path: file, why })?);
    }
    if all.is_empty() {
        return Err(invalid("at least one provider is required"));
    }
    let names: BTreeSet<&str> = all.iter().map(|provider| provider.name.as_str()).collect();
    if names.len() < all.len() {
        return Err(invalid("two providers have the same name"));
    }
    Ok(all)
}

fn files(place: &Path) -> io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(place)?.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place)? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| ENDINGS.contains(&ending)) && !path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn parse(text: &str) -> Result<Vec<Provider>, String> {
    let Document { kind, api_version, providers } =
        serde_norway::from_str(text).map_err(|error| format!("strict decoding error: {error}"))?;
    if kind != KIND || !VERSIONS.contains(&api_version.as_str()) {
        return Err(format!("it is a {kind} of {api_version}, not a {KIND} of {}", VERSIONS[0]));
    }
    providers
        .into_iter()
        .map(|written| {
            let name = written.name.clone();
            check(written).map_err(|why| format!("provider {name:?}: {why}"))
        })
        .collect()
}

fn check(written: Written) -> Result<Provider, String> {
    let Written { name, match_images, default_cache_duration, api_version, args, env, token_attributes } = written;
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', ' ']) {
        return Err("this is not the name of a file in the folder of programs".to_owned());
    }
    if !SPOKEN.contains(&api_version.as_str()) {
        return Err(format!("apiVersion {api_version:?} is not supported, only {}", SPOKEN.join(", ")));
    }
    if match_images.is_empty() || match_images.iter().any(String::is_empty) {
        return Err("matchImages needs at least one pattern, and none may be empty".to_owned());
    }
    if token_attributes.is_some() {
        return Err("tokenAttributes are not supported: no tokens of service accounts are given to programs".to_owned());
    }
    let duration = kinds::duration::parse(&default_cache_duration).filter(|duration| !duration.is_negative());
    let default_cache_duration = duration
        .ok_or_else(|| format!("defaultCacheDuration {default_cache_duration:?} is not a duration such as 12h"))?;
    let (args, env) = (args.unwrap_or_default(), env.unwrap_or_default());
    Ok(Provider { name, match_images, default_cache_duration, api_version, args, env })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(providers: &str) -> Result<Vec<Provider>, String> {
        parse(&format!(
            "{{kind: CredentialProviderConfig, apiVersion: kubelet.config.k8s.io/v1, providers: [{providers}]}}"
        ))
    }

    const PLAIN: &str =
        "matchImages: ['*.r.example'], defaultCacheDuration: 12h, apiVersion: credentialprovider.kubelet.k8s.io/v1";

    #[test]
    fn a_configuration_is_read_strictly() {
        let found = of(&format!("{{name: p, {PLAIN}, args: [get], env: [{{name: A, value: b}}]}}")).unwrap();
        assert_eq!(found[0].default_cache_duration, SignedDuration::from_hours(12));
        assert_eq!((&found[0].args[..], &found[0].env[0].value[..]), (&["get".to_owned()][..], "b"));
        for (providers, why) in [
            (format!("{{name: a/b, {PLAIN}}}"), "provider \"a/b\": this is not the name of a file"),
            (
                format!("{{name: p, {PLAIN}, tokenAttributes: {{}}}}"),
                "provider \"p\": tokenAttributes are not supported",
            ),
            (format!("{{name: p, {PLAIN}, arguments: []}}"), "strict decoding error: "),
            (format!("{{name: p, {}}}", PLAIN.replace("12h", "-1s")), "provider \"p\": defaultCacheDuration"),
            (format!("{{name: p, {}}}", PLAIN.replace("k8s.io/v1", "k8s.io/v2")), "provider \"p\": apiVersion"),
            (format!("{{name: p, {}}}", PLAIN.replace("'*.r.example'", "")), "provider \"p\": matchImages"),
        ] {
            let said = of(&providers).unwrap_err();
            assert!(said.starts_with(why), "{said}");
        }
        let other = parse("{kind: Pod, apiVersion: v1}").unwrap_err();
        assert_eq!(other, "it is a Pod of v1, not a CredentialProviderConfig of kubelet.config.k8s.io/v1");
    }

    #[test]
    fn the_files_of_a_folder_count_together() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, name: &str| {
            let text = format!(
                "{{kind: CredentialProviderConfig, apiVersion: kubelet.config.k8s.io/v1, providers: [{{name: {name}, {PLAIN}}}]}}"
            );
            std::fs::write(dir.path().join(file), text).unwrap();
        };
        assert!(matches!(read(dir.path()), Err(Error::Invalid { .. })), "none is there");
        for (file, name) in [("b.yaml", "second"), ("a.json", "first"), ("c.txt", "third")] {
            write(file, name);
        }
        let names: Vec<String> = read(dir.path()).unwrap().into_iter().map(|provider| provider.name).collect();
        assert_eq!(names, ["first", "second"]);
        write("z.yml", "first");
        assert!(read(dir.path()).unwrap_err().to_string().ends_with("two providers have the same name"));
        assert!(matches!(read(&dir.path().join("none")), Err(Error::Read { .. })));
    }
}
