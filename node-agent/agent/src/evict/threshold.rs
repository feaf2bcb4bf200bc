//! How little of everything the node may have left before it ends pods: the kubelet's `evictionHard`. Pure.

use kinds::quantity::Quantity;
use std::fmt;
use std::str::FromStr;

/// k8s: memory.available<100Mi, nodefs.available<10%, nodefs.inodesFree<5%, imagefs.available<15%. Of processes and threads
/// upstream has no default, but a node without any cannot even log in.
const DEFAULTS: [(Signal, Amount); 5] = [
    (Signal::Memory, Amount::Absolute(100 << 20)),
    (Signal::NodeFs, Amount::Percent(10)),
    (Signal::NodeInodes, Amount::Percent(5)),
    (Signal::ImageFs, Amount::Percent(15)),
    (Signal::Pids, Amount::Percent(5)),
];

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    Memory,
    NodeFs,
    NodeInodes,
    ImageFs,
    Pids,
}

impl Signal {
    const ALL: [Self; 5] = [Self::Memory, Self::NodeFs, Self::NodeInodes, Self::ImageFs, Self::Pids];

    /// Its name for operators.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory.available",
            Self::NodeFs => "nodefs.available",
            Self::NodeInodes => "nodefs.inodesFree",
            Self::ImageFs => "imagefs.available",
            Self::Pids => "pid.available",
        }
    }

    /// As messages name what there is too little of.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::NodeFs | Self::ImageFs => "ephemeral-storage",
            Self::NodeInodes => "inodes",
            Self::Pids => "pids",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Absolute(u64),
    /// Of all that there is.
    Percent(u8),
}

impl Amount {
    pub fn of(self, all: u64) -> u64 {
        match self {
            Self::Absolute(amount) => amount,
            Self::Percent(percent) => (u128::from(all) * u128::from(percent) / 100) as u64,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(amount) if amount % (1 << 20) == 0 && *amount > 0 => write!(f, "{}Mi", amount >> 20),
            Self::Absolute(amount) => write!(f, "{amount}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// `memory.available<500Mi`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    watched: Signal,
    least: Amount,
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, least) = text.split_once('<').ok_or("expected a threshold, such as memory.available<500Mi")?;
        let watched = Signal::ALL.into_iter().find(|one| one.name() == name).ok_or_else(|| {
            let known = Signal::ALL.map(Signal::name).join(", ");
            format!("{name:?} is not watched, only {known}")
        })?;
        let wrong = || format!("{least:?} is neither an amount nor a percentage");
        let least = if let Some(percent) = least.strip_suffix('%') {
            match percent.parse().ok().filter(|percent| *percent <= 100).ok_or_else(wrong)? {
                // k8s: ParseThresholdStatement, neither is watched
                100 => Amount::Percent(0),
                percent => Amount::Percent(percent),
            }
        } else {
            let amount = Quantity::parse(least).map_err(|_| wrong())?.value();
            Amount::Absolute(u64::try_from(amount).map_err(|_| wrong())?)
        };
        Ok(Self { watched, least })
    }
}

/// All of them; what has none is not watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thresholds(Vec<(Signal, Amount)>);

impl Default for Thresholds {
    fn default() -> Self {
        Self(DEFAULTS.to_vec())
    }
}

impl Thresholds {
    /// k8s: who names one names all.
    pub fn new(named: &[Threshold]) -> Self {
        if named.is_empty() {
            return Self::default();
        }
        Self(named.iter().map(|threshold| (threshold.watched, threshold.least)).collect())
    }

    /// The least that may be left of `all`.
    pub fn least(&self, watched: Signal, all: u64) -> u64 {
        let found = self.0.iter().rfind(|(one, _)| *one == watched);
        found.map_or(0, |(_, amount)| amount.of(all))
    }

    pub fn named(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.iter().map(|(watched, amount)| (watched.name(), amount.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_amounts_or_parts_of_what_there_is() {
        let read = |text: &str| text.parse::<Threshold>();
        let own = Thresholds::new(&[read("memory.available<1Gi").unwrap(), read("nodefs.available<20%").unwrap()]);
        assert_eq!(own.least(Signal::Memory, 4 << 30), 1 << 30);
        assert_eq!((own.least(Signal::NodeFs, 1000), own.least(Signal::ImageFs, 1000)), (200, 0));
        assert_eq!(own.named().collect::<Vec<_>>()[0], ("memory.available", "1024Mi".to_owned()));
        let none = Thresholds::new(&[read("nodefs.available<100%").unwrap(), read("imagefs.available<0%").unwrap()]);
        assert_eq!((none.least(Signal::NodeFs, 1000), none.least(Signal::ImageFs, 1000)), (0, 0));
        assert_eq!(Thresholds::new(&[]).least(Signal::ImageFs, 1000), 150);
        for wrong in
            ["memory.available", "disk<10%", "memory.available<101%", "pid.available<-1", "memory.available<much"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
