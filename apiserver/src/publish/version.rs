//! `/version`: clients parse `gitVersion` as a semantic version and warn when theirs is far from it.

use serde_json::{Value, json};

pub const GIT_VERSION: &str = "v1.37.0+drover";
pub const MAJOR: &str = "1";
pub const MINOR: &str = "37";
/// k8s: a server understands what the version before it wrote
pub(super) const MIN_COMPATIBLE_MINOR: &str = "36";

pub(super) fn document() -> Value {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "major": MAJOR, "minor": MINOR, "emulationMajor": MAJOR, "emulationMinor": MINOR,
        "minCompatibilityMajor": MAJOR, "minCompatibilityMinor": MIN_COMPATIBLE_MINOR, "gitVersion": GIT_VERSION, "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc", "platform": format!("linux/{arch}"),
    })
}
