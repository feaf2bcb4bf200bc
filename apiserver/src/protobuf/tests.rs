//! Messages written by hand, byte by byte, and broken ones; and what is written, compared with them.

mod round_trip;

use super::*;

/// A length-delimited field.
fn sub(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
    out.extend_from_slice(content);
    out
}

fn int(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

fn envelope(api_version: &str, kind: &str, object: &[u8]) -> Vec<u8> {
    let type_meta = [sub(1, api_version.as_bytes()), sub(2, kind.as_bytes())].concat();
    [MAGIC.to_vec(), sub(1, &type_meta), sub(2, object)].concat()
}

#[test]
fn a_pod_reads_as_its_json() {
    let metadata =
        [sub(1, b"web"), sub(2, b""), sub(11, &[sub(1, b"app"), sub(2, b"shop")].concat()), sub(8, b"")].concat();
    let port = [sub(1, b"http"), int(2, 0), int(3, 80), sub(4, b"TCP")].concat();
    let probe = [
        sub(1, &sub(2, &[sub(1, b"/"), sub(2, &[int(1, 1), sub(3, b"http")].concat())].concat())),
        int(3, 0),
        int(4, 5),
    ]
    .concat();
    let limits = sub(1, &[sub(1, b"cpu"), sub(2, &sub(1, b"500m"))].concat());
    let container = [sub(1, b"c"), sub(2, b"nginx"), sub(6, &port), sub(8, &limits), sub(11, &probe)].concat();
    let volume = [sub(1, b"v"), sub(2, &sub(2, b""))].concat();
    let spec = [sub(1, &volume), sub(2, &container), int(4, 0), int(11, 0)].concat();
    let pod = decode(&envelope("v1", "Pod", &[sub(1, &metadata), sub(2, &spec)].concat())).unwrap();
    let expected = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "labels": {"app": "shop"}},
        "spec": {
            "containers": [{
                "name": "c", "image": "nginx", "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
                "resources": {"limits": {"cpu": "500m"}},
                "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 5},
            }],
            // A pointer: zero seconds of grace were asked for. A plain bool: false says nothing.
            "terminationGracePeriodSeconds": 0,
            "volumes": [{"name": "v", "emptyDir": {}}],
        },
    });
    assert_eq!(pod, expected);
}

#[test]
fn what_is_no_object_is_an_error_not_a_panic() {
    let pod = envelope("v1", "Pod", &sub(1, &sub(1, b"web")));
    assert_eq!(decode(b"{}"), Err(ProtobufError::Envelope));
    assert_eq!(decode(&envelope("v1", "Nothing", b"")), Err(ProtobufError::Kind("Nothing".into(), "v1".into())));
    for length in MAGIC.len()..pod.len() {
        let _decoded = decode(&pod[..length]).is_ok();
    }
    assert_eq!(decode(&envelope("v1", "Pod", &sub(1, &sub(1, &[0xff])))), Err(ProtobufError::Text));
    assert_eq!(decode(&envelope("v1", "Pod", &int(1, 5))), Err(ProtobufError::WireType(1)));
    assert_eq!(decode(&envelope("v1", "Pod", &[0x0a, 0xff])), Err(ProtobufError::Truncated));
}

#[test]
fn fields_are_written_in_the_order_of_their_numbers_and_maps_by_key() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "labels": {"b": "2", "a": "1"}, "creationTimestamp": "1970-01-01T00:02:03Z"},
        "spec": {"volumes": [{"name": "v", "emptyDir": {}}], "containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}}}]},
    });
    let label = |key: &[u8], value: &[u8]| sub(11, &[sub(1, key), sub(2, value)].concat());
    let metadata =
        [sub(1, b"web"), sub(8, &[int(1, 123), int(2, 0)].concat()), label(b"a", b"1"), label(b"b", b"2")].concat();
    let limits = sub(1, &[sub(1, b"cpu"), sub(2, &sub(1, b"1"))].concat());
    let spec =
        [sub(1, &[sub(1, b"v"), sub(2, &sub(2, b""))].concat()), sub(2, &[sub(1, b"c"), sub(8, &limits)].concat())]
            .concat();
    let message = [sub(1, &metadata), sub(2, &spec)].concat();
    let expected = [envelope("v1", "Pod", &message), sub(3, b""), sub(4, b"")].concat();
    assert_eq!(encode(&pod).unwrap(), expected);

    let frame = event("ADDED", &pod, 0).unwrap();
    assert_eq!(frame.message(), message);
    let event = [sub(1, b"ADDED"), sub(2, &sub(1, &expected))].concat();
    let whole = [&(event.len() as u32).to_be_bytes()[..], &event].concat();
    assert_eq!(frame.event(), whole);
    assert_ne!(frame.event_as("DELETED"), frame.event());
}

#[test]
fn a_list_written_from_its_items_is_the_list_written_whole() {
    let item = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}});
    let metadata = json!({"resourceVersion": "7", "continue": "x"});
    let list = json!({"apiVersion": "v1", "kind": "PodList", "metadata": metadata, "items": [item("a"), item("b")]});
    let frames = ["a", "b"].map(|name| event("ADDED", &item(name), 0).unwrap());
    let items: Vec<u8> = frames
        .iter()
        .flat_map(|frame| [item_head(frame.message().len()).to_vec(), frame.message().to_vec()].concat())
        .collect();
    let (before, after) = list_ends("v1", "PodList", &metadata, items.len());
    assert_eq!([before.to_vec(), items, after.to_vec()].concat(), encode(&list).unwrap());
}

#[test]
fn metadata_alone_has_a_form_for_any_kind_and_nothing_else_of_a_foreign_one() {
    let partial = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": "x"}});
    let expected =
        [envelope("meta.k8s.io/v1", "PartialObjectMetadata", &sub(1, &sub(1, b"x"))), sub(3, b""), sub(4, b"")]
            .concat();
    assert_eq!(encode(&partial).unwrap(), expected);
    let list = |version: &str| {
        let list = json!({"apiVersion": version, "kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": "7"},
            "items": [{"metadata": {"name": "x"}}]});
        encode(&list).unwrap()
    };
    let (metadata, item) = (sub(2, b"7"), sub(1, &sub(1, b"x")));
    let whole = |version: &str, message: &[u8]| {
        [envelope(version, "PartialObjectMetadataList", message), sub(3, b""), sub(4, b"")].concat()
    };
    let stable = [sub(1, &metadata), sub(2, &item)].concat();
    assert_eq!(list("meta.k8s.io/v1"), whole("meta.k8s.io/v1", &stable));
    let beta = [sub(1, &item), sub(2, &metadata)].concat();
    assert_eq!(list("meta.k8s.io/v1beta1"), whole("meta.k8s.io/v1beta1", &beta));
    assert_eq!(encode(&json!({"apiVersion": "example.com/v1", "kind": "CronTab"})), None);
    assert_eq!(encode(&json!({"apiVersion": "example.com/v1", "kind": "CronTabList", "items": []})), None);
}

#[test]
fn an_object_inside_a_raw_extension_may_be_protobuf_too() {
    let inner = encode(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}})).unwrap();
    let revision = [sub(1, &sub(1, b"r")), sub(2, &sub(1, &inner)), int(3, 1)].concat();
    let read = decode(&envelope("apps/v1", "ControllerRevision", &revision)).unwrap();
    assert_eq!(read["data"]["metadata"]["name"], "x");
    assert_eq!(read["data"]["kind"], "Pod");
}

#[test]
fn a_schema_as_deep_as_json_may_be_is_written_and_read_and_no_deeper() {
    let nested = |levels: usize| {
        let schema = (0..levels).fold(json!({"type": "object"}), |inner, _| json!({"not": inner}));
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]},
        })
    };
    // The definition around it is four messages deep.
    let deep = nested(message::DEPTH_MAX - 5);
    let written = encode(&deep).unwrap();
    assert!(decode(&written).unwrap() == deep);
    let twice = nested(message::DEPTH_MAX * 2);
    let mut encoder = Encoder::new(0);
    frame::envelope(&mut encoder, &twice).unwrap();
    assert_eq!(encoder.left_out, ["not"]);
}
