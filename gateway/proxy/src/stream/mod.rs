//! What outlives the head of an answer: open streams, tunnels, and the order to end.

mod counted;
mod drain;
mod open;
mod tunnel;

pub(crate) use counted::Counted;
pub(crate) use drain::{Drain, DrainPlan, jitter};
pub(crate) use open::{OpenStream, Streams};
pub(crate) use tunnel::{Tunnel, join};
