//! `certificate approve` and `certificate deny`: the decision on a request for a certificate, as a condition of it.

use crate::chosen::{self, Choice, Chosen, Nameless};
use crate::failure;
use crate::low;
use crate::print::Format;
use crate::resource;
use crate::session::{Failures, Session};
use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

/// Attempts against others' concurrent writes, as kubectl's.
const ATTEMPTS_MAX: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Approve,
    Deny,
}

impl Decision {
    /// The condition that says so.
    fn condition(self) -> &'static str {
        match self {
            Decision::Approve => "Approved",
            Decision::Deny => "Denied",
        }
    }

    /// The condition that says the contrary; nobody may have both.
    fn contrary(self) -> Self {
        match self {
            Decision::Approve => Decision::Deny,
            Decision::Deny => Decision::Approve,
        }
    }

    fn done(self) -> &'static str {
        match self {
            Decision::Approve => "approved",
            Decision::Deny => "denied",
        }
    }
}

pub(super) async fn decide(session: &Session, typed: &low::Decide, decision: Decision) -> Result<()> {
    ensure!(
        !typed.requests.is_empty() || !typed.files.names.is_empty(),
        "one or more CSRs must be specified as <name> or -f <filename>"
    );
    let format = typed.format.output.as_deref().map(|text| Format::parse(Some(text))).transpose()?;
    let requests = resource::known("certificates.k8s.io", "certificatesigningrequests");
    let words: Vec<String> = typed.requests.iter().map(|name| requests.named(name)).collect();
    let select = low::Select::default();
    let choice = Choice { words: &words, files: Some(&typed.files), select: &select, nameless: Nameless::Refused };
    let mut failures = Failures::default();
    for one in chosen::choose(session, &choice).await? {
        let decided = if one.resource == requests {
            decide_one(session, &one, decision, typed.force).await
        } else {
            Err(anyhow::anyhow!("can only handle {} objects, not {}", requests.kind, one.title()))
        };
        if let Some(request) = failures.take(session, decided)? {
            super::tell(session, format.as_ref(), &one.title(), decision.done(), &request)?;
        }
    }
    failures.end()
}

/// The request with the decision on it.
async fn decide_one(session: &Session, one: &Chosen, decision: Decision, force: bool) -> Result<Value> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let mut request = session.server.get(&one.path()).await?;
        let there = add_condition(&mut request, decision, session.clock.now())?;
        if there && !force {
            return Ok(request);
        }
        match session.server.put(&format!("{}/approval", one.path()), &request).await {
            Err(error) if failure::is_conflict(&error) && attempt < ATTEMPTS_MAX => {}
            outcome => return outcome,
        }
    }
}

/// Whether the decision was there already.
fn add_condition(request: &mut Value, decision: Decision, now: jiff::Timestamp) -> Result<bool> {
    let has = |decision: Decision| {
        let conditions = request["status"]["conditions"].as_array().into_iter().flatten();
        conditions.into_iter().any(|condition| condition["type"] == decision.condition())
    };
    if has(decision.contrary()) {
        let name = request["metadata"]["name"].as_str().unwrap_or_default();
        bail!("certificate signing request \"{name}\" is already {}", decision.contrary().condition());
    }
    if has(decision) {
        return Ok(true);
    }
    let (verb, done) = match decision {
        Decision::Approve => ("Approve", "approved by kctl certificate approve"),
        Decision::Deny => ("Deny", "denied by kctl certificate deny"),
    };
    let condition = json!({
        "type": decision.condition(), "status": "True", "reason": format!("Kctl{verb}"),
        "message": format!("This CSR was {done}."), "lastUpdateTime": format!("{now:.0}"),
    });
    match &mut request["status"]["conditions"] {
        Value::Array(conditions) => conditions.push(condition),
        none => *none = json!([condition]),
    }
    Ok(false)
}
