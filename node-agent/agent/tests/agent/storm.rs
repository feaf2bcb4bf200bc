//! A runtime that fails one call in four, with many seeds: pods still start, end and leave nothing behind, and no
//! container ever runs twice (the fake refuses that with a panic).

use crate::world::World;
use serde_json::json;

const SEEDS: u64 = 4;

#[tokio::test]
async fn pods_live_and_die_on_a_failing_runtime() {
    for seed in 1..=SEEDS {
        let world = World::new();
        world.cri.books.lock().chaos = Some((seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), 4));
        for n in 0..3 {
            let spec = json!({
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    { "name": format!("a{n}"), "image": "web:1", "imagePullPolicy": "IfNotPresent" },
                    { "name": format!("b{n}"), "image": "web:2", "imagePullPolicy": "Always" },
                ],
            });
            world.pod(&format!("p{n}"), spec);
        }
        for n in 0..3 {
            world.until_ready(&format!("p{n}")).await;
        }
        world.cri.books.lock().chaos = Some((seed.wrapping_mul(0x2545_F491_4F6C_DD1D), 4));
        for n in 0..3 {
            world.delete(&format!("p{n}"), 1);
        }
        for n in 0..3 {
            world.until_gone(&format!("p{n}")).await;
        }
        assert!(world.cri.is_empty(), "seed {seed}");
        world.close().await;
    }
}
