//! From a TCP connection to requests, and to the end of them all.
//!
//! One thread accepts and hands each connection to the worker with the least to do; each worker is a thread with a
//! runtime of its own, and a connection never changes its worker. Nothing that a request touches is shared between
//! workers but what `gate::Common` holds.

mod accept;
mod connection;
mod doorman;
mod idle;
mod limits;
mod meters;
mod running;
mod worker;

pub use limits::{Limits, Timeouts};
pub(crate) use running::start;
pub use running::{ListenerConfig, Running, StartError};
