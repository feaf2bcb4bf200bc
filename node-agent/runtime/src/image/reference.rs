//! Names of images, as people write them, in full: `web:1` is `docker.io/library/web:1`.
//!
//! The library's own parser is one regular expression, whose automaton stays in memory: with a tag of up to 128 characters of
//! any alphabet that is 10 MiB, and 20 MiB more while it is built. The grammar is a few rules over bytes.
//! k8s: distribution/reference

use super::ImageError;
use oci_client::Reference;

const HUB: &str = "docker.io";
const HUB_LEGACY: &str = "index.docker.io";
/// Where the hub keeps images whose names have one part.
const HUB_OFFICIAL: &str = "library";
const DEFAULT_TAG: &str = "latest";

const REPOSITORY_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// Digest algorithms, and how many digits theirs have.
const DIGESTS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];

/// `name` in full: with its registry and tag.
pub(crate) fn parse_reference(name: &str) -> Result<Reference, ImageError> {
    parse(name).ok_or_else(|| ImageError::BadReference(name.to_owned()))
}

/// Registry and repository, without tag and digest.
pub(crate) fn repository(reference: &Reference) -> String {
    format!("{}/{}", reference.registry(), reference.repository())
}

/// `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`
fn parse(text: &str) -> Option<Reference> {
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    // A colon before the last slash belongs to the registry's port.
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) =
        rest[last..].find(':').map_or((rest, None), |at| (&rest[..last + at], Some(&rest[last + at + 1..])));
    let (registry, repository) = split_registry(name)?;
    if !tag.is_none_or(is_tag) || !digest.is_none_or(is_digest) {
        return None;
    }
    Some(match (tag, digest) {
        (tag, None) => Reference::with_tag(registry, repository, tag.unwrap_or(DEFAULT_TAG).to_owned()),
        (None, Some(digest)) => Reference::with_digest(registry, repository, digest.to_owned()),
        (Some(tag), Some(digest)) => {
            Reference::with_tag_and_digest(registry, repository, tag.to_owned(), digest.to_owned())
        }
    })
}

/// The first part is a registry where it looks like a host, else a folder of the hub.
fn split_registry(name: &str) -> Option<(String, String)> {
    let is_host = |part: &str| {
        part == "localhost" || part.contains(['.', ':']) || part.contains(|letter: char| letter.is_ascii_uppercase())
    };
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest)) if is_host(first) => (if first == HUB_LEGACY { HUB } else { first }, rest),
        _ => (HUB, name),
    };
    if !is_registry(registry) || !repository.split('/').all(is_path_part) {
        return None;
    }
    let repository = if registry == HUB && !repository.contains('/') {
        format!("{HUB_OFFICIAL}/{repository}")
    } else {
        repository.to_owned()
    };
    (repository.len() <= REPOSITORY_MAX).then(|| (registry.to_owned(), repository))
}

/// A host name with or without a port.
fn is_registry(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    let is_label = |label: &str| {
        let known = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        known && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    host.split('.').all(is_label) && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Small letters and digits, between them a dot, one or two underscores, or any number of dashes.
fn is_path_part(text: &str) -> bool {
    let is_word = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let is_separator =
        |between: &str| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-');
    text.starts_with(is_word) && text.ends_with(is_word) && text.split(is_word).all(is_separator)
}

fn is_tag(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=TAG_MAX).contains(&text.len()) && text.bytes().all(known) && !text.starts_with(['.', '-'])
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, digits)) = text.split_once(':') else { return false };
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    DIGESTS.contains(&(algorithm, digits.len())) && digits.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_docker_does() {
        let digest = format!("sha256:{}", "f".repeat(64));
        let rows = [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1.36", "docker.io/library/busybox:1.36"),
            ("opensuse/leap:15.3", "docker.io/opensuse/leap:15.3"),
            ("index.docker.io/busybox", "docker.io/library/busybox:latest"),
            ("test.com:5000", "docker.io/library/test.com:5000"),
            ("test.com/repo:tag", "test.com/repo:tag"),
            ("test:5000/repo", "test:5000/repo:latest"),
            ("localhost/repo", "localhost/repo:latest"),
            ("Registry/repo", "Registry/repo:latest"),
            ("sub-dom1.foo.com/bar/baz/quux:some-long_tag.2", "sub-dom1.foo.com/bar/baz/quux:some-long_tag.2"),
            ("foo/foo_bar.com:8080", "docker.io/foo/foo_bar.com:8080"),
            ("a__b/c---d/e.f", "docker.io/a__b/c---d/e.f:latest"),
            ("lowercase:Uppercase", "docker.io/library/lowercase:Uppercase"),
        ];
        for (name, whole) in rows {
            assert_eq!(parse(name).map(|reference| reference.whole()).as_deref(), Some(whole), "{name}");
            let pinned = parse(&format!("{name}@{digest}")).expect("a digest may follow");
            assert_eq!(pinned.digest(), Some(digest.as_str()), "{name}");
            assert_eq!(
                pinned.tag().is_some(),
                name.rsplit('/').next().is_some_and(|last| last.contains(':')),
                "{name}"
            );
        }
    }

    #[test]
    fn what_no_registry_takes_is_refused() {
        let long = "a".repeat(REPOSITORY_MAX + 1);
        let tag = format!("web:{}", "t".repeat(TAG_MAX + 1));
        let upper = format!("web@sha256:{}", "F".repeat(64));
        let rows = [
            "",
            ":tag",
            "/web",
            "web/",
            "a//b",
            "web:",
            "web@",
            "web:-1",
            "web:.1",
            "web:\u{e4}",
            "web:a:b",
            "Web",
            "a/Web",
            "test:5000/Web/a",
            "aa/asdf$$^/aa",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "-a.com/web",
            "a.com:/web",
            "a.com:x/web",
            "a_b.com/web",
            "web@sha256:ff",
            "web@md5:ffffffffffffffffffffffffffffffff",
            &long,
            &tag,
            &upper,
        ];
        for name in rows {
            assert!(parse(name).is_none(), "{name}");
        }
    }
}
