//! The way of records to the writer: a bounded queue, and a thread that owns the file.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::{Notify, oneshot};

use crate::audit::facts::Facts;
use crate::audit::file::{LogFile, Rotation};
use crate::audit::flood::Flood;
use crate::audit::writer::Writer;
use crate::metrics::Metrics;

/// Where audit events go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditConfig {
    /// A file of `audit.k8s.io/v1` events, one in a line; none are kept without it.
    pub file: Option<PathBuf>,
    /// When the file is renamed, if the gateway does so itself.
    pub rotation: Option<Rotation>,
    /// What happens to a request that cannot be recorded.
    pub when_full: WhenFull,
}

/// What happens to a request that cannot be recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused with 503.
    #[default]
    Refuse,
    /// It goes on, and the loss is counted.
    Drop,
}

/// Where records are put. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    queue: mpsc::Sender<Message>,
    hurry: Arc<Notify>,
    keeps_events: bool,
    when_full: WhenFull,
    metrics: Arc<Metrics>,
    flood: Arc<Flood>,
}

/// A seat in the queue that is kept for a record.
pub(crate) type Seat = OwnedPermit<Message>;

/// A record was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

/// What the writer is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// A request is over.
    Closed(Box<Facts>),
    /// An event between the first and the last of a request.
    Line(Vec<u8>),
    /// An event that somebody waits for.
    Through(Vec<u8>, oneshot::Sender<Result<(), Lost>>),
    /// The file was moved away.
    Reopen,
    /// Somebody waits until everything before this is written.
    Flush(oneshot::Sender<()>),
}

const QUEUE: usize = 16_384;
/// Places that the refused, of whom nobody knows who they are, leave to others.
const RESERVED: usize = QUEUE / 2;
const PATIENCE: Duration = Duration::from_secs(5);

impl Sink {
    /// Opens the file and starts the writer, which ends when the last clone is gone.
    ///
    /// # Errors
    /// When the file cannot be opened, or no thread can be started.
    pub(crate) fn start(config: &AuditConfig, metrics: Arc<Metrics>) -> io::Result<Self> {
        let (queue, messages) = mpsc::channel(QUEUE);
        let hurry = Arc::new(Notify::new());
        let file = config.file.clone().map(|path| LogFile::open(path, config.rotation)).transpose()?;
        let writer = Writer::new(file, Arc::clone(&hurry), Arc::clone(&metrics));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let run = move || runtime.block_on(writer.run(messages));
        std::thread::Builder::new().name("audit".to_owned()).spawn(run)?;
        Ok(Self {
            queue,
            hurry,
            keeps_events: config.file.is_some(),
            when_full: config.when_full,
            metrics,
            flood: Arc::default(),
        })
    }

    pub(crate) fn keeps_events(&self) -> bool {
        self.keeps_events
    }

    pub(crate) fn when_full(&self) -> WhenFull {
        self.when_full
    }

    /// How many records wait, and how many may.
    pub(crate) fn queue(&self) -> (i64, i64) {
        let (room, free) = (self.queue.max_capacity(), self.queue.capacity());
        let count = |records: usize| i64::try_from(records).unwrap_or(i64::MAX);
        (count(room.saturating_sub(free)), count(room))
    }

    /// Opens the file anew, after something moved it away.
    pub(crate) fn reopen(&self) {
        // A full queue is no reason to lose the wish: the writer also looks by itself whether the file was moved.
        let _ = self.queue.try_send(Message::Reopen);
    }

    /// Waits until everything that was put before is written.
    pub(crate) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.queue.send(Message::Flush(done)).await.is_ok() {
            self.hurry.notify_one();
            let _ = wait.await;
        }
    }

    /// Returns when the kernel has the line.
    pub(super) async fn write_through(&self, line: Vec<u8>) -> Result<(), Lost> {
        let (done, wait) = oneshot::channel();
        if self.queue.try_send(Message::Through(line, done)).is_err() {
            self.metrics.audit_lost(1);
            return Err(Lost);
        }
        self.hurry.notify_one();
        // A disk that hangs must not hold requests for ever. The line may still be written; the request was refused.
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) | Err(_) => Err(Lost),
        }
    }

    pub(super) fn seat(&self) -> Result<Seat, Lost> {
        self.queue.clone().try_reserve_owned().map_err(|_| Lost)
    }

    /// Puts the record of a refusal that came before anybody knew who asked: one of many may be left out, and none takes
    /// a place that the work of others needs.
    pub(super) fn put_refusal(&self, mut facts: Box<Facts>, now: Instant) {
        let too_many = facts.code == StatusCode::TOO_MANY_REQUESTS;
        let Some(left_out) = self.flood.admits(facts.client, now, too_many) else {
            return self.metrics.audit_left_out();
        };
        facts.left_out = left_out;
        self.put_public(facts, None);
    }

    /// Puts the record of what anybody may ask. It takes no place that the work of others needs.
    pub(super) fn put_public(&self, facts: Box<Facts>, seat: Option<Seat>) {
        if self.queue.capacity() <= RESERVED {
            return self.metrics.audit_lost(1);
        }
        self.put(Message::Closed(facts), seat);
    }

    pub(super) fn put(&self, message: Message, seat: Option<Seat>) {
        let kept = match seat {
            Some(seat) => {
                seat.send(message);
                Ok(())
            }
            None => self.queue.try_send(message).map_err(|_| Lost),
        };
        if kept.is_err() {
            self.metrics.audit_lost(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
    use crate::testing::{World, request};

    #[tokio::test]
    async fn strangers_leave_half_of_the_queue_to_those_who_are_known() {
        let world = World::new();
        let (queue, mut messages) = mpsc::channel(QUEUE);
        let sink = Sink { queue, ..world.gate.common.audit.clone() };
        let incoming = world.incoming(request("/x").body(Body::empty()).unwrap());
        let common = &world.gate.common;
        let (wall, now) = (common.time.wall(), common.time.monotonic());
        let facts = || Box::new(Facts::open(&incoming, wall, now));
        for _ in 0..RESERVED - 1 {
            sink.put(Message::Reopen, None);
        }
        sink.put_refusal(facts(), now);
        assert_eq!(messages.len(), RESERVED, "there is room");
        sink.put_refusal(facts(), now);
        sink.put_public(facts(), None);
        assert_eq!(messages.len(), RESERVED);
        sink.put(Message::Closed(facts()), None);
        assert_eq!(messages.len(), RESERVED + 1);
        messages.close();
    }
}
