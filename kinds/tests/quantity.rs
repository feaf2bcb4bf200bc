//! Quantities read, compute and write as Kubernetes' do.

use kinds::quantity::{Format, Quantity, QuantityError};

fn canonical(text: &str) -> String {
    Quantity::parse(text).map_or_else(|error| format!("error: {error:?}"), |quantity| quantity.to_string())
}

#[test]
fn canonical_forms_are_upstreams() {
    for (text, expected) in [
        ("0", "0"),
        ("0.0Mi", "0"),
        ("1.5", "1500m"),
        ("100m", "100m"),
        ("1000m", "1"),
        ("1.5Gi", "1536Mi"),
        ("1024", "1024"),
        ("1024Ki", "1Mi"),
        ("1000Ki", "1000Ki"),
        ("0.5Ki", "512"),
        ("1023Mi", "1023Mi"),
        ("0.1Ki", "102400m"),
        ("1.1Ki", "1126400m"),
        ("100000", "100k"),
        ("1500", "1500"),
        ("12e6", "12e6"),
        ("12E6", "12e6"),
        ("1e3", "1e3"),
        ("1200e0", "1200"),
        ("0.1m", "100u"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("1.0000000001", "1000000001n"),
        ("-1.5", "-1500m"),
        ("+5", "5"),
        (".5", "500m"),
        ("5.", "5"),
        ("1E", "1E"),
        ("8Ei", "9223372036854775807"),
        ("16Ei", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808"),
        ("10E", "10E"),
        ("1e19", "10e18"),
        ("1e100", "10000000000e18"),
        ("1e-100", "1e-9"),
        ("-1e100", "-10000000000e18"),
        ("0e1000", "0"),
        (".", "0"),
        ("m", "0"),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
    }
}

#[test]
fn malformed_quantities_say_what_is_wrong() {
    for (text, expected) in [
        ("", QuantityError::Format),
        ("1.2.3", QuantityError::Format),
        ("1 Gi", QuantityError::Format),
        ("lots", QuantityError::Format),
        ("1mi", QuantityError::Suffix),
        ("1e", QuantityError::Suffix),
        ("1GiB", QuantityError::Format),
        ("1KI", QuantityError::Format),
    ] {
        assert_eq!(Quantity::parse(text), Err(expected), "{text}");
    }
}

#[test]
fn values_round_away_from_zero() {
    let of = |text| Quantity::parse(text).unwrap();
    assert_eq!((of("100m").value(), of("1.5").value(), of("-1.5").value()), (1, 2, -2));
    assert_eq!((of("1u").milli_value(), of("2").milli_value()), (1, 2000));
    assert_eq!(of("8Ei").milli_value(), i64::MAX);
}

#[test]
fn sums_keep_the_format_of_the_first_that_is_not_zero() {
    let of = |text| Quantity::parse(text).unwrap();
    assert_eq!((of("1Gi") + of("512Mi")).to_string(), "1536Mi");
    assert_eq!([of("100m"), of("0.9")].into_iter().sum::<Quantity>().to_string(), "1");
    assert_eq!((Quantity::ZERO + of("1Mi")).format(), Format::BinarySi);
    assert_eq!((of("1") - of("1.5")).to_string(), "-500m");
    assert_eq!(of("1024Mi"), of("1Gi"));
    assert!(of("1G") < of("1Gi"));
}

mod arbitrary {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_makes_parsing_panic(text in ".{0,40}") {
            if let Ok(quantity) = Quantity::parse(&text) {
                prop_assert_eq!(Quantity::parse(&quantity.to_string()).unwrap(), quantity);
            }
        }

        #[test]
        fn what_is_written_reads_back_equal(
            text in r"[+-]?[0-9]{1,22}(\.[0-9]{0,12})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e-?[0-9]{1,2})?",
        ) {
            let quantity = Quantity::parse(&text).unwrap();
            let written = quantity.to_string();
            prop_assert_eq!(Quantity::parse(&written).unwrap(), quantity);
            prop_assert_eq!(Quantity::parse(&written).unwrap().to_string(), written);
        }

        #[test]
        fn order_and_sums_agree_with_numbers(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000) {
            let (x, y) = (Quantity::from_milli(a), Quantity::from_milli(b));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!((x + y).milli_value(), a + b);
        }
    }
}
