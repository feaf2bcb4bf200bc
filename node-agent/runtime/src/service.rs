//! The gRPC face of the runtime: requests are read here, handed to pods and images, and their results put into the
//! words of CRI. Decides nothing.

mod build;
pub(crate) mod convert;
mod images;
mod import;
mod keep;
mod metrics;
mod runtime;

pub(crate) use build::Build;
pub(crate) use images::Images;
pub(crate) use import::Import;
pub(crate) use keep::Keep;
pub(crate) use runtime::Service;

use crate::image::ImageError;
use crate::init::error_chain;
use crate::link::LinkError;
use crate::pods::PodError;
use tonic::Status;

impl From<PodError> for Status {
    fn from(error: PodError) -> Self {
        let text = error_chain(&error);
        match error {
            PodError::NoSandbox(_) | PodError::NoContainer(_) => Status::not_found(text),
            PodError::Image(image) => image.into(),
            PodError::Spec(_) | PodError::Cdi(_) => Status::invalid_argument(text),
            PodError::NotNow(_) => Status::failed_precondition(text),
            PodError::Link(LinkError::Refused(_)) => Status::unknown(text),
            PodError::Net(_) | PodError::Cgroup(_) | PodError::Seccomp(_) | PodError::Link(_) | PodError::Io { .. } => {
                Status::internal(text)
            }
        }
    }
}

impl From<ImageError> for Status {
    fn from(error: ImageError) -> Self {
        let text = error_chain(&error);
        match error {
            ImageError::NotFound(_) | ImageError::NotInRegistry(_) => Status::not_found(text),
            ImageError::BadReference(_)
            | ImageError::BadArchive(_)
            | ImageError::UnsafePath { .. }
            | ImageError::Digest { .. }
            | ImageError::Platform(_)
            | ImageError::NotTagged(_)
            | ImageError::TooManyLayers(_) => Status::invalid_argument(text),
            ImageError::NotAsUnpacked(_) => Status::failed_precondition(text),
            ImageError::Unauthorized(_) => Status::permission_denied(text),
            ImageError::DiskFull => Status::resource_exhausted(text),
            ImageError::Registry { .. } => Status::unavailable(text),
            ImageError::Io { .. } => Status::internal(text),
        }
    }
}
