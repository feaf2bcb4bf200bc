//! CRI's image service.

use super::convert;
use super::runtime::{Listed, listed};
use crate::image::pulls::Pulls;
use crate::image::{Store, parse_reference, pull};
use crate::pods::Pods;
use crate::sys::clock::now_ns;
use proto::cri::image_service_server::ImageService;
use proto::cri::{
    FilesystemIdentifier, FilesystemUsage, ImageFsInfoRequest, ImageFsInfoResponse, ImageSpec, ImageStatusRequest,
    ImageStatusResponse, ListImagesRequest, ListImagesResponse, PullImageRequest, PullImageResponse,
    RemoveImageRequest, RemoveImageResponse, StreamImagesRequest, StreamImagesResponse, UInt64Value,
};
use std::collections::HashMap;
use std::sync::Arc;
use tonic::{Request, Response, Status};

#[derive(Debug)]
pub(crate) struct Images {
    store: Arc<Store>,
    pods: Arc<Pods>,
    pulls: Pulls,
}

impl Images {
    pub(crate) fn new(pods: Arc<Pods>) -> Self {
        Self { store: pods.images.clone(), pods, pulls: Pulls::default() }
    }
}

fn name(spec: Option<ImageSpec>) -> Result<String, Status> {
    let name = spec.map(|s| s.image).unwrap_or_default();
    if name.is_empty() { Err(Status::invalid_argument("the request names no image")) } else { Ok(name) }
}

#[tonic::async_trait]
impl ImageService for Images {
    async fn list_images(&self, request: Request<ListImagesRequest>) -> Result<Response<ListImagesResponse>, Status> {
        let wanted = request.into_inner().filter.and_then(|f| f.image).map(|i| i.image).filter(|i| !i.is_empty());
        let images = match wanted {
            Some(name) => self.store.find(&name).into_iter().collect(),
            None => self.store.list(),
        };
        Ok(Response::new(ListImagesResponse { images: images.iter().map(|r| convert::image(r)).collect() }))
    }

    async fn image_status(
        &self,
        request: Request<ImageStatusRequest>,
    ) -> Result<Response<ImageStatusResponse>, Status> {
        let request = request.into_inner();
        let found = self.store.find(&name(request.image)?);
        let mut info = HashMap::new();
        if let (Some(record), true) = (&found, request.verbose) {
            info.insert("info".to_owned(), format!(r#"{{"imageSpec":{}}}"#, record.raw_config));
        }
        Ok(Response::new(ImageStatusResponse { image: found.map(|r| convert::image(&r)), info }))
    }

    async fn pull_image(&self, request: Request<PullImageRequest>) -> Result<Response<PullImageResponse>, Status> {
        let request = request.into_inner();
        let name = name(request.image)?;
        let auth = pull::credentials(request.auth.as_ref())?;
        let whole = parse_reference(&name)?.whole();
        // Credentials belong to the question: who has none must not profit from another's download.
        let key = format!(
            "{whole} {}",
            crate::image::digest(
                format!("{:?}", request.auth.map(|a| (a.username, a.password, a.auth, a.registry_token))).as_bytes()
            )
        );
        let pull = async { Ok(pull::pull(&self.store, &name, &auth).await?.id.clone()) };
        Ok(Response::new(PullImageResponse { image_ref: Box::pin(self.pulls.join(&key, pull)).await? }))
    }

    async fn remove_image(
        &self,
        request: Request<RemoveImageRequest>,
    ) -> Result<Response<RemoveImageResponse>, Status> {
        let name = name(request.into_inner().image)?;
        let (store, pods) = (self.store.clone(), self.pods.clone());
        let removed = tokio::task::spawn_blocking(move || store.remove(&name, || pods.used_layers())).await;
        removed.map_err(|e| Status::internal(e.to_string()))??;
        Ok(Response::new(RemoveImageResponse {}))
    }

    async fn image_fs_info(
        &self,
        _request: Request<ImageFsInfoRequest>,
    ) -> Result<Response<ImageFsInfoResponse>, Status> {
        let folder = self.store.layers_folder();
        let images = self.store.list();
        // Layers that images share are counted once, by the size that they were unpacked with.
        let layers: std::collections::BTreeSet<&String> = images.iter().flat_map(|r| &r.layers).collect();
        let used = layers.iter().map(|l| self.store.layer_size(l)).sum();
        let usage = FilesystemUsage {
            timestamp: now_ns(),
            fs_id: Some(FilesystemIdentifier { mountpoint: folder.display().to_string() }),
            used_bytes: Some(UInt64Value { value: used }),
            inodes_used: Some(UInt64Value { value: layers.len() as u64 }),
        };
        Ok(Response::new(ImageFsInfoResponse { image_filesystems: vec![usage], container_filesystems: Vec::new() }))
    }

    type StreamImagesStream = Listed<StreamImagesResponse>;

    async fn stream_images(
        &self,
        request: Request<StreamImagesRequest>,
    ) -> Result<Response<Self::StreamImagesStream>, Status> {
        let request = ListImagesRequest { filter: request.into_inner().filter };
        let found = self.list_images(Request::new(request)).await?.into_inner().images;
        listed(found, |images| StreamImagesResponse { images })
    }
}
