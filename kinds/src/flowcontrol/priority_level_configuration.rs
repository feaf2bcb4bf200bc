//! PriorityLevelConfiguration (flowcontrol.apiserver.k8s.io/v1).

use super::bootstrap::{fixed_spec, priority_levels};
use crate::cells;
use crate::errors::{FieldError, FieldErrors};
use crate::row::{AGE, Column, NAME, Row, STATUS, row};
use crate::tree;
use crate::typed::{Hook, TypedKind};
use crate::validate::path::Path;
use crate::validate::{non_negative, one_of};
use k8s_openapi::api::flowcontrol::v1::{
    LimitResponse, LimitedPriorityLevelConfiguration, PriorityLevelConfiguration, QueuingConfiguration,
};
use serde_json::Value;

const SHARES: i32 = 30;
const QUEUES: i32 = 64;
const HAND_SIZE: i32 = 8;
const QUEUE_LENGTH: i32 = 50;
/// k8s: priorityLevelConfigurationQueuingMaxQueues
const QUEUES_MAX: i32 = 10_000_000;
/// Bits of a flow's hash: what a hand is dealt from. k8s: shufflesharding.MaxHashBits
const HASH_BITS: f64 = 60.0;

pub(crate) struct PriorityLevelConfigurationKind;

impl TypedKind for PriorityLevelConfigurationKind {
    type Object = PriorityLevelConfiguration;

    const ROW: Row = ROW;
    const LACKS: &'static [Hook] = &[Hook::PrepareCreate, Hook::PrepareUpdate, Hook::ValidateUpdate, Hook::Warnings];
    const TREE_CELLS: Option<fn(&Value, i64) -> Vec<Value>> = Some(cells);

    fn default(level: &mut PriorityLevelConfiguration) {
        let spec = &mut level.spec;
        if spec.type_ == "Exempt" {
            let exempt = spec.exempt.get_or_insert_default();
            exempt.nominal_concurrency_shares.get_or_insert(0);
            exempt.lendable_percent.get_or_insert(0);
        }
        if let Some(limited) = &mut spec.limited {
            limited.nominal_concurrency_shares.get_or_insert(SHARES);
            limited.lendable_percent.get_or_insert(0);
            if let Some(queuing) = &mut limited.limit_response.queuing {
                let fields = [
                    (&mut queuing.hand_size, HAND_SIZE),
                    (&mut queuing.queues, QUEUES),
                    (&mut queuing.queue_length_limit, QUEUE_LENGTH),
                ];
                for (field, default) in fields {
                    if field.unwrap_or_default() == 0 {
                        *field = Some(default);
                    }
                }
            }
        }
    }

    fn validate(level: &PriorityLevelConfiguration) -> FieldErrors {
        let mut errors = FieldErrors::new();
        let path = Path::new("spec");
        let name = level.metadata.name.as_deref().unwrap_or_default();
        let spec = &level.spec;
        if (name == "exempt") != (spec.type_ == "Exempt") {
            let detail = "type must be 'Exempt' if and only if name is 'exempt'";
            errors.push(FieldError::invalid(path.child("type"), &spec.type_, detail));
        }
        match (spec.type_.as_str(), &spec.limited) {
            ("Exempt", Some(_)) => {
                errors.push(FieldError::forbidden(path.child("limited"), "must be nil if the type is not Limited"));
            }
            ("Exempt", None) => {}
            ("Limited", None) => {
                errors.push(FieldError::required(path.child("limited"), "must not be empty when type is Limited"));
            }
            ("Limited", Some(limited)) => {
                if spec.exempt.is_some() {
                    let detail = "must be nil if the type is Limited";
                    errors.push(FieldError::forbidden(path.child("exempt"), detail));
                }
                self::limited(limited, &path.child("limited"), &mut errors);
            }
            (kind, _) => one_of(kind, &["Exempt", "Limited"], &path.child("type"), &mut errors),
        }
        // How much the exempt level lends is the operator's to say.
        if name != "exempt"
            && let Some(fixed) = fixed_spec(name, priority_levels)
            && serde_json::to_value(spec).is_ok_and(|spec| spec != fixed)
        {
            errors.push(FieldError::invalid(path, spec, format!("spec of '{name}' must equal the fixed value")));
        }
        errors
    }
}

fn limited(limited: &LimitedPriorityLevelConfiguration, path: &Path<'_>, errors: &mut FieldErrors) {
    let shares = limited.nominal_concurrency_shares.unwrap_or_default();
    if shares < 0 {
        let detail = "must be a non-negative integer";
        errors.push(FieldError::invalid(path.child("nominalConcurrencyShares"), shares, detail));
    }
    limit_response(&limited.limit_response, &path.child("limitResponse"), errors);
    if let Some(percent) = limited.lendable_percent.filter(|percent| !(0..=100).contains(percent)) {
        let detail = "must be between 0 and 100, inclusive";
        errors.push(FieldError::invalid(path.child("lendablePercent"), percent, detail));
    }
    if let Some(percent) = limited.borrowing_limit_percent {
        non_negative(percent.into(), &path.child("borrowingLimitPercent"), errors);
    }
}

fn limit_response(response: &LimitResponse, path: &Path<'_>, errors: &mut FieldErrors) {
    let at = path.child("queuing");
    match (response.type_.as_str(), &response.queuing) {
        ("Reject", Some(_)) => {
            errors.push(FieldError::forbidden(at, "must be nil if limited.limitResponse.type is not Limited"));
        }
        ("Queue", None) => {
            errors.push(FieldError::required(at, "must not be empty if limited.limitResponse.type is Limited"));
        }
        ("Queue", Some(queuing)) => self::queuing(queuing, &at, errors),
        ("Reject", None) => {}
        (kind, _) => one_of(kind, &["Queue", "Reject"], &path.child("type"), errors),
    }
}

fn queuing(queuing: &QueuingConfiguration, path: &Path<'_>, errors: &mut FieldErrors) {
    let number = |field: Option<i32>| field.unwrap_or_default();
    let (queues, hand, length) =
        (number(queuing.queues), number(queuing.hand_size), number(queuing.queue_length_limit));
    for (field, value) in [("queueLengthLimit", length), ("queues", queues), ("handSize", hand)] {
        if value <= 0 {
            errors.push(FieldError::invalid(path.child(field), value, "must be positive"));
        }
    }
    if queues > QUEUES_MAX {
        let detail = format!("must not be greater than {QUEUES_MAX}");
        errors.push(FieldError::invalid(path.child("queues"), queues, detail));
    }
    if hand <= 0 {
        return;
    }
    if hand > queues {
        let detail = format!("should not be greater than queues ({queues})");
        errors.push(FieldError::invalid(path.child("handSize"), hand, detail));
    } else if entropy_bits(queues, hand) > HASH_BITS {
        let detail = format!(
            "required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {HASH_BITS}"
        );
        errors.push(FieldError::invalid(path.child("handSize"), hand, detail));
    }
}

/// Bits that it takes to deal every hand from so many queues.
fn entropy_bits(queues: i32, hand: i32) -> f64 {
    (0..hand).map(|dealt| f64::from(queues - dealt).log2()).sum::<f64>().ceil()
}

pub(crate) const ROW: Row = row! {
    "io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration" "flowcontrol.apiserver.k8s.io" "v1" "PriorityLevelConfiguration" "prioritylevelconfigurations" "prioritylevelconfiguration" Cluster,
    subresources: [STATUS],
    columns: [
        NAME,
        Column::new("Type", "string"),
        Column::new("NominalConcurrencyShares", "integer"),
        Column::new("Queues", "integer"),
        Column::new("HandSize", "integer"),
        Column::new("QueueLengthLimit", "integer"),
        AGE,
    ],
    generation: true,
};

pub(crate) fn cells(object: &Value, now_unix_secs: i64) -> Vec<Value> {
    let shares = ["spec.limited", "spec.exempt"]
        .into_iter()
        .find_map(|kind| tree::at(object, kind)?.get("nominalConcurrencyShares"));
    let queuing = |field: &str| {
        let value = tree::at(object, "spec.limited.limitResponse.queuing").and_then(|queuing| queuing.get(field));
        value.cloned().unwrap_or(cells::NONE.into())
    };
    vec![
        cells::of::name(object),
        tree::text(object, "spec.type").into(),
        shares.cloned().unwrap_or(cells::NONE.into()),
        queuing("queues"),
        queuing("handSize"),
        queuing("queueLengthLimit"),
        cells::of::age(object, now_unix_secs),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::check;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn every_level_of_a_new_cluster_is_valid_and_complete() {
        for level in priority_levels() {
            let stored = check::defaulted::<PriorityLevelConfigurationKind>(level.clone());
            assert_eq!(stored["spec"], level["spec"], "{}", level["metadata"]["name"]);
            assert_eq!(check::create::<PriorityLevelConfigurationKind>(level), "");
        }
    }

    #[test]
    fn a_level_queues_within_what_a_hash_can_deal() {
        let level = |queuing: Value| json!({"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": queuing}}}});
        let stored = check::defaulted::<PriorityLevelConfigurationKind>(level(json!({})));
        assert_eq!(
            stored["spec"]["limited"]["limitResponse"]["queuing"],
            json!({"handSize": 8, "queueLengthLimit": 50, "queues": 64})
        );
        assert_eq!(check::create::<PriorityLevelConfigurationKind>(stored), "");
        expect!["spec.limited.limitResponse.queuing.handSize: Invalid value: 10: required entropy bits of deckSize 100 and handSize 10 should not be greater than 60"]
            .assert_eq(&check::create::<PriorityLevelConfigurationKind>(level(json!({"queues": 100, "handSize": 10}))));
        expect![[r#"
            spec.type: Invalid value: "Exempt": type must be 'Exempt' if and only if name is 'exempt'
            spec.limited: Forbidden: must be nil if the type is not Limited"#]]
        .assert_eq(&check::create::<PriorityLevelConfigurationKind>(
            json!({"spec": {"type": "Exempt", "limited": {"limitResponse": {"type": "Reject"}}}}),
        ));
    }
}
