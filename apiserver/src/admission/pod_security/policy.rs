//! The policy that a namespace's labels state: a level and a version for each of enforce, audit and warn.

use kinds::errors::{FieldError, FieldErrors};
use serde_json::Value;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::admission) enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "privileged" => Some(Self::Privileged),
            "baseline" => Some(Self::Baseline),
            "restricted" => Some(Self::Restricted),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// The checks of a minor release, or of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admission) enum Version {
    Latest,
    V1(u32),
}

impl Version {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "latest" {
            return Some(Self::Latest);
        }
        let minor = text.strip_prefix("v1.")?;
        let plain = minor == "0" || (!minor.starts_with('0') && minor.bytes().all(|byte| byte.is_ascii_digit()));
        minor.parse().ok().filter(|_| plain).map(Self::V1)
    }

    pub(super) const fn is_at_least(self, minor: u32) -> bool {
        match self {
            Self::Latest => true,
            Self::V1(own) => own >= minor,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admission) struct Standard {
    pub(super) level: Level,
    pub(super) version: Version,
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Version::Latest => write!(f, "{}:latest", self.level.as_str()),
            Version::V1(minor) => write!(f, "{}:v1.{minor}", self.level.as_str()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admission) struct Policy {
    pub(super) enforce: Standard,
    pub(super) audit: Standard,
    pub(super) warn: Standard,
}

/// What holds where a namespace does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admission) struct Defaults {
    pub(super) enforce: Standard,
    pub(super) audit: Standard,
    pub(super) warn: Standard,
}

impl Default for Defaults {
    fn default() -> Self {
        let nothing = Standard { level: Level::Privileged, version: Version::Latest };
        Self { enforce: nothing, audit: nothing, warn: nothing }
    }
}

/// Of labels, and of audit annotations.
pub(super) const PREFIX: &str = "pod-security.kubernetes.io/";

/// What a label says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label<T> {
    Absent,
    Wrong,
    Is(T),
}

impl<T> Label<T> {
    fn read(text: Option<&str>, parse: fn(&str) -> Option<T>) -> Self {
        text.map_or(Self::Absent, |text| parse(text).map_or(Self::Wrong, Self::Is))
    }

    fn or(self, absent: T, wrong: T) -> T {
        match self {
            Self::Absent => absent,
            Self::Wrong => wrong,
            Self::Is(value) => value,
        }
    }
}

/// The two labels of a mode.
#[derive(Clone, Copy)]
struct Stated {
    level: Label<Level>,
    version: Label<Version>,
}

impl Stated {
    fn of(namespace: &Value, mode: &str) -> Self {
        let label = |name: String| namespace["metadata"]["labels"][name.as_str()].as_str();
        Self {
            level: Label::read(label(format!("{PREFIX}{mode}")), Level::parse),
            version: Label::read(label(format!("{PREFIX}{mode}-version")), Version::parse),
        }
    }

    /// A level that cannot be read counts as `wrong`.
    fn standard(self, default: Standard, wrong: Level) -> Standard {
        Standard {
            level: self.level.or(default.level, wrong),
            version: self.version.or(default.version, Version::Latest),
        }
    }
}

impl Policy {
    /// Whether it forbids, tells and warns of nothing.
    pub(super) fn is_privileged(self) -> bool {
        [self.enforce, self.audit, self.warn].into_iter().all(|standard| standard.level == Level::Privileged)
    }

    /// k8s: labels that cannot be read enforce the strictest level, and tell and warn of nothing.
    pub(in crate::admission) fn of(namespace: &Value, defaults: &Defaults) -> Self {
        let (enforce, warn) = (Stated::of(namespace, "enforce"), Stated::of(namespace, "warn"));
        let enforced = enforce.standard(defaults.enforce, Level::Restricted);
        let mut warned = warn.standard(defaults.warn, Level::Privileged);
        // What would be refused as a pod is warned of as a template, unless the namespace says otherwise.
        if enforce.level != Label::Absent && warn.level == Label::Absent && enforced.level > warned.level {
            warned.level = enforced.level;
            if warn.version == Label::Absent {
                warned.version = enforced.version;
            }
        }
        let audit = Stated::of(namespace, "audit").standard(defaults.audit, Level::Privileged);
        Self { enforce: enforced, audit, warn: warned }
    }
}

/// Labels that cannot be read.
pub(in crate::admission) fn label_errors(namespace: &Value) -> FieldErrors {
    let mut errors = FieldErrors::new();
    for mode in ["enforce", "audit", "warn"] {
        let stated = Stated::of(namespace, mode);
        let mut refuse = |suffix: &str, why: &str| {
            let label = format!("{PREFIX}{mode}{suffix}");
            let value = &namespace["metadata"]["labels"][label.as_str()];
            errors.push(FieldError::invalid(format!("metadata.labels[{label}]"), value, why));
        };
        if stated.level == Label::Wrong {
            refuse("", "must be one of privileged, baseline, restricted");
        }
        if stated.version == Label::Wrong {
            refuse("-version", "must be \"latest\" or \"v1.x\"");
        }
    }
    errors
}
