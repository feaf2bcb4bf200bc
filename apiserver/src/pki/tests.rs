//! First and later starts on one folder, and folders that somebody broke.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const NOW: &str = "2026-11-20T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn params() -> Params {
    Params {
        service_ip: "10.43.0.1".parse().unwrap(),
        advertise: "192.0.2.7".parse().unwrap(),
        hostname: "web-1".to_owned(),
        domain: "cluster.local".to_owned(),
        extra_sans: vec![],
    }
}

#[test]
fn a_second_start_keeps_every_credential() {
    let dir = tempfile::tempdir().unwrap();
    let first = Pki::load_or_create(dir.path(), &params(), now()).unwrap();
    let second = Pki::load_or_create(dir.path(), &params(), now()).unwrap();
    assert_eq!(first.ca_pem(), second.ca_pem());
    assert_eq!(first.serving().certificate_pem, second.serving().certificate_pem);
    assert_eq!(first.admin().certificate_pem, second.admin().certificate_pem);
    assert_eq!(first.service_account_key(), second.service_account_key());
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        let secret = entry.path().extension().is_some_and(|e| e == "key");
        assert_eq!(mode, if secret { 0o600 } else { 0o644 }, "{:?}", entry.path());
    }
}

#[test]
fn a_new_address_or_a_near_end_renews_the_leaf_but_not_the_ca() {
    let dir = tempfile::tempdir().unwrap();
    let first = Pki::load_or_create(dir.path(), &params(), now()).unwrap();
    let moved = Params { advertise: "192.0.2.8".parse().unwrap(), ..params() };
    let second = Pki::load_or_create(dir.path(), &moved, now()).unwrap();
    assert_ne!(first.serving().certificate_pem, second.serving().certificate_pem);
    assert_eq!(first.admin().certificate_pem, second.admin().certificate_pem);
    let later = "2027-10-20T12:00:00Z".parse().unwrap();
    let third = Pki::load_or_create(dir.path(), &moved, later).unwrap();
    assert_eq!(first.ca_pem(), third.ca_pem());
    assert_ne!(second.admin().certificate_pem, third.admin().certificate_pem);
}

#[test]
fn broken_files_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    Pki::load_or_create(dir.path(), &params(), now()).unwrap();
    let error = |dir: &Path| Pki::load_or_create(dir, &params(), now()).err().unwrap().to_string();
    let (ca, key) = (dir.path().join("ca.crt"), dir.path().join("ca.key"));

    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    assert!(error(dir.path()).contains("restore it from a backup"));
    write_atomic(&key, KeyPair::generate().unwrap().serialize_pem().as_bytes(), Secrecy::Secret).unwrap();
    assert!(error(dir.path()).contains("do not belong together"));
    write_atomic(&key, &kept, Secrecy::Public).unwrap();
    assert!(error(dir.path()).contains("chmod 600"));
    write_atomic(&key, &kept, Secrecy::Secret).unwrap();
    fs::write(&ca, "garbage").unwrap();
    assert!(error(dir.path()).contains("ca.crt is not a valid"));
}

#[test]
fn a_certificate_carries_the_name_that_was_judged() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::load_or_create(dir.path(), &params(), now()).unwrap();
    let mut wanted = rcgen::CertificateParams::default();
    wanted.distinguished_name.push(rcgen::DnType::CommonName, "system:node:n2");
    wanted.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, "rack 7");
    let pem = wanted.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
    let read = request::parse(pem.as_bytes()).unwrap();
    let judged = request::Asked {
        common_name: "system:node:n1".to_owned(),
        organizations: vec!["system:nodes".to_owned()],
        ..read
    };
    let terms = request::Terms { usages: &[], seconds: 600 };
    let signed = pem::parse(pki.sign_request(&judged, &terms, now()).unwrap()).unwrap();
    let (_, certificate) = x509_parser::parse_x509_certificate(signed.contents()).unwrap();
    assert_eq!(certificate.subject().to_string(), "CN=system:node:n1, OU=rack 7, O=system:nodes");
}

#[test]
fn a_certificate_carries_all_groups_of_its_user() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::load_or_create(dir.path(), &params(), now()).unwrap();
    let mut wanted = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    wanted.distinguished_name.push(rcgen::DnType::CommonName, "ann");
    let pem = wanted.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
    let organizations: Vec<String> = (0..40).map(|at| format!("group-{at:02}")).collect();
    let judged = request::Asked { organizations: organizations.clone(), ..request::parse(pem.as_bytes()).unwrap() };
    let terms = request::Terms { usages: &["client auth".to_owned()], seconds: 600 };
    let signed = pem::parse(pki.sign_request(&judged, &terms, now()).unwrap()).unwrap();
    let identity = crate::auth::x509::identity(signed.contents()).unwrap().identity;
    assert_eq!((identity.user.as_str(), &identity.groups), ("ann", &organizations));
    let (_, certificate) = x509_parser::parse_x509_certificate(signed.contents()).unwrap();
    let ca = pem::parse(pki.ca_pem()).unwrap();
    let (_, authority) = x509_parser::parse_x509_certificate(ca.contents()).unwrap();
    assert!(certificate.verify_signature(Some(authority.public_key())).is_ok());
    assert!(certificate.subject_alternative_name().unwrap().is_some());
}
