//! Headers as clients send them, and as they should not.

use super::*;
use proptest::prelude::*;

const TABLES: &str =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
const METADATA: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

#[test]
fn the_first_clause_that_can_be_served_wins() {
    use Format::*;
    use MetaVersion::*;
    use Shape::*;
    let table = [
        ("", Offer::Builtin, Some((Json, Object))),
        ("*/*", Offer::Builtin, Some((Json, Object))),
        ("application/*", Offer::Builtin, Some((Json, Object))),
        ("application/vnd.kubernetes.protobuf,application/json", Offer::Builtin, Some((Protobuf, Object))),
        ("application/vnd.kubernetes.protobuf,application/json", Offer::Custom, Some((Json, Object))),
        ("application/vnd.kubernetes.protobuf", Offer::Custom, None),
        ("application/vnd.kubernetes.protobuf;stream=watch", Offer::Builtin, Some((Protobuf, Object))),
        ("application/yaml;stream=watch", Offer::Builtin, None),
        ("application/json;stream=other", Offer::Builtin, None),
        (TABLES, Offer::Builtin, Some((Json, Table(V1)))),
        (TABLES, Offer::Untabled, Some((Json, Object))),
        ("application/json;as=Table;v=v1;g=meta.k8s.io", Offer::Untabled, None),
        (
            "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
            Offer::Builtin,
            Some((Json, Table(V1Beta1))),
        ),
        (
            "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json",
            Offer::Builtin,
            Some((Json, Object)),
        ),
        ("application/yaml;as=Table;v=v1;g=meta.k8s.io", Offer::Builtin, Some((Yaml, Table(V1)))),
        (METADATA, Offer::Custom, Some((Protobuf, Metadata(V1)))),
        (METADATA, Offer::Plain, Some((Json, Object))),
        (
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            Offer::Builtin,
            Some((Json, MetadataList(V1))),
        ),
        ("application/json;q=0.5,application/yaml", Offer::Builtin, Some((Yaml, Object))),
        ("*/*,application/yaml", Offer::Builtin, Some((Yaml, Object))),
        ("application/yaml;q=x,application/json", Offer::Builtin, Some((Json, Object))),
        ("application/json;g=meta.k8s.io;v=v1", Offer::Builtin, None),
        ("application/json;as=Table;v=v1;g=meta.k8s.io", Offer::Builtin.without_tables(), None),
        (TABLES, Offer::Custom.without_tables(), Some((Json, Object))),
        (METADATA, Offer::Custom.without_tables(), Some((Protobuf, Metadata(V1)))),
        ("application/cbor", Offer::Builtin, None),
        ("text/html", Offer::Builtin, None),
    ];
    for (accept, offer, expected) in table {
        assert_eq!(accepted(accept, offer).map(|found| (found.format, found.shape)), expected, "{accept}");
    }
    assert!(accepted("application/json;pretty=1", Offer::Builtin).unwrap().pretty);
}

#[test]
fn an_error_is_shown_in_what_the_client_reads() {
    let of = |accept: &str| Answer::of_error(Some(&accept.parse().unwrap()), false).format;
    assert_eq!(of("application/vnd.kubernetes.protobuf"), Format::Protobuf);
    assert_eq!(of(TABLES), Format::Json);
    assert_eq!(of("text/html"), Format::Json);
}

#[test]
fn discovery_is_aggregated_for_those_who_prefer_it() {
    let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
    let table = [
        (format!("{v2},{beta},application/json"), true),
        (format!("{v2};profile=nopeer,application/json"), true),
        (format!("{beta},application/json"), false),
        (format!("application/json;q=0.9,{v2}"), true),
        (format!("application/json,{v2}"), false),
        ("*/*".to_owned(), false),
        (String::new(), false),
    ];
    for (accept, expected) in table {
        assert_eq!(wants_aggregated_discovery(&accept), expected, "{accept}");
    }
}

#[test]
fn a_body_in_an_unknown_format_is_refused_by_name() {
    let of = |media: &'static str, row: &Row| {
        object_format(&HeaderMap::from_iter([(CONTENT_TYPE, media.parse().unwrap())]), row)
    };
    let pods = kinds::table::find("", "v1", "pods").unwrap().row();
    assert_eq!(of("application/json;charset=utf-8", pods), Ok(BodyFormat::Json));
    assert_eq!(of("application/vnd.kubernetes.protobuf", pods), Ok(BodyFormat::Protobuf));
    assert_eq!(of("application/cbor", pods), Err(ApiError::unsupported_media_type(SUPPORTED)));
    let custom = Row { schema: "com.example.v1.Thing".into(), ..pods.clone() };
    assert_eq!(
        of("application/vnd.kubernetes.protobuf", &custom),
        Err(ApiError::unsupported_media_type(&["application/json", "application/yaml"]))
    );
}

proptest! {
    #[test]
    fn any_header_has_an_answer_that_is_offered(header in "[a-z*/;=,. 0-9-]{0,200}") {
        if let Some(answer) = accepted(&header, Offer::Custom) {
            prop_assert!(Offer::Custom.allows(answer.format, answer.shape));
        }
    }
}

#[test]
fn a_component_without_a_user_agent_goes_by_its_program() {
    let mut headers = HeaderMap::new();
    for (user, program) in [
        ("system:node:n1", "kubelet"),
        ("system:kube-scheduler", "kube-scheduler"),
        ("system:serviceaccount:kube-system:job-controller", "kube-controller-manager"),
        ("system:serviceaccount:default:job-controller", "unknown"),
        ("jane", "unknown"),
    ] {
        assert_eq!(agent(&headers, user), program);
    }
    headers.insert(USER_AGENT, HeaderValue::from_static("kubectl/v1.32 (linux/amd64)"));
    assert_eq!(agent(&headers, "system:node:n1"), "kubectl");
}
