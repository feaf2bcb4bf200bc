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

#[test]
fn an_indexed_job_counts_its_indexes() {
    let indexed = |spec: Value| {
        let mut all = json!({"spec": {"completionMode": "Indexed", "completions": 5, "parallelism": 5}});
        check::merge(&mut all["spec"], &spec);
        all
    };
    let rule = |rule: Value| indexed(json!({"successPolicy": {"rules": [rule]}}));
    create(rule(json!({"succeededIndexes": "0,2-4", "succeededCount": 4})), expect![[""]]);
    create(
        rule(json!({"succeededIndexes": "0,2-4", "succeededCount": 5})),
        expect![
            "spec.successPolicy.rules[0].succeededCount: Invalid value: 5: must be less than or equal to 4 (the number of indexes in the specified succeededIndexes field)"
        ],
    );
    for (indexes, want) in [
        ("5", "too large index: \"5\""),
        (
            "1-2-3",
            "the fragment \"1-2-3\" violates the requirement that an index interval can have at most two parts separated by '-'",
        ),
        ("3,1", "non-increasing order, previous: 3, current: 1"),
        ("2-2", "non-increasing order, previous: 2, current: 2"),
        ("a", "cannot convert string to integer for index: \"a\""),
    ] {
        let mut object = job();
        check::merge(&mut object, &rule(json!({"succeededIndexes": indexes})));
        let errors = check::create::<JobKind>(object);
        assert!(errors.ends_with(&format!("error parsing succeededIndexes: {want}")), "{errors}");
    }
    create(
        indexed(json!({"backoffLimitPerIndex": 1, "maxFailedIndexes": 6})),
        expect!["spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions"],
    );
    create(
        indexed(json!({"completions": 100_001, "parallelism": 10_001, "backoffLimitPerIndex": 1})),
        expect![[r"
            spec.maxFailedIndexes: Required value: must be specified when completions is above 100000
            spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index"]],
    );
    let mut old = job();
    check::merge(&mut old, &indexed(json!({})));
    assert_eq!(check::update::<JobKind>(old.clone(), &json!({"spec": {"completions": 4, "parallelism": 4}})), "");
    expect!["spec.completions: Invalid value: 4: can only be modified in tandem with spec.parallelism"]
        .assert_eq(&check::update::<JobKind>(old, &json!({"spec": {"completions": 4}})));
}

#[test]
fn exit_codes_rise_and_are_of_a_container_that_is_there() {
    let codes = |codes: Value| json!({"spec": {"podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": codes}]}, "podReplacementPolicy": "Failed"}});
    create(codes(json!({"operator": "In", "containerName": "c", "values": [1, 2]})), expect![[""]]);
    create(
        codes(json!({"operator": "In", "containerName": "d", "values": [2, 1, 2]})),
        expect![[r#"
            spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "d": must be one of the container or initContainer names in the pod template
            spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 2
            spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,1,2]: must be ordered"#]],
    );
}

#[test]
fn a_held_job_may_be_steered_to_nodes_and_not_to_other_pods() {
    let mut held = job();
    held["spec"]["suspend"] = json!(true);
    let affinity = |affinity: Value| json!({"spec": {"template": {"spec": {"affinity": affinity}}}});
    let zone = json!({"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]});
    let nodes = affinity(json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": zone}}));
    assert_eq!(check::update::<JobKind>(held.clone(), &nodes), "");
    let pods =
        affinity(json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}));
    assert!(check::update::<JobKind>(held, &pods).ends_with("field is immutable"));
}
