//! How much a pod may be sent and may send in a second, by annotations of its own.
//! k8s: `kubernetes.io/ingress-bandwidth`, `kubernetes.io/egress-bandwidth`

use proto::cri::PodSandboxConfig;

/// In bits a second; `None` is without a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bandwidth {
    /// To the pod.
    pub(super) ingress: Option<u64>,
    /// From the pod.
    pub(super) egress: Option<u64>,
}

impl Bandwidth {
    pub(super) fn of(config: &PodSandboxConfig) -> Self {
        let asked = |direction: &str| {
            let text = config.annotations.get(&format!("kubernetes.io/{direction}-bandwidth"))?;
            let found = bits(text);
            if found.is_none() {
                tracing::warn!(direction, text, "a pod's bandwidth is no number of bits a second; it has no bound");
            }
            found
        };
        Self { ingress: asked("ingress"), egress: asked("egress") }
    }
}

/// Bits a second of `10M` or `1Gi`: whole numbers with the suffixes of quantities.
fn bits(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, suffix) = text.split_at(digits);
    let scale = match suffix {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale).filter(|bits| *bits > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_quantities_are() {
        for (text, wanted) in [
            ("10M", Some(10_000_000)),
            ("512", Some(512)),
            ("1Gi", Some(1 << 30)),
            ("fast", None),
            ("", None),
            ("0", None),
        ] {
            assert_eq!(bits(text), wanted, "{text}");
        }
    }
}
