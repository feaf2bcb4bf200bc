//! The folder of the node's keys and certificates, for root only, and what a certificate in it says.

use super::{Credentials, JoinError, Pair};
use crate::whole_file;
use jiff::Timestamp;
use rcgen::KeyPair;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

pub(super) struct Folder(PathBuf);

/// What matters of a certificate.
pub(super) struct Certificate {
    pub(super) user: String,
    pub(super) begins: Timestamp,
    pub(super) ends: Timestamp,
    pub(super) addresses: Vec<IpAddr>,
}

impl Pair {
    /// From a text with both: the key is the block that is no certificate.
    fn from_pem(text: &str) -> Option<Self> {
        let blocks = pem::parse_many(text).ok()?;
        let (certificates, keys): (Vec<_>, Vec<_>) = blocks.iter().partition(|block| block.tag() == "CERTIFICATE");
        let ([_, ..], [key]) = (certificates.as_slice(), keys.as_slice()) else { return None };
        Some(Self { cert_pem: certificates.into_iter().map(pem::encode).collect(), key_pem: pem::encode(key) })
    }
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, JoinError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| JoinError::File { action: "make", path: path.to_owned(), source })?;
        Ok(Self(path.to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What was kept, where it is complete.
    pub(super) fn load(&self) -> Result<Option<Credentials>, JoinError> {
        let ca_pem = self.read("ca.crt")?;
        let (client, serving) = (self.pair("client")?, self.pair("serving")?);
        Ok(match (ca_pem, client, serving) {
            (Some(ca_pem), Some(client), Some(serving)) => Some(Credentials { ca_pem, client, serving }),
            _ => None,
        })
    }

    /// A certificate with its key, from one file; from two where an earlier version kept them.
    fn pair(&self, name: &str) -> Result<Option<Pair>, JoinError> {
        if let Some(text) = self.read(&format!("{name}.pem"))? {
            return Pair::from_pem(&text).map(Some).ok_or_else(|| self.malformed("a certificate with its key"));
        }
        let (cert_pem, key_pem) = (self.read(&format!("{name}.crt"))?, self.read(&format!("{name}.key"))?);
        Ok(cert_pem.zip(key_pem).map(|(cert_pem, key_pem)| Pair { cert_pem, key_pem }))
    }

    fn malformed(&self, what: &'static str) -> JoinError {
        JoinError::Malformed { what, folder: self.0.clone() }
    }

    /// The key to ask with: kept before the first request, so that a start that was cut short asks for the same again.
    pub(super) fn key(&self, name: &str) -> Result<KeyPair, JoinError> {
        let file = format!("{name}.key");
        let kept = match self.pair(name)? {
            Some(pair) => Some(pair.key_pem),
            None => self.read(&file)?,
        };
        if let Some(pem) = kept {
            return KeyPair::from_pem(&pem).map_err(|_| self.malformed("a key"));
        }
        let key = KeyPair::generate()?;
        self.write(&file, &key.serialize_pem())?;
        Ok(key)
    }

    /// Each certificate in one file with its key: whenever the power goes, the two belong together.
    pub(super) fn save(&self, credentials: &Credentials) -> Result<(), JoinError> {
        self.write("ca.crt", &credentials.ca_pem)?;
        for (name, pair) in [("client", &credentials.client), ("serving", &credentials.serving)] {
            self.write(&format!("{name}.pem"), &format!("{}{}", pair.cert_pem, pair.key_pem))?;
            for part in ["crt", "key"] {
                self.remove(&format!("{name}.{part}"))?;
            }
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), JoinError> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(JoinError::File { action: "remove", path, source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn read(&self, name: &str) -> Result<Option<String>, JoinError> {
        let path = self.0.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(JoinError::File { action: "read", path, source }),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), JoinError> {
        let path = self.0.join(name);
        whole_file::write(&path, text.as_bytes()).map_err(|source| JoinError::File { action: "write", path, source })
    }
}

pub(super) fn read(cert_pem: &str, folder: &Folder) -> Result<Certificate, JoinError> {
    let malformed = || JoinError::Malformed { what: "a certificate", folder: folder.path().to_owned() };
    let block = pem::parse(cert_pem).map_err(|_| malformed())?;
    let (_, certificate) = X509Certificate::from_der(block.contents()).map_err(|_| malformed())?;
    let user = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    let time = |at: i64| Timestamp::from_second(at).map_err(|_| malformed());
    let names = certificate.subject_alternative_name().ok().flatten();
    let addresses = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from))
            .ok(),
        _ => None,
    });
    Ok(Certificate {
        user: user.ok_or_else(malformed)?.to_owned(),
        begins: time(certificate.validity().not_before.timestamp())?,
        ends: time(certificate.validity().not_after.timestamp())?,
        addresses: addresses.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        Pair { cert_pem: certificate.pem(), key_pem: key.serialize_pem() }
    }

    fn credentials() -> Credentials {
        Credentials { ca_pem: "ca".into(), client: pair("client"), serving: pair("serving") }
    }

    fn same(left: &Pair, right: &Pair) -> bool {
        let blocks = |pair: &Pair| (pem::parse(&pair.cert_pem).unwrap(), pem::parse(&pair.key_pem).unwrap());
        blocks(left) == blocks(right)
    }

    #[test]
    fn a_certificate_and_its_key_are_kept_in_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        assert!(folder.load().unwrap().is_none());
        let asked = folder.key("client").unwrap();
        assert_eq!(folder.key("client").unwrap().serialize_pem(), asked.serialize_pem(), "a retry asks with the same");
        let kept = credentials();
        folder.save(&kept).unwrap();
        let found = folder.load().unwrap().unwrap();
        assert!(same(&found.client, &kept.client) && same(&found.serving, &kept.serving));
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["ca.crt", "client.pem", "serving.pem"]);
        // And another request is made with the key that there is.
        assert_eq!(
            folder.key("serving").unwrap().serialize_der(),
            KeyPair::from_pem(&kept.serving.key_pem).unwrap().serialize_der()
        );
    }

    #[test]
    fn what_an_earlier_version_kept_in_two_files_is_found_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, old) = (Folder::open(dir.path()).unwrap(), credentials());
        for (name, text) in [
            ("ca.crt", &old.ca_pem),
            ("client.crt", &old.client.cert_pem),
            ("client.key", &old.client.key_pem),
            ("serving.crt", &old.serving.cert_pem),
            ("serving.key", &old.serving.key_pem),
        ] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let found = folder.load().unwrap().unwrap();
        assert!(same(&found.client, &old.client) && same(&found.serving, &old.serving));
        let new = Credentials { client: pair("renewed"), ..found };
        folder.save(&new).unwrap();
        assert!(same(&folder.load().unwrap().unwrap().client, &new.client));
        assert!(!dir.path().join("client.key").exists());
    }

    #[test]
    fn half_a_file_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, kept) = (Folder::open(dir.path()).unwrap(), credentials());
        folder.save(&kept).unwrap();
        fs::write(dir.path().join("client.pem"), &kept.client.cert_pem).unwrap();
        assert!(matches!(folder.load(), Err(JoinError::Malformed { .. })));
    }
}
