//! ServiceAccount (v1).

mod printer;

use crate::row::Row;
use crate::typed::{Hook, TypedKind};
use crate::validate::each;
use crate::validate::path::Path;
use k8s_openapi::api::core::v1::ServiceAccount;
use serde_json::Value;

pub(crate) struct ServiceAccountKind;

impl TypedKind for ServiceAccountKind {
    type Object = ServiceAccount;

    const ROW: Row = printer::ROW;
    // k8s: an account is only its metadata and references, which need not resolve.
    const LACKS: &'static [Hook] =
        &[Hook::Default, Hook::PrepareCreate, Hook::PrepareUpdate, Hook::Validate, Hook::ValidateUpdate];

    fn warnings(account: &ServiceAccount) -> Vec<String> {
        let pulls = Path::new("imagePullSecrets");
        each(&account.image_pull_secrets)
            .enumerate()
            .filter(|(_, secret)| secret.name.is_empty())
            .map(|(i, _)| format!("{}: invalid empty name \"\"", pulls.index(i).child("name")))
            .collect()
    }

    fn cells(object: &ServiceAccount, now_unix_secs: i64) -> Vec<Value> {
        printer::cells(object, now_unix_secs)
    }
}
