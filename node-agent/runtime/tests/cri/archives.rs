//! Image archives: those that are refused, and what is kept of those that are not.

use crate::client::Node;
use crate::image::{BUSYBOX, Entry, busybox_layer, docker_archive, layer};
use proto::cri::*;
use proto::drover::{SaveRequest, TagRequest};
use std::collections::BTreeSet;
use std::path::Path;

fn names(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

pub(crate) async fn hostile_archives_are_refused_and_leave_nothing(mut node: Node) {
    let store = node.folder.path().join("runtime/images-store");
    let before = (names(&store.join("layers")), names(&store.join("images")));
    let target = node.folder.path().join("target");
    std::fs::create_dir(&target).unwrap();
    let outside = target.display().to_string();
    use tar::EntryType as T;
    let cases: [(&str, Vec<Entry<'_>>); 7] = [
        ("..", vec![Entry::Raw("../escape", T::Regular, "")]),
        ("..", vec![Entry::Folder("a"), Entry::Raw("a/../../escape", T::Directory, "")]),
        ("absolute", vec![Entry::Raw("/escape", T::Regular, "")]),
        ("link", vec![Entry::Link("way", &outside), Entry::File("way/escape", 0o644, b"x")]),
        ("link", vec![Entry::Link("way", "/"), Entry::Folder("way/escape")]),
        ("..", vec![Entry::Raw("hard", T::Link, "../../escape")]),
        ("absolute", vec![Entry::Raw("hard", T::Link, "/etc/shadow")]),
    ];
    for (i, (text, entries)) in cases.iter().enumerate() {
        let archive = docker_archive("example.test/evil:1", &[layer(entries)], &serde_json::json!({}));
        let error = node.import(&archive).await.unwrap_err();
        assert_eq!(error.code(), tonic::Code::InvalidArgument, "{i}: {error}");
        assert!(error.message().contains(text), "{i}: {error}");
    }
    // Of the archive itself too.
    let error = node.import(&layer(&[Entry::Raw("../manifest.json", T::Regular, "")])).await.unwrap_err();
    assert!(error.message().contains(".."), "{error}");
    for garbage in [&b"not a tar at all"[..], &[0x1f, 0x8b, 0, 0, 1, 2], &layer(&[Entry::File("x", 0o644, b"y")])] {
        assert_eq!(node.import(garbage).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    }
    // A layer that is not the one that its configuration promises.
    let mut archive =
        docker_archive("example.test/evil:2", &[layer(&[Entry::File("f", 0o644, b"good")])], &serde_json::json!({}));
    let at = archive.windows(4).position(|w| w == b"good").unwrap();
    archive[at..at + 4].copy_from_slice(b"evil");
    assert!(node.import(&archive).await.unwrap_err().message().contains("digest"));
    assert_eq!((names(&store.join("layers")), names(&store.join("images"))), before);
    assert!(names(&store.join("tmp")).is_empty());
    assert!(names(&target).is_empty());
    node.finish().await;
}

pub(crate) async fn a_full_disk_leaves_nothing_half_written(node: Node) {
    node.finish().await;
    let disk = tempfile::tempdir().unwrap();
    let small = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("small"), disk.path(), Some("tmpfs"), small, Some("size=8m")).unwrap();
    let mut node = Node::start(tempfile::tempdir_in(disk.path()).unwrap()).await;
    let store = node.folder.path().join("runtime/images-store");
    // The archive alone fits, but not together with what is in it.
    let big = layer(&[Entry::File("small", 0o644, b"x"), Entry::File("big", 0o644, &vec![7; 6 << 20])]);
    let archive = docker_archive("example.test/big:1", &[big], &serde_json::json!({}));
    let error = node.import(&archive).await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::ResourceExhausted, "{error}");
    for folder in ["layers", "images", "tmp"] {
        assert!(names(&store.join(folder)).is_empty(), "{folder}");
    }
    node.import(&crate::image::busybox()).await.unwrap();
    assert_eq!(names(&store.join("images")).len(), 1);
    node.finish().await;
    nix::mount::umount(disk.path()).unwrap();
}

pub(crate) async fn images_share_layers_and_go_one_by_one(mut node: Node) {
    let layers = node.folder.path().join("runtime/images-store/layers");
    let count = || names(&layers).iter().filter(|n| !n.contains('.')).count();
    assert_eq!(count(), 1);
    let extra = layer(&[Entry::File("etc/extra", 0o644, b"x"), Entry::File("etc/.wh.group", 0o644, b"")]);
    let second =
        docker_archive("example.test/second:1", &[busybox_layer(), extra], &serde_json::json!({"User": "web"}));
    let id = node.import(&second).await.unwrap().images[0].id.clone();
    assert_eq!(count(), 2);
    let spec = |image: &str| Some(ImageSpec { image: image.into(), ..Default::default() });
    let status = ImageStatusRequest { image: spec(&id[..20]), verbose: false };
    let found = node.images.image_status(status).await.unwrap().into_inner().image.unwrap();
    assert_eq!((found.username.as_str(), found.repo_tags[0].as_str()), ("web", "example.test/second:1"));
    // A running container keeps the layers that it is mounted from.
    let pod = node.pod("uses");
    let sandbox = node.run(pod.clone()).await;
    let mut config = crate::client::script("main", "sleep 1000");
    config.image = spec("example.test/second:1");
    let container = node.launch(&sandbox, &pod, config).await;
    assert_eq!(node.sh(&container, "cat /etc/extra; ls /etc").await, "xextra\nhostname\nhosts\npasswd\nresolv.conf");
    for name in ["example.test/second:1", "example.test/second:1", BUSYBOX] {
        node.images.remove_image(RemoveImageRequest { image: spec(name) }).await.unwrap();
    }
    assert_eq!(count(), 2);
    assert_eq!(node.sh(&container, "cat /etc/extra").await, "x");
    node.remove(&sandbox).await;
    let node = node.restart().await;
    assert_eq!(count(), 0);
    node.finish().await;
}

/// What a container uses is known when it is made, and what nobody uses goes with its image.
pub(crate) async fn an_image_that_goes_while_a_container_is_made_of_it_leaves_its_layers(mut node: Node) {
    let pod = node.pod("between");
    let sandbox = node.run(pod.clone()).await;
    let (mut made, mut images) = (0, node.images.clone());
    for i in 0..40 {
        node.import(&crate::image::busybox()).await.unwrap();
        let remove = async {
            // Sooner or later within the making.
            tokio::time::sleep(std::time::Duration::from_micros(i * 100)).await;
            let image = Some(ImageSpec { image: BUSYBOX.into(), ..Default::default() });
            images.remove_image(RemoveImageRequest { image }).await.unwrap();
        };
        let config = crate::client::script(&format!("c{i}"), "sleep 1000");
        let (created, ()) = tokio::join!(node.create(&sandbox, &pod, config), remove);
        match created {
            Ok(id) => {
                made += 1;
                node.start_container(&id).await.unwrap();
                node.runtime.remove_container(RemoveContainerRequest { container_id: id }).await.unwrap();
            }
            Err(error) => assert_eq!(error.code(), tonic::Code::NotFound, "{error}"),
        }
    }
    assert!(made > 0);
    node.remove(&sandbox).await;
    node.finish().await;
}

/// The archive of the images, or why there is none.
async fn save(node: &mut Node, images: &[&str]) -> Result<Vec<u8>, tonic::Status> {
    let images = images.iter().map(|i| (*i).to_owned()).collect();
    let mut chunks = node.keep.save(SaveRequest { images }).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.message().await? {
        bytes.extend(chunk.data);
    }
    Ok(bytes)
}

pub(crate) async fn images_are_tagged_saved_and_loaded_again(mut node: Node) {
    let tag = |image: &str, name: &str| TagRequest { image: image.into(), name: name.into() };
    let id = node.images.list_images(ListImagesRequest::default()).await.unwrap().into_inner().images[0].id.clone();
    node.keep.tag(tag(BUSYBOX, "example.test/other:2")).await.unwrap();
    for (image, name, code) in [
        ("example.test/none:1", "x:1", tonic::Code::NotFound),
        (BUSYBOX, "Not a name", tonic::Code::InvalidArgument),
        (BUSYBOX, &format!("x@sha256:{}", "0".repeat(64)), tonic::Code::InvalidArgument),
    ] {
        assert_eq!(node.keep.tag(tag(image, name)).await.unwrap_err().code(), code, "{name}");
    }
    let extra = layer(&[Entry::File("etc/extra", 0o644, b"x"), Entry::File("etc/.wh.group", 0o644, b"")]);
    let second = docker_archive("example.test/second:1", &[busybox_layer(), extra], &serde_json::json!({}));
    let second_id = node.import(&second).await.unwrap().images[0].id.clone();
    let names = ["example.test/other:2", BUSYBOX, "example.test/second:1"];
    let archive = save(&mut node, &names).await.unwrap();
    assert_eq!(save(&mut node, &["example.test/none:1"]).await.unwrap_err().code(), tonic::Code::NotFound);
    for name in [BUSYBOX, "example.test/second:1"] {
        let image = Some(ImageSpec { image: name.into(), ..Default::default() });
        node.images.remove_image(RemoveImageRequest { image }).await.unwrap();
    }
    let loaded = node.import(&archive).await.unwrap().images;
    let ids: BTreeSet<&str> = loaded.iter().map(|i| i.id.as_str()).collect();
    assert_eq!(ids, BTreeSet::from([id.as_str(), second_id.as_str()]));
    let tags: BTreeSet<&str> = loaded.iter().flat_map(|i| i.repo_tags.iter().map(String::as_str)).collect();
    assert_eq!(tags, BTreeSet::from(names));
    // Others read it as an OCI layout.
    let plain: Vec<String> = tar::Archive::new(&*archive)
        .entries()
        .unwrap()
        .map(|e| e.unwrap().path().unwrap().display().to_string())
        .collect();
    assert!(["oci-layout", "index.json", "manifest.json"].iter().all(|n| plain.iter().any(|p| p == n)), "{plain:?}");
    assert_eq!(plain.iter().collect::<BTreeSet<_>>().len(), plain.len(), "what two images share is there once");
    let again = save(&mut node, &names).await.unwrap();
    assert!(archive == again, "the same images make the same archive");
    // A layer that was changed is not passed on under its old name.
    let store = node.folder.path().join("runtime/images-store/layers");
    let changed = names_of_layers(&store).into_iter().find(|l| store.join(l).join("etc/extra").exists()).unwrap();
    std::fs::write(store.join(changed).join("etc/extra"), "y").unwrap();
    let error = save(&mut node, &["example.test/second:1"]).await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::FailedPrecondition, "{error}");
    node.finish().await;
}

fn names_of_layers(store: &Path) -> Vec<String> {
    names(store).into_iter().filter(|n| !n.contains('.')).collect()
}
