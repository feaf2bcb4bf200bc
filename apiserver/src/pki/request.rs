//! Certificate requests from outside (PKCS #10): what they ask for, and the certificate for them.

use super::issue::{SKEW_SECONDS, at, serial};
use super::organizations;
use jiff::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, SubjectPublicKeyInfo,
};
use std::net::IpAddr;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::error::X509Error;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_X509_ORGANIZATION_NAME;
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

/// Whether who asks has the key. Signatures of kinds that cannot be checked here are left to who signs.
pub fn check_signature(asked: &Asked) -> Result<(), RequestError> {
    let (_, request) = X509CertificationRequest::from_der(&asked.der).map_err(|_| RequestError::Malformed)?;
    match request.verify_signature() {
        Err(X509Error::SignatureVerificationError) => Err(RequestError::Signature),
        Ok(()) | Err(_) => Ok(()),
    }
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
    request.verify_signature().map_err(|_| RequestError::Signature)?;
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
