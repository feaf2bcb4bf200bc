//! CertificateSigningRequests: who asks is written down by the server, and deciding and signing need a right on the signer.
//! k8s: `plugin/pkg/admission/certificates/{approval,signing,subjectrestriction}`, the strategy's PrepareForCreate, and of
//! `apis/certificates/validation` what parses X.509

use super::{Call, Context, Operation};
use crate::certificates::rules::{Signer, asked};
use crate::error::ApiError;
use crate::pki::request::{check_signature, parse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kinds::errors::{FieldError, go_quote};
use kinds::tree::text;
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, X509Certificate};

const GROUP: &str = "certificates.k8s.io";
const RESOURCE: &str = "certificatesigningrequests";
const CERTIFICATE: &str = "CERTIFICATE";
const MASTERS: &str = "system:masters";

pub(super) fn applies(call: &Call<'_>) -> bool {
    call.group() == GROUP
        && call.resource() == RESOURCE
        && matches!(call.operation, Operation::Create | Operation::Update)
}

/// Who asks, and when a decision came.
pub(super) fn mutate(context: &Context, call: &Call<'_>, object: &mut Value) {
    match call.subresource() {
        "" if call.operation == Operation::Create => {
            let identity = call.identity();
            let spec = &mut object["spec"];
            spec["username"] = json!(identity.user);
            for (field, value, empty) in [
                ("uid", json!(identity.uid), identity.uid.is_empty()),
                ("groups", json!(identity.groups), identity.groups.is_empty()),
                ("extra", json!(identity.extra), identity.extra.is_empty()),
            ] {
                match spec.as_object_mut() {
                    Some(spec) if empty => drop(spec.remove(field)),
                    Some(spec) => drop(spec.insert(field.to_owned(), value)),
                    None => {}
                }
            }
        }
        "approval" | "status" => {
            let now = context.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let before = call.old.and_then(|old| old.pointer("/status/conditions")).cloned().unwrap_or_default();
            let all = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
            for condition in all.into_iter().flatten() {
                stamp(condition, &before, &now);
            }
        }
        _ => {}
    }
}

fn stamp(condition: &mut Value, before: &Value, now: &str) {
    if condition["lastUpdateTime"].is_null() {
        condition["lastUpdateTime"] = json!(now);
    }
    if condition["lastTransitionTime"].is_null() {
        let held = before.as_array().into_iter().flatten().find(|held| held["type"] == condition["type"]);
        let kept = held.filter(|held| held["status"] == condition["status"]);
        let since = kept.map(|held| held["lastTransitionTime"].clone()).filter(Value::is_string);
        condition["lastTransitionTime"] = since.unwrap_or_else(|| json!(now));
    }
}

pub(super) async fn validate(context: &Context, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    match (call.operation, call.subresource()) {
        (Operation::Create, "") => {
            check_request(call, object)?;
            restrict_subject(call, object)
        }
        (Operation::Update, "approval") => permitted(context, call, object, "approve").await,
        (Operation::Update, "status") => {
            let part = |tree: &Value, pointer| tree.pointer(pointer).filter(|value| !value.is_null()).cloned();
            let changed = |pointer| part(object, pointer) != call.old.and_then(|old| part(old, pointer));
            if changed("/status/certificate") {
                check_issued(call, object)?;
            }
            if changed("/status/certificate") || changed("/status/conditions") {
                permitted(context, call, object, "sign").await
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

fn check_request(call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let encoded = text(object, "spec.request");
    let decoded = STANDARD.decode(encoded).map_err(|error| error.to_string());
    let read = |pem: Vec<u8>| parse(&pem).and_then(|asked| check_signature(&asked)).map_err(|error| error.to_string());
    decoded.and_then(read).map_err(|why| invalid(call, object, FieldError::invalid("spec.request", encoded, why)))
}

/// k8s: validateCertificate; what was there before these rules may stay
fn check_issued(call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let decoded = STANDARD.decode(text(object, "status.certificate")).map_err(|error| error.to_string());
    let checked = decoded.and_then(|pem| if pem.is_empty() { Ok(()) } else { are_certificates(&pem) });
    let error = |why| FieldError::invalid("status.certificate", "<certificate data>", why);
    checked.map_err(|why| invalid(call, object, error(why)))
}

fn are_certificates(pem: &[u8]) -> Result<(), String> {
    let blocks = pem::parse_many(pem).unwrap_or_default();
    if blocks.is_empty() {
        return Err("must contain at least one CERTIFICATE PEM block".to_owned());
    }
    for block in blocks {
        if block.tag() != CERTIFICATE {
            return Err(format!("only CERTIFICATE PEM blocks are allowed, found {}", go_quote(block.tag())));
        }
        if block.headers().iter().next().is_some() {
            return Err("no PEM block headers are permitted".to_owned());
        }
        let mut rest = block.contents();
        if rest.is_empty() {
            return Err("found CERTIFICATE PEM block containing 0 certificates".to_owned());
        }
        while !rest.is_empty() {
            rest = X509Certificate::from_der(rest).map_err(|_| "x509: malformed certificate".to_owned())?.0;
        }
    }
    Ok(())
}

fn invalid(call: &Call<'_>, object: &Value, error: FieldError) -> ApiError {
    ApiError::Invalid {
        kind: crate::error::Qualified::new(GROUP, "CertificateSigningRequest"),
        name: call.name_of(object).to_owned(),
        errors: vec![error],
    }
}

/// Nobody becomes a master by asking for a certificate.
fn restrict_subject(call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    if Signer::of(object) != Some(Signer::Client) {
        return Ok(());
    }
    let masters = asked(object).is_some_and(|asked| asked.organizations.iter().any(|group| group == MASTERS));
    if !masters {
        return Ok(());
    }
    let signer = text(object, "spec.signerName");
    Err(call.forbidden(call.name_of(object), format!("use of {signer} signer with {MASTERS} group is not allowed")))
}

/// The verb on `signers`, by the signer's name or by its domain with a star.
async fn permitted(context: &Context, call: &Call<'_>, object: &Value, verb: &str) -> Result<(), ApiError> {
    // The signer is that of the stored request: what is sent may not choose its own judge.
    let signer = text(call.old.unwrap_or(object), "spec.signerName");
    if call.may_act_for_signer(&context.authorizer, verb, signer).await {
        return Ok(());
    }
    let what = if verb == "approve" { "approve" } else { "sign" };
    let why = format!("user not permitted to {what} requests with signerName {signer:?}");
    Err(call.forbidden(call.name_of(object), why))
}
