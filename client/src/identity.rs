//! Who a request comes from. In-process clients carry it as a request extension, which only code in this process can set;
//! over HTTPS the API server derives it from the certificate or token.

use std::collections::BTreeMap;

/// An authenticated user, as `user.Info` in Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `system:kube-scheduler`, `system:node:web-1`, `system:serviceaccount:ns:name`.
    pub user: String,
    pub uid: String,
    pub groups: Vec<String>,
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Identity {
    pub fn new<'a>(user: &str, groups: impl IntoIterator<Item = &'a str>) -> Self {
        Self { user: user.to_owned(), groups: groups.into_iter().map(str::to_owned).collect(), ..Self::default() }
    }
}

/// Service accounts of `kube-system` belong to the groups of all accounts and of their namespace.
pub fn groups_of_account(user: &str) -> Vec<String> {
    if user.starts_with("system:serviceaccount:kube-system:") {
        vec!["system:serviceaccounts".to_owned(), "system:serviceaccounts:kube-system".to_owned()]
    } else {
        Vec::new()
    }
}
