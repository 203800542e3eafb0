//! The data plane over real sockets: TLS on both sides, HTTP/1.1 and HTTP/2, streams, upgrades, failures.
//!
//! The API servers are played by [`upstream`], because no real one breaks a connection at a given moment. Each test
//! owns its gateway, its servers and their ports.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod client;
mod gateway;
mod upstream;

mod acting;
mod browser;
mod ending;
mod failing;
mod frames;
mod proving;
mod rehearsing;
mod requests;
mod service_accounts;
mod streams;
mod tunnels;
