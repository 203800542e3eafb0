//! What outlives a request's answer: tunnels, and the order to end.

mod counted;
mod drain;
mod tunnel;

pub(crate) use counted::Counted;
pub(crate) use drain::{Drain, DrainPlan, jitter};
pub(crate) use tunnel::{Tunnel, join};
