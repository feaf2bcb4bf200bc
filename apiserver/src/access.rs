//! What an operator says in files about who is let in: which of them there are, how they come into force, and which are read
//! again when they change.

use crate::audit::AuditOptions;
use crate::auth::oidc::{AuthenticationConfiguration, AuthenticationError, Issuers, Reach};
use crate::config_file;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Files and flags beyond the server's own rules; by default there are none.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub authentication: Authentication,
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

impl Authentication {
    pub(crate) fn open(
        self,
        reach: Reach,
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
                let take = move |text: &str| followed.set_text(&named, text, &reach);
                tasks.spawn(config_file::follow(path, text, take, drain.clone()));
            }
        }
        Ok(issuers)
    }
}
