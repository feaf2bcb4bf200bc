//! Drover's own call that builds an image.

use crate::build::{BuildError, Request as Asked, build};
use crate::init::error_chain;
use crate::pods::Pods;
use proto::drover::image_build_server::ImageBuild;
use proto::drover::{BuildEvent, BuildRequest, build_event::Event};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};

/// Lines that wait for a slow reader; then the build waits.
const LINES_MAX: usize = 64;
/// A longer Dockerfile is refused.
const DOCKERFILE_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Build {
    pods: Arc<Pods>,
    tasks: TaskTracker,
}

impl Build {
    pub(crate) fn new(pods: Arc<Pods>, tasks: TaskTracker) -> Self {
        Self { pods, tasks }
    }
}

impl From<BuildError> for Status {
    fn from(error: BuildError) -> Self {
        let text = error_chain(&error);
        match error {
            BuildError::Image(error) => error.into(),
            BuildError::Pod(error) => error.into(),
            BuildError::Parse(_) | BuildError::Bad(_) | BuildError::NoSource(_) => Status::invalid_argument(text),
            BuildError::Step { .. } | BuildError::Failed(_) => Status::failed_precondition(text),
            BuildError::Abandoned => Status::cancelled(text),
            BuildError::Io { .. } => Status::internal(text),
        }
    }
}

#[tonic::async_trait]
impl ImageBuild for Build {
    type BuildStream = ReceiverStream<Result<BuildEvent, Status>>;

    async fn build(&self, request: Request<BuildRequest>) -> Result<Response<Self::BuildStream>, Status> {
        let request = request.into_inner();
        if request.dockerfile.len() > DOCKERFILE_BYTES_MAX {
            return Err(Status::invalid_argument(format!("the Dockerfile has more than {DOCKERFILE_BYTES_MAX} bytes")));
        }
        let asked = Asked {
            context: PathBuf::from(request.context),
            dockerfile: request.dockerfile,
            names: request.names,
            args: request.args.into_iter().collect(),
            target: Some(request.target).filter(|t| !t.is_empty()),
        };
        if !asked.context.is_absolute() {
            return Err(Status::invalid_argument("the build context must be an absolute path"));
        }
        let (sender, receiver) = mpsc::channel(LINES_MAX);
        let (say, mut lines) = mpsc::channel::<String>(LINES_MAX);
        let pods = self.pods.clone();
        let event = |event| Ok(BuildEvent { event: Some(event) });
        self.tasks.spawn(async move {
            let passing = async {
                while let Some(line) = lines.recv().await {
                    if sender.send(event(Event::Line(line))).await.is_err() {
                        // The build learns it from its closed channel.
                        lines.close();
                    }
                }
            };
            let (built, ()) = tokio::join!(build(pods, asked, say), passing);
            let last = built.map(|image| BuildEvent { event: Some(Event::Id(image.id.clone())) });
            if sender.send(last.map_err(Status::from)).await.is_err() {
                tracing::debug!("who asked for a build has left");
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
