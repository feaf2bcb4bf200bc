//! Certificate requests from outside (PKCS #10): what they ask for, and the certificate for them.

use super::issue::{SKEW_SECONDS, at, serial};
use jiff::Timestamp;
use rcgen::{CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::CertificateSigningRequestDer;
use std::net::IpAddr;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::x509::AttributeTypeAndValue;

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
    /// The signing library keeps one value of each kind; dropping the others would change who somebody is.
    #[error("a certificate cannot carry {0} organizations, at most one")]
    Organizations(usize),
    #[error("cannot sign the request: {0}")]
    Sign(#[from] rcgen::Error),
}

/// What somebody wants to be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub common_name: String,
    pub organizations: Vec<String>,
    pub dns_names: Vec<String>,
    pub addresses: Vec<IpAddr>,
    pub emails: usize,
    pub uris: usize,
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

/// Reads a request; its signature is checked when it is signed.
pub fn parse(pem: &[u8]) -> Result<Asked, RequestError> {
    let block = pem::parse(pem).map_err(|_| RequestError::Pem)?;
    if block.tag() != BLOCK {
        return Err(RequestError::Pem);
    }
    let (_, request) = X509CertificationRequest::from_der(block.contents()).map_err(|_| RequestError::Malformed)?;
    let subject = &request.certification_request_info.subject;
    // The signing library ends the process at an element without a value.
    if subject.iter_rdn().any(|element| element.iter().count() != 1) {
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
    for extension in request.requested_extensions().into_iter().flatten() {
        let ParsedExtension::SubjectAlternativeName(names) = extension else { continue };
        for name in &names.general_names {
            match name {
                GeneralName::DNSName(name) => asked.dns_names.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => asked.addresses.push(address(bytes).ok_or(RequestError::Malformed)?),
                GeneralName::RFC822Name(_) => asked.emails += 1,
                GeneralName::URI(_) => asked.uris += 1,
                _ => return Err(RequestError::Malformed),
            }
        }
    }
    asked.public_key = request.certification_request_info.subject_pki.raw.to_vec();
    asked.der = block.into_contents();
    Ok(asked)
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
    if asked.organizations.len() > 1 {
        return Err(RequestError::Organizations(asked.organizations.len()));
    }
    let mut request =
        CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(asked.der.as_slice()))?;
    let params = &mut request.params;
    let name = &mut params.distinguished_name;
    let judged = [
        (DnType::CommonName, Some(&asked.common_name).filter(|name| !name.is_empty())),
        (DnType::OrganizationName, asked.organizations.first()),
    ];
    for (kind, value) in judged {
        match value {
            Some(value) => name.push(kind, value.as_str()),
            None => drop(name.remove(kind)),
        }
    }
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
    Ok(request.signed_by(issuer)?.pem())
}
