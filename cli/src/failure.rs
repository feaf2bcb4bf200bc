//! What went wrong, as the user reads it, and the exit code. No other file formats an error.

use crate::screen::Screen;
use kube::core::Status;
use std::io::{self, ErrorKind};
use thiserror::Error;

/// Ends the command with an exit code; what there was to say has been said.
#[derive(Clone, Copy, Debug, Error)]
#[error("exit code {0}")]
pub struct Exit(pub u8);

/// What was being done to which manifest when the server refused; a context of its answer.
#[derive(Clone, Debug, Error)]
#[error("{0}")]
pub struct During(pub String);

/// The server cannot be reached, told apart from what it answers.
#[derive(Debug, Error)]
#[error("cannot reach the API server at {url}")]
pub struct Unreachable {
    pub url: String,
    #[source]
    pub source: kube::Error,
}

/// The Status that the server answered with, if that is what failed.
pub fn status(error: &anyhow::Error) -> Option<&Status> {
    error.chain().find_map(|cause| match cause.downcast_ref::<kube::Error>() {
        Some(kube::Error::Api(status)) => Some(status.as_ref()),
        _ => None,
    })
}

pub fn is_not_found(error: &anyhow::Error) -> bool {
    status(error).is_some_and(|status| status.code == 404)
}

pub fn is_conflict(error: &anyhow::Error) -> bool {
    status(error).is_some_and(|status| status.code == 409 && status.reason != "AlreadyExists")
}

/// Reports how a command ended; the exit code.
pub fn report(screen: &Screen, outcome: Result<(), anyhow::Error>) -> u8 {
    let Err(error) = outcome else { return 0 };
    if let Some(Exit(code)) = error.downcast_ref() {
        return *code;
    }
    if is_broken_pipe(&error) {
        return 0;
    }
    // Nothing is left to do where not even standard error takes the message.
    match screen.note(&message(&error)) {
        Ok(()) | Err(_) => 1,
    }
}

/// Whoever read our output went away (`kctl get pods | head -1`); not our failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// The text of an error, in kubectl's forms where it has one.
pub fn message(error: &anyhow::Error) -> String {
    if let Some(status) = status(error) {
        return of_status(status, error.downcast_ref());
    }
    if let Some(unreachable) = error.downcast_ref::<Unreachable>() {
        return of_connection(unreachable);
    }
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    let mut text = String::from("error: ");
    for (at, cause) in causes.iter().enumerate() {
        // Some outside errors repeat their source in their own text.
        if at > 0 && causes[at - 1].contains(cause.as_str()) {
            continue;
        }
        if at > 0 {
            text.push_str(": ");
        }
        text.push_str(cause);
    }
    text
}

// k8s: kubectl cmd/util checkErr and StandardErrorMessage
fn of_status(status: &Status, during: Option<&During>) -> String {
    if status.reason == "Unauthorized" {
        return "error: You must be logged in to the server (Unauthorized)".to_owned();
    }
    if status.reason == "Invalid" {
        return of_invalid(status);
    }
    let during = during.map(|during| format!("{during}: ")).unwrap_or_default();
    let reason = if status.reason.is_empty() { String::new() } else { format!(" ({})", status.reason) };
    format!("Error from server{reason}: {during}{}", status.message)
}

/// Each field that is wrong on its own line.
fn of_invalid(status: &Status) -> String {
    let Some(details) = status.details.as_ref().filter(|details| !details.causes.is_empty()) else {
        return format!("The request is invalid: {}", status.message);
    };
    let subject = match (details.kind.as_str(), details.name.as_str()) {
        ("", "") => "The request is invalid".to_owned(),
        (kind, name) => format!("The {kind} \"{name}\" is invalid"),
    };
    let causes = details.causes.iter().map(|cause| match cause.field.as_str() {
        "" => cause.message.clone(),
        field => format!("{field}: {}", cause.message),
    });
    let causes: Vec<String> = causes.collect();
    match causes.as_slice() {
        [only] => format!("{subject}: {only}"),
        several => format!("{subject}: \n* {}", several.join("\n* ")),
    }
}

fn of_connection(unreachable: &Unreachable) -> String {
    let Unreachable { url, source } = unreachable;
    let mut causes = vec![];
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(source);
    while let Some(cause) = next {
        causes.push(cause);
        next = cause.source();
    }
    let kind = causes.iter().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let last = causes.last().map_or_else(String::new, ToString::to_string);
    match kind {
        Some(ErrorKind::ConnectionRefused) => format!(
            "error: cannot reach the API server at {url}: connection refused (is drover running? start it with `drover up`)"
        ),
        Some(ErrorKind::TimedOut) => {
            format!("error: cannot reach the API server at {url}: timed out (check the address in the kubeconfig)")
        }
        _ if last.contains("certificate") || last.contains("UnknownIssuer") => format!(
            "error: cannot trust the API server at {url}: {last} (the kubeconfig may belong to another cluster; drover writes a new one to <data-dir>/admin.kubeconfig)"
        ),
        _ => format!("error: cannot reach the API server at {url}: {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: &str, text: &str, code: u16) -> anyhow::Error {
        kube::Error::Api(Status::failure(text, reason).with_code(code).boxed()).into()
    }

    #[test]
    fn a_status_is_shown_as_kubectl_shows_it() {
        let error = refused("NotFound", "pods \"x\" not found", 404).context("while reading");
        assert_eq!(message(&error), "Error from server (NotFound): pods \"x\" not found");
        assert!(is_not_found(&error) && !is_conflict(&error));
        assert!(!is_conflict(&refused("AlreadyExists", "", 409)));
    }

    #[test]
    fn what_was_done_is_told_and_wrong_fields_are_listed() {
        let error = refused("BadRequest", "no", 400).context(During("error when creating \"a.yaml\"".into()));
        assert_eq!(message(&error), "Error from server (BadRequest): error when creating \"a.yaml\": no");
        let status: Status = serde_json::from_value(serde_json::json!({
            "status": "Failure", "code": 422, "reason": "Invalid", "message": "long", "details": {"kind": "Pod", "name": "a",
            "causes": [{"field": "spec.x", "message": "Required value"}, {"field": "spec.y", "message": "Too long"}]},
        }))
        .unwrap();
        let error = kube::Error::Api(status.boxed()).into();
        assert_eq!(message(&error), "The Pod \"a\" is invalid: \n* spec.x: Required value\n* spec.y: Too long");
    }

    #[test]
    fn a_refused_connection_says_how_to_start_drover() {
        let source = kube::Error::Service(Box::new(io::Error::from(ErrorKind::ConnectionRefused)));
        let error = Unreachable { url: "https://127.0.0.1:6443".into(), source }.into();
        assert_eq!(
            message(&error),
            "error: cannot reach the API server at https://127.0.0.1:6443: connection refused (is drover running? start it with `drover up`)"
        );
    }

    #[test]
    fn causes_are_joined_once() {
        let error = anyhow::anyhow!("no such file").context("cannot read \"x\"");
        assert_eq!(message(&error), "error: cannot read \"x\": no such file");
    }
}
