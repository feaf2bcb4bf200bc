//! `spec.behavior`: how fast the size may change, and how long a wish must last. Without it, upstream's defaults.
//! k8s: normalizeDesiredReplicasWithBehaviors

use super::conditions::Conditions;
use super::min_replicas;
use super::recent::History;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::{HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerSpec};
use kinds::moment::earlier;
use kinds::quantity::Quantity;

/// Sizes off the target by less than this are left alone (k8s: horizontal-pod-autoscaler-tolerance).
const TOLERANCE: f64 = 0.1;
const PERIOD_SECS: i32 = 15;
/// k8s: horizontal-pod-autoscaler-downscale-stabilization
const DOWN_WINDOW_SECS: i32 = 300;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// How far off the target is near enough, by the direction that the ratio asks for.
pub(super) fn is_near(spec: &HorizontalPodAutoscalerSpec, ratio: f64) -> bool {
    let of = |direction| {
        rules(spec, direction).tolerance.map_or(TOLERANCE, |tolerance| {
            Quantity::parse(&tolerance.0).map_or(TOLERANCE, |tolerance| tolerance.as_f64())
        })
    };
    (1.0 - of(Direction::Down)..=1.0 + of(Direction::Up)).contains(&ratio)
}

fn rules(spec: &HorizontalPodAutoscalerSpec, direction: Direction) -> HPAScalingRules {
    let behaviour = spec.behavior.clone().unwrap_or_default();
    let policy = |type_: &str, value| HPAScalingPolicy { type_: type_.to_owned(), value, period_seconds: PERIOD_SECS };
    let (mut rules, window, policies) = match direction {
        Direction::Up => (behaviour.scale_up.unwrap_or_default(), 0, vec![policy("Pods", 4), policy("Percent", 100)]),
        Direction::Down => (behaviour.scale_down.unwrap_or_default(), DOWN_WINDOW_SECS, vec![policy("Percent", 100)]),
    };
    rules.stabilization_window_seconds.get_or_insert(window);
    rules.policies.get_or_insert(policies);
    rules
}

/// The size that is allowed now, for the one that is wished for.
pub(super) fn bound(
    spec: &HorizontalPodAutoscalerSpec,
    current: i32,
    wished: i32,
    recent: &History,
    conditions: &mut Conditions,
    now: Timestamp,
) -> i32 {
    let stable = stabilise(spec, current, wished, recent, now);
    if stable == wished {
        conditions.set("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size");
    } else {
        let (reason, which) =
            if wished >= current { ("ScaleUpStabilized", "lower") } else { ("ScaleDownStabilized", "higher") };
        let applied = if wished >= current { "lowest" } else { "highest" };
        let message = format!(
            "recent recommendations were {which} than current one, applying the {applied} recent recommendation"
        );
        conditions.set("AbleToScale", "True", reason, &message);
    }
    let (limited, reason, message) = limit(spec, current, stable, recent, now);
    let truth = if limited == stable { "False" } else { "True" };
    conditions.set("ScalingLimited", truth, reason, message);
    limited
}

/// Grows to no more than the lowest and shrinks to no less than the highest recommendation of the window.
fn stabilise(spec: &HorizontalPodAutoscalerSpec, current: i32, wished: i32, recent: &History, now: Timestamp) -> i32 {
    let within = |direction: Direction| {
        let seconds = rules(spec, direction).stabilization_window_seconds.unwrap_or(0);
        let from = earlier(now, SignedDuration::from_secs(i64::from(seconds)));
        recent.recommended.iter().filter(move |(at, _)| *at > from).map(|(_, replicas)| *replicas)
    };
    let least = within(Direction::Up).min().map_or(wished, |lowest| lowest.min(wished));
    let most = within(Direction::Down).max().map_or(wished, |highest| highest.max(wished));
    current.max(least).min(most)
}

type Limited = (i32, &'static str, &'static str);

fn limit(spec: &HorizontalPodAutoscalerSpec, current: i32, wished: i32, recent: &History, now: Timestamp) -> Limited {
    let (least, most) = (min_replicas(spec), spec.max_replicas);
    if wished > current {
        let rate = furthest(&rules(spec, Direction::Up), Direction::Up, current, recent, now).max(current);
        let (bound, reason, message) = if most > rate {
            (rate, "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
        } else {
            (most, "TooManyReplicas", "the desired replica count is more than the maximum replica count")
        };
        if wished > bound {
            return (bound, reason, message);
        }
    } else if wished < current {
        let rate = furthest(&rules(spec, Direction::Down), Direction::Down, current, recent, now).min(current);
        let (bound, reason, message) = if least < rate {
            (rate, "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
        } else {
            (least, "TooFewReplicas", "the desired replica count is less than the minimum replica count")
        };
        if wished < bound {
            return (bound, reason, message);
        }
    }
    if wished < least {
        return (least, "TooFewReplicas", "the desired replica count is less than the minimum replica count");
    }
    if wished > most {
        return (most, "TooManyReplicas", "the desired replica count is more than the maximum replica count");
    }
    (wished, "DesiredWithinRange", "the desired count is within the acceptable range")
}

/// How far the policies let the size go (k8s: calculateScaleUpLimitWithScalingRules and its twin).
fn furthest(rules: &HPAScalingRules, direction: Direction, current: i32, recent: &History, now: Timestamp) -> i32 {
    let bounds = rules.policies.iter().flatten().map(|policy| {
        let from = earlier(now, SignedDuration::from_secs(i64::from(policy.period_seconds)));
        let changed: i32 = recent.changes.iter().filter(|(at, _)| *at > from).map(|(_, change)| *change).sum();
        let start = current - changed;
        let value = f64::from(policy.value);
        match (policy.type_.as_str(), direction) {
            ("Pods", Direction::Up) => start.saturating_add(policy.value),
            ("Pods", Direction::Down) => start.saturating_sub(policy.value),
            (_, Direction::Up) => (f64::from(start) * (1.0 + value / 100.0)).ceil() as i32,
            (_, Direction::Down) => (f64::from(start) * (1.0 - value / 100.0)) as i32,
        }
    });
    let least_change = rules.select_policy.as_deref() == Some("Min");
    let reached = match direction {
        _ if rules.select_policy.as_deref() == Some("Disabled") => None,
        Direction::Up if least_change => bounds.min(),
        Direction::Up => bounds.max(),
        Direction::Down if least_change => bounds.max(),
        Direction::Down => bounds.min(),
    };
    reached.unwrap_or(current)
}
