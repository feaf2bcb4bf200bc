//! Makes sure that a container's image is on the node, as its pull policy demands, and says in events what it did.

use super::credential::{Credential, matching};
use super::reference::{policy_default, with_tag};
use crate::cri::Cri;
use crate::node::Node;
use crate::pod::member::{Member, name};
use crate::pod::status::go_duration;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Secret};
use proto::cri::{Image, ImageSpec, ImageStatusRequest, PullImageRequest};
use std::io;
use std::sync::Arc;
use tracing::{debug, warn};

/// Why there is no image; the reason is what the container's status shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub reason: &'static str,
    pub message: String,
}

/// An image that a container runs or mounts.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub image: &'a str,
    pub policy: Option<&'a str>,
    /// Whom events are about.
    pub member: &'a Member<'a>,
}

/// The reference of the image in the runtime.
pub async fn ensure(node: &Node, pod: &Arc<Pod>, want: Wanted<'_>, secrets: &[Arc<Secret>]) -> Result<String, Refused> {
    let Wanted { image, policy, member } = want;
    let wanted = with_tag(image).map_err(|invalid| {
        let message = format!("Failed to apply default image tag \"{image}\": {invalid}");
        node.warn(pod, Some(member), "InspectFailed", message.clone());
        Refused { reason: "InvalidImageName", message }
    })?;
    let policy = policy.unwrap_or_else(|| policy_default(image));
    let credentials = matching(&wanted, secrets);
    if policy != "Always" {
        let found = look(node, pod, want, &wanted).await?;
        if let Some(found) = &found
            && may_use(node, &wanted, &found.id, &credentials).await
        {
            node.note(
                pod,
                Some(member),
                "Pulled",
                format!("Container image \"{image}\" already present on machine and can be accessed by the pod"),
            );
            return Ok(found.id.clone());
        }
        if policy == "Never" {
            let why = match found {
                Some(_) => {
                    "is present with pull policy of Never but does not have the proper credentials to access the image"
                }
                None => "is not present with pull policy of Never",
            };
            let message = format!("Container image \"{image}\" {why}");
            node.warn(pod, Some(member), "ErrImageNeverPull", message.clone());
            return Err(Refused { reason: "ErrImageNeverPull", message });
        }
    }
    let own = node.credential_providers.credentials(&wanted, || node.clock.now()).await;
    // k8s: those of the pod come first.
    let credentials: Vec<Credential> = credentials.into_iter().chain(own).collect();
    pull(node, pod, want, &wanted, &credentials).await
}

/// Where what the node knows cannot be written down, the registry is asked.
async fn may_use(node: &Node, wanted: &str, reference: &str, credentials: &[Credential]) -> bool {
    node.image_records.may_use(wanted, reference, credentials).await.unwrap_or_else(|error| {
        warn!(image = wanted, %error, "cannot write down whose credentials fetch an image");
        false
    })
}

async fn look(node: &Node, pod: &Arc<Pod>, want: Wanted<'_>, wanted: &str) -> Result<Option<Image>, Refused> {
    inspect(&node.cri, wanted).await.map_err(|error| {
        let message = format!("Failed to inspect image \"{}\": {}", want.image, error.said());
        node.warn(pod, Some(want.member), "InspectFailed", message.clone());
        Refused { reason: "ImageInspectError", message }
    })
}

pub async fn inspect(cri: &Cri, wanted: &str) -> Result<Option<Image>, crate::cri::Error> {
    let image = Some(ImageSpec { image: wanted.to_owned(), ..ImageSpec::default() });
    let answer = cri.images().image_status(ImageStatusRequest { image, verbose: false }).await?;
    Ok(answer.into_inner().image)
}

async fn pull(
    node: &Node,
    pod: &Arc<Pod>,
    Wanted { image, member, .. }: Wanted<'_>,
    wanted: &str,
    credentials: &[Credential],
) -> Result<String, Refused> {
    let asked = node.clock.now();
    let permit = node.pulls.acquire().await.expect("the semaphore is never closed");
    node.note(pod, Some(member), "Pulling", format!("Pulling image \"{image}\""));
    let began = node.clock.now();
    let outcome = recorded(node, pod, wanted, credentials).await;
    drop(permit);
    match outcome {
        Ok(Pulled { id, size }) => {
            node.note(pod, Some(member), "Pulled", pulled_text(image, asked, began, node.clock.now(), size));
            Ok(id)
        }
        Err(said) => {
            let message = format!("failed to pull image \"{image}\": {said}");
            debug!(pod = name(pod), %message, "pull failed");
            node.warn(pod, Some(member), "Failed", format!("Failed to pull image \"{image}\": {said}"));
            node.warn(pod, Some(member), "Failed", "Error: ErrImagePull".to_owned());
            Err(Refused { reason: "ErrImagePull", message })
        }
    }
}

fn pulled_text(image: &str, asked: Timestamp, began: Timestamp, done: Timestamp, size: u64) -> String {
    format!(
        "Successfully pulled image \"{image}\" in {} ({} including waiting). Image size: {size} bytes.",
        go_duration(done.duration_since(began)),
        go_duration(done.duration_since(asked)),
    )
}

struct Pulled {
    id: String,
    size: u64,
}

/// A pull, written down before it begins and when it has ended.
async fn recorded(node: &Node, pod: &Pod, wanted: &str, credentials: &[Credential]) -> Result<Pulled, String> {
    let unwritten = |error: io::Error| format!("failed to record image pull intent: {error}");
    let pull = node.image_records.pulling(wanted).await.map_err(unwritten)?;
    let outcome = try_credentials(node, pod, wanted, credentials).await;
    let (result, written) = match outcome {
        Ok((id, used)) => {
            // Under its own id it is found again, whatever the runtime calls what it pulled.
            let found = inspect(&node.cri, &id).await.ok().flatten();
            let (reference, size) = found.map_or_else(|| (id.clone(), 0), |found| (found.id, found.size));
            let written = pull.ended(Some((&reference, used))).await;
            (Ok(Pulled { id, size }), written)
        }
        Err(said) => (Err(said), pull.ended(None).await),
    };
    if let Err(error) = written {
        warn!(image = wanted, %error, "cannot write down whose credentials fetched an image");
    }
    result
}

/// The reference, and what fetched it.
type Fetched<'a> = (String, Option<&'a Credential>);

/// k8s: every fitting credential in turn; without any, as anybody.
async fn try_credentials<'a>(
    node: &Node,
    pod: &Pod,
    wanted: &str,
    found: &'a [Credential],
) -> Result<Fetched<'a>, String> {
    let mut tries: Vec<Option<&Credential>> = found.iter().map(Some).collect();
    if tries.is_empty() {
        tries.push(None);
    }
    let mut last = String::new();
    for credential in tries {
        let request = PullImageRequest {
            image: Some(ImageSpec { image: wanted.to_owned(), ..ImageSpec::default() }),
            auth: credential.map(|credential| credential.auth.clone()),
            sandbox_config: Some(crate::pod::sandbox::config(pod, 0, &node.names, &node.places, None)),
        };
        match node.cri.images().pull_image(request).await {
            Ok(answer) => return Ok((answer.into_inner().image_ref, credential)),
            Err(status) => last = crate::cri::Error::Status(status).said(),
        }
    }
    Err(last)
}
