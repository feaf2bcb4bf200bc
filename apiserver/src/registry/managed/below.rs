//! What a [`Set`] has below it: a few elements in order, in one piece of memory. Sets are made and thrown away with every
//! write, and most of their nodes have one to five elements.

use super::set::Set;
use std::cmp::Ordering;

/// Begins the element of a field.
const FIELD: &str = "f:";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Below(Vec<(String, Set)>);

impl Below {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, element: &str) -> Result<usize, usize> {
        // Elements mostly come in their order.
        match self.0.last() {
            Some((last, _)) if last.as_str() < element => Err(self.0.len()),
            Some(_) | None => self.0.binary_search_by(|(known, _)| known.as_str().cmp(element)),
        }
    }

    pub fn get(&self, element: &str) -> Option<&Set> {
        self.find(element).ok().map(|at| &self.0[at].1)
    }

    pub fn get_mut(&mut self, element: &str) -> Option<&mut Set> {
        self.find(element).ok().map(|at| &mut self.0[at].1)
    }

    /// Where the element of a field is, looked for without putting it together.
    fn find_field(&self, name: &str) -> Option<usize> {
        let order = |known: &str| match known.strip_prefix(FIELD) {
            Some(rest) => rest.cmp(name),
            None if known < FIELD => Ordering::Less,
            None => Ordering::Greater,
        };
        self.0.binary_search_by(|(known, _)| order(known)).ok()
    }

    pub fn field_mut(&mut self, name: &str) -> Option<&mut Set> {
        self.find_field(name).map(|at| &mut self.0[at].1)
    }

    pub fn remove_field(&mut self, name: &str) {
        if let Some(at) = self.find_field(name) {
            self.0.remove(at);
        }
    }

    pub fn insert(&mut self, element: String, inner: Set) {
        match self.find(&element) {
            Ok(at) => self.0[at].1 = inner,
            Err(at) => self.0.insert(at, (element, inner)),
        }
    }

    pub fn remove(&mut self, element: &str) {
        if let Ok(at) = self.find(element) {
            self.0.remove(at);
        }
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut Set) -> bool) {
        self.0.retain_mut(|(element, inner)| keep(element, inner));
    }

    pub fn elements(&self) -> impl Iterator<Item = (&str, &Set)> {
        self.0.iter().map(|(element, inner)| (element.as_str(), inner))
    }
}

impl IntoIterator for Below {
    type Item = (String, Set);
    type IntoIter = std::vec::IntoIter<(String, Set)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
