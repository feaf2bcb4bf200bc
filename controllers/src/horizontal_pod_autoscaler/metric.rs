//! Each metric of a spec: what the server says of it, and how many replicas it asks for. The most wins.
//! k8s: computeReplicasForMetrics

use super::calculate::{self, PerPod, Target};
use super::conditions::Conditions;
use super::pods::{self, Groups, Sample, Samples, Warmup};
use super::{Seen, questions};
use crate::ownership;
use crate::pod;
use client::cache::Tracked as _;
use client::controller::Sight;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricStatus, CrossVersionObjectReference, ExternalMetricStatus, HorizontalPodAutoscalerSpec,
    MetricIdentifier, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus, ObjectMetricStatus, PodsMetricStatus,
    ResourceMetricStatus,
};
use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Wire;
use kinds::quantity::Quantity;
use kinds::selector::LabelSelector;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) enum Source<'a> {
    Resource {
        name: &'a str,
        target: &'a MetricTarget,
    },
    Container {
        name: &'a str,
        container: &'a str,
        target: &'a MetricTarget,
    },
    Pods {
        metric: &'a MetricIdentifier,
        target: &'a MetricTarget,
    },
    Object {
        metric: &'a MetricIdentifier,
        object: &'a CrossVersionObjectReference,
        target: &'a MetricTarget,
    },
    External {
        metric: &'a MetricIdentifier,
        target: &'a MetricTarget,
    },
    /// A type without its part, or one that is not known.
    Unknown(&'a str),
}

impl<'a> Source<'a> {
    pub(super) fn of(spec: &'a MetricSpec) -> Self {
        if let Some(one) = &spec.resource {
            Self::Resource { name: &one.name, target: &one.target }
        } else if let Some(one) = &spec.container_resource {
            Self::Container { name: &one.name, container: &one.container, target: &one.target }
        } else if let Some(one) = &spec.pods {
            Self::Pods { metric: &one.metric, target: &one.target }
        } else if let Some(one) = &spec.object {
            Self::Object { metric: &one.metric, object: &one.described_object, target: &one.target }
        } else if let Some(one) = &spec.external {
            Self::External { metric: &one.metric, target: &one.target }
        } else {
            Self::Unknown(&spec.type_)
        }
    }

    fn failure(&self) -> &'static str {
        match self {
            Self::Resource { .. } => "FailedGetResourceMetric",
            Self::Container { .. } => "FailedGetContainerResourceMetric",
            Self::Pods { .. } => "FailedGetPodsMetric",
            Self::Object { .. } => "FailedGetObjectMetric",
            Self::External { .. } => "FailedGetExternalMetric",
            Self::Unknown(_) => "InvalidMetricSourceType",
        }
    }
}

pub(super) struct Proposal {
    pub(super) replicas: i32,
    /// What the metric is called in messages.
    pub(super) name: String,
    pub(super) statuses: Vec<MetricStatus>,
}

/// What one metric asks for.
struct One {
    replicas: i32,
    name: String,
    status: MetricStatus,
}

/// `None` if the metrics do not allow a decision; the conditions say why.
pub(super) fn propose(
    seen: &Seen<'_>,
    scale: &Value,
    sights: &[Sight],
    conditions: &mut Conditions,
    now: Timestamp,
) -> Option<Proposal> {
    let parsed = questions::selector(scale).map(LabelSelector::parse);
    let Some(Ok(selector)) = parsed else {
        conditions.warn("SelectorRequired", "selector is required".to_owned());
        let message = "the HPA target's scale is missing a selector";
        conditions.set("ScalingActive", "False", "InvalidSelector", message);
        return None;
    };
    let mine = |pod: &&Arc<Pod>| ownership::matches(&selector, &pod.metadata);
    let pods: Vec<Arc<Pod>> = seen.pods.iter().filter(mine).cloned().collect();
    let current = scale["spec"]["replicas"].as_i64().unwrap_or(0) as i32;
    let look = Context { spec: &seen.scaler.spec, pods, current, now };
    let specs = seen.scaler.spec.metrics.as_deref().unwrap_or_default();
    let answers = specs.iter().enumerate().map(|(at, spec)| {
        let source = Source::of(spec);
        let found = document(sights.get(at)).and_then(|document| look.judge(&source, document));
        found.map_err(|why| (source.failure(), why))
    });
    combine(answers.collect(), current, conditions)
}

/// The most that any metric asks for; with some of them unknown never less than there is.
fn combine(
    answers: Vec<Result<One, (&'static str, String)>>,
    current: i32,
    conditions: &mut Conditions,
) -> Option<Proposal> {
    let count = answers.len();
    let mut statuses = Vec::new();
    let mut best: Option<(i32, String)> = None;
    let mut failures: Vec<(&str, String)> = Vec::new();
    for answer in answers {
        match answer {
            Ok(one) => {
                statuses.push(one.status);
                if best.as_ref().is_none_or(|(most, _)| one.replicas > *most) {
                    best = Some((one.replicas, one.name));
                }
            }
            Err((reason, why)) => {
                conditions.warn(reason, why.clone());
                failures.push((reason, why));
            }
        }
    }
    let shrinks = best.as_ref().is_none_or(|(replicas, _)| *replicas < current);
    if let Some((reason, why)) = failures.first()
        && shrinks
    {
        let message = format!("the HPA was unable to compute the replica count: {why}");
        conditions.set("ScalingActive", "False", reason, &message);
        let all = format!("invalid metrics ({} invalid out of {count}), first error is: {why}", failures.len());
        conditions.warn("FailedComputeMetricsReplicas", all);
        return None;
    }
    let (replicas, name) = best?;
    let message = format!("the HPA was able to successfully calculate a replica count from {name}");
    conditions.set("ScalingActive", "True", "ValidMetricFound", &message);
    Some(Proposal { replicas, name, statuses })
}

fn document(sight: Option<&Sight>) -> Result<&Value, String> {
    match sight {
        Some(Sight::Object(document)) => Ok(document),
        Some(Sight::Unknown(why)) => Err(why.clone()),
        Some(Sight::Absent) => Err("the server could not find the requested resource".to_owned()),
        Some(Sight::Remaining(_)) | None => Err("no metrics returned".to_owned()),
    }
}

struct Context<'a> {
    spec: &'a HorizontalPodAutoscalerSpec,
    /// Pods of the target.
    pods: Vec<Arc<Pod>>,
    current: i32,
    now: Timestamp,
}

impl Context<'_> {
    fn judge(&self, source: &Source<'_>, document: &Value) -> Result<One, String> {
        let status = |type_: &str| MetricStatus { type_: type_.to_owned(), ..MetricStatus::default() };
        match source {
            Source::Resource { name, target } => {
                let (replicas, called, current) = self.resource(name, None, target, document)?;
                let one = ResourceMetricStatus { name: (*name).to_owned(), current };
                Ok(One { replicas, name: called, status: MetricStatus { resource: Some(one), ..status("Resource") } })
            }
            Source::Container { name, container, target } => {
                let (replicas, called, current) = self.resource(name, Some(container), target, document)?;
                let one = ContainerResourceMetricStatus {
                    name: (*name).to_owned(),
                    container: (*container).to_owned(),
                    current,
                };
                let status = MetricStatus { container_resource: Some(one), ..status("ContainerResource") };
                Ok(One { replicas, name: called, status })
            }
            Source::Pods { metric, target } => {
                let samples = samples_of_metric(document);
                let groups = pods::group(&self.pods, &samples, Warmup::None, self.now);
                let (replicas, current) = self.averaged(groups, milli(target.average_value.as_ref())?)?;
                let one = PodsMetricStatus { metric: (*metric).clone(), current };
                let name = format!("pods metric {}", metric.name);
                Ok(One { replicas, name, status: MetricStatus { pods: Some(one), ..status("Pods") } })
            }
            Source::Object { metric, object, target } => {
                let usage = samples_of_metric(document).values().map(|sample| sample.milli).next();
                let (replicas, current) =
                    self.whole(usage.ok_or("no metrics returned from custom metrics API")?, target)?;
                let one =
                    ObjectMetricStatus { metric: (*metric).clone(), described_object: (*object).clone(), current };
                let name = format!("{} metric {}", object.kind, metric.name);
                Ok(One { replicas, name, status: MetricStatus { object: Some(one), ..status("Object") } })
            }
            Source::External { metric, target } => {
                let usage = external(document).ok_or("no metrics returned from external metrics API")?;
                let (replicas, current) = self.whole(usage, target)?;
                let one = ExternalMetricStatus { metric: (*metric).clone(), current };
                let name = format!("external metric {}", metric.name);
                Ok(One { replicas, name, status: MetricStatus { external: Some(one), ..status("External") } })
            }
            Source::Unknown(type_) => Err(format!("unknown metric source type {type_:?}")),
        }
    }

    fn resource(
        &self,
        name: &str,
        container: Option<&str>,
        target: &MetricTarget,
        document: &Value,
    ) -> Result<(i32, String, MetricValueStatus), String> {
        let what = if container.is_some() { "container resource" } else { "resource" };
        let samples = samples_of_resource(document, name, container);
        if samples.is_empty() {
            return Err(format!(
                "failed to get {name} utilization: unable to get metrics for resource {name}: no metrics returned from resource metrics API"
            ));
        }
        let warmup = if name == "cpu" { Warmup::Cpu } else { Warmup::None };
        let groups = pods::group(&self.pods, &samples, warmup, self.now);
        let Some(percent) = target.average_utilization else {
            let (replicas, current) = self.averaged(groups, milli(target.average_value.as_ref())?)?;
            return Ok((replicas, format!("{name} {what}"), current));
        };
        if groups.ready.is_empty() {
            return Err(format!(
                "failed to get {name} utilization: did not receive metrics for targeted pods (pods might be unready)"
            ));
        }
        let requests =
            self.requests(name, container).map_err(|why| format!("failed to get {name} utilization: {why}"))?;
        let per_pod = PerPod { groups, target: Target::Utilization { percent, requests } };
        let current = MetricValueStatus {
            average_utilization: per_pod.target.utilization(&per_pod.groups.ready),
            average_value: Some(average(&per_pod.groups)),
            value: None,
        };
        let called = format!("{name} {what} utilization (percentage of request)");
        Ok((per_pod.replicas(self.spec, self.current), called, current))
    }

    fn averaged(&self, groups: Groups, target: i64) -> Result<(i32, MetricValueStatus), String> {
        if groups.ready.is_empty() {
            return Err("did not receive metrics for targeted pods (pods might be unready)".to_owned());
        }
        let current = MetricValueStatus { average_value: Some(average(&groups)), ..MetricValueStatus::default() };
        let per_pod = PerPod { groups, target: Target::Average(target) };
        Ok((per_pod.replicas(self.spec, self.current), current))
    }

    /// Of a value that is not any pod's own.
    fn whole(&self, usage: i64, target: &MetricTarget) -> Result<(i32, MetricValueStatus), String> {
        let wire = |milli: i64| Some(Wire(Quantity::from_milli(milli).to_string()));
        if target.value.is_some() {
            let ready =
                self.pods.iter().filter(|pod| pod::phase(pod) == "Running" && pod::is_ready(pod)).count() as i32;
            let replicas = calculate::by_value(self.spec, self.current, ready, usage, milli(target.value.as_ref())?);
            return Ok((replicas, MetricValueStatus { value: wire(usage), ..MetricValueStatus::default() }));
        }
        let replicas = calculate::by_average(self.spec, self.current, usage, milli(target.average_value.as_ref())?);
        let average = usage / i64::from(self.current.max(1));
        Ok((replicas, MetricValueStatus { average_value: wire(average), ..MetricValueStatus::default() }))
    }

    /// What each pod asked for, in thousandths; a container that asks for nothing makes the share meaningless.
    fn requests(&self, resource: &str, only: Option<&str>) -> Result<BTreeMap<String, i64>, String> {
        let of = |container: &Container, pod: &Pod| {
            let asked = container.resources.as_ref().and_then(|resources| resources.requests.as_ref()?.get(resource));
            let missing =
                || format!("missing request for {resource} in container {} of Pod {}", container.name, pod.name());
            milli(asked).map_err(|_| missing())
        };
        let mut requests = BTreeMap::new();
        for pod in &self.pods {
            let spec = pod.spec.iter();
            let sidecars = spec.clone().flat_map(|spec| spec.init_containers.iter().flatten());
            let sidecars = sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
            let containers = spec.flat_map(|spec| &spec.containers).chain(sidecars);
            let wanted = containers.filter(|container| only.is_none_or(|name| name == container.name));
            let sum: Result<Vec<i64>, String> = wanted.map(|container| of(container, pod)).collect();
            requests.insert(pod.name().to_owned(), sum?.into_iter().sum());
        }
        Ok(requests)
    }
}

fn average(groups: &Groups) -> Wire {
    let sum: i64 = groups.ready.values().sum();
    Wire(Quantity::from_milli(sum / groups.ready.len().max(1) as i64).to_string())
}

fn milli(quantity: Option<&Wire>) -> Result<i64, String> {
    let quantity = quantity.ok_or("invalid metric source: neither a utilization target nor a value target was set")?;
    Quantity::parse(&quantity.0).map(|quantity| quantity.milli_value()).map_err(|error| error.to_string())
}

fn text_milli(value: &Value) -> Option<i64> {
    Some(Quantity::parse(value.as_str()?).ok()?.milli_value())
}

fn timestamp(item: &Value) -> Timestamp {
    item["timestamp"].as_str().and_then(|text| text.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// PodMetrics: the sum over containers; a pod of which one is not measured is not measured.
fn samples_of_resource(document: &Value, resource: &str, only: Option<&str>) -> Samples {
    let items = document["items"].as_array().into_iter().flatten();
    let sample = |item: &Value| {
        let containers = item["containers"].as_array().into_iter().flatten();
        let wanted = containers.filter(|one| only.is_none_or(|name| one["name"] == *name));
        let usage: Option<Vec<i64>> = wanted.map(|one| text_milli(&one["usage"][resource])).collect();
        let usage = usage.filter(|usage| !usage.is_empty())?;
        let window =
            item["window"].as_str().and_then(|text| text.parse().ok()).unwrap_or(SignedDuration::from_secs(60));
        let name = item["metadata"]["name"].as_str()?.to_owned();
        Some((name, Sample { milli: usage.iter().sum(), at: timestamp(item), window }))
    };
    items.filter_map(sample).collect()
}

/// MetricValueList of the custom metrics API.
fn samples_of_metric(document: &Value) -> Samples {
    let items = document["items"].as_array().into_iter().flatten();
    let sample = |item: &Value| {
        let name = item["describedObject"]["name"].as_str()?.to_owned();
        let window = SignedDuration::from_secs(item["windowSeconds"].as_i64().unwrap_or(60));
        Some((name, Sample { milli: text_milli(&item["value"])?, at: timestamp(item), window }))
    };
    items.filter_map(sample).collect()
}

/// ExternalMetricValueList: the sum.
fn external(document: &Value) -> Option<i64> {
    let items = document["items"].as_array().filter(|items| !items.is_empty())?;
    Some(items.iter().filter_map(|item| text_milli(&item["value"])).sum())
}
