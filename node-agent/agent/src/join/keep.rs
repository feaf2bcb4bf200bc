//! The folder of the node's keys and certificates, for root only, and what a certificate in it says.

use super::{Credentials, JoinError, Pair};
use jiff::Timestamp;
use rcgen::KeyPair;
use std::fs;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
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

    fn pair(&self, name: &str) -> Result<Option<Pair>, JoinError> {
        let (cert_pem, key_pem) = (self.read(&format!("{name}.crt"))?, self.read(&format!("{name}.key"))?);
        Ok(cert_pem.zip(key_pem).map(|(cert_pem, key_pem)| Pair { cert_pem, key_pem }))
    }

    /// The key to ask with: kept before the first request, so that a start that was cut short asks for the same again.
    pub(super) fn key(&self, name: &str) -> Result<KeyPair, JoinError> {
        let file = format!("{name}.key");
        if let Some(pem) = self.read(&file)? {
            let malformed = |_| JoinError::Malformed { what: "a key", folder: self.0.clone() };
            return KeyPair::from_pem(&pem).map_err(malformed);
        }
        let key = KeyPair::generate()?;
        self.write(&file, &key.serialize_pem())?;
        Ok(key)
    }

    pub(super) fn save(&self, credentials: &Credentials) -> Result<(), JoinError> {
        self.write("ca.crt", &credentials.ca_pem)?;
        for (name, pair) in [("client", &credentials.client), ("serving", &credentials.serving)] {
            self.write(&format!("{name}.key"), &pair.key_pem)?;
            self.write(&format!("{name}.crt"), &pair.cert_pem)?;
        }
        Ok(())
    }

    fn read(&self, name: &str) -> Result<Option<String>, JoinError> {
        let path = self.0.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(JoinError::File { action: "read", path, source }),
        }
    }

    /// Whole or not at all, also when the power goes.
    fn write(&self, name: &str, text: &str) -> Result<(), JoinError> {
        let (path, new) = (self.0.join(name), self.0.join(format!(".{name}.new")));
        let write = || -> io::Result<()> {
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            fs::File::open(&self.0)?.sync_all()
        };
        write().map_err(|source| JoinError::File { action: "write", path: path.clone(), source })
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
