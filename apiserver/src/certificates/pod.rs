//! Certificates of pods: whether a request is signed by the key that it names, and whether what a signer issued is for that
//! key and what its status says. Pure. k8s: `apis/certificates/validation`, of PodCertificateRequests

use jiff::{SignedDuration, Timestamp};
use kinds::tree::text;
use serde_json::Value;
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::error::X509Error;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION,
    OID_SIG_ED25519,
};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

const RSA_BITS: [usize; 2] = [3072, 4096];
/// How far a signer's clock may be from this server's.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// The shortest life of a certificate.
const LIFE_MIN: SignedDuration = SignedDuration::from_hours(1);
/// A renewal begins so long after the certificate does, and so long before it ends.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// A field of the status, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) field: &'static str,
    pub(crate) detail: String,
}

fn wrong<T>(field: &'static str, detail: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { field, detail: detail.into() })
}

fn chain<T>(detail: impl Into<String>) -> Result<T, Wrong> {
    wrong("status.certificateChain", detail)
}

fn read(der: &[u8]) -> Result<X509CertificationRequest<'_>, String> {
    match X509CertificationRequest::from_der(der) {
        Ok(([], request)) => Ok(request),
        Ok(_) | Err(_) => Err("must be a DER-encoded PKCS#10 certificate request".to_owned()),
    }
}

/// Whoever made the request has the key, which is of a kind that pods get.
pub(crate) fn check_request(der: &[u8]) -> Result<(), String> {
    let request = read(der)?;
    key_is_known(&request.certification_request_info.subject_pki)?;
    match request.verify_signature() {
        Ok(()) => Ok(()),
        Err(X509Error::SignatureUnsupportedAlgorithm) => {
            Err("is signed in a way that this server cannot check (SHA-256 and SHA-384, and no curve P521)".to_owned())
        }
        Err(_) => Err("signature does not verify: the request is not signed by the key that it names".to_owned()),
    }
}

fn key_is_known(key: &SubjectPublicKeyInfo<'_>) -> Result<(), String> {
    let algorithm = &key.algorithm.algorithm;
    if *algorithm == OID_SIG_ED25519 {
        return Ok(());
    }
    if *algorithm == OID_PKCS1_RSAENCRYPTION {
        let bits = key.parsed().map_err(|_| "invalid RSA public key".to_owned())?.key_size();
        let known = RSA_BITS.contains(&bits);
        return if known { Ok(()) } else { Err("RSA keys must have modulus size 3072 or 4096".to_owned()) };
    }
    if *algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
        return Err("unknown public key type; supported types are Ed25519, ECDSA, and RSA".to_owned());
    }
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    if curve.is_some_and(|curve| [OID_EC_P256, OID_NIST_EC_P384, OID_NIST_EC_P521].contains(&curve)) {
        return Ok(());
    }
    Err("elliptic public keys must use curve P256, P384, or P521".to_owned())
}

/// What the status of a request says about the certificate that it has become.
pub(crate) fn check_issued(request: &[u8], status: &Value, seconds_max: i64, now: Timestamp) -> Result<(), Wrong> {
    let Ok(blocks) = pem::parse_many(text(status, "certificateChain")) else {
        return chain("issued certificate chain must consist entirely of CERTIFICATE PEM blocks");
    };
    if blocks.iter().any(|block| block.tag() != "CERTIFICATE") {
        return chain("issued certificate chain must consist entirely of CERTIFICATE PEM blocks");
    }
    let [leaf, others @ ..] = &blocks[..] else {
        return chain("issued certificate chain must contain at least one certificate");
    };
    let Ok(([], certificate)) = X509Certificate::from_der(leaf.contents()) else {
        return chain("leaf certificate does not parse as valid X.509");
    };
    if others.iter().any(|block| !matches!(X509Certificate::from_der(block.contents()), Ok(([], _)))) {
        return chain("intermediate certificate does not parse as valid X.509");
    }
    names(&certificate)?;
    let Ok(request) = read(request) else {
        return chain("leaf certificate was not issued to the requested public key");
    };
    if !is_same_key(certificate.public_key(), &request.certification_request_info.subject_pki) {
        return chain("leaf certificate was not issued to the requested public key");
    }
    times(&certificate, status, seconds_max, now)
}

/// Names that readers of certificates take for something else.
fn names(certificate: &X509Certificate<'_>) -> Result<(), Wrong> {
    let Ok(names) = certificate.subject_alternative_name() else {
        return chain("leaf certificate does not parse as valid X.509");
    };
    for name in names.iter().flat_map(|extension| &extension.value.general_names) {
        match name {
            GeneralName::DNSName("") => return chain("leaf certificate should not contain empty DNSName"),
            GeneralName::DNSName(name) if name.contains("..") => {
                return chain("leaf certificate's DNSName should not contain '..'");
            }
            GeneralName::DNSName(name) if name.starts_with('.') || name.ends_with('.') => {
                return chain("leaf certificate's DNSName should not start or end with '.'");
            }
            GeneralName::RFC822Name(address) if !is_address(address) => {
                return chain("leaf certificate should not contain invalid EmailAddress");
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_address(text: &str) -> bool {
    let visible = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic());
    text.rsplit_once('@').is_some_and(|(user, host)| visible(user) && visible(host) && !user.contains('@'))
}

fn is_same_key(one: &SubjectPublicKeyInfo<'_>, other: &SubjectPublicKeyInfo<'_>) -> bool {
    let curve = |key: &SubjectPublicKeyInfo<'_>| {
        key.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok()).map(|o| o.to_string())
    };
    one.algorithm.algorithm == other.algorithm.algorithm
        && one.subject_public_key.data == other.subject_public_key.data
        && curve(one) == curve(other)
}

fn times(certificate: &X509Certificate<'_>, status: &Value, seconds_max: i64, now: Timestamp) -> Result<(), Wrong> {
    const BEGINS: &str = "status.notBefore";
    const ENDS: &str = "status.notAfter";
    const RENEWAL: &str = "status.beginRefreshAt";
    let said = |field: &'static str| match text(status, field.trim_start_matches("status.")).parse::<Timestamp>() {
        Ok(moment) => Ok(moment),
        Err(_) => wrong(field, "must be a time"),
    };
    let (begins, ends, renewal) = (said(BEGINS)?, said(ENDS)?, said(RENEWAL)?);
    let validity = certificate.validity();
    if begins.as_second() != validity.not_before.timestamp() {
        return wrong(BEGINS, "must be set to the NotBefore time encoded in the leaf certificate");
    }
    if begins.duration_since(now).abs() >= SKEW {
        return wrong(BEGINS, "must be set to within 5 minutes of kube-apiserver's current time");
    }
    if ends.as_second() != validity.not_after.timestamp() {
        return wrong(ENDS, "must be set to the NotAfter time encoded in the leaf certificate");
    }
    let life = ends.duration_since(begins);
    if life < LIFE_MIN {
        return chain("leaf certificate lifetime must be >= 1 hour");
    }
    if life > SignedDuration::from_secs(seconds_max) {
        return chain(format!("leaf certificate lifetime must be <= spec.maxExpirationSeconds ({seconds_max})"));
    }
    if renewal.duration_since(begins) < MARGIN {
        return wrong(RENEWAL, "must be at least 10 minutes after status.notBefore");
    }
    if ends.duration_since(renewal) < MARGIN {
        return wrong(RENEWAL, "must be at least 10 minutes before status.notAfter");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
