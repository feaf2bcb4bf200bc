//! Names that packet filters have room for, made from names of the API, which may be longer.

use sha2::{Digest, Sha256};

/// First 16 characters of the base32 form of a SHA-256, as upstream's chains end.
pub(crate) fn short(text: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = Sha256::digest(text.as_bytes());
    (0..16)
        .map(|place| {
            let bits = (0..5)
                .map(|bit| place * 5 + bit)
                .fold(0, |value, bit: usize| value << 1 | usize::from(digest[bit / 8] >> (7 - bit % 8) & 1));
            char::from(ALPHABET[bits])
        })
        .collect()
}
