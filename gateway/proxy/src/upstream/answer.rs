//! The body of an answer, which keeps its place on the connection until its last byte.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::{Body as HttpBody, SizeHint};
use hyper::body::Incoming;

use super::road::{Class, Lease};
use crate::body::{BoxError, Polled};
use crate::stream::Drain;

/// An upstream's body. Frames pass as they come; an upstream's error becomes ours, so that hyper resets the client's
/// stream and no client takes half an answer for a whole one.
pub(crate) struct Answer {
    frames: Incoming,
    lease: Option<Lease>,
    over: Option<Over>,
}

/// How a long answer ends when the gateway stops.
struct Over {
    when: BoxFuture<'static, ()>,
    /// A watch ends as the API server itself ends one: cleanly, and its client asks again. Logs must not: they would
    /// look complete.
    cleanly: bool,
}

/// The gateway stopped before the answer was complete.
#[derive(Debug, thiserror::Error)]
#[error("the gateway is stopping")]
struct Stopping;

impl Answer {
    pub(super) fn new(frames: Incoming, lease: Lease, class: Class, drain: &Drain) -> Self {
        let over = match class {
            Class::Short | Class::Upgrade => None,
            Class::Watch => Some(Over { when: Box::pin(drain.clone().watch_over()), cleanly: true }),
            Class::Stream | Class::Proxied => Some(Over { when: Box::pin(drain.clone().long_over()), cleanly: false }),
        };
        // An empty answer is over already: nobody will poll it to its end.
        let lease = Some(lease).filter(|_| !frames.is_end_stream());
        Self { frames, lease, over }
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<Polled> {
        let Some(over) = &mut self.over else { return Poll::Pending };
        match over.when.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) if over.cleanly => {
                self.over = None;
                self.lease = None;
                Poll::Ready(None)
            }
            Poll::Ready(()) => Poll::Ready(Some(Err(Stopping.into()))),
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Polled> {
        let polled = Pin::new(&mut self.frames).poll_frame(cx);
        match polled {
            Poll::Pending => self.poll_over(cx),
            Poll::Ready(frame) => {
                if !matches!(frame, Some(Ok(_))) || self.frames.is_end_stream() {
                    self.lease = None;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.frames.size_hint()
    }
}
