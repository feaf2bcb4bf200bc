//! What the caches tell the scheduler, as one stream: whoever reads it has one thing to wait for.

use client::cache::{Builder, Caches, Change, Typed};
use futures::stream::{self, BoxStream, SelectAll, StreamExt as _};
use k8s_openapi::api::core::v1::{Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::resource::v1::{DeviceClass, DeviceTaintRule, ResourceClaim, ResourceSlice};
use k8s_openapi::api::storage::v1::{CSINode, StorageClass};

pub(crate) enum News {
    Pod(Change<Pod>),
    Node(Change<Node>),
    Namespace(Change<Namespace>),
    Service(Change<Service>),
    Claim(Change<PersistentVolumeClaim>),
    Volume(Change<PersistentVolume>),
    Class(Change<StorageClass>),
    CsiNode(Change<CSINode>),
    DeviceClaim(Change<ResourceClaim>),
    DeviceClass(Change<DeviceClass>),
    Slice(Change<ResourceSlice>),
    TaintRule(Change<DeviceTaintRule>),
}

pub(crate) type Stream = SelectAll<BoxStream<'static, News>>;

pub(crate) fn declare(builder: &mut Builder) {
    builder.watch::<Pod>();
    builder.watch::<Node>();
    builder.watch::<Namespace>();
    builder.watch::<Service>();
    builder.watch::<PodDisruptionBudget>();
    builder.watch::<PersistentVolumeClaim>();
    builder.watch::<PersistentVolume>();
    builder.watch::<StorageClass>();
    builder.watch::<CSINode>();
    builder.watch::<ResourceClaim>();
    builder.watch::<DeviceClass>();
    builder.watch::<ResourceSlice>();
    builder.watch::<DeviceTaintRule>();
}

pub(crate) fn listen(caches: &Caches) -> Stream {
    stream::select_all([
        of(caches, News::Namespace),
        of(caches, News::Service),
        of(caches, News::Node),
        of(caches, News::Class),
        of(caches, News::CsiNode),
        of(caches, News::Volume),
        of(caches, News::Claim),
        of(caches, News::DeviceClass),
        of(caches, News::TaintRule),
        of(caches, News::Slice),
        of(caches, News::DeviceClaim),
        of(caches, News::Pod),
    ])
}

fn of<K: Typed>(caches: &Caches, news: fn(Change<K>) -> News) -> BoxStream<'static, News> {
    let mut changes = caches.of::<K>().subscribe();
    stream::poll_fn(move |context| changes.poll_recv(context)).map(news).boxed()
}
