//! Resizes that wait for room, and who gets it.

use crate::fake_cri::Contained;
use crate::world::{NODE, World, condition, pod_path};
use serde_json::{Value, json};
use std::collections::BTreeMap;

struct Cpus<'a> {
    world: &'a World,
    /// Thousandths that the node has for pods.
    all: i64,
}

impl Cpus<'_> {
    async fn of(world: &World) -> Cpus<'_> {
        let node = world.api.until(NODE, |node| node.is_some()).await.unwrap();
        let all = node["status"]["allocatable"]["cpu"].as_str().unwrap().parse::<i64>().unwrap() * 1000;
        Cpus { world, all }
    }

    fn pod(&self, name: &str, cpu: i64, priority: i64) {
        self.pod_of("web:1", name, cpu, priority);
    }

    fn pod_of(&self, image: &str, name: &str, cpu: i64, priority: i64) {
        let requests = json!({ "cpu": format!("{cpu}m") });
        let container = json!({ "name": "a", "image": image, "imagePullPolicy": "IfNotPresent", "resources": { "requests": requests } });
        self.world
            .pod(name, json!({ "terminationGracePeriodSeconds": 1, "priority": priority, "containers": [container] }));
    }

    fn resize(&self, name: &str, cpu: i64) {
        let mut pod = self.world.api.get(&pod_path(name)).unwrap();
        pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!(format!("{cpu}m"));
        pod["metadata"]["generation"] = json!(pod["metadata"]["generation"].as_i64().unwrap() + 1);
        self.world.api.put(&pod_path(name), pod);
    }

    async fn until_held(&self, name: &str) {
        let held = |pod: Option<&Value>| pod.is_some_and(|pod| condition(pod, "PodResizePending") == "True");
        self.world.until(name, held).await;
    }

    async fn until_has(&self, name: &str, cpu: i64) {
        let wanted = json!(format!("{cpu}m"));
        let has = |pod: &Value| {
            let status = &pod["status"]["containerStatuses"][0];
            status["resources"]["requests"]["cpu"] == wanted && condition(pod, "PodResizePending").is_empty()
        };
        self.world.until(name, |pod| pod.is_some_and(has)).await;
    }

    fn is_held(&self, name: &str) -> bool {
        self.world.api.get(&pod_path(name)).is_some_and(|pod| condition(&pod, "PodResizePending") == "True")
    }
}

#[tokio::test]
async fn room_goes_to_the_resize_that_matters_most_and_those_that_wait_take_none() {
    let world = World::new();
    let cpus = Cpus::of(&world).await;
    let (most, little) = (cpus.all * 2 / 3, cpus.all / 16);
    cpus.pod("large", most, 0);
    for (name, priority) in [("first", 0), ("urgent", 1000), ("last", 0)] {
        cpus.pod(name, little, priority);
        world.until_ready(name).await;
    }
    world.until_ready("large").await;
    // Each asks for what the large one has: their wishes must not stand in each other's way.
    for name in ["first", "urgent", "last"] {
        cpus.resize(name, most);
        cpus.until_held(name).await;
    }
    for (gone, next, rest) in
        [("large", "urgent", &["first", "last"] as &[_]), ("urgent", "first", &["last"]), ("first", "last", &[])]
    {
        world.delete(gone, 1);
        cpus.until_has(next, most).await;
        assert!(rest.iter().all(|name| cpus.is_held(name)), "after {gone}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_resize_that_comes_before_the_container_waits_for_room_too() {
    let world = World::new();
    let cpus = Cpus::of(&world).await;
    let (most, little) = (cpus.all * 2 / 3, cpus.all / 16);
    cpus.pod("large", most, 0);
    world.until_ready("large").await;
    let gate = world.cri.hold_pulls();
    cpus.pod_of("late:1", "late", little, 0);
    world.cri.until_called("pull late:1", 1).await;
    cpus.resize("late", most);
    cpus.until_held("late").await;
    drop(gate);
    let pod = world.until_ready("late").await;
    assert!(cpus.is_held("late"));
    assert_eq!(pod["status"]["containerStatuses"][0]["allocatedResources"]["cpu"], json!(format!("{little}m")));
    let shares = |containers: &BTreeMap<String, Contained>| {
        let late = containers.values().find(|c| c.config.image.as_ref().unwrap().user_specified_image == "late:1");
        late.unwrap().config.linux.clone().unwrap().resources.unwrap().cpu_shares
    };
    assert_eq!(shares(&world.cri.books.lock().containers), little * 1024 / 1000, "it starts with what it was promised");
    world.delete("large", 1);
    cpus.until_has("late", most).await;
    world.close().await;
}
