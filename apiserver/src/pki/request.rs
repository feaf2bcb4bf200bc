//! Certificate requests from outside (PKCS #10): what they ask for, and the certificate for them.

use super::issue::{SKEW_SECONDS, at, serial};
use super::organizations;
use jiff::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, SubjectPublicKeyInfo,
};
use ring::signature::{
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, UnparsedPublicKey,
};
use std::net::IpAddr;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::error::X509Error;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_SHA256WITHRSA,
    OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512,
    OID_X509_ORGANIZATION_NAME, Oid,
};
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, RelativeDistinguishedName};

const BLOCK: &str = "CERTIFICATE REQUEST";

#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("PEM block type must be CERTIFICATE REQUEST")]
    Pem,
    #[error("the certificate request is malformed")]
    Malformed,
    /// Readers of a certificate differ in which of several they take for the name.
    #[error("the subject names {0:?} more than once")]
    Repeated(&'static str),
    #[error("usage {0:?} is not one that this signer gives")]
    Usage(String),
    #[error("the request is not signed by the key that it names")]
    Signature,
    #[error("the request is signed in a way that is not known")]
    Algorithm,
    #[error("the request is signed in a way that this signer does not check")]
    Unchecked,
    #[error("cannot sign the request: {0}")]
    Sign(#[from] rcgen::Error),
}

/// What somebody wants to be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub common_name: String,
    pub organizations: Vec<String>,
    /// All that the subject says, by object identifiers, in its order.
    pub subject: Vec<(Vec<u64>, String)>,
    pub dns_names: Vec<String>,
    pub addresses: Vec<IpAddr>,
    pub emails: Vec<String>,
    pub uris: Vec<String>,
    /// The key's SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// The request as it was signed.
    pub der: Vec<u8>,
}

/// On which conditions it is signed.
pub struct Terms<'a> {
    /// `client auth`, `digital signature`, ..
    pub usages: &'a [String],
    pub seconds: i64,
}

/// Reads a request; its signature is not looked at.
pub fn parse(pem: &[u8]) -> Result<Asked, RequestError> {
    let block = pem::parse(pem).map_err(|_| RequestError::Pem)?;
    if block.tag() != BLOCK {
        return Err(RequestError::Pem);
    }
    let (_, request) = X509CertificationRequest::from_der(block.contents()).map_err(|_| RequestError::Malformed)?;
    let subject = &request.certification_request_info.subject;
    // Of several values that are one element, Go writes those of one kind: groups.
    let is_plain = |element: &RelativeDistinguishedName<'_>| match element.iter().count() {
        0 => false,
        1 => true,
        _ => element.iter().all(|value| *value.attr_type() == OID_X509_ORGANIZATION_NAME),
    };
    if !subject.iter_rdn().all(is_plain) {
        return Err(RequestError::Malformed);
    }
    let text =
        |value: &AttributeTypeAndValue<'_>| value.as_str().map(str::to_owned).map_err(|_| RequestError::Malformed);
    let common_names: Vec<String> = subject.iter_common_name().map(text).collect::<Result<_, _>>()?;
    if common_names.len() > 1 {
        return Err(RequestError::Repeated("CN"));
    }
    let mut asked = Asked {
        common_name: common_names.into_iter().next().unwrap_or_default(),
        organizations: subject.iter_organization().map(text).collect::<Result<_, _>>()?,
        ..Asked::default()
    };
    for value in subject.iter_attributes() {
        let kind = value.attr_type().iter().ok_or(RequestError::Malformed)?.collect();
        asked.subject.push((kind, text(value)?));
    }
    for extension in request.requested_extensions().into_iter().flatten() {
        let ParsedExtension::SubjectAlternativeName(names) = extension else { continue };
        for name in &names.general_names {
            match name {
                GeneralName::DNSName(name) => asked.dns_names.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => asked.addresses.push(address(bytes).ok_or(RequestError::Malformed)?),
                GeneralName::RFC822Name(name) => asked.emails.push((*name).to_owned()),
                GeneralName::URI(uri) => asked.uris.push((*uri).to_owned()),
                _ => return Err(RequestError::Malformed),
            }
        }
    }
    asked.public_key = request.certification_request_info.subject_pki.raw.to_vec();
    asked.der = block.into_contents();
    Ok(asked)
}

/// Whether who asks has the key. ECDSA signatures that cannot be checked here are left to who signs.
pub fn check_signature(asked: &Asked) -> Result<(), RequestError> {
    let (_, request) = X509CertificationRequest::from_der(&asked.der).map_err(|_| RequestError::Malformed)?;
    match request.verify_signature() {
        Ok(()) => Ok(()),
        Err(X509Error::SignatureUnsupportedAlgorithm) if is_left_to_signers(&request) => Ok(()),
        Err(X509Error::SignatureUnsupportedAlgorithm) => Err(RequestError::Algorithm),
        Err(_) if is_signed_by_short_rsa(&request) => Ok(()),
        Err(_) => Err(RequestError::Signature),
    }
}

/// ECDSA as other signers know it and `ring` does not: of P-521, or with SHA-512.
fn is_left_to_signers(request: &X509CertificationRequest<'_>) -> bool {
    let key = &request.certification_request_info.subject_pki.algorithm;
    let Some(curve) = key.parameters.as_ref().and_then(|curve| curve.as_oid().ok()) else { return false };
    let signature = &request.signature_algorithm.algorithm;
    let with = |known: &[Oid<'static>]| known.contains(signature);
    key.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY
        && if curve == OID_NIST_EC_P521 {
            with(&[OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512])
        } else {
            [OID_EC_P256, OID_NIST_EC_P384].contains(&curve) && with(&[OID_SIG_ECDSA_WITH_SHA512])
        }
}

/// Keys of less than 2048 bits are too weak for the signers here, but who asks has them.
fn is_signed_by_short_rsa(request: &X509CertificationRequest<'_>) -> bool {
    let signature = &request.signature_algorithm.algorithm;
    let algorithm = if *signature == OID_PKCS1_SHA256WITHRSA {
        &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
    } else if *signature == OID_PKCS1_SHA512WITHRSA {
        &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
    } else {
        return false;
    };
    let info = &request.certification_request_info;
    let key = UnparsedPublicKey::new(algorithm, &info.subject_pki.subject_public_key.data);
    key.verify(info.raw, &request.signature_value.data).is_ok()
}

/// The address in a subjectAltName.
pub(super) fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4().or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// The certificate as PEM. It says who somebody is in the words that were judged, not as another reader of the same
/// request may have them. What it may be used for is what the terms say, whatever the request's own extensions ask.
pub(super) fn sign(
    issuer: &Issuer<'static, KeyPair>,
    asked: &Asked,
    terms: &Terms<'_>,
    now: Timestamp,
) -> Result<String, RequestError> {
    let (_, request) = X509CertificationRequest::from_der(&asked.der).map_err(|_| RequestError::Malformed)?;
    check_signature(asked)?;
    request.verify_signature().map_err(|_| RequestError::Unchecked)?;
    let key = SubjectPublicKeyInfo::from_der(&asked.public_key)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = name(asked);
    params.subject_alt_names = alternative_names(asked)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.serial_number = Some(serial());
    (params.not_before, params.not_after) = (at(now, -SKEW_SECONDS), at(now, terms.seconds));
    params.key_usages = Vec::new();
    params.extended_key_usages = Vec::new();
    for usage in terms.usages {
        match usage.as_str() {
            "digital signature" | "signing" => params.key_usages.push(KeyUsagePurpose::DigitalSignature),
            "key encipherment" => params.key_usages.push(KeyUsagePurpose::KeyEncipherment),
            "client auth" => params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth),
            "server auth" => params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth),
            other => return Err(RequestError::Usage(other.to_owned())),
        }
    }
    let certificate = params.signed_by(&key, issuer)?;
    if asked.organizations.len() < 2 {
        return Ok(certificate.pem());
    }
    let der = organizations::with_all(certificate.der(), &asked.organizations, issuer)?;
    let line_endings = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    Ok(pem::encode_config(&pem::Pem::new("CERTIFICATE", der), line_endings))
}

/// As the request has it, but for what was judged.
fn name(asked: &Asked) -> DistinguishedName {
    let judged = [
        (DnType::CommonName, Some(asked.common_name.as_str()).filter(|name| !name.is_empty())),
        (DnType::OrganizationName, asked.organizations.first().map(String::as_str)),
    ];
    let mut name = DistinguishedName::new();
    for (kind, said) in &asked.subject {
        let kind = DnType::from_oid(kind);
        match judged.iter().find(|(known, _)| *known == kind) {
            Some((_, Some(value))) => name.push(kind, *value),
            Some((_, None)) => {}
            None => name.push(kind, said.as_str()),
        }
    }
    for (kind, value) in judged {
        if let Some(value) = value {
            name.push(kind, value);
        }
    }
    name
}

fn alternative_names(asked: &Asked) -> Result<Vec<SanType>, rcgen::Error> {
    let text = |text: &String| text.as_str().try_into();
    let mut all = Vec::new();
    for name in &asked.dns_names {
        all.push(SanType::DnsName(text(name)?));
    }
    for email in &asked.emails {
        all.push(SanType::Rfc822Name(text(email)?));
    }
    for uri in &asked.uris {
        all.push(SanType::URI(text(uri)?));
    }
    all.extend(asked.addresses.iter().copied().map(SanType::IpAddress));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RSA of 1024 bits with SHA-256; made with openssl for this test, as the next.
    const SHORT: &str = "-----BEGIN CERTIFICATE REQUEST-----\nMIIBTzCBuQIBADAQMQ4wDAYDVQQDDAVzaG9ydDCBnzANBgkqhkiG9w0BAQEFAAOB\njQAwgYkCgYEAnrRMfveZYH0H9f1Y+zsdSyytbDlcjNQPdTUwhnlugYK4QWagDzEA\n2p/VaPNrX99bwWxHnuxpccxX0h2NXjtnotCuI6Rmz88n+knC6znCPzbQp9TYU5HZ\nMQFD1YTOx9HR1SD+kuk57CyQb5o3H3bFo6x3pgfv6YBCsBbPnqHNlx0CAwEAAaAA\nMA0GCSqGSIb3DQEBCwUAA4GBAA/YyFUAxkvOGgTaPDj0OmmjaOlFOlh2XIywn6Pu\nWdu9FB7AJWhnbwuw4h1cT/uKiiyP5weVMHvC2YJCuu+KBeJrmschVQknEnfncqPa\noZOlWR66AhovO5hKLA/xhWDOQGEmKOPPEE798Pqp62JXpaxYtI3VMq4km+4zLM4N\nMQ67\n-----END CERTIFICATE REQUEST-----";
    /// ECDSA of P-521 with SHA-512.
    const LONG: &str = "-----BEGIN CERTIFICATE REQUEST-----\nMIIBUjCBtAIBADAPMQ0wCwYDVQQDDARsb25nMIGbMBAGByqGSM49AgEGBSuBBAAj\nA4GGAAQA5g+T2ltKEwXshTzIRAsNNu/IeVCphEiwONfaWfTC4UFmnLB3RxL/CWfi\nSqbv8rifhjwNEXpvkitOyxBQO2SlgDgBNTzVoZ8VepDVAvgmGBCg9/PlnuB3dmpb\n3Rp+QXulMWSPXEaRsUMFr82HYRltkuTLSuA1MsCP+5+ws18X9GaD4wugADAKBggq\nhkjOPQQDBAOBjAAwgYgCQgHGzAZKdW58OFtDvGD0pGKCMrTwsEINAfMq4F++di4E\n/J2MKCNrIayRgFb8ahTNflo1EDOa/zO+dZywjVf//XGX4wJCARkUdzr3SrrklItZ\nFO/em03+2bylwD4h0hga+sPGkxvGJewXHjDikOdFoRVJxgv8o3uqT0pMIvxUH+pr\nz4qCc7fW\n-----END CERTIFICATE REQUEST-----";

    fn checked(der: Vec<u8>) -> Result<(), String> {
        check_signature(&Asked { der, ..Asked::default() }).map_err(|error| error.to_string())
    }

    /// The request with one signature algorithm's identifier in the place of another.
    fn renamed(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = der.windows(from.len()).rposition(|window| window == from).unwrap();
        [&der[..at], to, &der[at + from.len()..]].concat()
    }

    #[test]
    fn only_signatures_of_known_kinds_are_left_unchecked() {
        let request = |pem: &str| parse(pem.as_bytes()).unwrap().der;
        assert_eq!(checked(request(SHORT)), Ok(()));
        assert_eq!(checked(request(LONG)), Ok(()));
        let mut other = request(SHORT);
        *other.last_mut().unwrap() ^= 1;
        assert_eq!(checked(other), Err(RequestError::Signature.to_string()));
        let params = CertificateParams::default();
        let own = params.serialize_request(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        assert_eq!(checked(own.clone()), Ok(()));
        let ecdsa = |hash: u8| [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, hash];
        assert_eq!(checked(renamed(&own, &ecdsa(2), &ecdsa(4))), Ok(()));
        assert_eq!(checked(renamed(&own, &ecdsa(2), &ecdsa(3))), Err(RequestError::Signature.to_string()));
        for unknown in [1, 9] {
            let refused = checked(renamed(&own, &ecdsa(2), &ecdsa(unknown)));
            assert_eq!(refused, Err(RequestError::Algorithm.to_string()), "{unknown}");
        }
    }
}
