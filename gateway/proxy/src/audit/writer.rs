//! The thread that owns the audit file and writes the access log.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::audit::event;
use crate::audit::sink::{Lost, Message};
use crate::metrics::Metrics;

/// Writes batches: one write(2) for all that came together.
#[derive(Debug)]
pub(super) struct Writer {
    path: Option<PathBuf>,
    file: Option<File>,
    /// The last write broke off inside a line.
    torn: bool,
    /// Somebody waits for a line.
    hurry: Arc<Notify>,
    metrics: Arc<Metrics>,
}

const BATCH: usize = 1_024;
const WAIT: Duration = Duration::from_millis(10);

impl Writer {
    pub(super) fn open(path: Option<PathBuf>, hurry: Arc<Notify>, metrics: Arc<Metrics>) -> io::Result<Self> {
        let mut writer = Self { path, file: None, torn: false, hurry, metrics };
        writer.reopen()?;
        Ok(writer)
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
                event::access_line(facts, self.path.is_some());
                if self.path.is_none() {
                    return false;
                }
                event::closing(facts).append_to(bytes);
            }
            Message::Line(line) | Message::Through(line, _) => bytes.extend_from_slice(line),
            Message::Reopen => {
                self.file = None;
                return false;
            }
            Message::Flush(_) => return false,
        }
        bytes.push(b'\n');
        true
    }

    fn append_to_file(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.was_moved() {
            self.reopen()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.torn {
            file.write_all(b"\n")?;
        }
        // A line that breaks off must not swallow the next one.
        self.torn = true;
        file.write_all(bytes)?;
        self.torn = false;
        Ok(())
    }

    fn was_moved(&self) -> bool {
        let Some(path) = &self.path else { return false };
        let here = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let ours = self.file.as_ref().and_then(|file| file.metadata().ok()).map(here);
        ours.is_none() || ours != std::fs::metadata(path).ok().map(here)
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.file = Some(OpenOptions::new().create(true).append(true).mode(0o600).open(path)?);
        }
        Ok(())
    }
}

impl Message {
    fn is_awaited(&self) -> bool {
        matches!(self, Self::Through(..) | Self::Flush(_))
    }
}
