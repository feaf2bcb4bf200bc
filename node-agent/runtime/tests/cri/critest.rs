//! What critest (kubernetes-sigs/cri-tools) asks of a runtime and no other test here does: filters of lists, calls made
//! twice or for what is not there, images under several names, groups by policy.

use crate::client::{Node, context, script};
use crate::image::{BUSYBOX, Entry, busybox_layer, docker_archive, layer};
use proto::cri::*;
use std::collections::HashMap;

fn labels(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn sandboxes(node: &mut Node, filter: PodSandboxFilter) -> Vec<String> {
    let request = ListPodSandboxRequest { filter: Some(filter) };
    node.runtime.list_pod_sandbox(request).await.unwrap().into_inner().items.into_iter().map(|s| s.id).collect()
}

async fn containers(node: &mut Node, filter: ContainerFilter) -> Vec<String> {
    let request = ListContainersRequest { filter: Some(filter) };
    node.runtime.list_containers(request).await.unwrap().into_inner().containers.into_iter().map(|c| c.id).collect()
}

pub(crate) async fn lists_are_filtered(mut node: Node) {
    let mut one = node.pod("one");
    one.labels = labels(&[("app", "a"), ("tier", "x")]);
    let two = PodSandboxConfig { labels: labels(&[("app", "a")]), ..node.pod("two") };
    let (first, second) = (node.run(one.clone()).await, node.run(two.clone()).await);
    let web = ContainerConfig { labels: labels(&[("role", "web")]), ..script("web", "sleep 1000") };
    let web = node.launch(&first, &one, web).await;
    let idle = node.create(&second, &two, script("idle", "sleep 1000")).await.unwrap();

    let by = |pairs: &[(&str, &str)]| PodSandboxFilter { label_selector: labels(pairs), ..Default::default() };
    assert_eq!(sandboxes(&mut node, by(&[("app", "a")])).await.len(), 2);
    assert_eq!(sandboxes(&mut node, by(&[("app", "a"), ("tier", "x")])).await, [first.as_str()]);
    assert!(sandboxes(&mut node, by(&[("app", "b")])).await.is_empty());
    let part = PodSandboxFilter { id: first[..12].to_owned(), ..Default::default() };
    assert_eq!(sandboxes(&mut node, part).await, [first.as_str()]);
    let unready = PodSandboxStateValue { state: PodSandboxState::SandboxNotready as i32 };
    let unready = PodSandboxFilter { state: Some(unready), ..Default::default() };
    assert!(sandboxes(&mut node, unready.clone()).await.is_empty());

    let of = |state| ContainerFilter { state: Some(ContainerStateValue { state }), ..Default::default() };
    assert_eq!(containers(&mut node, of(ContainerState::ContainerRunning as i32)).await, [web.as_str()]);
    assert_eq!(containers(&mut node, of(ContainerState::ContainerCreated as i32)).await, [idle.as_str()]);
    let of = |sandbox: &str| ContainerFilter { pod_sandbox_id: sandbox.to_owned(), ..Default::default() };
    assert_eq!(containers(&mut node, of(&second)).await, [idle.as_str()]);
    assert_eq!(containers(&mut node, of(&first[..12])).await, [web.as_str()]);
    let role = ContainerFilter { label_selector: labels(&[("role", "web")]), ..Default::default() };
    assert_eq!(containers(&mut node, role).await, [web.as_str()]);
    let part = ContainerFilter { id: idle[..12].to_owned(), ..Default::default() };
    assert_eq!(containers(&mut node, part).await, [idle]);

    node.runtime.stop_pod_sandbox(StopPodSandboxRequest { pod_sandbox_id: second.clone() }).await.unwrap();
    assert_eq!(sandboxes(&mut node, unready).await, [second.as_str()]);
    for sandbox in [first, second] {
        node.remove(&sandbox).await;
    }
    node.finish().await;
}

/// k8s: whatever is to be gone and is gone already is no error, and what cannot be without the thing is.
pub(crate) async fn calls_can_be_made_again_and_for_what_is_not_there(mut node: Node) {
    let pod = node.pod("again");
    let sandbox = node.run(pod.clone()).await;
    let id = node.launch(&sandbox, &pod, script("main", "sleep 1000")).await;
    for _ in 0..2 {
        let stop = StopContainerRequest { container_id: id.clone(), timeout: 0 };
        node.runtime.stop_container(stop).await.unwrap();
    }
    for _ in 0..2 {
        let remove = RemoveContainerRequest { container_id: id.clone() };
        node.runtime.remove_container(remove).await.unwrap();
    }
    for _ in 0..2 {
        node.remove(&sandbox).await;
    }
    let nobody = "0123456789abcdef".repeat(4);
    let status = ContainerStatusRequest { container_id: nobody.clone(), verbose: false };
    let refused = node.runtime.container_status(status).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::NotFound);
    let status = PodSandboxStatusRequest { pod_sandbox_id: nobody.clone(), verbose: false };
    assert_eq!(node.runtime.pod_sandbox_status(status).await.unwrap_err().code(), tonic::Code::NotFound);
    assert_eq!(node.start_container(&nobody).await.unwrap_err().code(), tonic::Code::NotFound);
    let exec = ExecSyncRequest { container_id: nobody, cmd: vec!["true".to_owned()], timeout: 1 };
    assert_eq!(node.runtime.exec_sync(exec).await.unwrap_err().code(), tonic::Code::NotFound);
    node.finish().await;
}

fn spec(image: &str) -> ImageSpec {
    ImageSpec { image: image.to_owned(), ..Default::default() }
}

async fn image(node: &mut Node, name: &str) -> Option<Image> {
    let request = ImageStatusRequest { image: Some(spec(name)), verbose: false };
    node.images.image_status(request).await.unwrap().into_inner().image
}

pub(crate) async fn an_image_is_one_under_all_its_names(mut node: Node) {
    let archive = |name: &str| docker_archive(name, &[busybox_layer()], &serde_json::json!({"User": "1002"}));
    for name in ["example.com/many:1", "example.com/many:2", "example.com/other:1"] {
        node.import(&archive(name)).await.unwrap();
    }
    let found = image(&mut node, "example.com/many:1").await.unwrap();
    assert_eq!(found.uid.map(|uid| uid.value), Some(1002));
    let mut tags = found.repo_tags.clone();
    tags.sort();
    assert_eq!(tags, ["example.com/many:1", "example.com/many:2", "example.com/other:1"]);
    for name in [found.id.as_str(), "example.com/many:2"] {
        assert_eq!(image(&mut node, name).await.unwrap().id, found.id);
    }
    let listed = node.images.list_images(ListImagesRequest { filter: None }).await.unwrap().into_inner().images;
    assert_eq!(listed.iter().filter(|i| i.id == found.id).count(), 1);
    assert!(listed.iter().all(|i| i.size > 0));

    // A container says which image it runs, by the id that the image's status has.
    let pod = node.pod("names");
    let sandbox = node.run(pod.clone()).await;
    let config = ContainerConfig { image: Some(spec("example.com/many:2")), ..script("main", "sleep 1000") };
    let id = node.launch(&sandbox, &pod, config).await;
    assert_eq!(node.status(&id).await.image_id, found.id);
    node.remove(&sandbox).await;

    // Several clients at once, and one that is late: all are content.
    let removals = (0..4).map(|_| {
        let (mut images, id) = (node.images.clone(), found.id.clone());
        async move { images.remove_image(RemoveImageRequest { image: Some(spec(&id)) }).await }
    });
    for removed in futures::future::join_all(removals).await {
        removed.unwrap();
    }
    assert!(image(&mut node, "example.com/other:1").await.is_none());
    assert!(image(&mut node, BUSYBOX).await.is_some());
    node.finish().await;
}

pub(crate) async fn groups_are_merged_or_strictly_those_asked_for(mut node: Node) {
    let passwd = "root:x:0:0::/:/bin/sh\ndefault:x:1000:1000::/:/bin/sh\n";
    let group = "root:x:0:\ndefault:x:1000:\ngroup-in-image:x:50000:default\n";
    let files = [
        Entry::Folder("etc"),
        Entry::File("etc/passwd", 0o644, passwd.as_bytes()),
        Entry::File("etc/group", 0o644, group.as_bytes()),
    ];
    let config = serde_json::json!({"User": "1000"});
    let archive = docker_archive("example.com/groups:1", &[busybox_layer(), layer(&files)], &config);
    node.import(&archive).await.unwrap();
    let pod = node.pod("groups");
    let sandbox = node.run(pod.clone()).await;
    for (policy, groups) in [
        (SupplementalGroupsPolicy::Merge, [1000, 1234, 50000].as_slice()),
        (SupplementalGroupsPolicy::Strict, &[1000, 1234]),
    ] {
        let mut config =
            ContainerConfig { image: Some(spec("example.com/groups:1")), ..script(policy.as_str_name(), "sleep 1000") };
        let security = context(&mut config);
        security.run_as_user = Some(Int64Value { value: 1000 });
        security.supplemental_groups = vec![1234];
        security.supplemental_groups_policy = policy as i32;
        let id = node.launch(&sandbox, &pod, config).await;
        let user = node.status(&id).await.user.unwrap().linux.unwrap();
        assert_eq!((user.uid, user.gid, user.supplemental_groups.as_slice()), (1000, 1000, groups), "{policy:?}");
        let seen = node.sh(&id, "id -G").await;
        let mut seen: Vec<i64> = seen.split(' ').map(|gid| gid.parse().unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(seen, groups);
    }
    node.remove(&sandbox).await;
    node.finish().await;
}
