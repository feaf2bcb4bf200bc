//! What an operator says in files about who is let in: which of them there are, how they come into force, and which are read
//! again when they change.

use crate::audit::AuditOptions;
use crate::auth::Authorizer;
use crate::auth::oidc::{AuthenticationConfiguration, AuthenticationError, Issuers, Reach};
use crate::config_file::{self, ConfigFileError, Reloads};
use client::clock::Clock;
use prometheus_client::registry::Registry;
use std::future::ready;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Files and flags beyond the server's own rules; by default there are none.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub authentication: Authentication,
    pub authorization: Authorization,
    /// What is told of requests, and to whom; `None`: nothing.
    pub audit: Option<AuditOptions>,
    /// An AdmissionConfiguration.
    pub admission: Option<PathBuf>,
}

/// Who else is believed about who somebody is.
#[derive(Clone, Debug, Default)]
pub enum Authentication {
    /// Nobody but the cluster.
    #[default]
    Own,
    /// An AuthenticationConfiguration, read again when it changes.
    File(PathBuf),
    Fixed(Box<AuthenticationConfiguration>),
}

/// Who decides what somebody may do.
#[derive(Clone, Debug, Default)]
pub struct Authorization {
    pub order: AuthorizationOrder,
    /// The policies of the authorizer ABAC, a line each.
    pub policies: Option<PathBuf>,
}

/// In which order they are asked.
#[derive(Clone, Debug, Default)]
pub enum AuthorizationOrder {
    /// Node and RBAC.
    #[default]
    Own,
    /// As an AuthorizationConfiguration says, read again when it changes.
    File(PathBuf),
    /// By their types.
    Modes(Vec<String>),
}

/// What became of the files that are read again.
#[derive(Clone)]
pub(crate) struct AccessReloads {
    authentication: Reloads,
    authorization: Reloads,
}

impl AccessReloads {
    pub(crate) fn new(server: &str, clock: &Arc<dyn Clock>) -> Self {
        let of = |about| Reloads::new(about, server, clock);
        Self { authentication: of("authentication"), authorization: of("authorization") }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        self.authentication.register(registry);
        self.authorization.register(registry);
    }
}

impl Access {
    /// The authorizer with the order that is configured, where one is.
    pub(crate) async fn order(
        &self,
        authorizer: Authorizer,
        reloads: &AccessReloads,
        tasks: &mut JoinSet<()>,
        drain: &CancellationToken,
    ) -> Result<Arc<Authorizer>, ConfigFileError> {
        let authorizer = match &self.authorization.policies {
            Some(policies) => authorizer.with_policies(policies)?,
            None => authorizer,
        };
        let path = match &self.authorization.order {
            AuthorizationOrder::Own => return Ok(Arc::new(authorizer)),
            AuthorizationOrder::Modes(modes) => return Ok(Arc::new(authorizer.of_modes(modes)?)),
            AuthorizationOrder::File(path) => path.clone(),
        };
        let text = config_file::text(&path)?;
        let (authorizer, required) = authorizer.configured(&path, &text).await?;
        let authorizer = Arc::new(authorizer);
        let (followed, named, required) = (Arc::clone(&authorizer), path.clone(), Arc::new(required));
        let take = move |text: String| {
            let (followed, named, required) = (Arc::clone(&followed), named.clone(), Arc::clone(&required));
            async move { followed.set_text(&named, &text, &required).await }
        };
        tasks.spawn(config_file::follow(path, text, take, reloads.authorization.clone(), drain.clone()));
        Ok(authorizer)
    }
}

impl Authentication {
    pub(crate) fn open(
        self,
        reach: Reach,
        reloads: &AccessReloads,
        tasks: &mut JoinSet<()>,
        drain: &CancellationToken,
    ) -> Result<Arc<Issuers>, AuthenticationError> {
        let issuers = Arc::new(Issuers::default());
        match self {
            Self::Own => {}
            Self::Fixed(config) => issuers.set(&config, &reach).map_err(AuthenticationError::Invalid)?,
            Self::File(path) => {
                let text = config_file::text(&path)?;
                issuers.set_text(&path, &text, &reach)?;
                let (followed, named) = (Arc::clone(&issuers), path.clone());
                let take = move |text: String| ready(followed.set_text(&named, &text, &reach));
                tasks.spawn(config_file::follow(path, text, take, reloads.authentication.clone(), drain.clone()));
            }
        }
        Ok(issuers)
    }
}
