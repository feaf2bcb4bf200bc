//! What Drover does beyond Kubernetes where an object asks for it: the annotations `drover.dev/...`, their values, and what is
//! wrong with them. `docs/beyond.md` says what each is good for. Nobody else spells these names or reads these values.
//!
//! A value that cannot be read means nothing at all: whoever writes it is warned, and the object is as if it had none.

pub mod config;
pub mod depends_on;
pub mod surge;

use serde_json::Value;

const PREFIX: &str = "drover.dev/";

/// `true`: an eviction waits until the pod's replacement is available. On a Deployment, a PodDisruptionBudget, or an Eviction;
/// what the Deployment says goes before what the budget says, and that before what the eviction asks.
pub const SURGE_ON_EVICTION: &str = "drover.dev/surge-on-eviction";

/// What has to be there before the scheduler looks at a pod: `deployment/db, job/migrate, service/cache`. On a pod or a template.
pub const DEPENDS_ON: &str = "drover.dev/depends-on";

/// `true`: nobody deletes the object before this is taken away.
pub const PROTECTED: &str = "drover.dev/protected";

/// `true`: a Deployment whose rollout misses its deadline goes back to the last revision that was complete.
pub const AUTO_ROLLBACK: &str = "drover.dev/auto-rollback";

/// `true` on a ReplicaSet whose rollout was complete once; written by the Deployment's controller where it may go back.
pub const COMPLETED: &str = "drover.dev/completed";

/// `true`: a Deployment rolls out when a ConfigMap or Secret that its pods read changes, and each of its revisions keeps the
/// content that it began with.
pub const ROLL_ON_CONFIG_CHANGE: &str = "drover.dev/roll-on-config-change";

/// By which names the pods of a Deployment read their configuration ([`config::Names`]); written by its controller.
pub const CONFIG_SNAPSHOTS: &str = "drover.dev/config-snapshots";

/// `50%`: a container may use unused CPU time of earlier periods beyond its limit, up to this part of the limit a period.
pub const CPU_BURST: &str = "drover.dev/cpu-burst";

/// The percentage of [`CPU_BURST`], 1 to 100: the kernel lends no more than the limit itself.
pub fn cpu_burst(value: &str) -> Result<i64, String> {
    let percent = value.strip_suffix('%').and_then(|number| number.parse().ok());
    let percent = percent.filter(|percent| (1..=100).contains(percent));
    percent.ok_or_else(|| format!("{value:?} is not a percentage between 1% and 100%"))
}

/// An annotation that is known.
struct Known {
    name: &'static str,
    /// The kinds that it means something on, none for all of them; `Pod` includes templates of pods.
    kinds: &'static [&'static str],
    /// What is wrong with a value.
    check: fn(&str) -> Result<(), String>,
}

const KNOWN: &[Known] = &[
    Known { name: SURGE_ON_EVICTION, kinds: &["Deployment", "PodDisruptionBudget", "Eviction"], check: check_switch },
    Known { name: PROTECTED, kinds: &[], check: check_switch },
    Known { name: AUTO_ROLLBACK, kinds: &["Deployment"], check: check_switch },
    // `rollout undo` copies it to the Deployment, where it says nothing.
    Known { name: COMPLETED, kinds: &["Deployment", "ReplicaSet"], check: check_switch },
    Known { name: ROLL_ON_CONFIG_CHANGE, kinds: &["Deployment"], check: check_switch },
    Known { name: CONFIG_SNAPSHOTS, kinds: &["Deployment"], check: |value| config::Names::parse(value).map(drop) },
    Known { name: CPU_BURST, kinds: &["Pod"], check: |value| cpu_burst(value).map(drop) },
    Known { name: DEPENDS_ON, kinds: &["Pod"], check: |value| depends_on::parse(value).map(drop) },
];

/// What components write for themselves; nobody is warned of it.
const OF_COMPONENTS: &[&str] =
    &["drover.dev/announced-by", "drover.dev/daemon-failures-in-a-row", "drover.dev/local-path", "drover.dev/node"];

/// Kinds whose objects get the annotations of what controls them, where these mean what they say.
const COPYING: &[&str] = &["ControllerRevision", "EndpointSlice", "ReplicaSet"];

/// Where pods are described in other objects.
const TEMPLATES: &[&str] = &["/spec/template", "/spec/jobTemplate/spec/template", "/template"];

/// The value of an annotation.
pub fn value<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(name)?.as_str()
}

/// What a switch says; `None` where it says nothing, or nothing that can be read.
pub fn switch(value: Option<&str>) -> Option<bool> {
    match value? {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn check_switch(value: &str) -> Result<(), String> {
    match switch(Some(value)) {
        Some(_) => Ok(()),
        None => Err(format!("{value:?} is neither \"true\" nor \"false\"")),
    }
}

/// Whether an object of this kind must not be deleted.
pub fn is_protected(kind: &str, object: &Value) -> bool {
    switch(value(object, PROTECTED)) == Some(true) && !is_copy(kind, object)
}

fn is_copy(kind: &str, object: &Value) -> bool {
    let owners = object.get("metadata").and_then(|meta| meta.get("ownerReferences")).and_then(Value::as_array);
    COPYING.contains(&kind) && owners.into_iter().flatten().any(|owner| owner["controller"] == true)
}

/// What is wrong with the annotations of an object of this kind and of its template of pods, a sentence each.
pub fn complaints(kind: &str, object: &Value) -> Vec<String> {
    let own = of(object).filter(|_| !is_copy(kind, object)).filter_map(|(name, value)| complaint(kind, name, value));
    let templates = TEMPLATES.iter().filter_map(|path| object.pointer(path));
    let theirs = templates.flat_map(|template| of(template).filter_map(|(name, value)| complaint("Pod", name, value)));
    own.chain(theirs).collect()
}

/// The annotations of ours that an object has.
fn of(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let all = object.get("metadata").and_then(|meta| meta.get("annotations")).and_then(Value::as_object);
    let all = all.into_iter().flatten().map(|(name, value)| (name.as_str(), value));
    all.filter(|(name, _)| name.starts_with(PREFIX) && !OF_COMPONENTS.contains(name))
}

fn complaint(kind: &str, name: &str, value: &Value) -> Option<String> {
    let Some(known) = KNOWN.iter().find(|known| known.name == name) else {
        let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
        return Some(format!("annotation {name} is not known and has no effect (known: {})", names.join(", ")));
    };
    if !known.kinds.is_empty() && !known.kinds.contains(&kind) {
        let kinds = known.kinds.join(", ");
        return Some(format!("annotation {name} has no effect on a {kind}, only on these: {kinds}"));
    }
    let why = (known.check)(value.as_str()?).err()?;
    Some(format!("annotation {name} has no effect: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn complaints_about(kind: &str, annotations: Value) -> Vec<String> {
        complaints(kind, &json!({"metadata": {"annotations": annotations}}))
    }

    #[test]
    fn what_is_right_or_not_ours_is_not_complained_about() {
        assert_eq!(
            complaints_about("Deployment", json!({SURGE_ON_EVICTION: "false", "x/y": "z", "drover.dev/node": "n"})),
            [""; 0]
        );
        let owners = json!([{"kind": "Deployment", "controller": true}]);
        let copy = json!({"metadata": {"annotations": {SURGE_ON_EVICTION: "true"}, "ownerReferences": owners}});
        assert_eq!(complaints("ReplicaSet", &copy), [""; 0]);
        assert_eq!(complaints("Deployment", &json!({})), [""; 0]);
    }

    #[test]
    fn a_value_that_cannot_be_read_is_told_and_means_nothing() {
        let told = complaints_about("Deployment", json!({SURGE_ON_EVICTION: "yes"}));
        let expected =
            "annotation drover.dev/surge-on-eviction has no effect: \"yes\" is neither \"true\" nor \"false\"";
        assert_eq!(told, [expected]);
        assert_eq!(switch(Some("yes")), None);
    }

    #[test]
    fn a_burst_is_a_percentage_of_the_limit() {
        assert_eq!([cpu_burst("1%"), cpu_burst("100%")], [Ok(1), Ok(100)]);
        for wrong in ["0%", "101%", "50", "%", "-1%", "1.5%"] {
            assert!(cpu_burst(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn copies_of_a_protected_object_are_not_protected_by_themselves() {
        let mut object = json!({"metadata": {"annotations": {PROTECTED: "true"}}});
        assert!(is_protected("ReplicaSet", &object) && is_protected("Deployment", &object));
        object["metadata"]["ownerReferences"] = json!([{"kind": "Deployment", "controller": true}]);
        assert!(!is_protected("ReplicaSet", &object));
        assert!(is_protected("ConfigMap", &object), "its owner's end does not end it");
    }

    #[test]
    fn an_annotation_at_the_wrong_place_is_told_also_in_a_template() {
        let told = complaints_about("ConfigMap", json!({SURGE_ON_EVICTION: "true"}));
        assert!(told[0].contains("has no effect on a ConfigMap"), "{told:?}");
        let template = json!({"metadata": {"annotations": {"drover.dev/typo": "true"}}});
        let told = complaints("Job", &json!({"spec": {"template": template}}));
        assert!(told[0].contains("drover.dev/typo is not known"), "{told:?}");
    }
}
