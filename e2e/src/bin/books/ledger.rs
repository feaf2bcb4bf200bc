//! What writers were told and what readers saw, and whether both can be true of a store that loses nothing.

use std::collections::{BTreeMap, BTreeSet};

/// One state of an object: numbers grow with every write of it, and are never used twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    Set {
        name: String,
        number: u64,
    },
    /// Deleted while it had that number.
    Gone {
        name: String,
        number: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server said that it is done; with the revision, where it tells one.
    Acknowledged(Option<u64>),
    /// The server said that it is not done.
    Refused,
    /// No answer: done or not, but not half and not twice.
    Unknown,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) change: Change,
    pub(crate) outcome: Outcome,
}

/// What one reader was told without a gap: everything after `from` up to the last of `marks`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    pub(crate) from: u64,
    /// In the order in which they came; `None` is a bookmark.
    pub(crate) marks: Vec<(u64, Option<Change>)>,
}

impl Span {
    pub(crate) fn until(&self) -> u64 {
        self.marks.last().map_or(self.from, |(revision, _)| *revision)
    }
}

/// Sentences about what cannot be; none where the books agree. `end` is the last list: names and numbers.
pub(crate) fn contradictions(entries: &[Entry], spans: &[Span], end: &BTreeMap<String, u64>) -> Vec<String> {
    let mut found = Vec::new();
    let mut history: BTreeMap<u64, &Change> = BTreeMap::new();
    for span in spans {
        in_order(span, &mut found);
        for (revision, change) in span.marks.iter().filter_map(|(at, change)| Some((*at, change.as_ref()?))) {
            if *history.entry(revision).or_insert(change) != change {
                found.push(format!("revision {revision} is {change:?} to one and {:?} to another", history[&revision]));
            }
        }
    }
    for span in spans {
        let seen: BTreeSet<u64> = span.marks.iter().filter(|(_, change)| change.is_some()).map(|(at, _)| *at).collect();
        let due = history.range(span.from + 1..=span.until()).filter(|(revision, _)| !seen.contains(revision));
        found.extend(due.map(|(revision, change)| format!("a reader missed {change:?} at revision {revision}")));
    }
    answers_hold(entries, &history, &mut found);
    let mut state = BTreeMap::new();
    for change in history.values() {
        match change {
            Change::Set { name, number } => drop(state.insert(name.clone(), *number)),
            Change::Gone { name, .. } => drop(state.remove(name)),
        }
    }
    if state != *end {
        found.push(format!("the events lead to {state:?}, the last list says {end:?}"));
    }
    found
}

fn in_order(span: &Span, found: &mut Vec<String>) {
    let mut last = span.from;
    for (revision, change) in &span.marks {
        // A bookmark may say the revision of the event before it.
        if *revision < last || (*revision == last && change.is_some()) {
            found.push(format!("a reader at revision {last} was told {change:?} at revision {revision}"));
        }
        last = last.max(*revision);
    }
}

/// Every acknowledged write happened once, at its revision; a refused one never; one without an answer at most once.
fn answers_hold(entries: &[Entry], history: &BTreeMap<u64, &Change>, found: &mut Vec<String>) {
    let mut happened: BTreeMap<&Change, Vec<u64>> = BTreeMap::new();
    for (revision, change) in history {
        happened.entry(change).or_default().push(*revision);
    }
    for Entry { change, outcome } in entries {
        let at = happened.get(change).map_or(&[][..], Vec::as_slice);
        let right = match outcome {
            Outcome::Acknowledged(Some(revision)) => *at == [*revision],
            Outcome::Acknowledged(None) => at.len() == 1,
            Outcome::Refused => at.is_empty(),
            Outcome::Unknown => at.len() <= 1,
        };
        if !right {
            found.push(format!("{change:?}, {outcome:?}, happened at {at:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(number: u64) -> Change {
        Change::Set { name: "a".to_owned(), number }
    }

    fn gone(number: u64) -> Change {
        Change::Gone { name: "a".to_owned(), number }
    }

    type Marks = [(u64, Option<Change>)];

    /// How many contradictions there are.
    fn verdict(entries: &[(Change, Outcome)], spans: &[(u64, &Marks)], end: Option<u64>) -> usize {
        let entry = |(change, outcome): &(Change, Outcome)| Entry { change: change.clone(), outcome: *outcome };
        let entries: Vec<Entry> = entries.iter().map(entry).collect();
        let spans: Vec<Span> = spans.iter().map(|(from, marks)| Span { from: *from, marks: marks.to_vec() }).collect();
        contradictions(&entries, &spans, &end.map(|number| ("a".to_owned(), number)).into_iter().collect()).len()
    }

    #[test]
    fn books_that_agree_are_right() {
        use Outcome::{Acknowledged, Refused, Unknown};
        let entries = [
            (set(1), Acknowledged(Some(5))),
            (set(2), Unknown),
            (set(3), Unknown),
            (gone(3), Acknowledged(None)),
            (set(4), Refused),
        ];
        let all = [(5, Some(set(1))), (7, None), (8, Some(set(3))), (9, Some(gone(3)))];
        assert_eq!(verdict(&entries, &[(4, &all), (7, &all[2..])], None), 0);
    }

    #[test]
    fn what_is_lost_repeated_invented_or_out_of_order_is_found() {
        use Outcome::{Acknowledged, Refused, Unknown};
        let one = [(5, Some(set(1)))];
        assert_eq!(verdict(&[(set(1), Acknowledged(Some(5)))], &[(4, &[])], None), 1, "a lost write");
        assert_eq!(verdict(&[(set(1), Acknowledged(Some(6)))], &[(4, &one)], Some(1)), 1, "another revision");
        assert_eq!(verdict(&[(set(1), Refused)], &[(4, &one)], Some(1)), 1, "a refused write that happened");
        let twice = [(5, Some(set(1))), (6, Some(set(1)))];
        assert_eq!(verdict(&[(set(1), Unknown)], &[(4, &twice)], Some(1)), 1, "a write that happened twice");
        let again = [(5, Some(set(1))), (5, Some(set(1)))];
        assert_eq!(verdict(&[], &[(4, &again)], Some(1)), 1, "a repeated event");
        let late = [(6, None), (5, Some(set(1)))];
        assert_eq!(verdict(&[], &[(4, &late)], Some(1)), 1, "an event after the bookmark that says it was told");
        assert_eq!(verdict(&[], &[(4, &one), (4, &[(6, None)])], Some(1)), 1, "a missed event");
        assert_eq!(verdict(&[], &[(4, &one), (4, &[(5, Some(set(2)))])], Some(1)), 1, "two tales of one revision");
        assert_eq!(verdict(&[], &[(4, &one)], None), 1, "an end that is none");
    }
}
