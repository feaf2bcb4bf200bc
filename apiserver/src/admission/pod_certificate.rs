//! PodCertificateRequests: who makes one holds its key, and who decides may sign for the signer.
//! k8s: the strategy's validation in `registry/certificates/podcertificaterequest`, which knows keys and callers

use super::{Call, Context, Operation};
use crate::certificates::pod::{check_issued, check_request};
use crate::error::{ApiError, Qualified};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kinds::errors::{FieldError, FieldErrors};
use kinds::tree::text;
use serde_json::Value;

const GROUP: &str = "certificates.k8s.io";

pub(super) fn applies(call: &Call<'_>) -> bool {
    let door = (call.operation, call.subresource());
    call.group() == GROUP
        && call.resource() == "podcertificaterequests"
        && matches!(door, (Operation::Create, "") | (Operation::Update, "status"))
}

pub(super) async fn validate(context: &Context, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let errors = match call.old {
        Some(old) if call.operation == Operation::Update => decided(context, call, object, old).await,
        Some(_) | None => asked(object),
    };
    if errors.is_empty() {
        return Ok(());
    }
    let kind = Qualified::new(GROUP, "PodCertificateRequest");
    Err(ApiError::Invalid { kind, name: call.name_of(object).to_owned(), errors })
}

fn stub(object: &Value) -> Vec<u8> {
    STANDARD.decode(text(object, "spec.stubPKCS10Request")).unwrap_or_default()
}

fn asked(object: &Value) -> FieldErrors {
    let outcome = check_request(&stub(object));
    outcome.err().map(|why| FieldError::invalid("spec.stubPKCS10Request", "<value omitted>", why)).into_iter().collect()
}

/// A decision stands, so that what changes is the first, and comes with all that it says.
async fn decided(context: &Context, call: &Call<'_>, object: &Value, old: &Value) -> FieldErrors {
    let status = |object: &Value| object.get("status").cloned().unwrap_or_default();
    let (new, before) = (status(object), status(old));
    if kinds::validate::semantically_equal(&new, &before) {
        return FieldErrors::new();
    }
    let issued = new["conditions"].as_array().into_iter().flatten().any(|condition| condition["type"] == "Issued");
    if issued {
        let seconds_max = old["spec"]["maxExpirationSeconds"].as_i64().unwrap_or_default();
        if let Err(wrong) = check_issued(&stub(old), &new, seconds_max, context.clock.now()) {
            return vec![FieldError::invalid(wrong.field, "<value omitted>", wrong.detail)];
        }
    }
    // The signer is that of the stored request: what is sent may not choose its own judge.
    let signer = text(old, "spec.signerName");
    if call.may_act_for_signer(&context.authorizer, "sign", signer).await {
        return FieldErrors::new();
    }
    let why = format!("User {:?} is not permitted to \"sign\" for signer {signer:?}", call.identity().user);
    vec![FieldError::forbidden("spec.signerName", why)]
}
