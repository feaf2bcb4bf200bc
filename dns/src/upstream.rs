//! Names outside of the cluster: asked of the node's own name servers, and kept for as long as those say.

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::{Resolver, TokioResolver};
use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::{Name, Record, RecordType};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Where name servers listen.
const DNS: u16 = 53;
/// Answers that are remembered.
const CACHE_MAX: u64 = 8192;
/// How long one name server may think; with the second attempt still below the five seconds that resolvers in pods wait.
const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// Questions under way; more are refused at once, which is better than an answer that nobody waits for any more.
const QUESTIONS_MAX: usize = 1000;

/// The node's name servers.
pub struct Upstream {
    /// `None` where the node has none.
    resolver: Option<TokioResolver>,
    seats: Arc<Semaphore>,
}

/// What others say of a name.
#[derive(Debug, PartialEq)]
pub struct Reply {
    pub code: ResponseCode,
    pub answers: Vec<Record>,
    /// Who says that there is nothing, and for how long.
    pub authority: Option<Record>,
}

impl Reply {
    fn empty(code: ResponseCode) -> Self {
        Self { code, answers: Vec::new(), authority: None }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot use the name servers of the node")]
pub struct UpstreamError(#[from] NetError);

impl Upstream {
    /// `servers` in the order in which they are asked.
    pub fn new(servers: &[IpAddr]) -> Result<Self, UpstreamError> {
        Self::on(servers, DNS)
    }

    /// On a port of their own.
    pub fn on(servers: &[IpAddr], port: u16) -> Result<Self, UpstreamError> {
        let seats = Arc::new(Semaphore::new(QUESTIONS_MAX));
        if servers.is_empty() {
            return Ok(Self { resolver: None, seats });
        }
        let at = |server: &IpAddr| {
            let mut config = NameServerConfig::udp_and_tcp(*server);
            config.connections.iter_mut().for_each(|connection| connection.port = port);
            config
        };
        let servers = servers.iter().map(at).collect();
        let config = ResolverConfig::from_name_servers(servers);
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.cache_size = CACHE_MAX;
        options.timeout = TIMEOUT;
        options.attempts = ATTEMPTS;
        options.use_hosts_file = ResolveHosts::Never;
        options.preserve_intermediates = true;
        Ok(Self { resolver: Some(builder.build()?), seats })
    }

    pub async fn ask(&self, name: &Name, ty: RecordType) -> Reply {
        let Some(resolver) = &self.resolver else { return Reply::empty(ResponseCode::ServFail) };
        let Ok(_seat) = self.seats.try_acquire() else { return Reply::empty(ResponseCode::Refused) };
        match resolver.lookup(name.clone(), ty).await {
            Ok(found) => Reply { code: ResponseCode::NoError, answers: found.answers().to_vec(), authority: None },
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => Reply {
                code: none.response_code,
                answers: Vec::new(),
                authority: none.soa.map(|soa| soa.into_record_of_rdata()),
            },
            Err(NetError::Dns(DnsError::ResponseCode(code))) => Reply::empty(code),
            Err(error) => {
                tracing::debug!(%name, %ty, %error, "the node's name servers do not answer");
                Reply::empty(ResponseCode::ServFail)
            }
        }
    }
}
