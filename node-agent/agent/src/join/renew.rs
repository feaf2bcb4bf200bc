//! Keeps the node's certificates fresh: new keys and certificates when most of a certificate's life has passed, without a
//! token, as the node itself.

use super::keep::{self, Folder};
use super::request::{Asked, obtain};
use super::{Credentials, JoinError, Place};
use crate::config::Serving;
use client::clock::Clock;
use client::transport::Servers;
use jiff::{SignedDuration, Timestamp};
use rcgen::KeyPair;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Longest pause between two looks at the clock, which may jump.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// After a failure.
const RETRY: Duration = Duration::from_mins(1);

pub struct Renewal {
    pub folder: PathBuf,
    pub place: Place,
    pub urls: Vec<String>,
    pub credentials: Credentials,
    /// What uses the client certificate.
    pub servers: Servers,
    /// What uses the serving certificate.
    pub serving: watch::Sender<Arc<Serving>>,
    pub clock: Arc<dyn Clock>,
}

/// k8s: between 70 and 90 percent of a certificate's life, spread so that nodes that joined together do not ask together.
fn due(begins: Timestamp, ends: Timestamp, chance: f64) -> Timestamp {
    let life = ends.duration_since(begins).as_secs_f64();
    begins + SignedDuration::from_secs_f64(life * (0.7 + 0.2 * chance))
}

/// Until `drain`.
pub async fn run(mut renewal: Renewal, chance: f64, drain: CancellationToken) -> Result<(), JoinError> {
    let folder = Folder::open(&renewal.folder)?;
    loop {
        let now = renewal.clock.now();
        let dates = |pem: &str| keep::read(pem, &folder).map(|read| due(read.begins, read.ends, chance));
        let client_due = dates(&renewal.credentials.client.cert_pem)?;
        let serving_due = dates(&renewal.credentials.serving.cert_pem)?;
        let next = client_due.min(serving_due);
        let pause = if next <= now {
            match renewal.renew(&folder, client_due <= now).await {
                Ok(()) => continue,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot renew the node's certificates yet"
                    );
                    RETRY
                }
            }
        } else {
            Duration::try_from(next.duration_since(now)).unwrap_or(RETRY).min(LOOK_EVERY)
        };
        tokio::select! {
            () = drain.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl Renewal {
    async fn renew(&mut self, folder: &Folder, client: bool) -> Result<(), JoinError> {
        let server = self.urls.join(",");
        let mut credentials = self.credentials.clone();
        if client {
            let asked = Asked::client(&self.place, KeyPair::generate()?)?;
            credentials.client = obtain(&self.servers.client(), &asked, &server).await?;
        } else {
            let asked = Asked::serving(&self.place, KeyPair::generate()?)?;
            credentials.serving = obtain(&self.servers.client(), &asked, &server).await?;
        }
        folder.save(&credentials)?;
        if client {
            self.servers.replace(&credentials.kubeconfig(), &self.urls).await?;
        }
        self.serving.send_replace(Arc::new(Serving::from(&credentials.serving)));
        tracing::info!(what = if client { "client" } else { "serving" }, "node certificate renewed");
        self.credentials = credentials;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_in_the_last_third_of_its_life() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert_eq!(due(at(0), at(1000), 0.0), at(700));
        assert_eq!(due(at(0), at(1000), 1.0), at(900));
    }
}
