//! Signing: CA, leaves, and whether an existing leaf still fits.

use super::request::address;
use super::{Credential, PkiError};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SerialNumber,
};
use std::collections::BTreeSet;
use std::path::Path;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The CA outlives the machines; renewing it means telling every client.
const CA_SECONDS: i64 = 10 * 365 * 86_400;
/// A leaf lives a year, as kubeadm's do.
const LEAF_SECONDS: i64 = 365 * 86_400;
/// A restart within the last 90 days of a leaf renews it.
const RENEW_SECONDS: i64 = 90 * 86_400;
/// Clocks of nodes may be behind by so much.
pub(super) const SKEW_SECONDS: i64 = 300;
/// rcgen keeps one value per attribute type.
const ORGANISATIONS_MAX: usize = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    Client,
    Server,
}

pub(super) struct Subject<'a> {
    pub cn: &'a str,
    pub orgs: &'a [&'a str],
    pub sans: &'a [String],
    pub usage: Usage,
}

pub(super) struct CaParts {
    pub pem: String,
    pub key_pem: String,
    pub issuer: Issuer<'static, KeyPair>,
    pub der: Vec<u8>,
}

pub(super) fn new_ca(called: &str, now: Timestamp) -> Result<CaParts, PkiError> {
    let sign = |source| PkiError::Sign { subject: "the certificate authority".to_owned(), source };
    let key = KeyPair::generate().map_err(sign)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = name(called, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(serial());
    (params.not_before, params.not_after) = (at(now, -SKEW_SECONDS), at(now, CA_SECONDS));
    let certificate = params.self_signed(&key).map_err(sign)?;
    let (pem, der, key_pem) = (certificate.pem(), certificate.der().to_vec(), key.serialize_pem());
    Ok(CaParts { pem, key_pem, issuer: Issuer::new(params, key), der })
}

pub(super) fn load_ca(
    certificate_pem: &str,
    key_pem: &str,
    (certificate, key): (&Path, &Path),
    now: Timestamp,
) -> Result<CaParts, PkiError> {
    let der = leaf_der(certificate_pem, certificate)?;
    let pair = KeyPair::from_pem(key_pem).map_err(|error| malformed(key, "private key", &error))?;
    let parsed = parse(&der, certificate)?;
    if parsed.public_key().raw != pair.subject_public_key_info() {
        return Err(PkiError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() });
    }
    if parsed.validity().not_after.timestamp() <= now.as_second() {
        return Err(PkiError::CaExpired { path: certificate.to_owned() });
    }
    let issuer = Issuer::from_ca_cert_der(&der.clone().into(), pair)
        .map_err(|error| malformed(certificate, "certificate authority", &error))?;
    Ok(CaParts { pem: certificate_pem.to_owned(), key_pem: key_pem.to_owned(), issuer, der })
}

pub(super) fn sign(
    issuer: &Issuer<'static, KeyPair>,
    subject: &Subject<'_>,
    now: Timestamp,
) -> Result<Credential, PkiError> {
    if subject.orgs.len() > ORGANISATIONS_MAX {
        return Err(PkiError::Organisations { found: subject.orgs.len(), max: ORGANISATIONS_MAX });
    }
    let sign = |source| PkiError::Sign { subject: subject.cn.to_owned(), source };
    let key = KeyPair::generate().map_err(sign)?;
    let mut params = CertificateParams::new(subject.sans.to_vec()).map_err(sign)?;
    params.distinguished_name = name(subject.cn, subject.orgs);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![match subject.usage {
        Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
    }];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial());
    (params.not_before, params.not_after) = (at(now, -SKEW_SECONDS), at(now, LEAF_SECONDS));
    let certificate = params.signed_by(&key, issuer).map_err(sign)?;
    Ok(Credential { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

/// Whether a leaf on disk is of this CA, for this subject, and not near its end.
pub(super) fn fits(
    credential: &Credential,
    subject: &Subject<'_>,
    ca: &CaParts,
    (certificate, key): (&Path, &Path),
    now: Timestamp,
) -> Result<bool, PkiError> {
    let der = leaf_der(&credential.certificate_pem, certificate)?;
    let leaf = parse(&der, certificate)?;
    let pair = KeyPair::from_pem(&credential.key_pem).map_err(|error| malformed(key, "private key", &error))?;
    let authority = parse(&ca.der, certificate)?;
    let common_name = leaf.subject().iter_common_name().next().and_then(|value| value.as_str().ok());
    let orgs: Vec<&str> = leaf.subject().iter_organization().filter_map(|value| value.as_str().ok()).collect();
    let wanted: BTreeSet<String> = subject.sans.iter().cloned().collect();
    Ok(leaf.public_key().raw == pair.subject_public_key_info()
        && leaf.verify_signature(Some(authority.public_key())).is_ok()
        && leaf.validity().not_after.timestamp() - now.as_second() > RENEW_SECONDS
        && leaf.validity().not_before.timestamp() <= now.as_second()
        && common_name == Some(subject.cn)
        && orgs == subject.orgs
        && sans(&leaf) == wanted)
}

fn sans(leaf: &X509Certificate<'_>) -> BTreeSet<String> {
    let Ok(Some(extension)) = leaf.subject_alternative_name() else { return BTreeSet::new() };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|ip| ip.to_string()),
            _ => None,
        })
        .collect()
}

fn parse<'a>(der: &'a [u8], path: &Path) -> Result<X509Certificate<'a>, PkiError> {
    X509Certificate::from_der(der).map(|(_, parsed)| parsed).map_err(|error| malformed(path, "certificate", &error))
}

fn leaf_der(text: &str, path: &Path) -> Result<Vec<u8>, PkiError> {
    let block = pem::parse(text).map_err(|error| malformed(path, "PEM certificate", &error))?;
    if block.tag() != "CERTIFICATE" {
        return Err(malformed(path, "PEM certificate", &format!("it holds a {}", block.tag())));
    }
    Ok(block.into_contents())
}

fn malformed(path: &Path, what: &'static str, error: &dyn std::fmt::Display) -> PkiError {
    PkiError::Malformed { path: path.to_owned(), what, detail: error.to_string() }
}

fn name(cn: &str, orgs: &[&str]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for org in orgs {
        name.push(DnType::OrganizationName, *org);
    }
    name.push(DnType::CommonName, cn);
    name
}

pub(super) fn serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    bytes[0] &= 0x7f; // a serial is a positive integer
    SerialNumber::from_slice(&bytes)
}

pub(super) fn at(now: Timestamp, offset_seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(now.as_second() + offset_seconds)
        .expect("jiff's range plus ten years is inside time's range for any real clock")
}
