//! What a session says of the login on the pages.

use super::*;
use crate::{ChangeEvent, LoginFlow, SessionInfo};

async fn listed(site: &Site) -> SessionInfo {
    site.admin().sessions(None).await.expect("listed").remove(0)
}

#[tokio::test]
async fn a_login_in_a_browser_names_its_client_and_until_when_it_may_go_unused() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    let session = listed(&site).await;
    assert_eq!(
        (session.client.as_deref(), session.origin.flow),
        (Some("kubectl-gatewarden"), Some(LoginFlow::Browser))
    );
    assert_eq!(session.idle_at, None, "nobody has its tokens");
    let token = client.redeem(&code, &[]).await.word("refresh_token");
    let began = site.control.store().now();
    assert_eq!(listed(&site).await.idle_at, Some(began + Duration::from_hours(8)));
    site.clock.advance(Duration::from_hours(1));
    client.refresh(&token).await;
    let session = listed(&site).await;
    assert_eq!(session.idle_at, Some(began + Duration::from_hours(9)));
    assert_eq!(session.used_at, began + Duration::from_hours(1));
}

#[tokio::test]
async fn a_device_is_named_with_its_address_and_with_that_of_who_let_it_in() {
    let site = Site::open().await;
    let (mut terminal, mut browser) = (Visitor::new(&site), Visitor::new(&site));
    let request = Request::post("/oidc/device").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.header(header::USER_AGENT, "kubectl-gatewarden on jump-7");
    terminal.address = [192, 0, 2, 9].into();
    let begun = terminal.send(request, "client_id=kubectl-gatewarden&scope=openid".to_owned()).await;
    let form = browser.get("/device").await.field("form");
    let sent = browser.post("/device", &[("form", &form), ("user_code", &begun.word("user_code"))]).await;
    let page = browser.get(&sent.location).await;
    browser.log_in(&page, "alice", "right").await;
    let origin = listed(&site).await.origin;
    assert_eq!(origin.flow, Some(LoginFlow::Device));
    assert_eq!(origin.agent.as_deref(), Some("kubectl-gatewarden on jump-7"));
    let addresses = (origin.address, origin.approved_from);
    assert_eq!(addresses, (Some(IpAddr::from([192, 0, 2, 9])), Some(IpAddr::V4(Ipv4Addr::LOCALHOST))));
}

#[tokio::test]
async fn a_session_that_nobody_used_in_time_ends_and_says_so() {
    let site = Site::open().await;
    let mut events = site.control.events();
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    client.redeem(&code, &[]).await;
    let unused = listed(&site).await.id;
    let code = client.code().await;
    let mut token = client.redeem(&code, &[]).await.word("refresh_token");
    let used = listed(&site).await.id;
    let at_the_api = site.login("alice").await.expect("in").session;
    for _ in 0..8 {
        site.clock.advance(Duration::from_hours(1));
        token = client.refresh(&token).await.word("refresh_token");
    }
    site.until(&mut events, &ChangeEvent::SessionEnded(unused.clone())).await;
    let listed = site.admin().sessions(None).await.expect("listed");
    let ended = |id| listed.iter().find(|session| session.id == id).and_then(|session| session.ended.clone());
    assert_eq!(ended(unused).expect("ended").1, "nobody used it in time");
    assert_eq!((ended(used), ended(at_the_api)), (None, None));
}
