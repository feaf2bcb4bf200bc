//! LimitRanger: pods get the defaults of their namespace's ranges, and pods and claims stay within them.
//! k8s: `plugin/pkg/admission/limitranger`

use super::{Call, Context, Operation, pod};
use crate::auth::objects::LIMIT_RANGES;
use crate::error::ApiError;
use k8s_openapi::api::core::v1::{Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use kinds::pod_resources::{self, Amounts, Overhead};
use kinds::quantity::Quantity;
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Containers do not change after their creation but for a resize.
pub(super) fn applies(call: &Call<'_>) -> bool {
    let leaving = call.old.is_some_and(|old| !old["metadata"]["deletionTimestamp"].is_null());
    let concerned = match call.operation {
        Operation::Create => call.is("", "pods", "") || call.is("", "persistentvolumeclaims", ""),
        Operation::Update => call.is("", "pods", "resize") || call.is("", "persistentvolumeclaims", ""),
        Operation::Delete | Operation::Connect => false,
    };
    concerned && !leaving
}

fn ranges(context: &Context, call: &Call<'_>) -> Vec<Arc<Value>> {
    context.objects.cached_list(LIMIT_RANGES, call.ns())
}

pub(super) fn mutate(context: &Context, call: &Call<'_>, object: &mut Value) {
    if call.resource() != "pods" {
        return;
    }
    for range in ranges(context, call) {
        let items = range["spec"]["limits"].as_array().into_iter().flatten();
        let mut set = Vec::new();
        let items: Vec<&Value> = items.filter(|item| item["type"] == "Container").collect();
        for (list, about) in [("containers", "container"), ("initContainers", "init container")] {
            for container in pod::containers(&mut object["spec"], list) {
                set.extend(fill(container, &items, about));
            }
        }
        if !set.is_empty() {
            if !object["metadata"]["annotations"].is_object() {
                object["metadata"]["annotations"] = json!({});
            }
            object["metadata"]["annotations"][ANNOTATION] =
                json!(format!("LimitRanger plugin set: {}", set.join("; ")));
        }
    }
}

/// Fills in what the container leaves open; says what was filled in.
fn fill(container: &mut Value, items: &[&Value], about: &str) -> Vec<String> {
    let name = container["name"].as_str().unwrap_or_default().to_owned();
    let mut said = Vec::new();
    for (side, source, word) in [("requests", "defaultRequest", "request"), ("limits", "default", "limit")] {
        let mut filled: Vec<&str> = Vec::new();
        for (resource, amount) in items.iter().filter_map(|item| item[source].as_object()).flatten() {
            let open = container["resources"][side].get(resource).is_none();
            if open {
                container["resources"][side][resource] = amount.clone();
                filled.push(resource);
            }
        }
        filled.sort_unstable();
        if !filled.is_empty() {
            said.push(format!("{} {word} for {about} {name}", filled.join(", ")));
        }
    }
    said
}

pub(super) fn validate(context: &Context, call: &Call<'_>, object: &Value) -> Result<(), ApiError> {
    let mut broken = Vec::new();
    for range in ranges(context, call) {
        let Ok(range) = LimitRange::deserialize(range.as_ref()) else { continue };
        let items = range.spec.iter().flat_map(|spec| &spec.limits);
        match call.resource() {
            "pods" => {
                if let Ok(pod) = Pod::deserialize(object) {
                    items.for_each(|item| check_pod(item, &pod, &mut broken));
                }
            }
            _ => {
                if let Ok(claim) = PersistentVolumeClaim::deserialize(object) {
                    items.for_each(|item| check_claim(item, &claim, &mut broken));
                }
            }
        }
        if !broken.is_empty() {
            break;
        }
    }
    match broken.as_slice() {
        [] => Ok(()),
        [only] => Err(call.forbidden(call.name_of(object), only)),
        many => Err(call.forbidden(call.name_of(object), format!("[{}]", many.join(", ")))),
    }
}

fn check_pod(item: &LimitRangeItem, pod: &Pod, broken: &mut Vec<String>) {
    let Some(spec) = &pod.spec else { return };
    match item.type_.as_str() {
        "Container" => {
            for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
                let (requests, limits) = of_container(container);
                check(item, &requests, Some(&limits), broken);
            }
        }
        "Pod" => check(
            item,
            &pod_resources::requests(spec, Overhead::LeftOut),
            Some(&pod_resources::limits(spec, Overhead::LeftOut)),
            broken,
        ),
        _ => {}
    }
}

fn of_container(container: &Container) -> (Amounts, Amounts) {
    let resources = container.resources.as_ref();
    (
        pod_resources::amounts(resources.and_then(|all| all.requests.as_ref())),
        pod_resources::amounts(resources.and_then(|all| all.limits.as_ref())),
    )
}

fn check_claim(item: &LimitRangeItem, claim: &PersistentVolumeClaim, broken: &mut Vec<String>) {
    if item.type_ != "PersistentVolumeClaim" {
        return;
    }
    let resources = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    let requests = pod_resources::amounts(resources.and_then(|all| all.requests.as_ref()));
    check(item, &requests, None, broken);
}

fn bounds(list: Option<&BTreeMap<String, Text>>) -> impl Iterator<Item = (&String, &str, Quantity)> {
    list.into_iter().flatten().filter_map(|(name, text)| Some((name, text.0.as_str(), text.0.parse().ok()?)))
}

/// `limits`: `None` for what has requests only, which are then held to the maximum.
fn check(item: &LimitRangeItem, requests: &Amounts, limits: Option<&Amounts>, broken: &mut Vec<String>) {
    let about = item.type_.as_str();
    for (name, text, least) in bounds(item.min.as_ref()) {
        let rule = format!("minimum {name} usage per {about} is {text}");
        let limit = limits.and_then(|limits| limits.get(name));
        let stated = [("request", requests.get(name)), ("limit", limit)];
        broken.extend(bound_broken(&rule, least, Ordering::Less, stated));
    }
    for (name, text, most) in bounds(item.max.as_ref()) {
        let rule = format!("maximum {name} usage per {about} is {text}");
        let request = ("request", requests.get(name));
        let stated = match limits {
            Some(limits) => [("limit", limits.get(name)), request],
            None => [request, ("limit", None)],
        };
        broken.extend(bound_broken(&rule, most, Ordering::Greater, stated));
    }
    let Some(limits) = limits else { return };
    for (name, text, ratio) in bounds(item.max_limit_request_ratio.as_ref()) {
        broken.extend(ratio_broken(about, name, text, ratio, requests.get(name), limits.get(name)));
    }
}

type Stated<'a> = Option<&'a Quantity>;

/// The first of what is stated has to be there, and neither may be on the wrong side of the bound.
fn bound_broken(rule: &str, bound: Quantity, wrong: Ordering, stated: [(&str, Stated<'_>); 2]) -> Option<String> {
    let [(needed, None), _] = stated else {
        let is_wrong = |amount: &Quantity| amount.partial_cmp(&bound) == Some(wrong);
        return stated.into_iter().find_map(|(word, amount)| {
            amount.filter(|amount| is_wrong(amount)).map(|amount| format!("{rule}, but {word} is {amount}"))
        });
    };
    Some(format!("{rule}.  No {needed} is specified"))
}

fn ratio_broken(
    about: &str,
    name: &str,
    text: &str,
    most: Quantity,
    request: Stated<'_>,
    limit: Stated<'_>,
) -> Option<String> {
    let rule = format!("{name} max limit to request ratio per {about} is {text}");
    let some = |amount: Stated<'_>| amount.copied().filter(|amount| *amount != Quantity::ZERO);
    let Some(request) = some(request) else {
        return Some(format!("{rule}, but no request is specified or request is 0"));
    };
    let Some(limit) = some(limit) else { return Some(format!("{rule}, but no limit is specified or limit is 0")) };
    let ratio = limit.as_f64() / request.as_f64();
    (ratio > most.as_f64()).then(|| format!("{rule}, but provided ratio is {ratio:.6}"))
}
