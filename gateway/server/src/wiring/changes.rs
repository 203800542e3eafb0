//! What ended, on its way from the control plane to the data plane.

use std::sync::Arc;

use auth_core::Clock;
use gatewarden_control::{ChangeEvent, Events};
use gatewarden_proxy::{Revocation, RevokedSender};

use super::SystemClock;
use super::operations::Readiness;

/// How long changes may go unread before `/readyz` says so; the data plane closes at a minute.
const LATE: std::time::Duration = std::time::Duration::from_secs(10);

/// Tells the data plane every ending in its order, until the control plane stops.
pub(super) async fn follow(mut events: Events, revoked: Arc<RevokedSender>, readiness: Arc<Readiness>) {
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(ChangeEvent::Heartbeat) => {
                    revoked.heartbeat();
                    readiness.ready("changes");
                }
                Some(event) => tell(&revoked, event),
                None => return,
            },
            () = SystemClock.sleep(LATE) => {
                readiness.waiting("changes", "the store has not told of changes for 10 s or more");
            }
        }
    }
}

fn tell(revoked: &RevokedSender, event: ChangeEvent) {
    let revocation = match event {
        ChangeEvent::TokenRevoked(name) => Revocation::Token(name.to_string()),
        ChangeEvent::SessionEnded(id) => Revocation::Session(id.to_string()),
        ChangeEvent::UserDisabled(id) => Revocation::User(id.to_string()),
        ChangeEvent::SessionChanged { session, lost } => {
            Revocation::SessionChanged { session: session.to_string(), lost }
        }
        ChangeEvent::Reset => Revocation::Everything,
        ChangeEvent::Heartbeat => return,
    };
    revoked.send(&revocation);
}
