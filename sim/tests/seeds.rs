//! The simulator against the control plane as it is: it repeats itself, and it finds nothing.

use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim")).args(arguments).output().expect("the simulator starts")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for (scenario, seed) in [("deployment", "1"), ("rollout", "3")] {
        let [once, again] = [(); 2].map(|()| sim(&["play", scenario, seed, "--trace"]));
        assert!(once.status.success(), "{}", text(&once));
        assert!(once.stdout == again.stdout, "two runs of {scenario} {seed} differ");
        assert!(once.stdout.len() > 10_000, "a trace has something to say");
    }
}

#[test]
fn another_seed_gives_another_trace() {
    let [one, two] = ["1", "2"].map(|seed| sim(&["play", "deployment", seed, "--trace"]));
    assert!(one.stdout != two.stdout);
}

/// Each scenario once: `make sim SEEDS=100000` plays more. A failure says how to play it again.
#[test]
fn nothing_goes_wrong_from_any_seed() {
    let output = sim(&["seeds", "--from", "23", "--count", "23", "--seconds", "170"]);
    assert!(output.status.success(), "{}", text(&output));
}
