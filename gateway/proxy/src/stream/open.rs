//! The requests of one HTTP/2 connection that are not over: the answer's last byte counts, not its head.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What one connection carries.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    begun: AtomicU64,
    open: AtomicUsize,
}

/// One request, until its answer is out or nobody wants it any more.
#[derive(Debug)]
pub(crate) struct OpenStream(Arc<Streams>);

impl Streams {
    pub(crate) fn begin(self: &Arc<Self>) -> OpenStream {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::AcqRel);
        OpenStream(Arc::clone(self))
    }

    /// Resolves when nothing was asked for at least so long, and at most twice that. One timer for a connection: none
    /// is set for a request.
    pub(crate) async fn silent(&self, limit: Duration) {
        let look = || (self.open.load(Ordering::Acquire), self.begun.load(Ordering::Relaxed));
        let mut before = look();
        loop {
            tokio::time::sleep(limit).await;
            let now = look();
            if now == before && now.0 == 0 {
                return;
            }
            before = now;
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(120);

    #[tokio::test(start_paused = true)]
    async fn only_silence_without_a_stream_counts() {
        let streams = Arc::new(Streams::default());
        let watch = streams.begin();
        let mut silent = Box::pin(streams.silent(LIMIT));
        for _ in 0..5 {
            assert!(poll!(silent.as_mut()).is_pending());
            tokio::time::advance(LIMIT).await;
        }
        drop(watch);
        assert!(poll!(silent.as_mut()).is_pending(), "it ended just now");
        tokio::time::advance(LIMIT).await;
        drop(streams.begin());
        assert!(poll!(silent.as_mut()).is_pending(), "something was asked in between");
        tokio::time::advance(LIMIT).await;
        assert!(poll!(silent.as_mut()).is_ready());
    }
}
