//! What others must know of, from the `changes` of the store.
//!
//! Every process writes there, and each running gateway follows by sequence number. So a command beside the server, or
//! another replica, ends a session here within one interval.

mod tail;

pub(crate) use tail::Tail;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::sessions::SessionId;
use crate::store::Change;
use crate::tokens::TokenName;
use crate::users::UserId;

/// Something that whoever caches must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeEvent {
    /// A token is over.
    TokenRevoked(TokenName),
    /// A session is over, with all its tokens.
    SessionEnded(SessionId),
    /// A user was switched off, with all their sessions.
    UserDisabled(UserId),
    /// A session's identity changed.
    SessionChanged {
        /// Which session.
        session: SessionId,
        /// Something is gone: streams that were opened with the old identity must end.
        lost: bool,
    },
    /// Changes may have been missed: nothing that was believed before may be believed now.
    Reset,
    /// Everything written before some moment just now has been told.
    Heartbeat,
}

impl ChangeEvent {
    /// What a change means to those who cache; nothing, for most.
    pub(crate) fn of(change: Change) -> Option<Self> {
        match change {
            Change::TokenRevoked(name) => Some(Self::TokenRevoked(name)),
            Change::SessionEnded(id) => Some(Self::SessionEnded(id)),
            Change::UserDisabled(id) => Some(Self::UserDisabled(id)),
            Change::SessionRenewed(session) => Some(Self::SessionChanged { session, lost: false }),
            Change::SessionLost(session) => Some(Self::SessionChanged { session, lost: true }),
            Change::UserSaved(_)
            | Change::UserEnabled(_)
            | Change::SessionStarted(_)
            | Change::SessionChecked(_)
            | Change::TokenMinted(_)
            | Change::NameReleased(_)
            | Change::RefreshRequested(_)
            | Change::RefreshAnswered(_)
            | Change::SigningKeyMade(_)
            | Change::AuthorizationSeen(_)
            | Change::RefreshTokenMinted(_)
            | Change::LogoutHeard(_)
            | Change::Swept => None,
        }
    }
}

/// One follower's view. It starts with [`ChangeEvent::Reset`], and a follower too slow to keep up gets another one:
/// it may lose time, never an ending.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<ChangeEvent>,
    end: CancellationToken,
    started: bool,
}

impl Events {
    pub(crate) const fn new(receiver: broadcast::Receiver<ChangeEvent>, end: CancellationToken) -> Self {
        Self { receiver, end, started: false }
    }

    /// The next event; `None` when the gateway has stopped.
    pub async fn next(&mut self) -> Option<ChangeEvent> {
        if !self.started {
            self.started = true;
            return Some(ChangeEvent::Reset);
        }
        // What was told before the end is handed out before the end.
        let received = tokio::select! {
            biased;
            received = self.receiver.recv() => received,
            () = self.end.cancelled() => return None,
        };
        match received {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "a follower of changes was too slow and starts over");
                Some(ChangeEvent::Reset)
            }
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests;
