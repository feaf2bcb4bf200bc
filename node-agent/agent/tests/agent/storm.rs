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

/// A small generator, so that a seed says everything about a run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[tokio::test]
async fn agents_that_come_and_go_restart_nothing_and_leave_nothing() {
    for seed in 1..=SEEDS {
        let mut dice = Dice(seed.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        let mut world = World::new();
        let spec = |n: usize| {
            json!({
                "terminationGracePeriodSeconds": 1,
                "containers": [{ "name": format!("a{n}"), "image": "web:1", "imagePullPolicy": "IfNotPresent" }],
            })
        };
        let mut crashed = [0_i64; 3];
        for n in 0..3 {
            world.pod(&format!("p{n}"), spec(n));
            if dice.throw(2) == 0 {
                // In the middle of whatever the agent is doing for it.
                world.stop_agent().await;
                world.start_agent();
            }
        }
        for n in 0..3 {
            world.until_ready(&format!("p{n}")).await;
        }
        for _ in 0..6 {
            let n = dice.throw(3) as usize;
            match dice.throw(3) {
                0 if crashed[n] == 0 => {
                    // While nobody looks.
                    world.stop_agent().await;
                    world.cri.exit(&format!("a{n}"), 1);
                    crashed[n] += 1;
                    world.start_agent();
                }
                1 => {
                    world.stop_agent().await;
                    world.start_agent();
                }
                _ => {
                    world.until_ready(&format!("p{n}")).await;
                }
            }
        }
        for (n, crashes) in crashed.iter().enumerate() {
            let counted = |p: Option<&serde_json::Value>| {
                p.is_some_and(|p| {
                    p["status"]["containerStatuses"][0]["restartCount"] == json!(*crashes) && crate::world::is_ready(p)
                })
            };
            world.until(&format!("p{n}"), counted).await;
            world.delete(&format!("p{n}"), 1);
            if dice.throw(2) == 0 {
                world.stop_agent().await;
                world.start_agent();
            }
        }
        for n in 0..3 {
            world.until_gone(&format!("p{n}")).await;
        }
        assert!(world.cri.is_empty(), "seed {seed}");
        let left: Vec<_> = std::fs::read_dir(world.dir.path().join("agent/pods")).into_iter().flatten().collect();
        assert!(left.is_empty(), "seed {seed}: {left:?}");
        world.close().await;
    }
}
