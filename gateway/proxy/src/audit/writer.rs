//! The thread that owns the audit file and writes the access log.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::audit::event;
use crate::audit::file::LogFile;
use crate::audit::sink::{Lost, Message};
use crate::metrics::Metrics;

/// Writes batches: one write(2) for all that came together.
#[derive(Debug)]
pub(super) struct Writer {
    file: Option<LogFile>,
    /// Somebody waits for a line.
    hurry: Arc<Notify>,
    metrics: Arc<Metrics>,
}

const BATCH: usize = 1_024;
const WAIT: Duration = Duration::from_millis(10);

impl Writer {
    pub(super) fn new(file: Option<LogFile>, hurry: Arc<Notify>, metrics: Arc<Metrics>) -> Self {
        Self { file, hurry, metrics }
    }

    /// Runs until every sender is gone.
    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut batch = Vec::with_capacity(BATCH);
        while messages.recv_many(&mut batch, BATCH).await > 0 {
            if batch.len() < BATCH && !batch.iter().any(Message::is_awaited) {
                // Reads may wait a little for company, and none that comes meanwhile wakes this thread: under load that
                // would be a system call for each of them. Whoever waits for its line ends the wait at once.
                let _ = tokio::time::timeout(WAIT, self.hurry.notified()).await;
                batch.extend(std::iter::from_fn(|| messages.try_recv().ok()).take(BATCH));
            }
            self.write(&mut batch);
        }
    }

    fn write(&mut self, batch: &mut Vec<Message>) {
        let mut bytes = Vec::new();
        let mut lines = 0;
        for message in batch.iter() {
            lines += u64::from(self.append(message, &mut bytes));
        }
        let written = self.append_to_file(&bytes).map_err(|error| {
            tracing::error!(%error, lines, "the audit log cannot be written");
            self.metrics.audit_lost(lines);
            Lost
        });
        for message in batch.drain(..) {
            match message {
                // Whoever waited may have gone.
                Message::Through(_, done) => drop(done.send(written)),
                Message::Flush(done) => drop(done.send(())),
                Message::Closed(_) | Message::Line(_) | Message::Reopen => {}
            }
        }
    }

    /// Adds a message's line to the batch; tells whether it had one.
    fn append(&mut self, message: &Message, bytes: &mut Vec<u8>) -> bool {
        match message {
            Message::Closed(facts) => {
                event::access_line(facts, self.file.is_some());
                if self.file.is_none() {
                    return false;
                }
                event::closing(facts).append_to(bytes);
            }
            Message::Line(line) | Message::Through(line, _) => bytes.extend_from_slice(line),
            Message::Reopen => {
                self.file.iter_mut().for_each(LogFile::close);
                return false;
            }
            Message::Flush(_) => return false,
        }
        bytes.push(b'\n');
        true
    }

    fn append_to_file(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        self.metrics.audit_rotated(file.append(bytes)?);
        Ok(())
    }
}

impl Message {
    fn is_awaited(&self) -> bool {
        matches!(self, Self::Through(..) | Self::Flush(_))
    }
}
