//! ClusterTrustBundleAttest: who publishes trust anchors in a signer's name needs a right on that signer.
//! k8s: `plugin/pkg/admission/certificates/ctbattest`

use super::{Call, Context, Operation};
use crate::error::ApiError;
use kinds::tree::text;
use serde_json::Value;

pub(super) fn applies(call: &Call<'_>) -> bool {
    call.is("certificates.k8s.io", "clustertrustbundles", "")
        && matches!(call.operation, Operation::Create | Operation::Update)
}

pub(super) async fn validate(context: &Context, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let signer = text(object, "spec.signerName");
    if signer.is_empty()
        || call.changes_ownership_only(object)
        || call.may_act_for_signer(&context.authorizer, "attest", signer).await
    {
        return Ok(());
    }
    Err(call.forbidden(call.name_of(object), format!("user not permitted to attest for signerName {signer:?}")))
}
