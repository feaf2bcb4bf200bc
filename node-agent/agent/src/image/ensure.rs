//! Makes sure that a container's image is on the node, as its pull policy demands, and says in events what it did.

use super::credential::matching;
use super::reference::{policy_default, with_tag};
use crate::cri::Cri;
use crate::node::Node;
use crate::pod::member::{Member, name};
use crate::pod::status::go_duration;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Secret};
use proto::cri::{AuthConfig, Image, ImageSpec, ImageStatusRequest, PullImageRequest};
use std::sync::Arc;
use tracing::debug;

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
    if policy != "Always" {
        if let Some(found) = look(node, pod, want, &wanted).await? {
            node.note(
                pod,
                Some(member),
                "Pulled",
                format!("Container image \"{image}\" already present on machine and can be accessed by the pod"),
            );
            return Ok(found.id);
        }
        if policy == "Never" {
            let message = format!("Container image \"{image}\" is not present with pull policy of Never");
            node.warn(pod, Some(member), "ErrImageNeverPull", message.clone());
            return Err(Refused { reason: "ErrImageNeverPull", message });
        }
    }
    pull(node, pod, want, &wanted, secrets).await
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
    secrets: &[Arc<Secret>],
) -> Result<String, Refused> {
    let asked = node.clock.now();
    let permit = node.pulls.acquire().await.expect("the semaphore is never closed");
    node.note(pod, Some(member), "Pulling", format!("Pulling image \"{image}\""));
    let began = node.clock.now();
    let outcome = try_credentials(node, pod, wanted, matching(wanted, secrets)).await;
    drop(permit);
    match outcome {
        Ok(id) => {
            let size = inspect(&node.cri, &id).await.ok().flatten().map_or(0, |found| found.size);
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

/// k8s: every fitting credential in turn; without any, as anybody.
async fn try_credentials(node: &Node, pod: &Pod, wanted: &str, found: Vec<AuthConfig>) -> Result<String, String> {
    let mut tries: Vec<Option<AuthConfig>> = found.into_iter().map(Some).collect();
    if tries.is_empty() {
        tries.push(None);
    }
    let mut last = String::new();
    for auth in tries {
        let request = PullImageRequest {
            image: Some(ImageSpec { image: wanted.to_owned(), ..ImageSpec::default() }),
            auth,
            sandbox_config: Some(crate::pod::sandbox::config(pod, 0, &node.names, &node.places, None)),
        };
        match node.cri.images().pull_image(request).await {
            Ok(answer) => return Ok(answer.into_inner().image_ref),
            Err(status) => last = crate::cri::Error::Status(status).said(),
        }
    }
    Err(last)
}
