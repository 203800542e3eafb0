//! What a hostile client or cluster may try on the wire, and what must come of it.
//!
//! A case is data ([`Case`]): bytes that a client sends, the status that it must get, and what the cluster may see. The
//! next case is a line in `cases/`. Each runs on the pairs of HTTP/1.1 and HTTP/2 down and up that it applies to,
//! against the real data plane between a raw client ([`client`]) and a cluster that records what arrives ([`cluster`]).
//!
//! The ids are those in `docs/attacks.md`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod case;
mod cases;
mod client;
mod cluster;
mod exchange;
mod exchanged;
mod gateway;
mod run;
mod stimulus;

pub use case::{Case, End, Expected, Fields, Line, Person, Protocol, Seen, Stimulus, Upstream};
pub use cases::{all, exchanges};
pub use exchange::{Answer, Ask, Exchange, Header, Http2, Then, Told};
pub use run::{Outcome, Row, run};
