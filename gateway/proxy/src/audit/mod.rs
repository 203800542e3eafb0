//! The record of every request: audit event, access line and metrics from one place, for every outcome.

mod event;
mod facts;
mod file;
mod flood;
mod hold;
mod record;
mod sink;
mod words;
mod writer;

use kube_wire::audit::Stage;

use crate::gate::Gate;
use crate::refusal::Refusal;

pub use file::Rotation;
pub(crate) use hold::Hold;
pub(crate) use record::{Closed, Record, ResourceClass};
use sink::Lost;
pub(crate) use sink::Sink;
pub use sink::{AuditConfig, WhenFull};

/// Makes sure that the request will be on record, before anything is sent.
///
/// What may change something, or run for hours, waits until the kernel has its line: whatever happens to this process
/// then, the cluster did nothing that we do not know of. What only reads takes a place in the queue and goes on.
pub(crate) async fn before_sending(gate: &Gate, record: &mut Record) -> Result<(), Refusal> {
    let sink = &gate.common.audit;
    if !sink.keeps_events() {
        return Ok(());
    }
    let kept = match record.line_before_sending(Stage::RequestReceived) {
        Some(line) => Box::pin(sink.write_through(line)).await,
        None => record.reserve(sink),
    };
    match (kept, sink.when_full()) {
        (Ok(()), _) | (Err(_), WhenFull::Drop) => Ok(()),
        (Err(Lost), WhenFull::Refuse) => {
            let retry_after = std::time::Duration::from_secs(2);
            Err(Refusal::Unavailable { retry_after, what: "the audit log cannot be written" })
        }
    }
}

#[cfg(test)]
mod tests;
