use super::*;
use crate::testing::Site;

#[tokio::test]
async fn a_session_that_ended_keeps_no_secret_of_its_provider_however_it_ended() {
    for way in ["one", "user", "principal", "asked", "provider", "group", "time", "number"] {
        let site = Site::open().await;
        let done = site.login("alice").await.expect("logged in");
        let principal: PrincipalId = "corp_user://alice".parse().expect("an id");
        let mut write = site.control.store().write().await.expect("a write");
        keep_secret(&mut write, &done.session, b"sealed").await.expect("kept");
        let now = write.at();
        assert_eq!(secrets(write.connection(), &principal, now).await.expect("read").len(), 1);
        let ended = match way {
            "one" => end(&mut write, Which::One(&done.session), way).await,
            "user" => end(&mut write, Which::OfUser(&done.user), way).await,
            "principal" => end(&mut write, Which::OfPrincipal(&principal), way).await,
            "asked" => end(&mut write, Which::LastReadBy(&principal, now), way).await,
            "provider" => end(&mut write, Which::OfNone(&[]), way).await,
            "group" => end(&mut write, Which::InGroup(&"corp_group://1".parse().expect("an id")), way).await,
            "time" => {
                let all = sqlx::query("UPDATE sessions SET expires_at = created_at");
                all.execute(write.connection()).await.expect("set");
                expire(&mut write).await
            }
            _ => end_oldest(&mut write, &done.user, 0).await,
        };
        assert!(ended.expect("ended").is_some(), "{way} ends none");
        // An answer that comes after the end.
        keep_secret(&mut write, &done.session, b"sealed").await.expect("kept");
        let left: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT secret FROM sessions").fetch_one(write.connection()).await.expect("one");
        assert_eq!(left, None, "{way}");
    }
}
