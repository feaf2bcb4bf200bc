//! Ages as kubectl prints them.

use kinds::age::{human, since};

#[test]
fn ages_have_at_most_two_units() {
    for (secs, expected) in [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (312, "5m12s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (10_860, "3h1m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (273_600, "3d4h"),
        (691_200, "8d"),
        (63_072_000, "2y"),
        (63_936_000, "2y10d"),
        (252_288_000, "8y"),
    ] {
        assert_eq!(human(secs), expected, "{secs}");
    }
    assert_eq!(since(None, 5), "<unknown>");
    assert_eq!(since(Some(2), 5), "3s");
}
