//! Messages written by hand, byte by byte, and broken ones.

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
            // A pointer: zero seconds of grace were asked for. A plain bool: false is kept, it says nothing.
            "terminationGracePeriodSeconds": 0, "hostNetwork": false,
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
