//! Certificates whose subject names several organizations, all of which are groups of the user. The signing library keeps one
//! value of each kind in a name: what it has signed is taken apart, gets the whole name, and is signed again by the same key.

use rcgen::{Issuer, KeyPair, SigningKey};
use x509_parser::prelude::{FromDer, X509Certificate};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTF8_STRING: u8 = 0x0c;
const BIT_STRING: u8 = 0x03;
/// 2.5.4.10, with its tag and length.
const ORGANIZATION: [u8; 5] = [0x06, 3, 0x55, 4, 10];

/// The certificate `der`, whose subject names one organization, with all of them.
pub(super) fn with_all(
    der: &[u8],
    organizations: &[String],
    issuer: &Issuer<'static, KeyPair>,
) -> Result<Vec<u8>, rcgen::Error> {
    let certificate = X509Certificate::from_der(der).map_err(|_| rcgen::Error::CouldNotParseCertificate)?.1;
    let subject = certificate.subject().as_raw();
    let renamed = || {
        let (signed, rest) = split(split(der)?.0.content)?;
        let (algorithm, _) = split(rest)?;
        let start = subject.as_ptr() as usize - signed.content.as_ptr() as usize;
        let name = name(subject, organizations)?;
        let parts = [signed.content.get(..start)?, &name, signed.content.get(start + subject.len()..)?].concat();
        Some((element(SEQUENCE, &parts), algorithm.whole))
    };
    let (to_sign, algorithm) = renamed().ok_or(rcgen::Error::CouldNotParseCertificate)?;
    // The first byte of a bit string tells the bits of the last one that do not count.
    let signature = [&[0], issuer.key().sign(&to_sign)?.as_slice()].concat();
    Ok(element(SEQUENCE, &[&to_sign, algorithm, &element(BIT_STRING, &signature)].concat()))
}

/// As Go writes it: all organizations are one part of the name.
fn name(subject: &[u8], organizations: &[String]) -> Option<Vec<u8>> {
    let attribute =
        |text: &String| element(SEQUENCE, &[ORGANIZATION.as_slice(), &element(UTF8_STRING, text.as_bytes())].concat());
    // A SET is written in the order of its members' bytes.
    let mut all: Vec<Vec<u8>> = organizations.iter().map(attribute).collect();
    all.sort();
    let mut parts = Vec::new();
    let mut rest = split(subject)?.0.content;
    while !rest.is_empty() {
        let (part, after) = split(rest)?;
        if split(part.content)?.0.content.starts_with(&ORGANIZATION) {
            parts.extend(element(SET, &all.concat()));
        } else {
            parts.extend_from_slice(part.whole);
        }
        rest = after;
    }
    Some(element(SEQUENCE, &parts))
}

/// DER: tag, length, content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut all = vec![tag];
    match content.len() {
        short @ 0..=127 => all.push(short as u8),
        long => {
            let bytes = long.to_be_bytes();
            let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
            all.push(0x80 | significant.len() as u8);
            all.extend_from_slice(significant);
        }
    }
    all.extend_from_slice(content);
    all
}

struct Element<'d> {
    whole: &'d [u8],
    content: &'d [u8],
}

/// The first element, and what follows it.
fn split(der: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (head, length) = match *der.get(1)? {
        short @ 0..=127 => (2, usize::from(short)),
        long => {
            let head = 2 + usize::from(long & 0x7f);
            let length = der.get(2..head)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            (head, length)
        }
    };
    let (whole, rest) = der.split_at_checked(head.checked_add(length)?)?;
    Some((Element { whole, content: &whole[head..] }, rest))
}
