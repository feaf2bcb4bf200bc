//! Drover's own image import: an archive that arrives in pieces.

use crate::image::{ImageError, Store, archive};
use proto::drover::image_import_server::ImageImport;
use proto::drover::{ImportChunk, ImportResponse, ImportedImage};
use std::fs::File;
use std::io;
use std::sync::Arc;
use tokio_stream::StreamExt;
use tokio_util::io::{StreamReader, SyncIoBridge};
use tonic::{Request, Response, Status, Streaming};

#[derive(Debug)]
pub(crate) struct Import {
    store: Arc<Store>,
}

impl Import {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

#[tonic::async_trait]
impl ImageImport for Import {
    async fn import(&self, request: Request<Streaming<ImportChunk>>) -> Result<Response<ImportResponse>, Status> {
        let mut chunks = request.into_inner();
        let Some(first) = chunks.next().await.transpose()? else {
            return Err(Status::invalid_argument("the archive is empty"));
        };
        let names = first.names;
        let rest = chunks.map(|chunk| chunk.map(|c| c.data).map_err(io::Error::other));
        let bytes = tokio_stream::once(Ok(first.data)).chain(rest);
        let reader = SyncIoBridge::new(Box::pin(StreamReader::new(bytes)));
        let store = self.store.clone();
        let work = move || -> Result<_, ImageError> {
            let scratch = store.scratch()?;
            let path = scratch.path.join("archive");
            let opened = File::options().read(true).write(true).create_new(true).open(path);
            let mut file = opened.map_err(ImageError::doing("make a temporary file"))?;
            archive::spool(reader, &mut file)?;
            archive::import(&store, file, &names)
        };
        let added = tokio::task::spawn_blocking(work).await.map_err(|e| Status::internal(e.to_string()))??;
        let images =
            added.iter().map(|r| ImportedImage { id: r.id.clone(), repo_tags: r.tags.clone(), size: r.size }).collect();
        Ok(Response::new(ImportResponse { images }))
    }
}
