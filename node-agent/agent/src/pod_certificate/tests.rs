//! A credential from the first request to the end of the certificate.

use super::*;
use crate::pod::fixture::at;
use serde_json::json;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

fn request(status: &serde_json::Value) -> PodCertificateRequest {
    let object = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "PodCertificateRequest",
        "metadata": {"name": "req-a", "namespace": "shop"}, "status": status,
        "spec": {"signerName": "", "podName": "", "podUID": "", "serviceAccountName": "", "serviceAccountUID": "",
            "nodeName": "", "nodeUID": "", "stubPKCS10Request": ""},
    });
    serde_json::from_value(object).unwrap()
}

fn decided(kind: &str) -> serde_json::Value {
    json!([{"type": kind, "status": "True", "reason": "Why", "message": "so", "lastTransitionTime": "1970-01-01T00:00:00Z"}])
}

/// Good from hour 0 to hour 24, to be renewed at hour 12.
fn issued() -> PodCertificateRequest {
    request(&json!({
        "conditions": decided("Issued"), "certificateChain": format!("# comment\n{PEM}"),
        "beginRefreshAt": at(12 * 3600).to_string(), "notAfter": at(24 * 3600).to_string(),
    }))
}

fn asked(now: i64) -> Credential {
    let mut credential = Credential::default();
    assert!(credential.is_due(at(now)));
    credential.was_asked(Asked { key: "key".to_owned(), request: "req-a".to_owned(), at: at(now) });
    credential
}

fn renewal() -> i64 {
    12 * 3600 + spread("req-a").as_secs() + 1
}

#[test]
fn a_certificate_is_held_once_it_is_issued() {
    let mut credential = asked(0);
    assert!(!credential.is_due(at(1)) && credential.is_young(at(4)) && !credential.is_young(at(5)));
    assert_eq!(credential.settle(Some(&request(&json!({}))), at(1)), None);
    assert_eq!(credential.pair().unwrap_err(), "credential bundle is not issued yet");
    assert_eq!(credential.settle(Some(&issued()), at(2)), None);
    let pair = credential.pair().unwrap();
    assert_eq!((pair.key.as_str(), pair.chain.as_str()), ("key", PEM));
    assert!(!credential.is_due(at(12 * 3600 - 1)) && credential.is_due(at(renewal())));
    assert_eq!(credential.look_at(), Some(later(at(12 * 3600), spread("req-a"))));
}

#[test]
fn a_decision_against_the_first_request_stands() {
    for (kind, verb) in [("Denied", "was denied"), ("Failed", "failed")] {
        let mut credential = asked(0);
        let note = credential.settle(Some(&request(&json!({"conditions": decided(kind)}))), at(1)).unwrap();
        let text = format!("PodCertificateRequest shop/req-a {verb}, reason=\"Why\", message=\"so\"");
        assert_eq!((note.reason, &note.message), (kind, &text));
        assert_eq!(credential.pair().unwrap_err(), text);
        assert!(!credential.is_due(at(86_400)) && credential.request().is_none());
    }
}

#[test]
fn a_request_that_is_gone_is_made_again_after_a_while() {
    let mut credential = asked(0);
    assert_eq!(credential.settle(None, at(599)), None);
    assert!(!credential.is_due(at(599)));
    credential.settle(None, at(600 + 300));
    assert!(credential.is_due(at(600 + 300)));
}

#[test]
fn while_a_renewal_is_under_way_the_certificate_stays_and_lateness_is_said_once() {
    let mut credential = asked(0);
    credential.settle(Some(&issued()), at(2));
    credential.was_asked(Asked { key: "next".to_owned(), request: "req-a".to_owned(), at: at(renewal()) });
    assert_eq!(credential.pair().unwrap().key, "key");
    assert_eq!(credential.note_if_late(at(renewal() + 599)), None);
    assert!(credential.look_at().unwrap() <= at(renewal() + 601));
    let reason = |note: Option<Note>| note.map(|note| note.reason);
    assert_eq!(reason(credential.note_if_late(at(renewal() + 601))), Some("CertificateOverdueForRefresh"));
    assert_eq!(reason(credential.note_if_late(at(renewal() + 700))), None);
    assert_eq!(reason(credential.note_if_late(at(86_401))), Some("CertificateExpired"));
    assert_eq!(reason(credential.note_if_late(at(90_000))), None);
    credential.settle(Some(&issued()), at(90_000));
    assert_eq!(credential.pair().unwrap().key, "next");
}

#[test]
fn a_renewal_that_is_refused_is_told_and_leaves_what_is_held() {
    let mut credential = asked(0);
    credential.settle(Some(&issued()), at(2));
    credential.was_asked(Asked { key: "next".to_owned(), request: "req-a".to_owned(), at: at(renewal()) });
    let denied = request(&json!({"conditions": decided("Denied")}));
    assert_eq!(credential.settle(Some(&denied), at(renewal() + 1)).unwrap().reason, "Denied");
    assert_eq!(credential.pair().unwrap().key, "key");
    assert!(!credential.is_due(at(86_400)));
    // There is nothing to wait for but the end.
    assert!(credential.note_if_late(at(renewal() + 601)).is_some());
    assert_eq!(credential.look_at(), Some(at(86_401)));
    assert!(credential.note_if_late(at(86_401)).is_some());
    assert_eq!(credential.look_at(), None);
}

#[test]
fn a_renewal_that_could_not_be_asked_for_is_tried_again_in_a_minute() {
    let mut credential = asked(0);
    credential.settle(Some(&issued()), at(2));
    credential.ask_later(at(renewal()));
    assert!(!credential.is_due(at(renewal() + 59)) && credential.is_due(at(renewal() + 60)));
    assert_eq!(credential.look_at(), Some(at(renewal() + 60)));
}
