//! Image names as users write them. Only what the agent needs: is it well formed, and which tag is meant.

const TAG_DEFAULT: &str = "latest";
const HUB: &str = "docker.io";
const HUB_LEGACY: &str = "index.docker.io";
const TAG_LENGTH_MAX: usize = 128;
/// Shortest digest that registries take: 32 hex digits.
const DIGEST_LENGTH_MIN: usize = 32;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("couldn't parse image name \"{0}\": invalid reference format")]
pub struct Invalid(pub String);

/// The name with `:latest` where it has neither tag nor digest.
pub fn with_tag(image: &str) -> Result<String, Invalid> {
    let invalid = || Invalid(image.to_owned());
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let (repository, tag) = split_tag(name);
    let valid = valid_repository(repository) && tag.is_none_or(valid_tag) && digest.is_none_or(valid_digest);
    if !valid {
        return Err(invalid());
    }
    Ok(if tag.is_none() && digest.is_none() { format!("{image}:{TAG_DEFAULT}") } else { image.to_owned() })
}

/// k8s: `Always` for `:latest`, else `IfNotPresent`; the API server writes it into the spec already.
pub fn policy_default(image: &str) -> &'static str {
    let latest = with_tag(image).is_ok_and(|name| !name.contains('@') && split_tag(&name).1 == Some(TAG_DEFAULT));
    if latest { "Always" } else { "IfNotPresent" }
}

/// `registry.example:5000/team/web`, with Docker Hub's names written out.
pub fn repository(image: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let (repository, _) = split_tag(name);
    let is_host = |part: &str| part == "localhost" || part.contains(['.', ':']) || part.contains(char::is_uppercase);
    let (host, path) = match repository.split_once('/') {
        Some((HUB | HUB_LEGACY, path)) => (HUB, path),
        Some((host, path)) if is_host(host) => (host, path),
        Some(_) | None => (HUB, repository),
    };
    let folder = if host == HUB && !path.contains('/') { "library/" } else { "" };
    format!("{host}/{folder}{path}")
}

/// The one name by which an image is known that is written in several ways: with its repository and its digest, or where
/// it has none its tag.
pub fn full(image: &str) -> String {
    let repository = repository(image);
    match image.split_once('@') {
        Some((_, digest)) => format!("{repository}@{digest}"),
        None => format!("{repository}:{}", split_tag(image).1.unwrap_or(TAG_DEFAULT)),
    }
}

/// A colon after the last slash separates the tag; one before it belongs to the registry's port.
fn split_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        Some(_) | None => (name, None),
    }
}

fn valid_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=TAG_LENGTH_MAX).contains(&tag.len())
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

fn valid_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && algorithm.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '_' | '-'))
            && hex.len() >= DIGEST_LENGTH_MIN
            && hex.chars().all(|c| c.is_ascii_hexdigit())
    })
}

fn valid_repository(repository: &str) -> bool {
    let mut parts: Vec<&str> = repository.split('/').collect();
    let host = parts.len() > 1
        && (parts[0].contains(['.', ':']) || parts[0] == "localhost" || parts[0].contains(char::is_uppercase));
    if host {
        let registry = parts.remove(0);
        let (name, port) = registry.split_once(':').unwrap_or((registry, "0"));
        let named = name.split('.').all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !label.starts_with('-')
        });
        if !named || port.is_empty() || !port.chars().all(|c| c.is_ascii_digit()) {
            return false;
        }
    }
    parts.iter().all(|part| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(plain)
            && part.ends_with(plain)
            && part.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_their_tag_or_are_refused() {
        let digest = format!("web@sha256:{}", "a".repeat(64));
        for (image, want) in [
            ("web", Some("web:latest")),
            ("web:1", Some("web:1")),
            ("r.example:5000/t/web", Some("r.example:5000/t/web:latest")),
            ("localhost:5000/web:v1.2-x", Some("localhost:5000/web:v1.2-x")),
            (&digest, Some(digest.as_str())),
            ("", None),
            ("Web", None),
            ("web:", None),
            ("web:1:2", None),
            ("web@sha256:abc", None),
            ("a//b", None),
            ("/web", None),
            ("we b", None),
        ] {
            assert_eq!(with_tag(image).ok().as_deref(), want, "{image}");
        }
    }

    #[test]
    fn short_names_belong_to_docker_hub() {
        for (image, want) in [
            ("web", "docker.io/library/web"),
            ("t/web:1", "docker.io/t/web"),
            ("r.example:5000/t/web:1", "r.example:5000/t/web"),
            ("localhost/web", "localhost/web"),
            ("docker.io/web:1", "docker.io/library/web"),
            ("index.docker.io/t/web", "docker.io/t/web"),
        ] {
            assert_eq!(repository(image), want);
        }
    }

    #[test]
    fn an_image_has_one_full_name() {
        for (image, want) in [
            ("web", "docker.io/library/web:latest"),
            ("docker.io/library/web:1", "docker.io/library/web:1"),
            ("r.example:5000/web", "r.example:5000/web:latest"),
            ("web:1@sha256:ab", "docker.io/library/web@sha256:ab"),
        ] {
            assert_eq!(full(image), want);
        }
    }

    #[test]
    fn only_latest_is_always_pulled() {
        assert_eq!((policy_default("web"), policy_default("web:1")), ("Always", "IfNotPresent"));
    }
}
