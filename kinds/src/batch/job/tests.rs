//! Jobs: defaults, selector generation, validation and updates, as rows.

use super::JobKind;
use crate::validate::check;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

fn job() -> Value {
    json!({"metadata": {"name": "j", "uid": "u-1"}, "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}})
}

#[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
fn create(patch: Value, want: Expect) {
    let mut object = job();
    check::merge(&mut object, &patch);
    want.assert_eq(&check::create::<JobKind>(object));
}

#[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
fn change(patch: Value, want: Expect) {
    want.assert_eq(&check::update::<JobKind>(job(), &patch));
}

#[test]
fn a_job_runs_once_and_selects_its_own_pods() {
    let stored = check::created::<JobKind>(job());
    let spec = &stored["spec"];
    assert_eq!((&spec["completions"], &spec["parallelism"], &spec["backoffLimit"]), (&json!(1), &json!(1), &json!(6)));
    assert_eq!((&spec["completionMode"], &spec["suspend"]), (&json!("NonIndexed"), &json!(false)));
    assert_eq!(spec["podReplacementPolicy"], "TerminatingOrFailed");
    assert_eq!(spec["selector"], json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}));
    assert_eq!(
        spec["template"]["metadata"]["labels"],
        json!({"batch.kubernetes.io/controller-uid": "u-1", "batch.kubernetes.io/job-name": "j", "controller-uid": "u-1", "job-name": "j"})
    );
    check::defaulted::<JobKind>(stored);
}

#[test]
fn the_spec_is_checked() {
    create(json!({}), expect![[""]]);
    create(
        json!({"spec": {"template": {"spec": {"restartPolicy": null}}}}),
        expect![[r#"spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never""#]],
    );
    create(
        json!({"spec": {"completions": -1, "completionMode": "X"}}),
        expect![[r#"
        spec.completions: Invalid value: -1: must be greater than or equal to 0
        spec.completionMode: Unsupported value: "X": supported values: "Indexed", "NonIndexed""#]],
    );
    create(
        json!({"spec": {"completionMode": "Indexed", "parallelism": 2, "completions": null}}),
        expect!["spec.completions: Required value: when completion mode is Indexed"],
    );
    create(
        json!({"spec": {"backoffLimitPerIndex": 1}}),
        expect!["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"],
    );
    create(
        json!({"spec": {"podFailurePolicy": {"rules": [{"action": "FailJob"}, {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [0]}}]}}}),
        expect![[r#"
        spec.podFailurePolicy.rules[0]: Invalid value: {"action":"FailJob"}: specifying one of OnExitCodes and OnPodConditions is required
        spec.podFailurePolicy.rules[1].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator"#]],
    );
    create(
        json!({"spec": {"selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "other"}}}}),
        expect![[r#"
        spec.template.metadata.labels: Invalid value: {"batch.kubernetes.io/controller-uid":"u-1","batch.kubernetes.io/job-name":"j","controller-uid":"u-1","job-name":"j"}: `selector` does not match template `labels`
        spec.selector: Invalid value: {"matchLabels":{"batch.kubernetes.io/controller-uid":"other"}}: `selector` not auto-generated"#]],
    );
}

#[test]
fn what_runs_does_not_change() {
    change(json!({"spec": {"parallelism": 3, "suspend": true, "activeDeadlineSeconds": 5}}), expect![[""]]);
    change(json!({"spec": {"completions": 2}}), expect!["spec.completions: Invalid value: 2: field is immutable"]);
    let pinned = json!({"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}});
    assert!(check::update::<JobKind>(job(), &pinned).starts_with("spec.template: Invalid value: "));
    let mut held = job();
    held["spec"]["suspend"] = json!(true);
    assert_eq!(check::update::<JobKind>(held, &pinned), "");
}

#[test]
fn a_finished_job_stays_finished() {
    let mut old = check::created::<JobKind>(job());
    old["metadata"]["resourceVersion"] = json!("1");
    old["status"]["conditions"] = json!([{"type": "Complete", "status": "True"}]);
    let mut new = old.clone();
    new["status"]["conditions"] = json!([]);
    let kind = crate::typed::Typed::<JobKind>::new();
    let errors = crate::kind::Kind::validate_status(&kind, &new, &old);
    assert_eq!(errors[0].detail, "cannot disable the terminal Complete=True condition");
}
