//! How the `drover` binary is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A pod's supervisor is this program too. Loaded at a place that is known when it is linked, none of its data has to
    // be changed when it starts, and what is not changed is shared between all supervisors instead of being copied for
    // each (1.4 MiB). Libraries, heap and stack keep their random places.
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|libc| libc == "gnu") {
        println!("cargo::rustc-link-arg-bin=drover=-no-pie");
    }
    // Functions that come out the same are kept once: each crate that decodes a Pod has its own copy of that code
    // (docs/performance.md has what it saves). Only LLD can, which is what Rust links with there.
    if std::env::var("TARGET").is_ok_and(|target| target == "x86_64-unknown-linux-gnu") {
        println!("cargo::rustc-link-arg-bin=drover=-Wl,--icf=all");
    }
}
