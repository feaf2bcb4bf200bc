//! Pulling from a real registry, Debian's docker-registry, with basic authentication.

use crate::client::{Node, script};
use crate::image::{BUSYBOX, Entry, busybox_layer, layer, sha256};
use oci_client::client::{Client, ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::manifest::{IMAGE_MANIFEST_MEDIA_TYPE, ImageIndexEntry, OciImageIndex, Platform};
use oci_client::secrets::RegistryAuth;
use proto::cri::*;
use proto::drover::{PushRequest, TagRequest};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// "robot" with password "secret".
const HTPASSWD: &str = "robot:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";
/// The tests have a network of their own, in which every port is free.
const REGISTRY: &str = "127.0.0.1:5000";

struct Registry(Child);

impl Drop for Registry {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn start(folder: &std::path::Path) -> Registry {
    std::fs::write(folder.join("htpasswd"), HTPASSWD).unwrap();
    let config = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {0}/registry}}}}\n\
         http: {{addr: {REGISTRY}}}\nauth: {{htpasswd: {{realm: test, path: {0}/htpasswd}}}}\n",
        folder.display()
    );
    let file = folder.join("registry.yml");
    std::fs::write(&file, config).unwrap();
    let child = Command::new("docker-registry")
        .arg("serve")
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("docker-registry is installed");
    let registry = Registry(child);
    while tokio::net::TcpStream::connect(REGISTRY).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    registry
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Pushes an image with a gzip and a zstd layer, behind an index that also has another machine's.
async fn push(name: &str) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = Client::new(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() });
    let auth = RegistryAuth::Basic("robot".into(), "secret".into());
    let plain = [busybox_layer(), layer(&[Entry::File("etc/extra", 0o644, b"pulled")])];
    let layers = [
        ImageLayer::oci_v1_gzip(gzip(&plain[0]), None),
        ImageLayer::new(
            zstd::encode_all(&*plain[1], 1).unwrap(),
            "application/vnd.oci.image.layer.v1.tar+zstd".into(),
            None,
        ),
    ];
    let ids: Vec<String> = plain.iter().map(|l| format!("sha256:{}", sha256(l))).collect();
    let config = serde_json::json!({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": ids}});
    let tag = format!("{REGISTRY}/{name}").parse().unwrap();
    let config = Config::oci_v1(config.to_string().into_bytes(), None);
    client.push(&tag, &layers, config, &auth, None).await.unwrap();
    let (manifest, digest) = client.pull_image_manifest(&tag, &auth).await.unwrap();
    let size = serde_json::to_vec(&manifest).unwrap().len() as i64;
    let entry = |architecture: &str, digest: &str| ImageIndexEntry {
        media_type: IMAGE_MANIFEST_MEDIA_TYPE.into(),
        digest: digest.into(),
        size,
        platform: Some(Platform {
            architecture: serde_json::from_value(architecture.into()).unwrap(),
            os: serde_json::from_value("linux".into()).unwrap(),
            os_version: None,
            os_features: None,
            variant: None,
            features: None,
        }),
        annotations: None,
        artifact_type: None,
    };
    let index = OciImageIndex {
        schema_version: 2,
        media_type: Some("application/vnd.oci.image.index.v1+json".into()),
        manifests: vec![entry("s390x", &digest), entry("amd64", &digest)],
        annotations: None,
        artifact_type: None,
    };
    let tag = format!("{REGISTRY}/{name}-index").parse().unwrap();
    client.push_manifest_list(&tag, &auth, index).await.unwrap();
}

pub(crate) async fn images_are_pulled_with_credentials_and_checked(mut node: Node) {
    let registry = start(node.folder.path()).await;
    push("team/app:1").await;
    let pull = |name: &str, password: Option<&str>| PullImageRequest {
        image: Some(ImageSpec { image: format!("{REGISTRY}/{name}"), ..Default::default() }),
        auth: password.map(|p| AuthConfig { username: "robot".into(), password: p.into(), ..Default::default() }),
        sandbox_config: None,
    };
    for (name, password, code) in [
        ("team/app:1", None, tonic::Code::PermissionDenied),
        ("team/app:1", Some("wrong"), tonic::Code::PermissionDenied),
        ("team/none:1", Some("secret"), tonic::Code::NotFound),
    ] {
        let error = node.images.pull_image(pull(name, password)).await.unwrap_err();
        assert_eq!(error.code(), code, "{name} {password:?}: {error}");
    }
    let plain = node.images.pull_image(pull("team/app:1", Some("secret"))).await.unwrap().into_inner().image_ref;
    let index = node.images.pull_image(pull("team/app:1-index", Some("secret"))).await.unwrap().into_inner().image_ref;
    assert_eq!(plain, index);
    let images = node.images.list_images(ListImagesRequest::default()).await.unwrap().into_inner().images;
    let found = images.iter().find(|i| i.id == plain).unwrap();
    assert_eq!((found.repo_tags.len(), found.repo_digests.len()), (2, 2));
    assert!(found.repo_digests.iter().all(|d| d.starts_with("127.0.0.1:5000/team/app@sha256:")));
    let pod = node.pod("pulled");
    let sandbox = node.run(pod.clone()).await;
    let mut config = script("main", "sleep 1000");
    config.image = Some(ImageSpec { image: plain, ..Default::default() });
    let id = node.launch(&sandbox, &pod, config).await;
    assert_eq!(node.sh(&id, "cat /etc/extra").await, "pulled");
    node.remove(&sandbox).await;
    drop(registry);
    node.finish().await;
}

pub(crate) async fn images_are_pushed_with_their_digests(mut node: Node) {
    let registry = start(node.folder.path()).await;
    let id = node.images.list_images(ListImagesRequest::default()).await.unwrap().into_inner().images[0].id.clone();
    let name = format!("{REGISTRY}/team/pushed:1");
    let push = |image: &str, password: &str| PushRequest {
        image: image.into(),
        username: if password.is_empty() { String::new() } else { "robot".into() },
        password: password.into(),
        token: String::new(),
    };
    for (image, password, code) in
        [(name.as_str(), "secret", tonic::Code::NotFound), (id.as_str(), "secret", tonic::Code::InvalidArgument)]
    {
        let error = node.keep.push(push(image, password)).await.unwrap_err();
        assert_eq!(error.code(), code, "{image}: {error}");
    }
    node.keep.tag(TagRequest { image: BUSYBOX.into(), name: name.clone() }).await.unwrap();
    for password in ["", "wrong"] {
        let error = node.keep.push(push(&name, password)).await.unwrap_err();
        assert_eq!(error.code(), tonic::Code::PermissionDenied, "{password:?}: {error}");
    }
    let digest = node.keep.push(push(&name, "secret")).await.unwrap().into_inner().digest;
    // What is there already is not sent again, and is the same.
    assert_eq!(node.keep.push(push(&name, "secret")).await.unwrap().into_inner().digest, digest);
    let spec = |image: &str| Some(ImageSpec { image: image.into(), ..Default::default() });
    node.images.remove_image(RemoveImageRequest { image: spec(&name) }).await.unwrap();
    let auth = Some(AuthConfig { username: "robot".into(), password: "secret".into(), ..Default::default() });
    let by_digest = format!("{REGISTRY}/team/pushed@{digest}");
    let pulled = PullImageRequest { image: spec(&by_digest), auth, sandbox_config: None };
    assert_eq!(node.images.pull_image(pulled).await.unwrap().into_inner().image_ref, id);
    drop(registry);
    node.finish().await;
}
