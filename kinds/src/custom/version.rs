//! The order of API versions: GA before beta before alpha, newer before older, everything else by name behind them.
//! k8s: apimachinery's `version.CompareKubeAwareVersionStrings`

use std::cmp::Ordering;

/// How stable a version says it is, best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stability {
    Alpha,
    Beta,
    Ga,
}

/// The better version first.
pub fn compare(a: &str, b: &str) -> Ordering {
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => b.cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// `v2beta1`: stability, major, minor.
fn parse(version: &str) -> Option<(Stability, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let number = |text: &str| text.parse().ok().filter(|number| *number > 0 && !text.starts_with(['0', '+']));
    let major = number(&rest[..digits])?;
    let rest = &rest[digits..];
    if rest.is_empty() {
        return Some((Stability::Ga, major, 0));
    }
    let (stability, minor) = match (rest.strip_prefix("alpha"), rest.strip_prefix("beta")) {
        (Some(minor), _) => (Stability::Alpha, minor),
        (_, Some(minor)) => (Stability::Beta, minor),
        (None, None) => return None,
    };
    Some((stability, major, if minor.is_empty() { 0 } else { number(minor)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_versions_come_first() {
        let mut versions =
            ["foo1", "v1alpha1", "v11alpha2", "v2", "v1", "v12alpha1", "foo10", "v10", "v3beta1", "v11beta2"];
        versions.sort_by(|a, b| compare(a, b));
        assert_eq!(
            versions,
            ["v10", "v2", "v1", "v11beta2", "v3beta1", "v12alpha1", "v11alpha2", "v1alpha1", "foo1", "foo10"]
        );
    }
}
