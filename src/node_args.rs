//! What was typed about a node beyond its place: how it ends, whom it asks for registries' credentials. The names of the flags
//! are the kubelet's.

use crate::args::duration;
use agent::image::provider::Place;
use agent::shutdown::{Grace, Group};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// How long pods have when this process is stopped.
#[derive(Debug, Clone, Args)]
pub(crate) struct Shutdown {
    /// Time for pods to end when this process is stopped (30s, 2m); with 0s the node does not say that it goes down
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    shutdown_grace_period: Duration,
    /// The end of that time that critical pods have for themselves
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    shutdown_grace_period_critical_pods: Duration,
    /// In place of both, a time for the pods of each priority and above, the lowest first (0=60s,10000=3m,2000000000=10s)
    #[arg(long, value_name = "PRIORITY=DURATION,..", value_delimiter = ',', value_parser = priority_period,
        conflicts_with_all = ["shutdown_grace_period", "shutdown_grace_period_critical_pods"])]
    shutdown_grace_period_by_pod_priority: Vec<Group>,
}

impl Shutdown {
    pub(crate) fn grace(&self) -> anyhow::Result<Grace> {
        let groups = &self.shutdown_grace_period_by_pod_priority;
        if !groups.is_empty() {
            let twice = |(at, one): (usize, &Group)| groups[..at].iter().any(|other| other.priority == one.priority);
            anyhow::ensure!(
                !groups.iter().enumerate().any(twice),
                "--shutdown-grace-period-by-pod-priority has two times for one priority"
            );
            return Ok(Grace::by_priority(groups.clone()));
        }
        let (total, critical) = (self.shutdown_grace_period, self.shutdown_grace_period_critical_pods);
        if critical > total {
            anyhow::bail!(
                "--shutdown-grace-period-critical-pods {critical:?} is a part of --shutdown-grace-period, which must be as long at least"
            );
        }
        Ok(Grace::new(total, critical))
    }
}

/// `10000=3m`
fn priority_period(text: &str) -> Result<Group, String> {
    let (priority, period) = text.split_once('=').ok_or("expected a priority and a time, such as 10000=3m")?;
    let priority = priority.parse().map_err(|_| format!("{priority:?} is not a priority"))?;
    Ok(Group { priority, period: duration(period)? })
}

/// Where registries' credentials come from that no pod names.
#[derive(Debug, Clone, Args)]
pub(crate) struct CredentialProviders {
    /// A CredentialProviderConfig, or a folder of them: programs that are asked for registries' credentials
    #[arg(long, value_name = "FILE", requires = "image_credential_provider_bin_dir")]
    image_credential_provider_config: Option<PathBuf>,
    /// The folder of these programs
    #[arg(long, value_name = "DIR", requires = "image_credential_provider_config")]
    image_credential_provider_bin_dir: Option<PathBuf>,
}

impl CredentialProviders {
    pub(crate) fn place(&self) -> Option<Place> {
        let config = self.image_credential_provider_config.clone()?;
        Some(Place { config, programs: self.image_credential_provider_bin_dir.clone()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        shutdown: Shutdown,
        #[command(flatten)]
        credentials: CredentialProviders,
    }

    fn parse(words: &[&str]) -> Result<Line, String> {
        Line::try_parse_from(["node"].iter().chain(words)).map_err(|error| error.to_string())
    }

    #[test]
    fn times_by_priority_are_in_place_of_the_others() {
        let grace = |words: &[&str]| parse(words).and_then(|line| line.shutdown.grace().map_err(|e| e.to_string()));
        let group = |priority, seconds| Group { priority, period: Duration::from_secs(seconds) };
        let by_priority = "--shutdown-grace-period-by-pod-priority";
        let groups = vec![group(-5, 90), group(10_000, 10)];
        assert_eq!(grace(&[&format!("{by_priority}=10000=10s,-5=1m30s")]), Ok(Grace::by_priority(groups)));
        let plain = ["--shutdown-grace-period=30s", "--shutdown-grace-period-critical-pods=10s"];
        assert_eq!(grace(&plain), Ok(Grace::new(Duration::from_secs(30), Duration::from_secs(10))));
        assert_eq!(grace(&[]).map(|grace| grace.is_none()), Ok(true));
        assert!(grace(&["--shutdown-grace-period-critical-pods=10s"]).is_err());
        assert!(grace(&[&format!("{by_priority}=1=1s"), plain[0]]).is_err());
        for wrong in ["30s", "high=30s", "1=soon", "1=1s,1=2s"] {
            assert!(grace(&[&format!("{by_priority}={wrong}")]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn providers_need_both_their_configuration_and_their_programs() {
        assert_eq!(parse(&[]).unwrap().credentials.place(), None);
        let both = ["--image-credential-provider-config=/c", "--image-credential-provider-bin-dir=/b"];
        let place = parse(&both).unwrap().credentials.place().unwrap();
        assert_eq!((place.config, place.programs), ("/c".into(), "/b".into()));
        assert!(parse(&both[..1]).is_err() && parse(&both[1..]).is_err());
    }
}
