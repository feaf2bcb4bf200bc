//! The API server from the outside: HTTP requests through the router, responses and stored objects out. The store is the
//! one in memory; everything else is what production runs.

mod admission;
mod applies;
mod beyond;
mod custom;
mod deletes;
mod doors;
mod every_kind;
mod flow;
mod formats;
mod https;
mod kubectl;
mod lists;
mod model;
mod patches;
mod policies;
mod server;
mod watches;
mod web_socket;
mod writes;
