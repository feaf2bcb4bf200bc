//! `drover image ..`, and what `drover up` asks of the runtime beside the agent: a client of its socket.

use crate::args::{Build, Image, Place, Push};
use crate::steps::say;
use anyhow::{Context, Result, anyhow, bail, ensure};
use hyper_util::rt::TokioIo;
use proto::cri::image_service_client::ImageServiceClient;
use proto::cri::runtime_service_client::RuntimeServiceClient;
use proto::cri::{
    ImageSpec, ImageStatusRequest, ListImagesRequest, PullImageRequest, RemoveImageRequest, VersionRequest,
};
use proto::drover::build_event::Event;
use proto::drover::image_build_client::ImageBuildClient;
use proto::drover::image_import_client::ImageImportClient;
use proto::drover::image_keep_client::ImageKeepClient;
use proto::drover::{BuildRequest, ImportChunk, PushRequest, SaveRequest, TagRequest};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// Pieces in which an archive travels.
const CHUNK_BYTES: usize = 256 * 1024;

/// The runtime of this process begins to listen within milliseconds; a damaged folder may take it a while to look through.
const RUNTIME_WAIT: Duration = Duration::from_secs(30);

/// Between two tries to reach the runtime while it starts.
const RUNTIME_TRY: Duration = Duration::from_millis(5);

/// Where the runtime of a data folder listens.
pub(crate) fn socket(place: &Place) -> PathBuf {
    place.data_dir.join("run/cri.sock")
}

/// `drover image ..`
pub(crate) async fn run(command: Image) -> Result<()> {
    match command {
        Image::Import { file, place } => {
            import(&socket(&place), &file).await?.iter().for_each(|name| say(&format!("imported {name}")));
            Ok(())
        }
        Image::Ls { place } => list(&socket(&place)).await,
        Image::Rm { image, place } => remove(&socket(&place), image).await,
        Image::Pull { image, place } => pull(&socket(&place), image).await,
        Image::Tag { image, name, place } => tag(&socket(&place), image, name).await,
        Image::Save { images, output, place } => save(&socket(&place), images, &output).await,
        Image::Push(args) => push(args).await,
        Image::Build(args) => build(args).await,
    }
}

/// Waits until the runtime answers.
pub(crate) async fn await_runtime(socket: &Path) -> Result<()> {
    let asked = async {
        loop {
            if let Ok(channel) = connect(socket).await
                && RuntimeServiceClient::new(channel).version(VersionRequest::default()).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(RUNTIME_TRY).await;
        }
    };
    tokio::time::timeout(RUNTIME_WAIT, asked).await.context("the container runtime does not answer")
}

async fn connect(socket: &Path) -> Result<Channel> {
    let path = socket.to_owned();
    let dial = tower::service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    // The address is never resolved: the connector knows where to go.
    Endpoint::from_static("http://runtime.invalid").connect_with_connector(dial).await.map_err(|error| {
        // Every layer between says the same again.
        let error = anyhow!("{}", anyhow::Error::from(error).root_cause());
        let hint = "is drover running? start it with `drover up`";
        error.context(format!("no container runtime at {} ({hint})", socket.display()))
    })
}

/// Streams an archive to the runtime; what is in it, by name or else by id.
pub(crate) async fn import(socket: &Path, file: &Path) -> Result<Vec<String>> {
    let mut archive = tokio::fs::File::open(file).await.with_context(|| format!("cannot read {}", file.display()))?;
    let channel = connect(socket).await?;
    let (sender, receiver) = tokio::sync::mpsc::channel::<ImportChunk>(4);
    let send = async move {
        loop {
            let mut data = vec![0; CHUNK_BYTES];
            let count = archive.read(&mut data).await?;
            data.truncate(count);
            if count == 0 || sender.send(ImportChunk { data: data.into(), names: Vec::new() }).await.is_err() {
                return std::io::Result::Ok(());
            }
        }
    };
    let chunks = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut client = ImageImportClient::new(channel);
    let (sent, answer) = tokio::join!(send, client.import(chunks));
    sent.with_context(|| format!("cannot read {}", file.display()))?;
    let images = answer.map_err(said).with_context(|| format!("cannot import {}", file.display()))?.into_inner().images;
    ensure!(!images.is_empty(), "{} holds no image", file.display());
    let names =
        |image: proto::drover::ImportedImage| if image.repo_tags.is_empty() { vec![image.id] } else { image.repo_tags };
    Ok(images.into_iter().flat_map(names).collect())
}

async fn list(socket: &Path) -> Result<()> {
    let mut client = ImageServiceClient::new(connect(socket).await?);
    let images = client.list_images(ListImagesRequest::default()).await.map_err(said)?.into_inner().images;
    say(&format!("{:<48} {:<14} {:>10}", "IMAGE", "ID", "SIZE"));
    for image in images {
        let id = image.id.trim_start_matches("sha256:").chars().take(12).collect::<String>();
        let names = if image.repo_tags.is_empty() { image.repo_digests } else { image.repo_tags };
        for name in if names.is_empty() { vec!["<none>".to_owned()] } else { names } {
            say(&format!("{name:<48} {id:<14} {:>7.1} MB", image.size as f64 / 1e6));
        }
    }
    Ok(())
}

async fn remove(socket: &Path, name: String) -> Result<()> {
    let mut client = ImageServiceClient::new(connect(socket).await?);
    let spec = Some(ImageSpec { image: name.clone(), ..ImageSpec::default() });
    let status = client.image_status(ImageStatusRequest { image: spec.clone(), verbose: false }).await.map_err(said)?;
    if status.into_inner().image.is_none() {
        bail!("no image {name} on this node (see `drover image ls`)");
    }
    client.remove_image(RemoveImageRequest { image: spec }).await.map_err(said)?;
    say(&format!("removed {name}"));
    Ok(())
}

async fn pull(socket: &Path, name: String) -> Result<()> {
    let mut client = ImageServiceClient::new(connect(socket).await?);
    let spec = Some(ImageSpec { image: name, ..ImageSpec::default() });
    let request = PullImageRequest { image: spec, ..PullImageRequest::default() };
    let pulled = client.pull_image(request).await.map_err(said)?.into_inner();
    say(&pulled.image_ref);
    Ok(())
}

async fn tag(socket: &Path, image: String, name: String) -> Result<()> {
    let mut client = ImageKeepClient::new(connect(socket).await?);
    client.tag(TagRequest { image, name }).await.map_err(said).map(drop)
}

/// Writes an archive beside the file, which then takes its place whole.
async fn save(socket: &Path, images: Vec<String>, file: &Path) -> Result<()> {
    let mut client = ImageKeepClient::new(connect(socket).await?);
    let mut chunks = client.save(SaveRequest { images }).await.map_err(said)?.into_inner();
    let mut name = file.file_name().with_context(|| format!("{} names no file", file.display()))?.to_owned();
    name.push(".partial");
    let partial = file.with_file_name(name);
    let written = async {
        let mut out = tokio::fs::File::create(&partial).await?;
        while let Some(chunk) = chunks.message().await.map_err(said)? {
            out.write_all(&chunk.data).await?;
        }
        out.sync_all().await?;
        Ok(tokio::fs::rename(&partial, file).await?)
    };
    let written: Result<()> = written.await;
    if written.is_err()
        && let Err(error) = tokio::fs::remove_file(&partial).await
    {
        tracing::debug!(%error, "no part of an archive is left");
    }
    written.with_context(|| format!("cannot save {}", file.display()))
}

async fn push(args: Push) -> Result<()> {
    let mut client = ImageKeepClient::new(connect(&socket(&args.place)).await?);
    let request = PushRequest {
        image: args.image,
        username: args.username.unwrap_or_default(),
        password: args.password.unwrap_or_default(),
        token: args.token.unwrap_or_default(),
    };
    let pushed = client.push(request).await.map_err(said)?.into_inner();
    say(&pushed.digest);
    Ok(())
}

/// `NAME=VALUE`, or `NAME` with the value that the environment has; none if it has none.
fn build_arg(text: &str) -> Option<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => std::env::var(text).ok().map(|value| (text.to_owned(), value)),
    }
}

async fn build(args: Build) -> Result<()> {
    let context = std::path::absolute(&args.context)?;
    ensure!(context.is_dir(), "{} is not a folder", args.context.display());
    let file = args.file.unwrap_or_else(|| context.join("Dockerfile"));
    let dockerfile =
        tokio::fs::read_to_string(&file).await.with_context(|| format!("cannot read {}", file.display()))?;
    let request = BuildRequest {
        context: context.to_str().context("the path of the folder is not text")?.to_owned(),
        dockerfile,
        names: args.tag,
        args: args.build_arg.iter().filter_map(|text| build_arg(text)).collect(),
        target: args.target.unwrap_or_default(),
    };
    let mut client = ImageBuildClient::new(connect(&socket(&args.place)).await?);
    let mut events = client.build(request).await.map_err(said)?.into_inner();
    while let Some(event) = events.message().await.map_err(said)? {
        match event.event {
            Some(Event::Line(line) | Event::Id(line)) => say(&line),
            None => {}
        }
    }
    Ok(())
}

/// What the runtime said, without gRPC's wrapping.
fn said(status: tonic::Status) -> anyhow::Error {
    anyhow::anyhow!("{}", status.message())
}
