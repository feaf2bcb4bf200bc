//! The API server as a component: what it is made of, how it opens, runs and drains.

use crate::access::{Access, AccessReloads};
use crate::admission;
use crate::admission::{Matcher, PluginSettings};
use crate::aggregate::Aggregate;
use crate::alloc::{self, AddressRange, Allocator, PortRange};
use crate::audit::{Audit, AuditError};
use crate::auth::feed::{Feed, Sinks};
use crate::auth::node::NodeAuthorizer;
use crate::auth::objects::{CachedObjects, Objects};
use crate::auth::oidc::{AuthenticationError, Issuers, Reach};
use crate::auth::secret_token;
use crate::auth::service_account::Tokens;
use crate::auth::static_token::{StaticTokenError, StaticTokens};
use crate::auth::{Authenticator, Authorizer};
use crate::backend::Backends;
use crate::bootstrap::{self, Membership};
use crate::cache::Caches;
use crate::components::Components;
use crate::config_file::ConfigFileError;
use crate::custom::convert::Conversions;
use crate::custom::{Feed as Definitions, Kinds, registered};
use crate::error::ApiError;
use crate::flow::{self, FlowControl};
use crate::members::{self, Members, ServerLease};
use crate::pki::{self, Pki};
use crate::publish::Publisher;
use crate::publish::health::Health;
use crate::publish::metrics::Metrics;
use crate::publish::pages::Page;
use crate::publish::statusz::Statusz;
use crate::registry::{Effects, Registry};
use crate::request::{self, Target};
use crate::subresource::node_connection::NodeConnections;
use crate::usage::{self, Usages};
use crate::webhook::WebhookClient;
use crate::{aggregate, certificates, chain, serve};
use axum::Router;
use client::clock::Clock;
use client::identity::Identity;
use http::Method;
use kinds::kind::Kind;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::{ReadError, Store};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug)]
pub struct Config {
    /// `pki/` and `admin.kubeconfig` live below it.
    pub data_dir: PathBuf,
    /// Port 0 takes a free one.
    pub bind: SocketAddr,
    /// Address by which nodes and pods reach this server.
    pub advertise_address: IpAddr,
    pub hostname: String,
    /// More names and addresses for the serving certificate.
    pub extra_sans: Vec<String>,
    /// `10.43.0.0/16`, or one range of each family (`10.43.0.0/16,fd00:43::/112`), the default one first.
    pub service_cidr: String,
    /// `10.42.0.0/16`, or two: addresses of pods, of which nodes are told.
    pub cluster_cidr: String,
    /// Address of the cluster's DNS Service, of which nodes are told.
    pub cluster_dns: IpAddr,
    /// `30000-32767`
    pub node_port_range: String,
    /// `cluster.local`
    pub cluster_domain: String,
    /// How long continue tokens and old watches work.
    pub history: Duration,
    pub membership: Membership,
    /// File of tokens that are good from the begin.
    pub token_file: Option<PathBuf>,
    pub access: Access,
    /// Whether claims that name no class get a directory of a node.
    pub local_storage: bool,
    pub limits: Limits,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests answered at once; more wait their turn. Watches and streams do not count.
    /// k8s: max-requests-inflight 400 and max-mutating-requests-inflight 200
    pub concurrent_requests: usize,
    /// Open TCP connections.
    pub connections: usize,
    /// How often a quiet watch hears how far it is complete.
    pub bookmark_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // k8s: bookmarkFrequency
        Self { concurrent_requests: 600, connections: 20_000, bookmark_every: Duration::from_mins(1) }
    }
}

pub struct Deps {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot listen on {address} (is another server running? choose another port with --bind)")]
    Bind { address: SocketAddr, source: std::io::Error },
    #[error("the address range or port range is not valid: {0}")]
    Range(String),
    #[error("cannot prepare keys and certificates")]
    Pki(#[from] pki::PkiError),
    #[error("cannot share the cluster's identity with its other API servers")]
    Shared(#[from] pki::shared::SharedError),
    #[error("the service account key cannot be used: {0}")]
    ServiceAccountKey(String),
    #[error("the file of tokens cannot be used")]
    StaticTokens(#[from] StaticTokenError),
    #[error("the configuration of authentication cannot be used")]
    Authentication(#[from] AuthenticationError),
    #[error("the configuration of authorization cannot be used")]
    Authorization(#[source] ConfigFileError),
    #[error("the configuration of admission cannot be used")]
    Admission(#[from] ConfigFileError),
    #[error("the audit cannot be set up")]
    Audit(#[from] AuditError),
    #[error("cannot prepare TLS")]
    Tls(#[from] rustls::Error),
    #[error("the store does not answer: {0}")]
    Store(ApiError),
    #[error("cannot create the cluster's first objects")]
    Bootstrap(#[from] bootstrap::BootstrapError),
}

/// What a request handler works with.
pub struct Server {
    pub registry: Registry,
    pub authenticator: Authenticator,
    pub authorizer: Arc<Authorizer>,
    pub tokens: Arc<Tokens>,
    pub publisher: Publisher,
    /// Which kinds are served.
    pub kinds: Arc<Kinds>,
    pub pki: Arc<Pki>,
    /// How logs and streams reach the nodes.
    pub nodes: NodeConnections,
    /// What nodes and pods use.
    pub(crate) usages: Usages,
    pub(crate) components: Arc<Components>,
    /// How everything else behind this server is reached.
    pub backends: Backends,
    /// Other API servers behind this one.
    pub aggregate: Arc<Aggregate>,
    /// Who is served when there is not room for all.
    pub(crate) flow: Arc<FlowControl>,
    /// Who wants to know of requests.
    pub(crate) audit: Option<Arc<Audit>>,
    pub bookmark_every: Duration,
    /// Cancelled when the server stops: watches end with a bookmark.
    pub draining: CancellationToken,
}

impl Server {
    /// The kind behind a path.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<dyn Kind>> {
        self.kinds.find(group, version, plural)
    }

    /// The object at a path, where the watch cache is known to show every write; no request is made for it.
    pub(crate) fn at_hand(&self, path: &str) -> Option<Value> {
        let find = |group: &str, version: &str, plural: &str| self.find(group, version, plural);
        let parsed = request::parse(&Method::GET, path, None, Identity::default(), find).ok()?;
        let Target::Resource(request) = parsed else { return None };
        let cache = self.registry.caches().current(request.kind.as_ref()?.as_ref())?;
        Some(cache.get(&request.ns, &request.name)?.value())
    }
}

/// Opened: it listens, knows who is who, and holds the first objects. [`ApiServer::run`] serves.
pub struct ApiServer {
    server: Arc<Server>,
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    limits: Limits,
    history: Duration,
    tasks: JoinSet<()>,
    /// Set where other servers may serve the same store.
    members: Option<Members>,
    bootstrap: bootstrap::Params,
}

impl ApiServer {
    pub async fn open(config: Config, deps: Deps) -> Result<Self, OpenError> {
        let Deps { store, clock } = deps;
        let (listener, port) = listen(config.bind).await?;
        let addresses =
            AddressRange::parse_all(&config.service_cidr).map_err(|error| OpenError::Range(error.to_string()))?;
        let ports = PortRange::parse(&config.node_port_range).map_err(|error| OpenError::Range(error.to_string()))?;
        let service_ip = addresses[0].first();
        let pki = Arc::new(open_identity(&config, store.as_ref(), (service_ip, port), clock.as_ref()).await?);

        let draining = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let shared_store = Arc::clone(&store);
        let caches = Caches::open(Arc::clone(&store), Arc::clone(&clock)).await.map_err(OpenError::Store)?;
        let caches = Arc::new(caches);
        tasks.spawn(Arc::clone(&caches).run(draining.clone()));

        let objects: Arc<dyn Objects> = Arc::new(CachedObjects::new(Arc::clone(&caches)));
        let Sinks { rbac, node, webhooks: hooks, policies } = open_feed(&caches, &mut tasks, &draining).await?;
        let reloads = AccessReloads::new(&config.hostname, &clock);
        let order = config.access.order(Authorizer::new(rbac, node), &reloads, &mut tasks, &draining);
        let authorizer = order.await.map_err(OpenError::Authorization)?;
        let tokens = Arc::new(open_tokens(&pki, &config.cluster_domain)?);
        let effects = open_effects(&store, &clock, alloc::Params { addresses, ports }).await?;
        let backends = Backends::new(draining.clone());
        let reach = Reach::new(&backends, &clock, &tokens);
        let (fixed, issuers) = open_foreign(&config, reach, &reloads, &mut tasks, &draining)?;
        let convert = Arc::new(Conversions::new(WebhookClient::new(Arc::clone(&caches), backends.clone())));
        let kinds = Arc::new(Kinds::default());
        let matcher = Arc::new(Matcher::new(Arc::clone(&objects), Arc::clone(&kinds), Arc::clone(&convert)));
        let (known, issuer) = (Arc::clone(&objects), tokens.issuer());
        let admission = admission::Chain::new(known, Arc::clone(&authorizer), Arc::clone(&clock), issuer);
        let settings = PluginSettings::of(config.access.admission.as_deref())?;
        let admission = admission.with_settings(settings).with_own(policies, hooks, matcher, Arc::clone(&caches));
        let flow = Arc::new(FlowControl::new(config.limits.concurrent_requests));
        let audit = open_audit(&config, &clock, &mut tasks, &draining).await?;
        let (health, metrics, statusz) =
            own_state((&store, &flow, &clock), audit.as_deref(), (authorizer.as_ref(), &reloads));
        let nodes = NodeConnections::new(&pki, backends.clone())?;
        let aggregate = Aggregate::new(Arc::clone(&caches), backends.clone(), pki.front_proxy().clone());
        let registry = Registry::new(caches, Arc::clone(&clock), admission, Arc::clone(&authorizer), effects, convert);
        let server = Arc::new(Server {
            nodes,
            usages: Usages::default(),
            components: Arc::default(),
            aggregate: Arc::new(aggregate),
            backends,
            registry,
            authenticator: Authenticator::new(Arc::clone(&tokens), objects, clock).with(fixed, issuers, &authorizer),
            authorizer,
            publisher: Publisher::new(kinds.clone(), Arc::clone(&tokens), (Arc::clone(&health), metrics), statusz),
            kinds: Arc::clone(&kinds),
            tokens,
            flow,
            audit,
            bookmark_every: config.limits.bookmark_every,
            draining,
            pki: Arc::clone(&pki),
        });
        let definitions = Definitions::open(&server.registry, kinds).await.map_err(OpenError::Store)?;
        tasks.spawn(definitions.run(Arc::clone(&server), server.draining.clone()));
        let tls = serve::tls(&pki)?;
        let (limits, history) = (config.limits, config.history);
        let first = first_objects(config, &pki, (service_ip, port));
        let mut opened = Self { server, listener, tls, limits, history, tasks, members: None, bootstrap: first };
        bootstrap::run(&bootstrap::Api::new(opened.router()), &opened.bootstrap).await?;
        opened.follow_flows().await.map_err(OpenError::Store)?;
        opened.share(shared_store);
        health.set_bootstrapped();
        Ok(opened)
    }

    /// After the first objects, which are written as somebody who is exempt: the first schemas have their status when the
    /// server is opened.
    async fn follow_flows(&mut self) -> Result<(), ApiError> {
        let server = Arc::clone(&self.server);
        let flows = flow::Feed::open(server.registry.caches(), &server.flow).await?;
        flows.settle(&server.registry).await;
        server.publisher.health().set_following();
        let drain = server.draining.clone();
        self.tasks.spawn(flows.run(server, drain));
        Ok(())
    }

    /// Where other servers may serve the same store, they and this one look after each other's addresses.
    fn share(&mut self, store: Arc<dyn Store>) {
        let params = self.bootstrap.clone();
        if params.membership == Membership::Shared && !params.advertise.is_loopback() {
            self.members = Some(Members { store, api: bootstrap::Api::new(self.router()), params });
        }
    }

    /// The API for clients in this process: requests carry an `Identity` extension instead of a certificate, and go
    /// through the same chain.
    pub fn router(&self) -> Router {
        let server = Arc::clone(&self.server);
        Router::new().fallback(move |request| chain::handle(Arc::clone(&server), request))
    }

    /// Where other components of this process publish what they have to say.
    pub fn add_page(&self, path: &'static str, page: Page) {
        self.server.publisher.pages().add(path, page);
    }

    /// What `/flagz` shows.
    pub fn show_flags(&self, flags: BTreeMap<String, String>) {
        self.server.publisher.flagz().set(flags);
    }

    /// Which other components run in this process; to be told by whoever starts them.
    pub fn components(&self) -> Arc<Components> {
        Arc::clone(&self.server.components)
    }

    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub fn pki(&self) -> &Arc<Pki> {
        &self.server.pki
    }

    /// Serves until `drain`, then lets requests end.
    pub async fn run(self, drain: CancellationToken) -> Result<(), ServeError> {
        let (api, own) = (bootstrap::Api::new(self.router()), bootstrap::Api::new(self.router()));
        let Self { server, listener, tls, limits, history, mut tasks, members, bootstrap } = self;
        let lease = ServerLease::new(own, Arc::clone(server.registry.clock()), &bootstrap.hostname);
        tasks.spawn(lease.keep(server.draining.clone()));
        let known = Arc::clone(&server);
        let at_hand = move |path: &str| known.at_hand(path);
        tasks.spawn(bootstrap::keep(api, bootstrap, at_hand, server.draining.clone()));
        if let Some(members) = members {
            tasks.spawn(members::keep(members, server.draining.clone()));
        }
        tasks.spawn(keep_house(Arc::clone(&server), history, server.draining.clone()));
        tasks.spawn(secret_token::keep(Arc::clone(&server), server.draining.clone()));
        tasks.spawn(aggregate::keep(Arc::clone(&server), server.draining.clone()));
        tasks.spawn(registered::keep(Arc::clone(&server), server.draining.clone()));
        tasks.spawn(usage::keep(Arc::clone(&server), server.draining.clone()));
        tasks.spawn(certificates::keep(Arc::clone(&server), server.draining.clone()));
        server.publisher.health().set_running();
        let stopped =
            serve::run(serve::Listen { listener, tls, connections: limits.connections }, Arc::clone(&server), {
                let server = Arc::clone(&server);
                async move {
                    drain.cancelled().await;
                    server.publisher.health().set_stopping();
                    server.draining.cancel();
                }
            })
            .await;
        server.draining.cancel();
        server.backends.drained().await;
        while tasks.join_next().await.is_some() {}
        stopped
    }
}

pub use serve::ServeError;

async fn listen(address: SocketAddr) -> Result<(TcpListener, u16), OpenError> {
    let bind = |source| OpenError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    serve::forget_the_dead(&listener).map_err(bind)?;
    let port = listener.local_addr().map_err(bind)?.port();
    Ok((listener, port))
}

/// What the cluster's first objects say.
fn first_objects(config: Config, pki: &Pki, (service_ip, port): (IpAddr, u16)) -> bootstrap::Params {
    bootstrap::Params {
        service_cidr: config.service_cidr,
        service_ip,
        advertise: config.advertise_address,
        hostname: config.hostname,
        port,
        cluster_cidr: config.cluster_cidr,
        cluster_dns: config.cluster_dns,
        cluster_domain: config.cluster_domain,
        ca_pem: pki.ca_pem().to_owned(),
        front_proxy_ca_pem: pki.front_proxy_ca_pem().to_owned(),
        membership: config.membership,
        local_storage: config.local_storage,
    }
}

/// Tokens that the cluster did not give out.
fn open_foreign(
    config: &Config,
    reach: Reach,
    reloads: &AccessReloads,
    tasks: &mut JoinSet<()>,
    drain: &CancellationToken,
) -> Result<(StaticTokens, Arc<Issuers>), OpenError> {
    let fixed = config.token_file.as_deref().map(StaticTokens::read).transpose()?.unwrap_or_default();
    Ok((fixed, config.access.authentication.clone().open(reach, reloads, tasks, drain)?))
}

async fn open_audit(
    config: &Config,
    clock: &Arc<dyn Clock>,
    tasks: &mut JoinSet<()>,
    drain: &CancellationToken,
) -> Result<Option<Arc<Audit>>, AuditError> {
    match config.access.audit.clone() {
        Some(options) => Ok(Some(Arc::new(Audit::open(options, Arc::clone(clock), tasks, drain).await?))),
        None => Ok(None),
    }
}

/// What writes do beyond their own key.
async fn open_effects(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    params: alloc::Params,
) -> Result<Effects, OpenError> {
    let allocator = Arc::new(Allocator::new(Arc::clone(store), Arc::clone(clock), params));
    allocator.repair().await.map_err(OpenError::Store)?;
    Ok(Effects::default().with("", "services", allocator))
}

/// What authorization and admission know of the cluster, which follows it from now on.
async fn open_feed(
    caches: &Arc<Caches>,
    tasks: &mut JoinSet<()>,
    drain: &CancellationToken,
) -> Result<Sinks, OpenError> {
    let node = Arc::new(NodeAuthorizer::new(bootstrap::rbac::node_rules()));
    let sinks = Sinks { rbac: Arc::default(), node, webhooks: Arc::default(), policies: Arc::default() };
    tasks.spawn(Feed::open(caches, &sinks).await.map_err(OpenError::Store)?.run(drain.clone()));
    Ok(sinks)
}

/// What the server says of itself.
fn own_state(
    (store, flow, clock): (&Arc<dyn Store>, &Arc<FlowControl>, &Arc<dyn Clock>),
    audit: Option<&Audit>,
    (authorizer, reloads): (&Authorizer, &AccessReloads),
) -> (Arc<Health>, Arc<Metrics>, Statusz) {
    let metrics = Metrics::new(Arc::clone(store), Arc::clone(flow)).with(|registry| {
        if let Some(audit) = audit {
            audit.register(registry);
        }
        authorizer.register(registry);
        reloads.register(registry);
    });
    (Arc::new(Health::new(Arc::clone(store))), Arc::new(metrics), Statusz::new(Arc::clone(clock)))
}

fn open_tokens(pki: &Pki, domain: &str) -> Result<Tokens, OpenError> {
    let tokens = Tokens::new(pki.service_account_key(), format!("https://kubernetes.default.svc.{domain}"));
    tokens.map_err(|error| OpenError::ServiceAccountKey(error.to_string()))
}

/// Keys and certificates; of a store that others serve too, the authorities are everybody's.
async fn open_identity(
    config: &Config,
    store: &dyn Store,
    (service_ip, port): (IpAddr, u16),
    clock: &dyn Clock,
) -> Result<Pki, OpenError> {
    match config.membership {
        Membership::Sole => Ok(open_pki(config, service_ip, port, clock)?),
        Membership::Shared => {
            pki::shared::take(store, &config.data_dir.join("pki")).await?;
            let pki = open_pki(config, service_ip, port, clock)?;
            pki::shared::offer(store, &pki).await?;
            Ok(pki)
        }
    }
}

fn open_pki(config: &Config, service_ip: IpAddr, port: u16, clock: &dyn Clock) -> Result<Pki, OpenError> {
    let params = pki::Params {
        service_ip,
        advertise: config.advertise_address,
        hostname: config.hostname.clone(),
        domain: config.cluster_domain.clone(),
        extra_sans: config.extra_sans.clone(),
    };
    let pki = Pki::load_or_create(&config.data_dir.join("pki"), &params, clock.now())?;
    let server = format!("https://{}", SocketAddr::new(config.advertise_address, port));
    pki.write_admin_kubeconfig(&config.data_dir.join("admin.kubeconfig"), &server)?;
    Ok(pki)
}

/// Housekeeping runs this often; an idle cluster should sleep.
const KEEP_EVERY: Duration = Duration::from_mins(1);
/// Rounds of housekeeping between two looks for events that are over.
const EXPIRE_ROUNDS: u32 = 5;

/// Forgets history that is older than `history`, and events that are over.
async fn keep_house(server: Arc<Server>, history: Duration, drain: CancellationToken) {
    let every = history.min(KEEP_EVERY);
    let periods = (history.as_secs() / every.as_secs().max(1)).max(1) as usize;
    let mut seen = VecDeque::new();
    let mut rounds = 0_u32;
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        seen.push_back(server.registry.caches().rev());
        if seen.len() > periods
            && let Some(old) = seen.pop_front()
            && seen.front() != Some(&old)
        {
            match server.registry.caches().compact(old).await {
                // Compacted: another API server on the same store was first.
                Ok(()) | Err(ReadError::Compacted { .. }) => {}
                Err(error) => tracing::warn!(%error, "cannot forget old history yet"),
            }
        }
        rounds += 1;
        if rounds.is_multiple_of(EXPIRE_ROUNDS)
            && let Err(error) = server.registry.expire_events().await
        {
            tracing::warn!(%error, "cannot delete old events yet");
        }
    }
}
