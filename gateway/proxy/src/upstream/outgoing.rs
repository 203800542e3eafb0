//! The body of a request on its way to a cluster.
//!
//! An API server that restarts refuses the streams it has not looked at (GOAWAY, REFUSED_STREAM), and asks to have
//! them elsewhere. hyper has taken the body by then. So the first frames are kept, by reference and up to a bound,
//! until the answer begins: a small `kubectl apply` survives a roll-out of the control plane.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::body::{Body, BoxError, Polled};

/// Bytes that are kept of one body. A larger one is sent once.
const KEPT: usize = 64 * 1024;

/// What a frame counts at least: one byte of it may hold on to far more memory than that.
const FRAME: usize = 1024;

/// A request body that can be read again from its beginning, while it is small. Most requests have none and allocate
/// nothing.
pub(super) struct Outgoing(Option<Arc<Mutex<Source>>>);

struct Source {
    body: Pin<Box<Body>>,
    length: Option<u64>,
    kept: Vec<Bytes>,
    size: usize,
    /// More came than is kept: there is no way back to the beginning.
    gone: bool,
    /// The client broke off, or wrote what is no body.
    failed: bool,
    /// Which reader may read. An older one belongs to a stream that was refused.
    reader: usize,
}

/// One reading of the body, by one attempt.
pub(super) struct Reading {
    source: Option<Arc<Mutex<Source>>>,
    reader: usize,
    at: usize,
    read: u64,
}

impl Outgoing {
    /// Whether there is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the client's own body is what failed.
    pub(super) fn has_failed(&self) -> bool {
        self.0.as_ref().is_some_and(|source| lock(source).failed)
    }

    /// The body from its beginning, for one more attempt; `None` when the beginning is gone.
    pub(super) fn read(&self) -> Option<Reading> {
        let Some(source) = &self.0 else { return Some(Reading { source: None, reader: 0, at: 0, read: 0 }) };
        let mut locked = lock(source);
        if locked.gone {
            return None;
        }
        locked.reader += 1;
        Some(Reading { reader: locked.reader, source: Some(Arc::clone(source)), at: 0, read: 0 })
    }
}

impl From<Body> for Outgoing {
    fn from(body: Body) -> Self {
        if body.is_end_stream() {
            return Self(None);
        }
        let length = body.size_hint().exact();
        let body = Box::pin(body);
        Self(Some(Arc::new(Mutex::new(Source {
            body,
            length,
            kept: Vec::new(),
            size: 0,
            gone: false,
            failed: false,
            reader: 0,
        }))))
    }
}

impl Source {
    /// The frame at a place, from what is kept or from the body.
    fn poll_at(&mut self, at: usize, cx: &mut Context<'_>) -> Poll<Polled> {
        if let Some(bytes) = self.kept.get(at) {
            return Poll::Ready(Some(Ok(Frame::data(bytes.clone()))));
        }
        let polled = self.body.as_mut().poll_frame(cx);
        self.failed |= matches!(polled, Poll::Ready(Some(Err(_))));
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(bytes) = frame.data_ref()
        {
            self.keep(bytes);
        }
        polled
    }

    fn keep(&mut self, bytes: &Bytes) {
        self.size = self.size.saturating_add(bytes.len().max(FRAME));
        if self.size > KEPT {
            self.gone = true;
            self.kept = Vec::new();
        }
        if !self.gone {
            self.kept.push(bytes.clone());
        }
    }
}

impl HttpBody for Reading {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Polled> {
        let Some(source) = self.source.clone() else { return Poll::Ready(None) };
        let mut source = lock(&source);
        if source.reader != self.reader {
            return Poll::Ready(Some(Err("the request goes by another connection".into())));
        }
        let polled = source.poll_at(self.at, cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(bytes) = frame.data_ref()
        {
            self.at += 1;
            self.read += bytes.len() as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.source.as_ref().is_none_or(|source| {
            let source = lock(source);
            self.at >= source.kept.len() && source.body.is_end_stream()
        })
    }

    fn size_hint(&self) -> SizeHint {
        let Some(source) = &self.source else { return SizeHint::with_exact(0) };
        let length = lock(source).length;
        length.map_or_else(SizeHint::default, |length| SizeHint::with_exact(length.saturating_sub(self.read)))
    }
}

// A body that panics under this lock has no more to give; what is kept still holds.
fn lock(source: &Mutex<Source>) -> MutexGuard<'_, Source> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn body(chunks: Vec<Bytes>) -> Outgoing {
        let frames = chunks.into_iter().map(|chunk| Ok::<_, BoxError>(Frame::data(chunk)));
        Body::boxed(StreamBody::new(stream::iter(frames))).into()
    }

    async fn all(reading: Reading) -> Bytes {
        reading.collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_small_body_is_read_again_from_its_beginning() {
        let body = body(vec!["one".into(), "two".into()]);
        let mut refused = body.read().unwrap();
        assert_eq!(refused.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
        let again = body.read().unwrap();
        assert!(refused.frame().await.unwrap().is_err(), "the refused stream takes nothing any more");
        assert_eq!(all(again).await, "onetwo");
        assert_eq!(all(body.read().unwrap()).await, "onetwo");
    }

    #[tokio::test]
    async fn a_large_body_is_sent_once() {
        let chunk = Bytes::from_static(&[7; KEPT]);
        let body = body(vec![chunk.clone(), chunk]);
        assert_eq!(all(body.read().unwrap()).await.len(), 2 * KEPT);
        assert!(body.read().is_none());
    }

    #[tokio::test]
    async fn a_body_of_many_small_frames_is_sent_once() {
        let most = KEPT / FRAME;
        for (frames, again) in [(most, true), (most + 1, false)] {
            let body = body(vec![Bytes::from_static(b"x"); frames]);
            assert_eq!(all(body.read().unwrap()).await.len(), frames);
            assert_eq!(body.read().is_some(), again, "{frames} frames");
        }
    }

    #[tokio::test]
    async fn each_reading_announces_the_whole_length() {
        let body = Outgoing::from(Body::full("twelve bytes"));
        assert!(!body.is_empty());
        assert_eq!(body.read().unwrap().size_hint().exact(), Some(12));
        all(body.read().unwrap()).await;
        assert_eq!(body.read().unwrap().size_hint().exact(), Some(12));
        assert!(Outgoing::from(Body::empty()).is_empty());
    }
}
