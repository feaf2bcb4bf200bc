//! Keys of pods, and the certificate request that proves that the node has them.

use super::block;
use rcgen::{
    CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
};

/// What stands before the 32 bytes of an Ed25519 key in a PKCS #8 structure of version 1.
const ED25519_V1: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const ED25519_BYTES: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cryptography that is linked has no such keys.
    #[error("keys of type {0} cannot be made on this node (use ECDSAP256, ECDSAP384 or ED25519)")]
    Unsupported(String),
    #[error("cannot make a key")]
    Make(#[from] rcgen::Error),
}

#[derive(Debug)]
pub struct Made {
    /// PKCS #8.
    pub pem: String,
    /// PKCS #10, DER, without anything but the key. k8s: stubPKCS10Request
    pub request: Vec<u8>,
}

pub fn make(key_type: &str) -> Result<Made, Error> {
    let algorithm = match key_type {
        "ECDSAP256" => &PKCS_ECDSA_P256_SHA256,
        "ECDSAP384" => &PKCS_ECDSA_P384_SHA384,
        "ED25519" => &PKCS_ED25519,
        other => return Err(Error::Unsupported(other.to_owned())),
    };
    let key = KeyPair::generate_for(algorithm)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key)?.der().to_vec();
    let der = key.serialize_der();
    // Version 2, which has the public key as well, is not read by all that read keys.
    let seed = der.get(ED25519_V1.len()..ED25519_V1.len() + ED25519_BYTES);
    let der = match seed {
        Some(seed) if key_type == "ED25519" => [&ED25519_V1[..], seed].concat(),
        Some(_) | None => der,
    };
    Ok(Made { pem: block("PRIVATE KEY", der), request })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::PublicKeyData as _;
    use x509_parser::certification_request::X509CertificationRequest;
    use x509_parser::prelude::FromDer as _;

    #[test]
    fn a_request_names_nobody_and_is_signed_by_the_key_that_is_kept() {
        for key_type in ["ECDSAP256", "ECDSAP384", "ED25519"] {
            let made = make(key_type).unwrap();
            let (rest, request) = X509CertificationRequest::from_der(&made.request).unwrap();
            assert!(rest.is_empty());
            request.verify_signature().unwrap();
            let info = &request.certification_request_info;
            assert_eq!(info.subject.iter().count() + info.attributes().len(), 0, "{key_type}");
            let kept = KeyPair::from_pem(&made.pem).unwrap();
            assert_eq!(kept.subject_public_key_info(), info.subject_pki.raw, "{key_type}");
            assert!(made.pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        }
    }

    #[test]
    fn keys_that_cannot_be_made_say_which_can() {
        for key_type in ["RSA3072", "RSA4096", "ECDSAP521"] {
            let refused = make(key_type).unwrap_err().to_string();
            assert_eq!(
                refused,
                format!("keys of type {key_type} cannot be made on this node (use ECDSAP256, ECDSAP384 or ED25519)")
            );
        }
    }
}
