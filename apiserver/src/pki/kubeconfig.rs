//! The text of a kubeconfig with an embedded client certificate.

use super::Credential;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub struct Kubeconfig<'a> {
    /// `https://127.0.0.1:6443`
    pub server: &'a str,
    pub ca_pem: &'a str,
    pub user: &'a str,
    pub credential: &'a Credential,
}

impl Kubeconfig<'_> {
    pub fn render(&self) -> String {
        let Self { server, ca_pem, user, credential } = self;
        let (ca, certificate, key) = (
            STANDARD.encode(ca_pem),
            STANDARD.encode(&credential.certificate_pem),
            STANDARD.encode(&credential.key_pem),
        );
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - name: drover\n  \
               cluster:\n    \
                 server: {server}\n    \
                 certificate-authority-data: {ca}\n\
             users:\n\
             - name: {user}\n  \
               user:\n    \
                 client-certificate-data: {certificate}\n    \
                 client-key-data: {key}\n\
             contexts:\n\
             - name: drover\n  \
               context:\n    \
                 cluster: drover\n    \
                 user: {user}\n\
             current-context: drover\n\
             preferences: {{}}\n"
        )
    }
}
