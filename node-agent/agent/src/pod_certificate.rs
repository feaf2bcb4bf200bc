//! Certificates that signers issue to pods: where a `podCertificate` source of a projected volume stands between the making of
//! its key and the next renewal. Pure; [`ask`] talks to the API, [`key`] makes keys.
//!
//! Nothing is kept across restarts of the agent: a key never leaves memory and the pod's own files, and whoever comes after
//! asks for a new one. k8s: `pkg/kubelet/podcertificate`

pub mod ask;
pub mod key;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1::PodCertificateRequest;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kinds::moment::later;
use sha2::{Digest as _, Sha256};

/// A request that is not found for so long was deleted: until then a cache may lag. k8s: assumeDeletedThreshold
const LOST_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// From the moment to renew until the renewal is late. k8s: refreshOverdueDuration
const OVERDUE_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// Renewals of pods that started together are spread over this. k8s: jitterDuration
const SPREAD: SignedDuration = SignedDuration::from_mins(5);
/// A signer decides within moments; nobody needs to be told of the wait before.
const YOUNG: SignedDuration = SignedDuration::from_secs(5);
/// When the next request cannot be made, it is tried again after this long.
const RETRY: SignedDuration = SignedDuration::from_mins(1);

pub const CERTIFICATE: &str = "CERTIFICATE";

/// A key and the certificates for it, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub key: String,
    /// The leaf first.
    pub chain: String,
}

/// Something to record about the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub reason: &'static str,
    pub message: String,
}

#[derive(Clone, Debug)]
struct Held {
    pair: Pair,
    renew_at: Timestamp,
    ends: Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) key: String,
    /// The request's name.
    pub(crate) request: String,
    pub(crate) at: Timestamp,
}

/// How late a renewal was said to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Late {
    #[default]
    No,
    Overdue,
    Expired,
}

/// One source's certificate: none yet, asked for, held, or held while the next is asked for.
#[derive(Clone, Debug, Default)]
pub struct Credential {
    held: Option<Held>,
    asked: Option<Asked>,
    /// Why there will be no further certificate. k8s: a decision against a request stands for as long as the pod lives
    refused: Option<String>,
    said: Late,
    /// No request is made before.
    not_before: Option<Timestamp>,
}

impl Credential {
    /// Whether a request is to be made.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let waits = self.asked.is_some() || self.refused.is_some() || self.not_before.is_some_and(|at| at > now);
        !waits && self.held.as_ref().is_none_or(|held| held.renew_at <= now)
    }

    /// The name of the request that is not decided yet.
    pub fn request(&self) -> Option<&str> {
        self.asked.as_ref().map(|asked| asked.request.as_str())
    }

    pub(crate) fn was_asked(&mut self, asked: Asked) {
        self.asked = Some(asked);
    }

    /// The request for the next certificate could not be made.
    pub(crate) fn ask_later(&mut self, now: Timestamp) {
        self.not_before = Some(later(now, RETRY));
    }

    /// Takes in what became of the request: `found` is its object.
    pub fn settle(&mut self, found: Option<&PodCertificateRequest>, now: Timestamp) -> Option<Note> {
        let asked = self.asked.as_ref()?;
        let Some(request) = found else {
            if asked.lost_at() <= now {
                self.asked = None;
            }
            return None;
        };
        let condition = decision(request)?;
        let asked = self.asked.take()?;
        if condition.type_ == "Issued" {
            match issued(asked, request) {
                Ok(held) => {
                    (self.held, self.said) = (Some(held), Late::No);
                    None
                }
                Err(why) => Some(self.refuse(request, "Failed", "failed", "Unusable", why)),
            }
        } else {
            let (kind, verb) =
                if condition.type_ == "Denied" { ("Denied", "was denied") } else { ("Failed", "failed") };
            Some(self.refuse(request, kind, verb, &condition.reason, &condition.message))
        }
    }

    fn refuse(
        &mut self,
        request: &PodCertificateRequest,
        kind: &'static str,
        verb: &str,
        reason: &str,
        message: &str,
    ) -> Note {
        let meta = &request.metadata;
        let (ns, name) = (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
        let text = format!("PodCertificateRequest {ns}/{name} {verb}, reason={reason:?}, message={message:?}");
        self.refused = Some(text.clone());
        Note { reason: kind, message: text }
    }

    /// Says once that a renewal is overdue, and once that the certificate has ended.
    pub fn note_if_late(&mut self, now: Timestamp) -> Option<Note> {
        let late = self.late(now);
        if late <= self.said {
            return None;
        }
        self.said = late;
        let (reason, text) = match late {
            Late::No => return None,
            Late::Overdue => ("CertificateOverdueForRefresh", "PodCertificate refresh overdue"),
            Late::Expired => ("CertificateExpired", "PodCertificate expired"),
        };
        Some(Note { reason, message: text.to_owned() })
    }

    fn late(&self, now: Timestamp) -> Late {
        match &self.held {
            Some(held) if held.ends < now => Late::Expired,
            Some(held) if later(held.renew_at, OVERDUE_AFTER) < now => Late::Overdue,
            Some(_) | None => Late::No,
        }
    }

    /// When to look again, where a certificate is held. Without one the pod does not start, and is looked at all the time.
    pub fn look_at(&self) -> Option<Timestamp> {
        let held = self.held.as_ref()?;
        // The moment after: a certificate is good until its last second has passed.
        let past = |at: Timestamp| later(at, SignedDuration::from_secs(1));
        let late = match self.said {
            Late::No => Some(past(later(held.renew_at, OVERDUE_AFTER)).min(past(held.ends))),
            Late::Overdue => Some(past(held.ends)),
            Late::Expired => None,
        };
        let next = match (&self.asked, &self.refused) {
            (_, Some(_)) => None,
            (Some(asked), None) => Some(asked.lost_at()),
            (None, None) => Some(held.renew_at.max(self.not_before.unwrap_or(held.renew_at))),
        };
        late.into_iter().chain(next).min()
    }

    /// The certificate, or why there is none. One that is held stays in its place also when it could not be renewed.
    pub fn pair(&self) -> Result<&Pair, String> {
        match (&self.held, &self.refused) {
            (Some(held), _) => Ok(&held.pair),
            (None, Some(why)) => Err(why.clone()),
            (None, None) => Err("credential bundle is not issued yet".to_owned()),
        }
    }

    /// Whether the wait has only just begun.
    pub fn is_young(&self, now: Timestamp) -> bool {
        self.asked.as_ref().is_some_and(|asked| now < later(asked.at, YOUNG))
    }
}

impl Asked {
    fn lost_at(&self) -> Timestamp {
        later(later(self.at, LOST_AFTER), spread(&self.request))
    }
}

/// The first condition that decides.
fn decision(request: &PodCertificateRequest) -> Option<&Condition> {
    let conditions = request.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().find(|c| matches!(c.type_.as_str(), "Issued" | "Denied" | "Failed"))
}

fn issued(asked: Asked, request: &PodCertificateRequest) -> Result<Held, &'static str> {
    let status = request.status.clone().unwrap_or_default();
    let (Some(renew_at), Some(ends)) = (status.begin_refresh_at, status.not_after) else {
        return Err("the signer did not say how long the certificate lasts");
    };
    let chain = clean(status.certificate_chain.as_deref().unwrap_or_default());
    let chain = chain.filter(|chain| !chain.is_empty()).ok_or("the certificate chain is not PEM")?;
    let renew_at = later(renew_at.0, spread(&asked.request));
    Ok(Held { pair: Pair { key: asked.key, chain }, renew_at, ends: ends.0 })
}

/// Nothing but the blocks.
fn clean(chain: &str) -> Option<String> {
    let blocks = pem::parse_many(chain).ok()?;
    Some(blocks.into_iter().map(|block| self::block(CERTIFICATE, block.into_contents())).collect())
}

/// A block of PEM as files have it.
pub fn block(tag: &str, der: Vec<u8>) -> String {
    let line_endings = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(tag, der), line_endings)
}

/// As good as chance: the server gives requests random names.
fn spread(request: &str) -> SignedDuration {
    let digest = Sha256::digest(request);
    let chance = u64::from_be_bytes(*digest.first_chunk().expect("a digest has 32 bytes"));
    SignedDuration::from_millis((chance % SPREAD.as_millis().unsigned_abs() as u64) as i64)
}

#[cfg(test)]
mod tests;
