//! Requests of all kinds of keys, and certificates that are and are not what their status says.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    CertificateParams, CertifiedIssuer, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519, PublicKeyData, SanType,
};
use serde_json::json;

// Made by OpenSSL, of keys that cannot be made here.
const RSA_3072: &str = concat!(
    "MIIDRTCCAa0CAQAwADCCAaIwDQYJKoZIhvcNAQEBBQADggGPADCCAYoCggGBAIvp+SO2dEYhk2VS7GCOK1uc18gBMRZ4bsptXUZk",
    "Rph86h1IS5UW4EkTUpcaiKNyQpCqpRquUkyblIBosqamReNibTNrX09Og7XuN2poHE0D/UR02OaDjhi8DkDCqldfAnRYHfwXE1hN",
    "QChQYT2JvDENOek7QfI8PbqJgrE+Fm6s6EWJ2dn+vJif9xONQEKetFFy3alo9BDrXokFYqoLEfOKQVuxa2hjjlfvHuTynL9gQz8B",
    "NswSpZGh32auI6amqj/6P4NU2zVqV7dClQeEF4YbNhxifaGKNTEpcpoqmmajhc77246ekqn5mfYLKZPPX4hyKrK9UyJdWp+209wl",
    "BgDPBmr8/ht0o+c5RCB810uEguF3gUgm2M/vauV+03cAz6EBwR5qFiQF8t/HPz7YXnRZ6TjgOgTFfIj8fnXn/0mXY0ZWbfABd1vt",
    "pKRryxF5aPKjfYI9vPLNJY+HcMR/vnjXUHQYlBZnAEW05XCGRh/6Ptnw0C1HCe6C4GBxhO96EQIDAQABoAAwDQYJKoZIhvcNAQEL",
    "BQADggGBAIa/hAdpG9e3Qt0jxCffgwdjDuS81Jy3tT4M3CnTdIbc2mTInyTlijMQatH6ePKvdkMb6/j4ETe2nbTIxWqgSxRqQaBt",
    "SZrzsY+pfY3BNn5pYMoew0h8hCkwK+Kp50gQ5UavhcLWTfh7PJZDAyphIEvKaeoLq4dxwCl4/Zaq8Ph0vPcXnXbpBZLO4GvBIhT4",
    "dzRj+FtZuVSixbOem08odrLyzF+TrukWZWcwEqpwQwmKmttMM+SCS1rABp+eCgk4qawuvh/F8uSbbRObHQ4jjUsSAvl1ohLI3Fzm",
    "/HyQbP0UGM8WlrkpdyNodBNcwh8AZ+QD2r2EK8jVkEHRXOAP6cifFoUAkRjeKY6b8Vf37oNA+AmzcFJ1VsgalAZ7ccM+wCWviE39",
    "uNStbFciE7ypARwL9w3FlACyLOJqfuxUax7muGYLEC75y4wYl8knqkktMlnR32fvqNb+jh+nD3CyQCcxj7SMQJytEzjeEPwM3U2/",
    "TeLmEskFxJDYUPI8sV1naQ==",
);
const RSA_2048: &str = concat!(
    "MIICRTCCAS0CAQAwADCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBALBCwmLx8eYAkmiUndwIDHoip5TwaE54mU9c8igU",
    "wfKvxsBFLzafkY3musq9iKuG3JcGwQxLCZ5d4xGL43fPop1BOzappoB9nlwyHyqB2yo/tiZx/xJJApMsqBLUiAiHgKrMUheF3aFV",
    "ldyE+FjJnHw8SC2RRgCuV+exMH554eZEEVQizfHqp2nS+m72uEkzKSkKkYr4uXJ4PGjd0qKfTLJmS0fKq1/oysHQpHEhEBWPrlum",
    "SQ55dS0QzTLtnbE7G1Ha2N9ILF/9BDDRT1sqd6MUrQMQX89P8j3Ch3N7sfvVLP12Lm/pGgyAZrGaF5B9hgjclbxkIMgPW7Qnh6pW",
    "VH8CAwEAAaAAMA0GCSqGSIb3DQEBCwUAA4IBAQAZi95ztCSuAa4tmWvcOIMDpo4jZIMsj3S9tCNlMZs76Rx1KlrTJoQP2C+xmt+r",
    "IZ1AVyXrWCnBxd5S//LrDP75N4vKA8PNZt0CubTowHd08phtKKEfOyDpyIjWd9vKHeoIBr5y2yF6WvQqpbFyjRDSFxGMVDE8pODS",
    "wRnoMGDvH44snw9DWdQfqBr2ikrLmhNEYBZZSuKVBN6SNw3pdwG6zlLUBHhTCn2DtpG7F8IPx/jmV+DSzQSZyIUQmuS2N6O+D2pD",
    "X19cHv9GyVCsS95edRQPfkQtjuCh5PaeOMPDsK2N8K0nWxWELXvNSiKiR+FpAXFXT0kdKl4f6UwphGx4",
);
const P521: &str = concat!(
    "MIIBQjCBpQIBADAAMIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBIdohYVoElCJ9ZaXJOt5uayEDGezsM5hu9WDF3r14HxweXT8s",
    "11mUEoUh0M42c7mGlaGjxWH1L4iCf1ajuUNPzxcBIJv9k56t67aCWUks8x7280LhRUMYsWIUqzfSkoaQCHOb0azts/3H6UNx+0wb",
    "Ijqvz3FWYvVbHLqlHR0O6UmddLigADAKBggqhkjOPQQDAgOBiwAwgYcCQQ59l5gsB791PfDGr4umCikVqgR8vCNnHc+f4FYlUW8P",
    "lUFDh6mfYfI0GtmCqx+Tf/nIJm13N0Ss3N5eoeWgvybuAkIBiK6d8qTK5jSzRxs3HqREJnoAuq1owXkyU3/CUrIsJB/4zEGPipbu",
    "mnr08Q31eKhtyUNy8885saDW78LZatwnIrQ=",
);
const P224: &str = concat!(
    "MIGnMFcCAQAwADBOMBAGByqGSM49AgEGBSuBBAAhAzoABAlgN/ZR+0JzsNX5L2IAQcaw5IPT9l3gb7lRj4Gd9iYaVKS9TWKiMBCc",
    "SLznXqiXEfeNLqtw6Na3oAAwCgYIKoZIzj0EAwIDQAAwPQIcTZ9u5W45WEaZWT/wCDpnZx0fC/qlz4vW686E2wIdAJ1nq4wLHL+y",
    "7E+PfDWR3hJLBmhjIkDbRqaQrlQ=",
);

fn request(key: &KeyPair) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serialize_request(key).unwrap().der().to_vec()
}

#[test]
fn requests_are_signed_by_the_key_that_they_name() {
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let mut der = request(&KeyPair::generate_for(algorithm).unwrap());
        check_request(&der).unwrap();
        *der.last_mut().unwrap() ^= 1;
        assert!(check_request(&der).unwrap_err().starts_with("signature does not verify"));
        der.push(0);
        assert_eq!(check_request(&der).unwrap_err(), "must be a DER-encoded PKCS#10 certificate request");
    }
}

#[test]
fn keys_are_of_kinds_that_pods_get() {
    let check = |base64: &str| check_request(&STANDARD.decode(base64).unwrap());
    assert_eq!(check(RSA_3072), Ok(()));
    assert_eq!(check(RSA_2048).unwrap_err(), "RSA keys must have modulus size 3072 or 4096");
    assert_eq!(check(P224).unwrap_err(), "elliptic public keys must use curve P256, P384, or P521");
    assert!(check(P521).unwrap_err().starts_with("is signed in a way that this server cannot check"));
}

const NOW: i64 = 1_800_000_000;

fn at(offset: i64) -> Timestamp {
    Timestamp::from_second(NOW + offset).unwrap()
}

/// A certificate for a key, for so many seconds from now on.
fn leaf(key: &impl PublicKeyData, seconds: i64, name: &str) -> String {
    let mut params = CertificateParams::default();
    params.not_before = time_of(0);
    params.not_after = time_of(seconds);
    if !name.is_empty() {
        let name = name.try_into().unwrap();
        params.subject_alt_names = vec![SanType::DnsName(name)];
    }
    let issuer = CertifiedIssuer::self_signed(CertificateParams::default(), KeyPair::generate().unwrap()).unwrap();
    let pem = params.signed_by(key, &issuer).unwrap().pem();
    format!("{pem}{}", issuer.pem())
}

fn time_of(offset: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(NOW + offset).unwrap()
}

fn status(chain: &str, [begins, renewal, ends]: [i64; 3]) -> Value {
    let time = |offset: i64| at(offset).to_string();
    json!({"certificateChain": chain, "notBefore": time(begins), "beginRefreshAt": time(renewal), "notAfter": time(ends)})
}

fn issued(request: &[u8], status: &Value) -> String {
    check_issued(request, status, 7200, at(0))
        .map_or_else(|wrong| format!("{}: {}", wrong.field, wrong.detail), |()| String::new())
}

#[test]
fn what_is_issued_is_for_the_key_and_true_to_its_status() {
    let key = KeyPair::generate().unwrap();
    let der = request(&key);
    let good = leaf(&key, 7200, "a.example");
    let chain = |chain: &str| issued(&der, &status(chain, [0, 3600, 7200]));
    assert_eq!(chain(&good), "");
    let other = KeyPair::generate().unwrap();
    for (text, detail) in [
        (String::new(), "issued certificate chain must contain at least one certificate"),
        (key.serialize_pem(), "issued certificate chain must consist entirely of CERTIFICATE PEM blocks"),
        (pem::encode(&pem::Pem::new("CERTIFICATE", "x")), "leaf certificate does not parse as valid X.509"),
        (
            format!("{good}{}", pem::encode(&pem::Pem::new("CERTIFICATE", "x"))),
            "intermediate certificate does not parse as valid X.509",
        ),
        (leaf(&other, 7200, ""), "leaf certificate was not issued to the requested public key"),
        (leaf(&key, 7200, "a..b"), "leaf certificate's DNSName should not contain '..'"),
        (leaf(&key, 7200, ".a"), "leaf certificate's DNSName should not start or end with '.'"),
    ] {
        assert_eq!(chain(&text), format!("status.certificateChain: {detail}"));
    }
    for (times, expected) in [
        ([1, 3600, 7200], "status.notBefore: must be set to the NotBefore time encoded in the leaf certificate"),
        ([0, 3600, 7201], "status.notAfter: must be set to the NotAfter time encoded in the leaf certificate"),
        ([0, 599, 7200], "status.beginRefreshAt: must be at least 10 minutes after status.notBefore"),
        ([0, 6601, 7200], "status.beginRefreshAt: must be at least 10 minutes before status.notAfter"),
    ] {
        assert_eq!(issued(&der, &status(&good, times)), expected);
    }
    let of_life = |seconds: i64| issued(&der, &status(&leaf(&key, seconds, ""), [0, 1800, seconds]));
    assert_eq!(of_life(3599), "status.certificateChain: leaf certificate lifetime must be >= 1 hour");
    assert_eq!(
        of_life(7201),
        "status.certificateChain: leaf certificate lifetime must be <= spec.maxExpirationSeconds (7200)"
    );
    let late = check_issued(&der, &status(&good, [0, 3600, 7200]), 7200, at(300)).unwrap_err();
    assert_eq!(late.field, "status.notBefore");
}
