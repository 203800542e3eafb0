//! What ends when a login at the identity system does, and what does not.

use std::time::Duration;

use super::*;
use crate::testing::Site;
use crate::testing::bears::{claims, token};
use crate::testing::tells::{BELIEVED, fields, notice};
use crate::{ChangeEvent, LoginError, Rejected, ResolveError, SessionId};

type Logins<'a> = (Option<&'a str>, Option<&'a str>);

async fn told(site: &Site, provider: &str, name: &str, which: Logins<'_>) -> Result<usize, NotHeard> {
    site.control.hear_logout(provider, notice(&fields(site, name, which)), "test").await
}

async fn live(site: &Site) -> Vec<SessionId> {
    let sessions = site.admin().sessions(None).await.expect("listed");
    let mut live: Vec<_> = sessions.into_iter().filter(|session| session.ended.is_none()).collect();
    live.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
    live.into_iter().map(|session| session.id).collect()
}

#[tokio::test]
async fn what_rests_on_a_login_that_is_over_ends_and_nothing_else() {
    let site = Site::open().await;
    site.add_away().await;
    let corp = site.login("alice").await.expect("logged in");
    let (first, second) = (site.login_away_by("s-1").await, site.login_away_by("s-2").await);
    let (first, second) = (first.expect("logged in"), second.expect("logged in"));
    let mut events = site.control.events();
    for (name, which, ends) in [
        ("another's", (Some("2"), None), 0),
        ("that of another instance", (Some("alice"), None), 0),
        ("another's of this name", (Some("2"), Some("s-1")), 0),
        ("none of these", (Some("1"), Some("s-9")), 0),
        ("one of nobody in particular", (None, Some("s-9")), 0),
        ("the first", (Some("1"), Some("s-1")), 1),
    ] {
        assert_eq!(told(&site, "away", name, which).await.expect("heard"), ends, "{name}");
    }
    assert_eq!(live(&site).await, [corp.session.clone(), second.session.clone()]);
    site.until(&mut events, &ChangeEvent::SessionEnded(first.session)).await;
    let refused = site.control.resolve_token(first.token.expose()).await;
    assert!(matches!(refused, Err(ResolveError::Unauthenticated(Rejected::Revoked))), "{refused:?}");
    assert_eq!(told(&site, "away", "by its name alone", (None, Some("s-2"))).await.expect("heard"), 1);
    assert_eq!(live(&site).await, [corp.session], "another instance's");
}

#[tokio::test]
async fn all_logins_of_a_subject_end_at_once_and_so_do_those_that_say_not_which_they_are() {
    let site = Site::open().await;
    site.add_away().await;
    for name in ["s-1", "s-2"] {
        site.login_away_by(name).await.expect("logged in");
    }
    site.login("alice").await.expect("logged in");
    assert_eq!(told(&site, "away", "all", (Some("1"), None)).await.expect("heard"), 2);
    // The directory says of whom it is, and not which.
    assert_eq!(told(&site, "corp", "one", (Some("alice"), Some("s-1"))).await.expect("heard"), 1);
    assert!(live(&site).await.is_empty());
}

#[tokio::test]
async fn a_notice_that_comes_again_ends_nothing_that_began_since() {
    let site = Site::open().await;
    site.add_away().await;
    let first = fields(&site, "n-1", (Some("1"), None));
    site.control.hear_logout("away", notice(&first), "test").await.expect("heard");
    let later = site.control.store().now() + Duration::from_secs(2);
    let later = site.login_away_at("s-2", later.as_second()).await.expect("proven since");
    for _ in 0..2 {
        let again = site.control.hear_logout("away", notice(&first), "test").await;
        assert!(matches!(&again, Err(NotHeard::Refused(why)) if why.contains("before")), "{again:?}");
    }
    assert_eq!(live(&site).await, [later.session]);
    // Its name is that of one instance's notice, not of all.
    assert_eq!(told(&site, "corp", "n-1", (Some("alice"), None)).await.expect("heard"), 0);
    // When it is forgotten, its time is over.
    site.clock.advance(BELIEVED);
    let late = site.control.hear_logout("away", notice(&first), "test").await;
    assert!(matches!(&late, Err(NotHeard::Refused(why)) if why.contains("time is over")), "{late:?}");
}

#[tokio::test]
async fn whoever_was_on_the_way_here_when_their_login_ended_does_not_get_in() {
    let site = Site::open().await;
    site.add_away().await;
    told(&site, "away", "n-1", (Some("1"), Some("s-1"))).await.expect("heard");
    let late = site.login_away_by("s-1").await;
    assert!(matches!(late, Err(LoginError::Over)), "{late:?}");
    site.login_away_by("s-2").await.expect("another login of theirs");
    told(&site, "away", "n-2", (Some("1"), None)).await.expect("heard");
    let late = site.login_away_by("s-2").await;
    assert!(matches!(late, Err(LoginError::Over)), "{late:?}");
    let since = site.control.store().now().as_second() + 1;
    site.login_away_at("s-3", since).await.expect("proven anew");
    site.clock.advance(BELIEVED);
    site.login_away_by("s-1").await.expect("nobody remembers");
}

#[tokio::test]
async fn a_token_that_was_made_before_its_person_logged_out_opens_nothing() {
    let site = Site::open().await;
    let old = token(&claims(&site, "alice"));
    site.clock.advance(Duration::from_secs(1));
    assert_eq!(told(&site, "corp", "n-1", (Some("alice"), None)).await.expect("heard"), 0, "it was not shown yet");
    let refused = site.control.resolve_signed(&old).await;
    assert!(matches!(refused, Err(ResolveError::Unauthenticated(Rejected::Revoked))), "{refused:?}");
    site.clock.advance(Duration::from_secs(61));
    site.control.resolve_signed(&token(&claims(&site, "alice"))).await.expect("one that was made since");
    assert_eq!(told(&site, "corp", "n-2", (Some("alice"), None)).await.expect("heard"), 1);
    assert!(live(&site).await.is_empty());
}

#[tokio::test]
async fn notices_are_kept_no_longer_than_they_are_believed() {
    let site = Site::open().await;
    told(&site, "corp", "n-1", (Some("bob"), None)).await.expect("heard");
    let count = async || {
        let mut reader = site.control.store().read().await.expect("a reader");
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM logouts").fetch_one(&mut *reader).await.expect("counted")
    };
    let swept = async || {
        let mut write = site.control.store().write().await.expect("a write");
        if forget(&mut write).await.expect("forgotten") {
            write.commit(Change::Swept).await.expect("kept");
        }
    };
    swept().await;
    assert_eq!(count().await, 1);
    site.clock.advance(BELIEVED);
    swept().await;
    assert_eq!(count().await, 0);
}
