//! The body of a request on its way to a cluster.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::body::{Body, BoxError};

/// A request body that may move, as hyper's HTTP/2 client asks of one. Most requests have none and allocate nothing.
pub(super) struct Outgoing(Option<Pin<Box<Body>>>);

impl Outgoing {
    /// Nothing to send.
    pub(super) fn empty() -> Self {
        Self(None)
    }

    /// Whether there is nothing to send, so that the request may be sent again.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl From<Body> for Outgoing {
    fn from(body: Body) -> Self {
        if body.is_end_stream() { Self(None) } else { Self(Some(Box::pin(body))) }
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            None => Poll::Ready(None),
            Some(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.size_hint())
    }
}
