//! Identity systems that tell of logouts, and whoever else sends something there.

use super::*;
use crate::testing::Mood;
use crate::testing::tells::fields;

const CORP: &str = "/backchannel-logout/corp";

fn form<'a>(fields: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn a_notice_of_a_logout_is_answered_by_nothing_and_what_proves_nothing_by_a_word() {
    let site = Site::open().await;
    site.login("alice").await.expect("logged in");
    let mut system = Visitor::new(&site);
    let sent = fields(&site, "n-1", (Some("alice"), None));
    let heard = system.post(CORP, &form(&sent)).await;
    assert_eq!((heard.status, heard.text.as_str()), (StatusCode::OK, ""));
    assert!(site.admin().sessions(None).await.expect("listed").iter().all(|session| session.ended.is_some()));

    let again = system.post(CORP, &form(&sent)).await;
    assert_eq!((again.status, again.word("error").as_str()), (StatusCode::BAD_REQUEST, "invalid_request"));
    assert!(!again.text.contains("before"), "why is not for whoever asks: {}", again.text);
    let (word, why) = system.noted.clone().and_then(|noted| noted.refused).expect("for the audit log");
    assert!(word == "logout-refused" && why.contains("corp: it was believed before"), "{word} {why}");
    for nothing in [vec![], vec![("name", "n-2")]] {
        assert_eq!(system.post(CORP, &nothing).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(system.send(Request::post(CORP), "name=n-3&subject=alice".to_owned()).await.status, 400, "no form");
    assert_eq!(system.get(CORP).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn who_hears_of_no_logouts_is_not_there_and_who_cannot_judge_one_asks_for_patience() {
    let site = Site::open().await;
    site.add_local().await;
    let mut system = Visitor::new(&site);
    let sent = fields(&site, "n-1", (Some("alice"), None));
    for nobody in ["local", "nobody", "x%2Fy", "CORP"] {
        let answer = system.post(&format!("/backchannel-logout/{nobody}"), &form(&sent)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{nobody}");
    }
    *site.corp.mood() = Mood::Down;
    assert_eq!(system.post(CORP, &form(&sent)).await.status, StatusCode::SERVICE_UNAVAILABLE);
    *site.corp.mood() = Mood::Well;
    assert_eq!(system.post(CORP, &form(&sent)).await.status, StatusCode::OK, "and it was not spent");
}
