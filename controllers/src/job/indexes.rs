//! Sets of completion indexes as the API writes them: `0,2-5,9`.

use client::cache::Tracked as _;
use k8s_openapi::api::core::v1::Pod;
use std::collections::BTreeSet;
use std::fmt;

pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The completion index that the pod bears, if it is below `completions`.
pub(super) fn of(pod: &Pod, completions: i32) -> Option<i32> {
    let index = pod.metadata.annotations.as_ref()?.get(INDEX)?.parse().ok()?;
    (0..completions).contains(&index).then_some(index)
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexes(BTreeSet<i32>);

impl Indexes {
    /// What is not a number, or not below `completions`, is left out: after a scale-down such an index does not count.
    pub(super) fn parse(text: &str, completions: i32) -> Self {
        let mut set = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            if let (Ok(first), Ok(last)) = (first.trim().parse::<i32>(), last.trim().parse::<i32>()) {
                set.extend(first.max(0)..last.saturating_add(1).min(completions));
            }
        }
        Self(set)
    }

    pub(super) fn has(&self, index: i32) -> bool {
        self.0.contains(&index)
    }

    pub(super) fn add(&mut self, index: i32) {
        self.0.insert(index);
    }

    pub(super) fn len(&self) -> i32 {
        self.0.len() as i32
    }

    pub(super) fn common(&self, other: &Self) -> i32 {
        self.0.intersection(&other.0).count() as i32
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut runs: Vec<(i32, i32)> = Vec::new();
        for index in &self.0 {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == *index => *last = *index,
                _ => runs.push((*index, *index)),
            }
        }
        let part = |(first, last): &(i32, i32)| match last - first {
            0 => first.to_string(),
            1 => format!("{first},{last}"), // k8s: a run begins with three
            _ => format!("{first}-{last}"),
        };
        f.write_str(&runs.iter().map(part).collect::<Vec<_>>().join(","))
    }
}

/// Pods are counted in the order of their indexes.
pub(super) fn order(pod: &Pod) -> (i64, String) {
    let index = of(pod, i32::MAX).map_or(i64::MAX, i64::from);
    (index, pod.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_three_are_written_as_ranges() {
        assert_eq!(Indexes::parse("0,2,3,4,7,8", 10).to_string(), "0,2-4,7,8");
        assert_eq!(Indexes::parse("0-9", 3).to_string(), "0-2");
        assert_eq!(Indexes::parse("", 3).to_string(), "");
    }
}
