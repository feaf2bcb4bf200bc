//! What a plan asks the worker to do. Operations are data; those on one subject never overlap.

use super::back_off::BackOff;
use super::observed::{Doom, Subject};
use jiff::{SignedDuration, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    MountVolumes,
    /// Has the drivers of claimed devices prepare them.
    PrepareClaims,
    /// Has them take back what they have prepared.
    ReleaseClaims,
    /// Stops `replaces` first, which releases its network.
    CreateSandbox {
        attempt: u32,
        replaces: Option<String>,
    },
    StopSandbox {
        id: String,
    },
    /// One that another has replaced.
    RemoveSandbox {
        id: String,
    },
    EnsureImage {
        container: String,
    },
    Start {
        container: String,
        attempt: u32,
        /// The restart delay from now on; `None` at the first start.
        back_off: Option<BackOff>,
    },
    Kill(Kill),
    /// Once that container is dead its successor starts, whatever its restart policy says.
    Replace {
        id: String,
    },
    /// Bring the limits of a running container in line with the spec.
    Resize {
        container: String,
    },
    /// A container that has ended or never ran and that nobody will ask about any more, with its log.
    Remove {
        id: String,
    },
    /// Unmount what an ended pod held.
    ReleaseVolumes,
    /// Remove everything the node has of the pod.
    Cleanup,
    /// The last word to the API: delete with grace 0.
    DeletePod,
    Doom(Doom),
    /// An event, recorded once for each `key`.
    Note(Note),
    WakeAt(Timestamp),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    pub id: String,
    pub container: String,
    pub grace: SignedDuration,
    pub deadline: Timestamp,
    /// The text of the `Killing` event.
    pub message: String,
    /// Replaces a kill under way that would take longer; its hook has had its chance.
    pub hurry: bool,
    pub hook: Hook,
}

/// What becomes of the pre-stop hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    Runs,
    Skipped,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub key: String,
    pub warning: bool,
    pub reason: &'static str,
    pub message: String,
    pub container: Option<String>,
}

impl Op {
    /// What the operation keeps busy; `None` for those that are done at once.
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Self::MountVolumes | Self::ReleaseVolumes => Some(Subject::Volumes),
            Self::PrepareClaims | Self::ReleaseClaims => Some(Subject::Claims),
            Self::CreateSandbox { .. } | Self::StopSandbox { .. } => Some(Subject::Sandbox),
            Self::EnsureImage { container } => Some(Subject::Image(container.clone())),
            Self::Start { container, .. } => Some(Subject::Start(container.clone())),
            Self::Kill(kill) => Some(Subject::Kill(kill.id.clone())),
            Self::Remove { id } | Self::RemoveSandbox { id } => Some(Subject::Kill(id.clone())),
            Self::Resize { container } => Some(Subject::Resize(container.clone())),
            Self::Cleanup | Self::DeletePod => Some(Subject::Cleanup),
            Self::Replace { .. } | Self::Doom(_) | Self::Note(_) | Self::WakeAt(_) => None,
        }
    }
}
