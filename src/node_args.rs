//! What was typed about a node beyond its place: what it says of itself, what it keeps back, how it ends, whom it asks for
//! registries' credentials. The names of the flags are the kubelet's.

use crate::args::duration;
use agent::Reserved;
use agent::evict::threshold::{Threshold, Thresholds};
use agent::image::provider::Place;
use agent::shutdown::{Grace, Group};
use clap::Args;
use k8s_openapi::api::core::v1::Taint;
use kinds::node_label::may_set;
use kinds::quantity::Quantity;
use kinds::validate::format::{label_value, qualified_name};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What the node says of itself, and what pods cannot have.
#[derive(Debug, Clone, Args)]
pub(crate) struct Registration {
    /// Labels of the node (zone=a,disk=ssd); who changes one by hand finds it changed back
    #[arg(long, value_name = "KEY=VALUE,..", value_delimiter = ',', value_parser = label)]
    node_labels: Vec<(String, String)>,
    /// Taints of the node when it registers, never afterwards (dedicated=db:NoSchedule)
    #[arg(long, value_name = "KEY=VALUE:EFFECT,..", value_delimiter = ',', value_parser = taint)]
    register_with_taints: Vec<Taint>,
    /// What pods cannot have because the machine's own services need it (cpu=500m,memory=512Mi)
    #[arg(long, value_name = "RESOURCE=QUANTITY,..", value_delimiter = ',', value_parser = reserved)]
    system_reserved: Vec<Reserved>,
    /// The same for this process and its containers' supervisors
    #[arg(long, value_name = "RESOURCE=QUANTITY,..", value_delimiter = ',', value_parser = reserved)]
    kube_reserved: Vec<Reserved>,
    /// How little may be left before pods are ended (memory.available<500Mi,nodefs.available<10%); who names one names all
    #[arg(long, value_name = "SIGNAL<AMOUNT,..", value_delimiter = ',')]
    eviction_hard: Vec<Threshold>,
}

impl Registration {
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        self.node_labels.iter().cloned().collect()
    }

    pub(crate) fn taints(&self) -> Vec<Taint> {
        self.register_with_taints.clone()
    }

    pub(crate) fn thresholds(&self) -> Thresholds {
        Thresholds::new(&self.eviction_hard)
    }

    pub(crate) fn reserved(&self) -> Reserved {
        let both = self.system_reserved.iter().chain(&self.kube_reserved);
        both.fold(Reserved::default(), |sum, one| Reserved {
            cpu_milli: sum.cpu_milli.saturating_add(one.cpu_milli),
            memory_bytes: sum.memory_bytes.saturating_add(one.memory_bytes),
        })
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected a label, such as zone=a")?;
    refuse(key, qualified_name(key))?;
    refuse(value, label_value(value))?;
    if !may_set(key) {
        return Err(format!("{key:?} is for the cluster to set, not for a node: use kctl label node"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn refuse(text: &str, why: Vec<String>) -> Result<(), String> {
    why.into_iter().next().map_or(Ok(()), |why| Err(format!("{text:?}: {why}")))
}

fn taint(text: &str) -> Result<Taint, String> {
    let (left, effect) = text.rsplit_once(':').ok_or("expected a taint, such as dedicated=db:NoSchedule")?;
    if !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect) {
        return Err(format!("{effect:?} is not an effect: NoSchedule, PreferNoSchedule or NoExecute"));
    }
    let (key, value) = left.split_once('=').unwrap_or((left, ""));
    refuse(key, qualified_name(key))?;
    refuse(value, label_value(value))?;
    let value = Some(value.to_owned()).filter(|value| !value.is_empty());
    Ok(Taint { key: key.to_owned(), value, effect: effect.to_owned(), time_added: None })
}

fn reserved(text: &str) -> Result<Reserved, String> {
    let (resource, amount) = text.split_once('=').ok_or("expected a resource, such as memory=512Mi")?;
    let amount = Quantity::parse(amount).map_err(|error| format!("{amount:?}: {error}"))?;
    if amount.milli_value() < 0 {
        return Err(format!("{text:?} is less than nothing"));
    }
    match resource {
        "cpu" => Ok(Reserved { cpu_milli: amount.milli_value(), memory_bytes: 0 }),
        "memory" => Ok(Reserved { cpu_milli: 0, memory_bytes: amount.value() }),
        other => Err(format!("{other:?} cannot be reserved, only cpu and memory")),
    }
}

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
        allow_hyphen_values = true,
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
        registration: Registration,
        #[command(flatten)]
        shutdown: Shutdown,
        #[command(flatten)]
        credentials: CredentialProviders,
    }

    fn parse(words: &[&str]) -> Result<Line, String> {
        Line::try_parse_from(["node"].iter().chain(words)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_node_says_what_it_is_and_keeps_back_what_it_is_told() {
        let words = [
            "--node-labels=zone=a,example.com/disk=",
            "--register-with-taints=dedicated=db:NoSchedule,old:NoExecute",
            "--system-reserved=cpu=250m,memory=1Gi",
            "--kube-reserved=cpu=1",
            "--eviction-hard=memory.available<1Gi,pid.available<2%",
        ];
        let line = parse(&words).unwrap().registration;
        assert_eq!(line.labels()["example.com/disk"], "");
        let taints: Vec<_> = line.taints().into_iter().map(|t| (t.key, t.value, t.effect)).collect();
        let taint = |key: &str, value: Option<&str>, effect: &str| {
            (key.to_owned(), value.map(str::to_owned), effect.to_owned())
        };
        assert_eq!(taints, [taint("dedicated", Some("db"), "NoSchedule"), taint("old", None, "NoExecute")]);
        assert_eq!(line.reserved(), Reserved { cpu_milli: 1250, memory_bytes: 1 << 30 });
        let named: Vec<_> = line.thresholds().named().collect();
        assert_eq!(named, [("memory.available", "1024Mi".to_owned()), ("pid.available", "2%".to_owned())]);
        assert_eq!(parse(&[]).unwrap().registration.thresholds(), Thresholds::default());
        for wrong in [
            "--eviction-hard=disk<10%",
            "--node-labels=zone",
            "--node-labels=-=a",
            "--node-labels=node-role.kubernetes.io/worker=",
            "--register-with-taints=a=b",
            "--register-with-taints=a=b:Never",
            "--system-reserved=memory=much",
            "--system-reserved=pid=100",
            "--kube-reserved=cpu=-1",
        ] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_by_priority_are_in_place_of_the_others() {
        let grace = |words: &[&str]| parse(words).and_then(|line| line.shutdown.grace().map_err(|e| e.to_string()));
        let group = |priority, seconds| Group { priority, period: Duration::from_secs(seconds) };
        let by_priority = "--shutdown-grace-period-by-pod-priority";
        let groups = vec![group(-5, 90), group(10_000, 10)];
        assert_eq!(grace(&[&format!("{by_priority}=10000=10s,-5=1m30s")]), Ok(Grace::by_priority(groups)));
        assert_eq!(grace(&[by_priority, "-5=90s"]), Ok(Grace::by_priority(vec![group(-5, 90)])));
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
