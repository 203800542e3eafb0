//! The one body type: whatever streams through the gateway, and ends when its session does.

use std::error::Error;
use std::fmt::{self, Debug};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::audit::Record;
use crate::boundary::Life;
use crate::stream::OpenStream;
use crate::upstream::Answer;

/// What goes wrong inside a body.
pub type BoxError = Box<dyn Error + Send + Sync>;

pin_project! {
    /// A request's or response's body.
    ///
    /// It passes frames on as they come and holds back none. One that is bound to a session fails as soon as the
    /// session ends, so a client sees a broken stream and never a clean end that it could take for the whole answer.
    pub struct Body {
        #[pin]
        frames: Frames,
        life: Option<Life>,
        #[pin]
        ended: Option<WaitForCancellationFutureOwned>,
        trailers: bool,
        record: Option<Record>,
        open: Option<OpenStream>,
    }
}

pin_project! {
    #[project = FramesProjection]
    enum Frames {
        Whole { bytes: Option<Bytes> },
        Hyper { #[pin] body: Incoming },
        Upstream { body: Answer },
        Boxed { body: UnsyncBoxBody<Bytes, BoxError> },
    }
}

impl Body {
    /// No bytes at all.
    #[must_use]
    pub fn empty() -> Self {
        Self::of(Frames::Whole { bytes: None })
    }

    /// These bytes.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::of(Frames::Whole { bytes: Some(bytes.into()).filter(|bytes| !bytes.is_empty()) })
    }

    /// What another library streams.
    pub fn boxed<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::of(Frames::Boxed { body: body.map_err(Into::into).boxed_unsync() })
    }

    /// Ends the stream with an error as soon as the session ends.
    pub(crate) fn until(mut self, life: Life) -> Self {
        self.life = Some(life);
        self
    }

    /// Drops trailers. A client's must never become headers at the next hop.
    pub(crate) fn without_trailers(mut self) -> Self {
        self.trailers = false;
        self
    }

    /// Closes the request's record when the last byte is out, or when nobody wants it any more.
    pub(crate) fn recorded(mut self, record: Record) -> Self {
        self.record = Some(record);
        self
    }

    /// Keeps the connection's count of open streams up until the last byte.
    pub(crate) fn counted(mut self, open: OpenStream) -> Self {
        self.open = Some(open);
        self
    }

    fn of(frames: Frames) -> Self {
        Self { frames, life: None, ended: None, trailers: true, record: None, open: None }
    }
}

impl From<Answer> for Body {
    fn from(body: Answer) -> Self {
        Self::of(Frames::Upstream { body })
    }
}

impl From<Incoming> for Body {
    fn from(body: Incoming) -> Self {
        Self::of(Frames::Hyper { body })
    }
}

impl Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body(..)")
    }
}

/// What asking a body for its next frame gives.
pub(crate) type Polled = Option<Result<Frame<Bytes>, BoxError>>;

/// The session behind a stream ended.
#[derive(Debug, thiserror::Error)]
#[error("the session ended")]
pub(crate) struct SessionEnded;

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Polled> {
        let mut this = self.project();
        if this.life.as_ref().is_some_and(Life::is_over) {
            return broken_off(this.record);
        }
        loop {
            match this.frames.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) if !*this.trailers && frame.is_trailers() => {}
                Poll::Ready(frame) => {
                    if let Some(record) = this.record {
                        record.saw(&frame, this.frames.is_complete());
                    }
                    return Poll::Ready(frame);
                }
                Poll::Pending => break,
            }
        }
        // Only a stream that waits needs waking; most bodies are done before they ever wait.
        let Some(life) = this.life else { return Poll::Pending };
        if this.ended.is_none() {
            this.ended.set(Some(life.ended().clone().cancelled_owned()));
        }
        let Some(ended) = this.ended.as_pin_mut() else { return Poll::Pending };
        ready!(ended.poll(cx));
        broken_off(this.record)
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.frames.size_hint()
    }
}

fn broken_off(record: &mut Option<Record>) -> Poll<Polled> {
    let end = Some(Err(SessionEnded.into()));
    if let Some(record) = record {
        record.saw(&end, true);
    }
    Poll::Ready(end)
}

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Polled> {
        match self.project() {
            FramesProjection::Whole { bytes } => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            FramesProjection::Hyper { body } => body.poll_frame(cx).map_err(Into::into),
            FramesProjection::Upstream { body } => Pin::new(body).poll_frame(cx),
            FramesProjection::Boxed { body } => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { bytes } => bytes.is_none(),
            Self::Hyper { body } => body.is_end_stream(),
            Self::Upstream { body } => body.is_end_stream(),
            Self::Boxed { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { bytes } => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Hyper { body } => body.size_hint(),
            Self::Upstream { body } => body.size_hint(),
            Self::Boxed { body } => body.size_hint(),
        }
    }
}

impl Frames {
    /// Whether nothing more will come. hyper does not ask again once it has all the bytes that were announced, so the
    /// end has to be told with the last of them.
    fn is_complete(&self) -> bool {
        self.is_end_stream() || self.size_hint().exact() == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;
    use crate::boundary::{Revocation, Revoked, RevokedSender};
    use crate::testing::{TestTime, alice};

    fn life() -> (Life, RevokedSender) {
        let (sender, revoked) = Revoked::new(Arc::new(TestTime::new()));
        (revoked.enroll(&alice("gwt-alice"), 0).unwrap(), sender)
    }

    /// Frames as they are named, and then silence.
    fn streaming(frames: Vec<Frame<Bytes>>) -> Body {
        use futures_util::StreamExt as _;
        let frames = stream::iter(frames.into_iter().map(Ok::<_, BoxError>)).chain(stream::pending());
        Body::boxed(StreamBody::new(frames))
    }

    #[tokio::test]
    async fn a_waiting_stream_breaks_off_when_its_session_ends() {
        let (life, revoke) = life();
        let mut body = Box::pin(streaming(vec![Frame::data(Bytes::from("event"))]).until(life));
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "event");
        let waiting = body.frame();
        let ending = async { revoke.send(&Revocation::Session("s-1".to_owned())) };
        let (frame, ()) = tokio::join!(waiting, ending);
        assert!(frame.unwrap().unwrap_err().is::<SessionEnded>(), "broken off, not ended");
    }

    #[tokio::test]
    async fn a_stream_that_never_waits_breaks_off_too() {
        let (life, revoke) = life();
        let frames = (0..10).map(|_| Frame::data(Bytes::from("event"))).collect();
        let mut body = Box::pin(streaming(frames).until(life));
        assert!(body.frame().await.unwrap().is_ok());
        revoke.send(&Revocation::Token("gwt-alice".to_owned()));
        assert!(body.frame().await.unwrap().is_err());
    }

    #[test]
    fn the_last_announced_byte_is_the_end() {
        let mut whole = Body::full("all");
        assert!(!whole.frames.is_complete());
        whole.frames = Frames::Whole { bytes: None };
        assert!(whole.frames.is_complete());
        let announced = Body::boxed(http_body_util::Full::new(Bytes::new()));
        assert!(announced.frames.is_complete(), "nothing was announced and nothing will come");
        assert!(!streaming(Vec::new()).frames.is_complete(), "what is not announced ends when it says so");
    }

    #[tokio::test]
    async fn trailers_of_a_client_are_dropped() {
        let frames = || {
            let trailers = http::HeaderMap::from_iter([(
                http::HeaderName::from_static("impersonate-user"),
                http::HeaderValue::from_static("root"),
            )]);
            vec![Frame::trailers(trailers), Frame::data(Bytes::from("x"))]
        };
        let mut body = Box::pin(streaming(frames()).without_trailers());
        assert!(body.frame().await.unwrap().unwrap().is_data());
        assert!(Box::pin(streaming(frames())).frame().await.unwrap().unwrap().is_trailers(), "an answer keeps them");
    }
}
