//! A program that is a script, and what it is asked.

use super::*;
use crate::pod::fixture::at;
use std::fs;

/// Providers whose programs run `script`, which finds its folder in `$HERE`.
struct Node {
    dir: tempfile::TempDir,
    providers: Providers,
}

fn node(match_images: &str, script: &str) -> Node {
    let dir = tempfile::tempdir().unwrap();
    // A shell that is there already: what was written a moment ago may not be executable yet while other tests fork.
    std::os::unix::fs::symlink("/bin/sh", dir.path().join("login")).unwrap();
    let provider = json!({
        "name": "login", "matchImages": [match_images], "defaultCacheDuration": "10s",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "args": ["-c", script, "login", "one", "two"],
        "env": [{ "name": "HERE", "value": dir.path() }],
    });
    let document = json!({ "kind": "CredentialProviderConfig", "apiVersion": "kubelet.config.k8s.io/v1", "providers": [provider] });
    let config = dir.path().join("config.json");
    fs::write(&config, document.to_string()).unwrap();
    let providers = Providers::open(&Place { config, programs: dir.path().to_owned() }).unwrap();
    Node { dir, providers }
}

impl Node {
    async fn users(&self, image: &str, now: i64) -> Vec<String> {
        let found = self.providers.credentials(image, || at(now)).await;
        assert!(found.iter().all(|credential| credential.proof.is_none()));
        found.into_iter().map(|credential| credential.auth.username).collect()
    }

    fn requests(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("requests")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn answer(more: &str, auth: &str) -> String {
    let head = r#""kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1""#;
    format!("cat >> $HERE/requests; echo \" $*\" >> $HERE/requests\necho '{{{head},{more},\"auth\":{auth}}}'")
}

const AUTH: &str =
    r#"{"r.example":{"username":"wide","password":"x"},"*.example/team":{"username":"team","password":"x"}}"#;

#[tokio::test]
async fn a_program_is_asked_once_for_what_its_answer_is_good_for() {
    let node = node("r.example", &answer(r#""cacheKeyType":"Registry""#, AUTH));
    assert_eq!(node.users("r.example/team/web:1", 0).await, ["team", "wide"]);
    let asked = r#"{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"r.example/team/web","kind":"CredentialProviderRequest"} one two"#;
    assert_eq!(node.requests(), [asked]);
    assert_eq!(node.users("r.example/other:1", 9).await, ["wide"]);
    assert_eq!(node.requests().len(), 1);
    node.users("r.example/other:1", 10).await;
    assert_eq!(node.requests().len(), 2);
    assert!(node.users("s.example/web", 0).await.is_empty() && node.requests().len() == 2);
}

#[tokio::test]
async fn an_answer_that_is_good_for_no_time_is_asked_for_again() {
    let node = node("r.example", &answer(r#""cacheKeyType":"Global","cacheDuration":"0s""#, AUTH));
    for _ in 0..2 {
        assert_eq!(node.users("r.example/a", 0).await, ["wide"]);
    }
    assert_eq!(node.requests().len(), 2);
}

#[tokio::test]
async fn many_pulls_at_once_ask_once() {
    let node = node("r.example", &answer(r#""cacheKeyType":"Image","cacheDuration":"1h""#, AUTH));
    let all = join_all((0..10).map(|_| node.users("r.example/a", 0))).await;
    assert!(all.iter().all(|users| users == &["wide"]) && node.requests().len() == 1);
}

#[tokio::test]
async fn many_pulls_at_once_hear_of_one_failure() {
    let node = node("r.example", "cat >> $HERE/requests; echo >> $HERE/requests; exit 1");
    let all = join_all((0..10).map(|_| node.users("r.example/a", 0))).await;
    assert!(all.iter().all(Vec::is_empty) && node.requests().len() == 1, "{:?}", node.requests());
    node.users("r.example/a", 0).await;
    assert_eq!(node.requests().len(), 2, "the next pull asks again");
}

#[tokio::test]
async fn a_program_that_never_ends_is_given_up() {
    let mut node = node("r.example", "exec sleep 600");
    node.providers.0[0].patience = Duration::from_millis(50);
    assert!(node.users("r.example/a", 0).await.is_empty());
}

#[tokio::test]
async fn what_a_program_says_wrongly_is_not_repeated() {
    let wrong = answer(r#""cacheKeyType":"Image""#, r#"{"r.example":"secret"}"#);
    let node = node("r.example", &wrong);
    let error = node.providers.0[0].run("r.example/a").await.unwrap_err().to_string();
    assert!(error.contains("Data error at line 1") && !error.contains("secret"), "{error}");
    let node = self::node("r.example", "head -c 70000 /dev/zero");
    let error = node.providers.0[0].run("r.example/a").await.unwrap_err();
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(source.contains("more than 65536 bytes"), "{error}: {source}");
}

#[tokio::test]
async fn a_program_that_fails_gives_nothing() {
    for script in [
        "echo no >&2; exit 1",
        "echo '{}'",
        "exec 0<&-; true",
        &answer(r#""cacheKeyType":"Some""#, AUTH),
        &answer(r#""cacheKeyType":"Image""#, AUTH).replace("Response", "Answer"),
        &answer(r#""cacheKeyType":"Image""#, "null"),
    ] {
        assert!(node("r.example", script).users("r.example/a", 0).await.is_empty(), "{script}");
    }
    let Node { dir, providers } = node("r.example", "true");
    fs::remove_file(dir.path().join("login")).unwrap();
    assert!(providers.credentials("r.example/a", || at(0)).await.is_empty());
    let place = Place { config: dir.path().join("config.json"), programs: dir.path().to_owned() };
    assert!(matches!(Providers::open(&place), Err(config::Error::NoProgram { .. })), "nor does the next agent start");
}

#[test]
fn images_are_matched_by_host_port_and_beginning_of_the_path() {
    for (pattern, image, fits) in [
        ("r.example", "r.example/a", true),
        ("*.r.example", "eu.r.example/a", true),
        ("*.r.example", "a.eu.r.example/a", false),
        ("*.*.r.example", "a.eu.r.example/a", true),
        ("app*.r.example", "app-1.r.example/a", true),
        ("r.example:5000", "r.example/a", false),
        ("r.example:5000/team", "r.example:5000/team/a", true),
        ("r.example/team", "r.example/other/a", false),
        ("https://r.example", "r.example/a", true),
        ("docker.io", "docker.io/library/web", true),
    ] {
        assert_eq!(matches_image(pattern, image), fits, "{pattern} {image}");
    }
}
