//! API priority and fairness: which requests are served now, which wait, and which are refused when more come than the server
//! can serve at once. FlowSchemas say which priority level a request belongs to, levels share the server's seats, and flows
//! within a level take turns. k8s: `apiserver/pkg/util/flowcontrol`
//!
//! A LIST takes the seats of what it holds at once, every other request one. Watches hold theirs until their first bytes;
//! exec, port-forward and the like hold none.

mod deal;
mod feed;
mod pool;
mod schema;
mod share;
mod work;

pub(crate) use feed::Feed;
pub(crate) use pool::Seat;
pub(crate) use schema::Asked;
pub(crate) use work::seats;

use crate::error::ApiError;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, FlowSchemaSpec, PriorityLevelConfiguration};
use kinds::flowcontrol::bootstrap;
use parking_lot::RwLock;
use pool::{Level, Pool, Refusal, Wanted};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use share::Limits;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

const SCHEMA_UID: HeaderName = HeaderName::from_static("x-kubernetes-pf-flowschema-uid");
const LEVEL_UID: HeaderName = HeaderName::from_static("x-kubernetes-pf-prioritylevel-uid");
/// The level for everything that nothing else takes.
const CATCH_ALL: &str = "catch-all";
/// Seconds after which a refused request may be tried again.
const RETRY_AFTER_S: u32 = 1;

/// A flow schema, with the level that it leads to.
#[derive(Debug)]
struct Compiled {
    name: String,
    spec: FlowSchemaSpec,
    level: Arc<Level>,
    /// Empty for what is built in and not stored (yet).
    schema_uid: Option<HeaderValue>,
    level_uid: Option<HeaderValue>,
    dispatched: Counter,
}

/// What a request was found to belong to.
#[derive(Clone, Debug)]
pub(crate) struct Flow(Arc<Compiled>);

impl Flow {
    /// Tells clients what they were taken for.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        if let Some(uid) = &self.0.schema_uid {
            headers.insert(SCHEMA_UID, uid.clone());
        }
        if let Some(uid) = &self.0.level_uid {
            headers.insert(LEVEL_UID, uid.clone());
        }
    }
}

/// Schemas in the order in which they are asked; the last one takes everything.
struct Table {
    schemas: Vec<Arc<Compiled>>,
    levels: Vec<Arc<Level>>,
}

/// Seats, and who gets them.
pub(crate) struct FlowControl {
    table: RwLock<Table>,
    pool: Arc<Pool>,
    /// Seats of all levels together.
    total: u32,
    metrics: FlowMetrics,
}

impl FlowControl {
    /// With `total` seats, and with the mandatory levels and schemas until the stored ones are known.
    pub(crate) fn new(total: usize) -> Self {
        let table = Table { schemas: Vec::new(), levels: Vec::new() };
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        let flow = Self { table: RwLock::new(table), pool: Arc::default(), total, metrics: FlowMetrics::default() };
        flow.set(&[], &[]);
        flow
    }

    /// Takes over what is stored. What the mandatory objects say holds also where they are missing.
    pub(crate) fn set(&self, schemas: &[FlowSchema], levels: &[PriorityLevelConfiguration]) {
        let levels = with_mandatory(levels, bootstrap::priority_levels(), |level| level.metadata.name.as_deref());
        let mut schemas = with_mandatory(schemas, bootstrap::flow_schemas(), |schema| schema.metadata.name.as_deref());
        sort(&mut schemas);
        let built = self.build_levels(&levels);
        let compiled = schemas.into_iter().filter_map(|schema| {
            let wanted = &schema.spec.priority_level_configuration.name;
            // k8s: a schema whose level is missing takes nothing.
            let at = levels.iter().position(|level| level.metadata.name.as_ref() == Some(wanted))?;
            let name = schema.metadata.name.unwrap_or_default();
            Some(Arc::new(Compiled {
                dispatched: self.metrics.dispatched.get_or_create(&FlowLabels::of(&name, wanted)).clone(),
                level: Arc::clone(&built[at]),
                schema_uid: header(schema.metadata.uid.as_deref()),
                level_uid: header(levels[at].metadata.uid.as_deref()),
                spec: schema.spec,
                name,
            }))
        });
        let schemas = compiled.collect();
        *self.table.write() = Table { schemas, levels: built };
    }

    fn build_levels(&self, levels: &[PriorityLevelConfiguration]) -> Vec<Arc<Level>> {
        let limits: Vec<Limits> = levels.iter().map(Limits::of).collect();
        let shares = share::shares(self.total, &limits);
        let name = |at: usize| levels[at].metadata.name.clone().unwrap_or_default();
        let wanted = limits.iter().zip(&shares).enumerate().filter_map(|(at, (limits, share))| {
            let Limits::Limited { queuing, .. } = limits else { return None };
            Some(Wanted { name: name(at), share: (*share)?, queuing: *queuing })
        });
        let mut limited = self.pool.set(wanted.collect()).into_iter();
        let of = |(at, share): (usize, &Option<share::Share>)| match share {
            Some(_) => limited.next().expect("one for each that was wanted"),
            None => Level::exempt(&name(at)),
        };
        shares.iter().enumerate().map(of).collect()
    }

    pub(crate) fn classify(&self, asked: &Asked<'_>) -> Flow {
        let table = self.table.read();
        let found = table.schemas.iter().find(|schema| schema::matches(&schema.spec, asked));
        // Whoever is in no group at all. k8s: catch-all
        let found = found.or_else(|| table.schemas.iter().rfind(|schema| schema.name == CATCH_ALL));
        Flow(Arc::clone(found.or_else(|| table.schemas.last()).expect("the mandatory ones are always there")))
    }

    /// Seats for a request of this flow, which asks for `width`, after at most `patience`.
    pub(crate) async fn seat(
        &self,
        flow: &Flow,
        asked: &Asked<'_>,
        width: u32,
        patience: Duration,
    ) -> Result<Seat, ApiError> {
        let schema = &flow.0;
        let hash = || {
            let mut hasher = DefaultHasher::new();
            (&schema.name, asked.distinguisher(&schema.spec)).hash(&mut hasher);
            hasher.finish()
        };
        match schema.level.take(hash, width, patience).await {
            Ok(seat) => {
                schema.dispatched.inc();
                Ok(seat)
            }
            Err(refusal) => {
                self.metrics.refused.get_or_create(&RefusalLabels::of(schema, refusal)).inc();
                Err(ApiError::too_many_requests("Too many requests, please try again later.", RETRY_AFTER_S))
            }
        }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// Brings the gauges up to now.
    pub(crate) fn measure(&self) {
        for level in &self.table.read().levels {
            self.metrics.measure(level, self.pool.nominal(level));
        }
    }
}

/// `given`, and those of `builtin` that are mandatory and not among them.
fn with_mandatory<T: Clone + for<'de> Deserialize<'de>>(
    given: &[T],
    builtin: Vec<serde_json::Value>,
    name: impl Fn(&T) -> Option<&str>,
) -> Vec<T> {
    let mut all = given.to_vec();
    for object in builtin {
        let object = T::deserialize(object).expect("what is built in is of its type");
        let own = name(&object).unwrap_or_default();
        if bootstrap::MANDATORY.contains(&own) && !all.iter().any(|known| name(known) == Some(own)) {
            all.push(object);
        }
    }
    all
}

/// By precedence, then by name. k8s: FlowSchemaSequence
fn sort(schemas: &mut [FlowSchema]) {
    schemas.sort_by(|a, b| {
        let key = |schema: &FlowSchema| schema.spec.matching_precedence.unwrap_or_default();
        key(a).cmp(&key(b)).then_with(|| a.metadata.name.cmp(&b.metadata.name))
    });
}

fn header(uid: Option<&str>) -> Option<HeaderValue> {
    HeaderValue::from_str(uid?).ok()
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FlowLabels {
    flow_schema: String,
    priority_level: String,
}

impl FlowLabels {
    fn of(schema: &str, level: &str) -> Self {
        Self { flow_schema: schema.to_owned(), priority_level: level.to_owned() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    flow_schema: String,
    priority_level: String,
    reason: &'static str,
}

impl RefusalLabels {
    fn of(schema: &Compiled, refusal: Refusal) -> Self {
        let (flow_schema, priority_level) = (schema.name.clone(), schema.level.name.clone());
        Self { flow_schema, priority_level, reason: refusal.as_str() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LevelLabels {
    priority_level: String,
}

type LevelGauge = Family<LevelLabels, Gauge>;

/// Under upstream's names.
#[derive(Default)]
struct FlowMetrics {
    dispatched: Family<FlowLabels, Counter>,
    refused: Family<RefusalLabels, Counter>,
    nominal: LevelGauge,
    current: LevelGauge,
    executing: LevelGauge,
    waiting: LevelGauge,
}

impl FlowMetrics {
    fn register(&self, registry: &mut Registry) {
        let name = |name: &str| format!("apiserver_flowcontrol_{name}");
        registry.register(name("dispatched_requests"), "Requests that got a seat", self.dispatched.clone());
        registry.register(name("rejected_requests"), "Requests that got none", self.refused.clone());
        let gauges = [
            ("nominal_limit_seats", "A level's own seats", &self.nominal),
            ("current_limit_seats", "A level's seats with what it borrowed and without what it lent", &self.current),
            ("current_executing_seats", "Seats that are taken", &self.executing),
            ("current_inqueue_requests", "Requests that wait for a seat", &self.waiting),
        ];
        for (text, help, gauge) in gauges {
            registry.register(name(text), help, gauge.clone());
        }
    }

    fn measure(&self, level: &Level, nominal: u32) {
        let labels = LevelLabels { priority_level: level.name.clone() };
        let figures = level.figures();
        let values = [
            (&self.nominal, nominal),
            (&self.current, figures.limit),
            (&self.executing, figures.executing),
            (&self.waiting, figures.waiting),
        ];
        for (gauge, value) in values {
            gauge.get_or_create(&labels).set(i64::from(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::parse;
    use client::identity::Identity;
    use http::Method;
    use serde_json::json;

    fn schema(name: &str, precedence: i32, level: &str, user: &str) -> FlowSchema {
        let rules = json!([{
            "subjects": [{"kind": "User", "user": {"name": user}}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        }]);
        let spec = json!({
            "matchingPrecedence": precedence, "priorityLevelConfiguration": {"name": level}, "rules": rules,
        });
        serde_json::from_value(json!({"metadata": {"name": name, "uid": format!("uid-{name}")}, "spec": spec})).unwrap()
    }

    fn level(name: &str) -> PriorityLevelConfiguration {
        let spec = json!({"type": "Limited", "limited": {
            "nominalConcurrencyShares": 1, "limitResponse": {"type": "Reject"},
        }});
        serde_json::from_value(json!({"metadata": {"name": name, "uid": format!("uid-{name}")}, "spec": spec})).unwrap()
    }

    fn marks(control: &FlowControl, user: &str) -> (String, String) {
        let identity = Identity::new(user, [crate::auth::GROUP_AUTHENTICATED]);
        let target = parse(&Method::GET, "/version", None, identity, |_, _, _| None).unwrap();
        let mut headers = HeaderMap::new();
        control.classify(&Asked::of(&target)).mark(&mut headers);
        let text = |name| headers.get(name).map_or("", |uid: &HeaderValue| uid.to_str().unwrap()).to_owned();
        (text(SCHEMA_UID), text(LEVEL_UID))
    }

    fn pair(schema: &str, level: &str) -> (String, String) {
        (schema.to_owned(), level.to_owned())
    }

    #[test]
    fn the_first_schema_by_precedence_and_name_whose_level_exists_takes_a_request() {
        let control = FlowControl::new(600);
        assert_eq!(marks(&control, "u"), pair("", ""));
        let levels = [level("high"), level("low")];
        let all = [schema("b", 10, "low", "u"), schema("a", 10, "high", "u"), schema("c", 5, "gone", "u")];
        control.set(&all, &levels);
        assert_eq!(marks(&control, "u"), pair("uid-a", "uid-high"));
        control.set(&all[..1], &levels);
        assert_eq!(marks(&control, "u"), pair("uid-b", "uid-low"));
        // Nobody is left without a level.
        assert_eq!(marks(&control, "nobody"), pair("", ""));
    }

    async fn ask(control: &FlowControl, identity: &Identity) -> Result<Seat, ApiError> {
        let target = parse(&Method::GET, "/version", None, identity.clone(), |_, _, _| None).unwrap();
        let asked = Asked::of(&target);
        control.seat(&control.classify(&asked), &asked, 1, Duration::from_secs(1)).await
    }

    #[tokio::test]
    async fn what_finds_no_seat_is_told_when_to_come_again_and_others_do_not_notice() {
        let control = FlowControl::new(2);
        control.set(&[schema("a", 10, "low", "u")], &[level("low")]);
        let user = Identity::new("u", []);
        let _held = ask(&control, &user).await.unwrap();
        let error = ask(&control, &user).await.unwrap_err();
        assert!(matches!(error, ApiError::TooManyRequests { retry_after_s: 1, .. }), "{error:?}");
        let admin = Identity::new("admin", [crate::auth::GROUP_MASTERS]);
        let _admins = [ask(&control, &admin).await.unwrap(), ask(&control, &admin).await.unwrap()];
    }
}
