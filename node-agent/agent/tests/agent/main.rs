//! The agent as a whole, between a fake API server and a fake container runtime: pods go in, statuses and runtime calls
//! come out. Nothing here needs a network or time to pass, and only what mounts needs root.

mod certificates;
mod claims;
mod devices;
mod driver;
mod fake_api;
mod fake_bus;
mod fake_cri;
mod images;
mod life;
mod node;
mod resizes;
mod server;
mod shutdown;
mod storm;
mod world;
