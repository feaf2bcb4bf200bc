//! May they: `system:masters`, then the authorizers in their order, which is Node and RBAC or what an operator's
//! AuthorizationConfiguration, or a list of modes, says.
//!
//! Nobody waits where no webhook has to be asked. Who asks is settled before (`auth`), what becomes of a refusal is the
//! chain's matter.

mod abac;
mod answers;
mod config;
mod metrics;
mod question;
mod validate;
mod webhook;

pub use config::{
    AuthorizationConfiguration, AuthorizerConfiguration, ConnectionInfo, MatchCondition, WebhookConfiguration,
};

use super::node::{self, NodeAuthorizer};
use super::rbac::{Rbac, Rule};
use super::{Attributes, GROUP_MASTERS};
use crate::config_file::{self, ConfigFileError};
use abac::Abac;
use client::identity::Identity;
use client::transport::Hook;
use futures::future::{BoxFuture, Either, Ready, ready};
use kinds::errors::{FieldError, FieldErrors};
use metrics::Metrics;
use parking_lot::RwLock;
use prometheus_client::registry::Registry;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use webhook::Webhook;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow {
        reason: String,
    },
    /// `message` is upstream's text: `User "u" cannot list resource "pods" in API group "" in the namespace "n"`, with
    /// `reason` at its end, where there is one.
    Deny {
        message: String,
        reason: String,
        /// Somebody forbids it; otherwise nobody allows it.
        denied: bool,
        /// Why somebody could not be asked, who might have allowed it.
        error: Option<String>,
    },
}

impl Decision {
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow { .. })
    }
}

/// A decision that is there, or will be when somebody has answered. Boxed: the state of the rare case would make every
/// request's larger.
pub type Deciding<'a> = Either<Ready<Decision>, BoxFuture<'a, Decision>>;

/// What one authorizer says.
#[derive(Debug, PartialEq, Eq)]
enum Opinion {
    Allow { reason: String },
    Deny { reason: String, error: Option<String> },
    None { reason: String, error: Option<String> },
}

enum Step {
    Abac(Arc<Abac>),
    AlwaysAllow,
    AlwaysDeny,
    Node,
    Rbac,
    Webhook(Box<Webhook>),
}

const OWN: &[Step] = &[Step::Node, Step::Rbac];

enum Order {
    Own,
    /// Of a file, in whose place another may come.
    Configured(RwLock<Arc<[Step]>>),
}

/// The authorizers in their order, and what they know of the cluster.
pub struct Authorizer {
    rbac: Arc<Rbac>,
    node: Arc<NodeAuthorizer>,
    /// Policies of a file, which is read once.
    abac: Option<Arc<Abac>>,
    order: Order,
    metrics: Metrics,
}

/// Where a question has come to.
#[derive(Default)]
struct Walk {
    at: usize,
    reasons: Vec<String>,
    errors: Vec<String>,
}

enum Next<'s> {
    Decided(Decision),
    Ask(&'s Webhook),
}

impl Authorizer {
    pub fn new(rbac: Arc<Rbac>, node: Arc<NodeAuthorizer>) -> Self {
        Self { rbac, node, abac: None, order: Order::Own, metrics: Metrics::new() }
    }

    /// With the policies of a file, for the authorizer ABAC.
    pub(crate) fn with_policies(self, path: &Path) -> Result<Self, ConfigFileError> {
        Ok(Self { abac: Some(Arc::new(Abac::read(path)?)), ..self })
    }

    /// With the order that a file gives.
    pub(crate) async fn configured(self, path: &Path, text: &str) -> Result<(Self, BTreeSet<String>), ConfigFileError> {
        let config: AuthorizationConfiguration = config_file::parse(path, text)?;
        let steps = self.steps(path, &config, &BTreeSet::new()).await?;
        if self.abac.is_some() && !steps.iter().any(|step| matches!(step, Step::Abac(_))) {
            let why = "--authorization-policy-file has policies for ABAC: add an authorizer of this type, or leave out the flag";
            let errors = vec![FieldError::required("authorizers", why)];
            return Err(ConfigFileError::Invalid { path: path.to_owned(), errors });
        }
        let required = validate::required_later(&config);
        Ok((Self { order: Order::Configured(RwLock::new(steps)), ..self }, required))
    }

    /// With authorizers that need no more than their names.
    pub(crate) fn of_modes(self, modes: &[String]) -> Result<Self, ConfigFileError> {
        let one =
            |kind: &String| AuthorizerConfiguration { kind: kind.clone(), name: kind.to_lowercase(), webhook: None };
        let config = AuthorizationConfiguration { authorizers: modes.iter().map(one).collect() };
        let compiled = validate::compile(&config, &BTreeSet::new());
        let steps = compiled.and_then(|all| all.into_iter().map(|authorizer| self.step(&authorizer)).collect());
        let steps: Vec<Step> = steps.map_err(|errors| ConfigFileError::Modes { errors })?;
        Ok(Self { order: Order::Configured(RwLock::new(steps.into())), ..self })
    }

    /// Puts the order of a changed file in the place of the one before. It has to have the types of `required`.
    pub(crate) async fn set_text(
        &self,
        path: &Path,
        text: &str,
        required: &BTreeSet<String>,
    ) -> Result<(), ConfigFileError> {
        let config: AuthorizationConfiguration = config_file::parse(path, text)?;
        let steps = self.steps(path, &config, required).await?;
        if let Order::Configured(current) = &self.order {
            *current.write() = steps;
        }
        Ok(())
    }

    async fn steps(
        &self,
        path: &Path,
        config: &AuthorizationConfiguration,
        required: &BTreeSet<String>,
    ) -> Result<Arc<[Step]>, ConfigFileError> {
        let invalid = |errors| ConfigFileError::Invalid { path: path.to_owned(), errors };
        let mut steps = Vec::new();
        for authorizer in validate::compile(config, required).map_err(invalid)? {
            steps.push(match authorizer {
                validate::Authorizer::Webhook(config) => {
                    let unusable = |source| {
                        let (path, name) = (path.to_owned(), config.name.clone());
                        ConfigFileError::Webhook { path, name, source: Box::new(source) }
                    };
                    let hook = Hook::from_kubeconfig(&config.kubeconfig).await.map_err(unusable)?;
                    Step::Webhook(Box::new(Webhook::new(*config, hook, self.metrics.clone())))
                }
                own => self.step(&own).map_err(invalid)?,
            });
        }
        Ok(steps.into())
    }

    /// One that is no webhook.
    fn step(&self, authorizer: &validate::Authorizer) -> Result<Step, FieldErrors> {
        match (authorizer, &self.abac) {
            (validate::Authorizer::Abac, Some(abac)) => Ok(Step::Abac(Arc::clone(abac))),
            (validate::Authorizer::Abac, None) => {
                let why = "its policies are missing: name their file with --authorization-policy-file";
                Err(vec![FieldError::invalid("authorizers", "ABAC", why)])
            }
            (validate::Authorizer::AlwaysAllow, _) => Ok(Step::AlwaysAllow),
            (validate::Authorizer::AlwaysDeny, _) => Ok(Step::AlwaysDeny),
            (validate::Authorizer::Node, _) => Ok(Step::Node),
            (validate::Authorizer::Rbac, _) => Ok(Step::Rbac),
            (validate::Authorizer::Webhook(_), _) => {
                let why = "a webhook needs an AuthorizationConfiguration: use --authorization-config";
                Err(vec![FieldError::invalid("authorizers", "Webhook", why)])
            }
        }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// Whether there is one that allows everything to everybody.
    pub(crate) fn allows_everything(&self) -> bool {
        match &self.order {
            Order::Own => false,
            Order::Configured(current) => current.read().iter().any(|step| matches!(step, Step::AlwaysAllow)),
        }
    }

    pub fn rbac(&self) -> &Rbac {
        &self.rbac
    }

    pub fn authorize<'a>(&'a self, identity: &'a Identity, attributes: &'a Attributes<'a>) -> Deciding<'a> {
        if is_master(identity) {
            return Either::Left(ready(Decision::Allow { reason: String::new() }));
        }
        let mut walk = Walk::default();
        let steps = match &self.order {
            Order::Own => match self.advance(OWN, &mut walk, identity, attributes) {
                Next::Decided(decision) => return Either::Left(ready(decision)),
                Next::Ask(_) => unreachable!("there is no webhook unless one is configured"),
            },
            Order::Configured(current) => Arc::clone(&current.read()),
        };
        if let Next::Decided(decision) = self.advance(&steps, &mut walk, identity, attributes) {
            return Either::Left(ready(decision));
        }
        Either::Right(Box::pin(self.walk(steps, walk, identity, attributes)))
    }

    /// The decision, where nobody has to be waited for.
    pub fn at_once(&self, identity: &Identity, attributes: &Attributes<'_>) -> Option<Decision> {
        match self.authorize(identity, attributes) {
            Either::Left(decision) => Some(decision.into_inner()),
            Either::Right(_) => None,
        }
    }

    /// To the end, from where a webhook has to be asked.
    async fn walk(
        &self,
        steps: Arc<[Step]>,
        mut walk: Walk,
        identity: &Identity,
        attributes: &Attributes<'_>,
    ) -> Decision {
        loop {
            let webhook = match self.advance(&steps, &mut walk, identity, attributes) {
                Next::Decided(decision) => return decision,
                Next::Ask(webhook) => webhook,
            };
            let opinion = webhook.ask(identity, attributes).await;
            walk.at += 1;
            if let Some(decision) = walk.take(opinion, identity, attributes) {
                return decision;
            }
        }
    }

    /// To the decision, or to the next webhook.
    fn advance<'s>(
        &self,
        steps: &'s [Step],
        walk: &mut Walk,
        identity: &Identity,
        attributes: &Attributes<'_>,
    ) -> Next<'s> {
        while let Some(step) = steps.get(walk.at) {
            let opinion = match step {
                Step::Abac(abac) => self.ask_abac(abac, identity, attributes),
                Step::AlwaysAllow => {
                    self.metrics.allowed("AlwaysAllow");
                    Opinion::Allow { reason: String::new() }
                }
                Step::AlwaysDeny => Opinion::None { reason: "Everything is forbidden.".to_owned(), error: None },
                Step::Node => self.ask_node(identity, attributes),
                Step::Rbac => self.ask_rbac(identity, attributes),
                Step::Webhook(webhook) => return Next::Ask(webhook),
            };
            walk.at += 1;
            if let Some(decision) = walk.take(opinion, identity, attributes) {
                return Next::Decided(decision);
            }
        }
        Next::Decided(walk.end(identity, attributes))
    }

    fn ask_abac(&self, abac: &Abac, identity: &Identity, attributes: &Attributes<'_>) -> Opinion {
        if abac.allows(identity, attributes) {
            self.metrics.allowed("ABAC");
            return Opinion::Allow { reason: String::new() };
        }
        Opinion::None { reason: "No policy matched.".to_owned(), error: None }
    }

    fn ask_node(&self, identity: &Identity, attributes: &Attributes<'_>) -> Opinion {
        match self.node.authorize(identity, attributes) {
            node::Verdict::Allow => {
                self.metrics.node_allowed.inc();
                Opinion::Allow { reason: String::new() }
            }
            node::Verdict::NoOpinion(reason) => Opinion::None { reason, error: None },
        }
    }

    fn ask_rbac(&self, identity: &Identity, attributes: &Attributes<'_>) -> Opinion {
        match self.rbac.authorize(identity, attributes) {
            Ok(reason) => {
                self.metrics.rbac_allowed.inc();
                Opinion::Allow { reason }
            }
            Err(reason) => Opinion::None { reason, error: None },
        }
    }

    /// What an identity may do in a namespace, as far as it can be listed, and why there may be more.
    pub(super) fn rules_for(&self, identity: &Identity, namespace: &str) -> (Vec<Rule>, Vec<&'static str>) {
        let configured;
        let steps = match &self.order {
            Order::Own => OWN,
            Order::Configured(current) => {
                configured = Arc::clone(&current.read());
                configured.as_ref()
            }
        };
        let (mut rules, mut untold) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Abac(abac) => rules.extend(abac.rules_for(identity, namespace)),
                Step::AlwaysAllow => rules.extend(everything()),
                Step::Node if node::name_of(identity).is_some() => {
                    untold.push("node authorizer does not support user rule resolution");
                }
                Step::AlwaysDeny | Step::Node => {}
                Step::Rbac => rules.extend(self.rbac.rules_for(identity, namespace)),
                Step::Webhook(_) => untold.push("webhook authorizer does not support user rule resolution"),
            }
        }
        untold.dedup();
        (rules, untold)
    }
}

impl Walk {
    /// k8s: `apiserver/pkg/authorization/union`
    fn take(&mut self, opinion: Opinion, identity: &Identity, attributes: &Attributes<'_>) -> Option<Decision> {
        match opinion {
            Opinion::Allow { reason } => Some(Decision::Allow { reason }),
            Opinion::Deny { reason, error } => {
                Some(Decision::Deny { message: refusal(identity, attributes, &reason), reason, denied: true, error })
            }
            Opinion::None { reason, error } => {
                if !reason.is_empty() {
                    self.reasons.push(reason);
                }
                self.errors.extend(error);
                None
            }
        }
    }

    /// Nobody has decided.
    fn end(&mut self, identity: &Identity, attributes: &Attributes<'_>) -> Decision {
        let reason = self.reasons.join("\n");
        let error = match self.errors.as_slice() {
            [] => None,
            [only] => Some(only.clone()),
            many => Some(format!("[{}]", many.join(", "))),
        };
        Decision::Deny { message: refusal(identity, attributes, &reason), reason, denied: false, error }
    }
}

/// k8s: alwaysAllowAuthorizer.RulesFor
fn everything() -> [Rule; 2] {
    let all = || vec!["*".to_owned()];
    [
        Rule { verbs: all(), api_groups: all(), resources: all(), ..Rule::default() },
        Rule { verbs: all(), paths: all(), ..Rule::default() },
    ]
}

fn is_master(identity: &Identity) -> bool {
    identity.groups.iter().any(|group| group == GROUP_MASTERS)
}

/// k8s: `responsewriters.ForbiddenMessage`; clients and tests match on it.
pub fn refusal(identity: &Identity, attributes: &Attributes<'_>, reason: &str) -> String {
    let (user, verb) = (&identity.user, attributes.verb);
    let mut message = if let Some(path) = attributes.path {
        format!("User {user:?} cannot {verb} path {path:?}")
    } else {
        let resource = match attributes.subresource {
            "" => attributes.resource.to_owned(),
            subresource => format!("{}/{subresource}", attributes.resource),
        };
        let scope = match attributes.namespace {
            "" => " at the cluster scope".to_owned(),
            namespace => format!(" in the namespace {namespace:?}"),
        };
        format!("User {user:?} cannot {verb} resource {resource:?} in API group {:?}{scope}", attributes.group)
    };
    if !reason.is_empty() {
        message.push_str(": ");
        message.push_str(reason);
    }
    message
}
