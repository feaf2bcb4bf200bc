//! Drover's own calls about images that are here already: naming, saving, pushing.

use crate::image::{ImageError, Store, parse_reference, pull, push, save};
use proto::cri::AuthConfig;
use proto::drover::image_keep_server::ImageKeep;
use proto::drover::{PushRequest, PushResponse, SaveChunk, SaveRequest, TagRequest, TagResponse};
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// Pieces in which an archive travels.
const CHUNK_BYTES: usize = 256 * 1024;
/// Pieces that wait for a slow reader; then the writer waits.
const CHUNKS_MAX: usize = 4;

#[derive(Debug)]
pub(crate) struct Keep {
    store: Arc<Store>,
}

impl Keep {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

/// Sends what is written to a client, which may leave.
struct Sending(mpsc::Sender<Result<SaveChunk, Status>>);

impl Write for Sending {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let chunk = SaveChunk { data: buffer.to_vec() };
        self.0.blocking_send(Ok(chunk)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tonic::async_trait]
impl ImageKeep for Keep {
    async fn tag(&self, request: Request<TagRequest>) -> Result<Response<TagResponse>, Status> {
        let TagRequest { image, name } = request.into_inner();
        let record = self.store.find(&image).ok_or(ImageError::NotFound(image))?;
        let reference = parse_reference(&name)?;
        if reference.digest().is_some() {
            return Err(Status::invalid_argument(format!("{name:?} is a digest, which cannot be given to an image")));
        }
        let names = crate::image::store::Names { tags: vec![reference.whole()], digests: Vec::new() };
        self.store.add_names(&record.id, names)?;
        Ok(Response::new(TagResponse {}))
    }

    type SaveStream = ReceiverStream<Result<SaveChunk, Status>>;

    async fn save(&self, request: Request<SaveRequest>) -> Result<Response<Self::SaveStream>, Status> {
        let mut images: Vec<save::Saved> = Vec::new();
        for asked in request.into_inner().images {
            let record = self.store.find(&asked).ok_or_else(|| ImageError::NotFound(asked.clone()))?;
            let name = parse_reference(&asked).map(|r| r.whole()).ok().filter(|n| record.tags.contains(n));
            match images.iter_mut().find(|i| i.record.id == record.id) {
                Some(image) => image.names.extend(name),
                None => images.push(save::Saved { record, names: name.into_iter().collect() }),
            }
        }
        if images.is_empty() {
            return Err(Status::invalid_argument("no image to save is named"));
        }
        let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || {
            let out = BufWriter::with_capacity(CHUNK_BYTES, Sending(sender.clone()));
            if let Err(error) = save::save(&store, &images, out)
                && sender.blocking_send(Err(error.into())).is_err()
            {
                tracing::debug!("who asked for an archive has left");
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn push(&self, request: Request<PushRequest>) -> Result<Response<PushResponse>, Status> {
        let PushRequest { image, username, password, token } = request.into_inner();
        let auth = AuthConfig { username, password, registry_token: token, ..AuthConfig::default() };
        let digest = push::push(&self.store, &image, &pull::credentials(Some(&auth))?).await?;
        Ok(Response::new(PushResponse { digest }))
    }
}
