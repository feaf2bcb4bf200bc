//! Paths and queries to typed requests, and what is refused on the way.

use super::*;
use http::Method;

fn find(group: &str, version: &str, plural: &str) -> Option<Arc<dyn Kind>> {
    kinds::table::find(group, version, plural).cloned()
}

fn target(method: &Method, path: &str, query: Option<&str>) -> Result<Target, ApiError> {
    parse(method, path, query, Identity::default(), find)
}

fn words(method: &Method, uri: &str) -> String {
    let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
    match target(method, path, query) {
        Err(error) => format!("{}", error.code()),
        Ok(Target::NonResource(request)) => format!("{} {}", request.verb, request.path),
        Ok(Target::Resource(request)) => {
            let known = if request.kind.is_some() { "" } else { " unknown" };
            format!(
                "{} {}/{}/{}/{} ns={} name={} rest={}{known}",
                request.verb.as_str(),
                request.group,
                request.version,
                request.resource,
                request.subresource,
                request.ns,
                request.name,
                request.rest
            )
        }
    }
}

#[test]
fn paths_become_typed_requests() {
    let (get, post, delete, put) = (Method::GET, Method::POST, Method::DELETE, Method::PUT);
    let table = [
        (&get, "/api/v1/pods", "list /v1/pods/ ns= name= rest="),
        (&get, "/api/v1/namespaces/a/pods?watch=1", "watch /v1/pods/ ns=a name= rest="),
        (&get, "/api/v1/watch/namespaces/a/pods", "watch /v1/pods/ ns=a name= rest="),
        (&get, "/api/v1/namespaces/a/pods/x/log", "get /v1/pods/log ns=a name=x rest="),
        (&get, "/api/v1/namespaces/a/pods/x/proxy/b/c", "get /v1/pods/proxy ns=a name=x rest=b/c"),
        (&put, "/api/v1/namespaces/a/finalize", "update /v1/namespaces/finalize ns=a name=a rest="),
        (&get, "/api/v1/namespaces/a", "get /v1/namespaces/ ns=a name=a rest="),
        (&post, "/apis/apps/v1/namespaces/a/deployments", "create apps/v1/deployments/ ns=a name= rest="),
        (&delete, "/apis/apps/v1/namespaces/a/deployments", "deletecollection apps/v1/deployments/ ns=a name= rest="),
        (&get, "/api/v1/pods?fieldSelector=metadata.name%3Dx", "list /v1/pods/ ns= name=x rest="),
        (&get, "/apis/apps/v1", "get /apis/apps/v1"),
        (&get, "/healthz", "get /healthz"),
        (&get, "/", "get /"),
    ];
    for (method, uri, expected) in table {
        assert_eq!(words(method, uri), expected, "{method} {uri}");
    }
}

#[test]
fn names_that_could_leave_their_place_are_refused() {
    for path in [
        "/api/v1/namespaces/%2e%2e/pods",
        "/api/v1/namespaces/a/pods/a%2Fb",
        "/api/v1/namespaces/a/pods/%2525",
        "/api/v1/namespaces//pods",
    ] {
        assert_eq!(words(&Method::GET, path), "400", "{path}");
    }
}

#[test]
fn scope_must_fit_the_kind() {
    assert!(words(&Method::GET, "/api/v1/namespaces/a/nodes/n").ends_with("unknown"));
    assert!(words(&Method::GET, "/api/v1/pods/x").ends_with("unknown"));
    assert!(!words(&Method::POST, "/api/v1/pods").ends_with("unknown"));
}

/// What a LIST or WATCH with this query is told; nothing where it is sound.
fn refusal(verb: Verb, query: &str) -> String {
    let row = kinds::table::find("", "v1", "pods").unwrap().row();
    let checked = Options::parse(&Method::GET, Some(query)).and_then(|options| match verb {
        Verb::Watch => options.check_watch(row),
        _ => options.check_list(),
    });
    checked.map_or_else(|error| format!("{} {error}", error.code()), |()| String::new())
}

#[test]
fn list_options_are_checked_as_upstream_does() {
    let invalid = |errors: &str| format!("422 ListOptions.meta.k8s.io \"\" is invalid: {errors}");
    let forbidden = |why: &str| invalid(&format!("resourceVersionMatch: Forbidden: resourceVersionMatch {why}"));
    for (query, told) in [
        ("limit=500&resourceVersion=0", String::new()),
        ("resourceVersion=5&resourceVersionMatch=Exact", String::new()),
        ("resourceVersion=0&resourceVersionMatch=NotOlderThan", String::new()),
        ("continue=abc&resourceVersion=0", String::new()),
        ("resourceVersionMatch=Exact", forbidden("is forbidden unless resourceVersion is provided")),
        (
            "resourceVersionMatch=Exact&resourceVersion=0",
            forbidden("\"exact\" is forbidden for resourceVersion \"0\""),
        ),
        (
            "resourceVersionMatch=Exact&resourceVersion=1&continue=x",
            forbidden("is forbidden when continue is provided"),
        ),
        (
            "resourceVersionMatch=Newest&resourceVersion=1",
            invalid(
                "resourceVersionMatch: Unsupported value: \"Newest\": supported values: \"Exact\", \"NotOlderThan\", \"\"",
            ),
        ),
        (
            "resourceVersionMatch=NotOlderThan&continue=x",
            invalid(
                "[resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided, \
                 resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided]",
            ),
        ),
        ("sendInitialEvents=false", invalid("sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list")),
        (
            "continue=abc&resourceVersion=5",
            "400 specifying resource version is not allowed when using continue".to_owned(),
        ),
        (
            "resourceVersion=x",
            "400 invalid resource version: resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax"
                .to_owned(),
        ),
    ] {
        assert_eq!(refusal(Verb::List, query), told, "{query}");
    }
}

#[test]
fn watch_options_are_checked_as_upstream_does() {
    let invalid = |errors: &str| format!("422 ListOptions.meta.k8s.io \"\" is invalid: {errors}");
    let needs =
        "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
    let alone = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
    let unknown = |value: &str| {
        format!("resourceVersionMatch: Unsupported value: \"{value}\": supported values: \"NotOlderThan\"")
    };
    for (query, told) in [
        ("resourceVersion=5", String::new()),
        ("sendInitialEvents=true&resourceVersionMatch=NotOlderThan", String::new()),
        ("sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=3", String::new()),
        ("sendInitialEvents=true", invalid(needs)),
        ("sendInitialEvents=false", invalid(needs)),
        ("sendInitialEvents=true&resourceVersionMatch=Exact", invalid(&format!("[{needs}, {}]", unknown("Exact")))),
        ("resourceVersionMatch=NotOlderThan", invalid(alone)),
        ("resourceVersionMatch=Exact", invalid(&format!("[{alone}, {}]", unknown("Exact")))),
        ("resourceVersionMatch=x", invalid(&format!("[{alone}, {}]", unknown("x")))),
        (
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&continue=x",
            invalid("resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided"),
        ),
        (
            "resourceVersion=-1",
            "422 pods \"\" is invalid: resourceVersion: Invalid value: \"-1\": strconv.ParseUint: parsing \"-1\": invalid syntax"
                .to_owned(),
        ),
    ] {
        assert_eq!(refusal(Verb::Watch, query), told, "{query}");
    }
}

#[test]
fn a_watch_may_last_a_year_at_most() {
    for (query, wanted) in [
        ("timeoutSeconds=0", None),
        ("timeoutSeconds=300", Some(300)),
        ("timeoutSeconds=9223372036854775807", Some(31_536_000)),
        ("timeoutSeconds=-1", Some(0)),
    ] {
        assert_eq!(Options::parse(&Method::GET, Some(query)).unwrap().timeout_seconds, wanted, "{query}");
    }
}

#[test]
fn the_old_watch_of_one_object_shows_no_other() {
    let path = "/api/v1/watch/namespaces/a/secrets/x";
    let Ok(Target::Resource(request)) = target(&Method::GET, path, Some("fieldSelector=type%3Dt")) else { panic!() };
    assert_eq!((request.verb, request.name.as_str()), (Verb::Watch, "x"));
    assert_eq!(request.options.selection.fields.to_string(), "type=t,metadata.name=x");
    assert!(target(&Method::GET, "/api/v1/watch/namespaces/a/secrets/x,y", None).is_err());
}
