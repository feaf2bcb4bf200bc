//! Shuffle sharding: which queues a flow may use. A few of many, chosen by a hash, so that two flows rarely share all of theirs
//! and a greedy one cannot stand in everybody's way. k8s: `apiserver/pkg/util/shufflesharding`

/// Queues of a hand; validation allows no more.
const HAND_MAX: usize = 10;

/// A hand of different cards from a deck of `deck` (at least 1), decided by `hash` alone.
pub(super) fn deal(mut hash: u64, deck: usize, hand: usize) -> impl Iterator<Item = usize> {
    let mut dealt: smallvec::SmallVec<[usize; HAND_MAX]> = smallvec::SmallVec::new();
    for given in 0..hand.min(deck) {
        let left = (deck - given) as u64;
        let mut card = usize::try_from(hash % left).expect("below the size of the deck");
        hash /= left;
        // The card at this place among those that are left: one further for each lower one that is gone.
        let at = dealt.iter().take_while(|gone| {
            let below = **gone <= card;
            card += usize::from(below);
            below
        });
        let at = at.count();
        dealt.insert(at, card);
    }
    dealt.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_hand_has_as_many_different_cards_as_were_asked_for_and_every_hash_has_its_own() {
        let hand = |hash| deal(hash, 64, 6).collect::<BTreeSet<_>>();
        for hash in (0..1000).map(|n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15)) {
            assert_eq!(hand(hash).len(), 6);
            assert!(hand(hash).iter().all(|card| *card < 64));
            assert_eq!(hand(hash), hand(hash));
        }
        assert_ne!(hand(1), hand(1 << 40));
        assert_eq!(deal(7, 1, 1).collect::<Vec<_>>(), [0]);
        assert_eq!(deal(7, 3, 9).collect::<BTreeSet<_>>(), BTreeSet::from([0, 1, 2]));
    }

    /// All hands of two cards out of four come up equally often.
    #[test]
    fn no_hand_is_more_likely_than_another() {
        let hands: BTreeSet<Vec<usize>> = (0..12).map(|hash| deal(hash, 4, 2).collect()).collect();
        assert_eq!(hands.len(), 6);
    }
}
