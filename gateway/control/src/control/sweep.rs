//! Ends sessions whose time is over, and removes rows that nobody needs any more, so that the file does not grow for ever.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Control;
use crate::issuer::{TOKEN_LIFE, authorization};
use crate::logouts;
use crate::sessions;
use crate::store::{Change, Changes, Store, StoreFault, millis};

/// Nobody is let in by an expired session meanwhile: this is for those who follow the changes.
const EXPIRY: Duration = Duration::from_mins(1);
/// As often as the data plane looks a credential up again that is in use.
const NOTED: Duration = Duration::from_mins(5);
const UNNOTED: &str = "when sessions were used cannot be written";
const INTERVAL: Duration = Duration::from_hours(1);
/// Longer than a session, so that lists still show what ended lately.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Followers are behind by seconds; one asleep for longer than this starts over. Ten thousand sessions leave some
/// forty thousand changes an hour.
const CHANGES_KEPT: Duration = Duration::from_secs(2 * 60 * 60);

pub(super) async fn run(control: Arc<Control>) {
    let (store, clock) = (control.store().clone(), control.clock());
    let (mut swept, mut noted) = (clock.monotonic(), clock.monotonic());
    loop {
        tokio::select! {
            () = control.end().cancelled() => return log(UNNOTED, control.used().write(&store).await),
            () = clock.sleep(EXPIRY) => {}
        }
        log("expired sessions cannot be ended", expire(&store).await);
        log("logins that came to nothing cannot be removed", forget(&store).await);
        if clock.monotonic().saturating_duration_since(noted) >= NOTED {
            noted = clock.monotonic();
            log(UNNOTED, control.used().write(&store).await);
        }
        if clock.monotonic().saturating_duration_since(swept) >= INTERVAL {
            swept = clock.monotonic();
            log("old rows cannot be removed", sweep(&store).await);
        }
    }
}

fn log(what: &str, result: Result<(), StoreFault>) {
    if let Err(fault) = result {
        tracing::error!(why = %auth_core::with_causes(&fault), "{what}");
    }
}

/// Anybody may begin a login at the issuer, so what is left of them goes soon. So do notices that nobody believes any more.
async fn forget(store: &Store) -> Result<(), StoreFault> {
    let mut write = store.write().await?;
    let (logins, logouts) = (authorization::forget(&mut write).await?, logouts::forget(&mut write).await?);
    if logins || logouts { write.commit(Change::Swept).await } else { Ok(()) }
}

async fn expire(store: &Store) -> Result<(), StoreFault> {
    let mut write = store.write().await?;
    let expired = sessions::expire(&mut write).await?;
    let idle = sessions::end_idle(&mut write, TOKEN_LIFE).await?;
    let ended = expired.iter().chain(&idle).flat_map(Changes::iter).cloned();
    match Changes::collect(ended.collect::<Vec<_>>()) {
        Some(changes) => write.commit(changes).await,
        None => Ok(()),
    }
}

pub(crate) async fn sweep(store: &Store) -> Result<(), StoreFault> {
    let mut write = store.write().await?;
    let ago = |kept| millis(write.at().saturating_sub(kept).unwrap_or(Timestamp::MIN));
    let (old, told) = (ago(KEPT), ago(CHANGES_KEPT));
    let mut removed = 0;
    // Children first: a token points at its session.
    for (sql, before) in [
        (
            "DELETE FROM refresh_tokens WHERE session_id IN (SELECT id FROM sessions WHERE expires_at < ?1 OR ended_at < ?1)",
            old,
        ),
        (
            "DELETE FROM authorizations WHERE session_id IN (SELECT id FROM sessions WHERE expires_at < ?1 OR ended_at < ?1)",
            old,
        ),
        (
            "DELETE FROM tokens WHERE expires_at < ?1 \
             OR session_id IN (SELECT id FROM sessions WHERE expires_at < ?1 OR ended_at < ?1)",
            old,
        ),
        ("DELETE FROM sessions WHERE expires_at < ?1 OR ended_at < ?1", old),
        ("DELETE FROM refreshes WHERE requested_at < ?1", old),
        ("DELETE FROM changes WHERE at < ?1", told),
    ] {
        removed += sqlx::query(sql).bind(before).execute(write.connection()).await?.rows_affected();
    }
    if removed == 0 {
        return Ok(());
    }
    write.commit(Change::Swept).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Site;
    use crate::{ChangeEvent, Rejected, ResolveError};

    #[tokio::test]
    async fn what_ended_long_ago_is_removed_and_what_lives_stays() {
        let site = Site::open().await;
        site.login("alice").await.expect("logged in");
        site.clock.advance(KEPT + Duration::from_secs(13 * 60 * 60));
        let kept = site.login("alice").await.expect("logged in again");
        sweep(site.control.store()).await.expect("swept");
        let left = site.admin().sessions(None).await.expect("listed");
        assert_eq!(left.into_iter().map(|session| session.id).collect::<Vec<_>>(), [kept.session]);
        site.control.resolve_token(kept.token.expose()).await.expect("the living one works");
    }

    #[tokio::test]
    async fn a_session_that_expires_is_told_like_every_other_that_ends() {
        let site = Site::open().await;
        let login = site.login("alice").await.expect("logged in");
        let mut events = site.control.events();
        site.clock.advance(site.control.settings().session_lifetime);
        site.until(&mut events, &ChangeEvent::SessionEnded(login.session)).await;
        let refused = site.control.resolve_token(login.token.expose()).await;
        assert!(matches!(refused, Err(ResolveError::Unauthenticated(Rejected::Expired))), "{refused:?}");
    }

    #[tokio::test]
    async fn nobody_who_has_kept_up_starts_over() {
        let site = Site::open().await;
        let mut events = site.control.events();
        site.login("alice").await.expect("logged in");
        site.until(&mut events, &ChangeEvent::Heartbeat).await;
        site.clock.advance(CHANGES_KEPT + Duration::from_secs(1));
        site.until(&mut events, &ChangeEvent::Heartbeat).await;
        sweep(site.control.store()).await.expect("swept");
        let session = site.login("bob").await.expect("logged in").session;
        site.admin().end_session(session.as_str()).await.expect("ended");
        let seen = site.until(&mut events, &ChangeEvent::SessionEnded(session)).await;
        assert!(!seen.contains(&ChangeEvent::Reset), "{seen:?}");
        let mut reader = site.control.store().read().await.expect("a reader");
        let first: i64 =
            sqlx::query_scalar("SELECT min(seq) FROM changes").fetch_one(&mut *reader).await.expect("asked");
        assert!(first > 1, "nothing was swept");
    }
}
