//! Which names a definition gets, and when it is established: the status that follows from it and from the others. Pure.
//! k8s: apiextensions' naming, establishing and api-approval controllers

use kinds::custom::condition;
use kinds::tree;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NO_CONFLICTS: (&str, &str) = ("NoConflicts", "no conflicts found");
const ACCEPTED: &str = "the initial names have been accepted";
const APPROVAL: &str = "api-approved.kubernetes.io";

/// Names that the other definitions of the group hold.
struct Used<'a> {
    resources: BTreeSet<&'a str>,
    kinds: BTreeSet<&'a str>,
}

impl<'a> Used<'a> {
    fn by(others: &'a [&Value]) -> Self {
        let mut used = Self { resources: BTreeSet::new(), kinds: BTreeSet::new() };
        for other in others {
            let Some(names) = tree::at(other, "status.acceptedNames") else { continue };
            used.resources.extend(["plural", "singular"].map(|field| tree::text(names, field)));
            used.resources.extend(tree::list(names, "shortNames").iter().filter_map(Value::as_str));
            used.kinds.extend(["kind", "listKind"].map(|field| tree::text(names, field)));
        }
        used
    }
}

/// The status that a definition should have. `others` are the other definitions of its group; `is_served` says whether
/// requests for its resources find them already.
pub(super) fn status(crd: &Value, others: &[&Value], is_served: bool, now: &str) -> Value {
    let mut settled = brief(crd);
    let conflict = take_names(&mut settled, others);
    let established = condition::holds(crd, "Established");
    match &conflict {
        None => condition::set(&mut settled, now, ("NamesAccepted", "True"), NO_CONFLICTS.0, NO_CONFLICTS.1),
        Some((reason, message)) => {
            condition::set(&mut settled, now, ("NamesAccepted", "False"), reason, message);
        }
    }
    if !established {
        let (value, reason, message) = match (&conflict, is_served) {
            (Some(_), _) => ("False", "NotAccepted", "not all names are accepted"),
            (None, false) => ("False", "Installing", ACCEPTED),
            (None, true) => ("True", "InitialNamesAccepted", ACCEPTED),
        };
        condition::set(&mut settled, now, ("Established", value), reason, message);
    }
    tell_approval(&mut settled, now);
    settled["status"].take()
}

/// What names, life and status of a definition are read from: everything but its schemas.
pub(super) fn brief(crd: &Value) -> Value {
    let part = |path: &str| tree::at(crd, path).cloned().unwrap_or_default();
    json!({
        "metadata": part("metadata"), "spec": {"group": part("spec.group"), "names": part("spec.names")},
        "status": part("status"),
    })
}

/// Takes the names that are free; the reason and text of the first conflict.
fn take_names(crd: &mut Value, others: &[&Value]) -> Option<(String, String)> {
    let used = Used::by(others);
    let wanted = tree::at(crd, "spec.names").cloned().unwrap_or_default();
    let mut accepted = tree::at(crd, "status.acceptedNames").cloned().unwrap_or_else(|| json!({}));
    let mut conflict: Option<(String, String)> = None;
    let fields = [
        ("plural", "PluralConflict", &used.resources),
        ("singular", "SingularConflict", &used.resources),
        ("kind", "KindConflict", &used.kinds),
        ("listKind", "ListKindConflict", &used.kinds),
    ];
    for (field, reason, used) in fields {
        let name = tree::text(&wanted, field);
        if name != tree::text(&accepted, field) && used.contains(name) {
            conflict = Some((reason.to_owned(), format!("{name:?} is already in use")));
        } else {
            accepted[field] = name.into();
        }
    }
    let short: Vec<&str> = tree::list(&wanted, "shortNames").iter().filter_map(Value::as_str).collect();
    let held = tree::list(&accepted, "shortNames").to_vec();
    let taken: Vec<String> = short
        .iter()
        .filter(|name| !held.iter().any(|held| held == **name) && used.resources.contains(**name))
        .map(|name| format!("{name:?} is already in use"))
        .collect();
    if taken.is_empty() {
        put(&mut accepted, "shortNames", &short);
    } else {
        let text = if taken.len() == 1 { taken[0].clone() } else { format!("[{}]", taken.join(", ")) };
        conflict = Some(("ShortNamesConflict".to_owned(), text));
    }
    let categories: Vec<&str> = tree::list(&wanted, "categories").iter().filter_map(Value::as_str).collect();
    put(&mut accepted, "categories", &categories);
    crd["status"]["acceptedNames"] = accepted;
    conflict
}

fn put(names: &mut Value, field: &str, list: &[&str]) {
    let Some(names) = names.as_object_mut() else { return };
    match list {
        [] => names.remove(field),
        list => names.insert(field.to_owned(), json!(list)),
    };
}

fn tell_approval(crd: &mut Value, now: &str) {
    let group = tree::text(crd, "spec.group");
    if !group.ends_with(".k8s.io") && !group.ends_with(".kubernetes.io") {
        return;
    }
    let annotations = tree::at(crd, "metadata.annotations");
    let given = annotations.and_then(|all| all.get(APPROVAL)).and_then(Value::as_str).unwrap_or_default().to_owned();
    let ty = "KubernetesAPIApprovalPolicyConformant";
    let missing = format!(
        "protected groups must have approval annotation {APPROVAL:?}, see https://github.com/kubernetes/enhancements/pull/1111"
    );
    match given.as_str() {
        "" => condition::set(crd, now, (ty, "False"), "MissingAnnotation", &missing),
        text if text.starts_with("unapproved") => {
            condition::set(crd, now, (ty, "False"), "UnapprovedAnnotation", &format!("not approved: {text:?}"));
        }
        text => condition::set(crd, now, (ty, "True"), "ApprovedAnnotation", &format!("approved in {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn crd(plural: &str, short: &str) -> Value {
        json!({"spec": {"group": "e.com", "names": {"plural": plural, "singular": plural, "kind": plural, "listKind": format!("{plural}List"),
            "shortNames": [short]}}, "status": {}})
    }

    fn settled(crd: &Value, others: &[&Value], is_served: bool) -> Value {
        let mut settled = crd.clone();
        settled["status"] = status(crd, others, is_served, NOW);
        settled
    }

    fn told(crd: &Value) -> Vec<String> {
        let conditions = tree::list(crd, "status.conditions").iter();
        let text = |c: &Value, field| tree::text(c, field).to_owned();
        conditions
            .map(|c| format!("{}={} {}: {}", text(c, "type"), text(c, "status"), text(c, "reason"), text(c, "message")))
            .collect()
    }

    #[test]
    fn names_are_accepted_first_and_established_once_served() {
        let first = settled(&crd("foos", "f"), &[], false);
        assert_eq!(
            told(&first),
            [
                "NamesAccepted=True NoConflicts: no conflicts found",
                "Established=False Installing: the initial names have been accepted"
            ]
        );
        let second = settled(&first, &[], true);
        assert_eq!(told(&second)[1], "Established=True InitialNamesAccepted: the initial names have been accepted");
        assert_eq!(status(&second, &[], true, "2026-01-02T00:00:00Z"), second["status"]);
    }

    #[test]
    fn a_name_that_another_holds_is_not_accepted() {
        let other = settled(&crd("foos", "f"), &[], true);
        let late = settled(&crd("bars", "f"), &[&other], false);
        assert_eq!(
            told(&late),
            [
                "NamesAccepted=False ShortNamesConflict: \"f\" is already in use",
                "Established=False NotAccepted: not all names are accepted"
            ]
        );
        assert_eq!(late["status"]["acceptedNames"]["plural"], "bars");
        assert!(late["status"]["acceptedNames"].get("shortNames").is_none());
    }
}
