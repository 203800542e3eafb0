//! Logging out in a browser.

use super::*;

const BACK: &str = "https://page.test/bye";

impl Visitor<'_> {
    /// Alice's tokens for the page of others.
    async fn of_the_page(&mut self) -> Seen {
        let page = [("client_id", "page"), ("redirect_uri", "https://page.test/cb")];
        let sent = self.authorize(&page).await;
        let shown = self.get(&sent.location).await;
        let code = self.log_in(&shown, "alice", "right").await.query("code").expect("a code");
        self.redeem(&code, &page).await
    }

    async fn logs_out(&mut self, fields: &[(&str, &str)]) -> Seen {
        let query = Serializer::new(String::new()).extend_pairs(fields).finish();
        self.get(&format!("/oidc/logout?{query}")).await
    }

    /// Answers the page.
    async fn says(&mut self, page: &Seen, answer: &str, more: &[(&str, &str)]) -> Seen {
        let form = page.field("form");
        let fields: Vec<_> = [("form", form.as_str()), ("answer", answer)].into_iter().chain(more.to_vec()).collect();
        self.post("/logout", &fields).await
    }
}

async fn live(site: &Site) -> usize {
    let sessions = site.admin().sessions(None).await.expect("listed");
    sessions.iter().filter(|session| session.ended.is_none()).count()
}

#[tokio::test]
async fn the_browser_that_logged_in_logs_out_and_is_sent_back_with_its_state() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let given = browser.of_the_page().await;
    let code = browser.code().await;
    let kubectl = browser.redeem(&code, &[]).await.word("access_token");
    let hint = given.word("id_token");
    // Long after the token is over: people log out in the evening.
    site.clock.advance(Duration::from_hours(2));
    let seen =
        browser.logs_out(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BACK), ("state", "s t&te")]).await;
    assert_eq!(seen.status, 303, "{}", seen.text);
    assert!(seen.location.starts_with(BACK), "{}", seen.location);
    assert_eq!(seen.query("state").as_deref(), Some("s t&te"));
    let fields = [("grant_type", "refresh_token"), ("client_id", "page")];
    let refresh = given.word("refresh_token");
    let after = browser.post("/oidc/token", &[fields[0], fields[1], ("refresh_token", &refresh)]).await;
    assert_eq!(after.word("error"), "invalid_grant", "everywhere");
    assert_eq!(live(&site).await, 1, "the other login of that browser goes on: {kubectl}");
    let again = browser.logs_out(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BACK)]).await;
    assert_eq!((again.status, again.location.as_str()), (StatusCode::SEE_OTHER, BACK), "it is over already");
}

#[tokio::test]
async fn a_hint_in_another_browser_asks_and_ends_nothing_by_itself() {
    let site = Site::open().await;
    let (mut alice, mut other) = (Visitor::new(&site), Visitor::new(&site));
    let hint = alice.of_the_page().await.word("id_token");
    let fields = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BACK)];
    let page = other.logs_out(&fields).await;
    assert!(page.status == 200 && page.text.contains("corp:alice") && page.text.contains("A page"), "{}", page.text);
    let posted = Visitor::new(&site).post("/oidc/logout", &fields).await;
    assert_eq!((posted.status, live(&site).await), (StatusCode::OK, 1), "nor in a form of another site");
    assert_eq!(alice.says(&page, "yes", &fields).await.status, 403, "the page of another browser");
    let stayed = other.says(&page, "no", &fields).await;
    assert!(stayed.status == 200 && stayed.location.is_empty() && stayed.text.contains("still logged in"));
    assert_eq!(live(&site).await, 1);
    let done = other.says(&page, "yes", &fields).await;
    assert_eq!((done.location.as_str(), live(&site).await), (BACK, 0), "{}", done.text);
}

#[tokio::test]
async fn without_a_hint_the_browser_is_shown_all_of_its_logins_and_no_others() {
    let site = Site::open().await;
    let (mut alice, mut bob) = (Visitor::new(&site), Visitor::new(&site));
    alice.of_the_page().await;
    alice.code().await;
    let sent = bob.authorize(&[]).await;
    let page = bob.get(&sent.location).await;
    bob.log_in(&page, "bob", "right").await;
    let korean = alice.send(Request::get("/oidc/logout").header(header::ACCEPT_LANGUAGE, "ko"), String::new()).await;
    assert!(korean.text.contains("로그아웃") && korean.text.contains("kubectl") && korean.text.contains("A page"));
    assert!(!korean.text.contains("corp:bob"), "{}", korean.text);
    let done = alice.says(&korean, "yes", &[]).await;
    assert!(done.status == 200 && done.text.contains("logged out"), "{}", done.text);
    assert_eq!(live(&site).await, 1, "bob's");
    let nobody = Visitor::new(&site).logs_out(&[]).await;
    assert!(nobody.text.contains("Nobody is logged in"), "{}", nobody.text);
    assert_eq!(live(&site).await, 1);
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_registered_for_it_and_nobody_is_logged_out() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let given = browser.of_the_page().await;
    let (hint, access) = (given.word("id_token"), given.word("access_token"));
    for wrong in [
        vec![("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", "https://evil.test/bye")],
        vec![("id_token_hint", &hint), ("post_logout_redirect_uri", "https://page.test/bye/")],
        vec![("id_token_hint", &hint), ("post_logout_redirect_uri", "https://page.test/bye?x=1")],
        vec![("id_token_hint", &hint), ("post_logout_redirect_uri", "https://page.test/cb")],
        vec![("id_token_hint", &hint), ("post_logout_redirect_uri", "//page.test/bye")],
        vec![("id_token_hint", &hint), ("client_id", "wiki"), ("post_logout_redirect_uri", BACK)],
        vec![("client_id", "wiki"), ("post_logout_redirect_uri", BACK)],
        vec![("client_id", "nobody"), ("post_logout_redirect_uri", BACK)],
        vec![("post_logout_redirect_uri", BACK)],
        vec![("id_token_hint", "x"), ("post_logout_redirect_uri", BACK)],
        vec![("id_token_hint", &access), ("post_logout_redirect_uri", BACK)],
    ] {
        let seen = browser.logs_out(&wrong).await;
        assert_eq!((seen.status, seen.location.as_str()), (StatusCode::BAD_REQUEST, ""), "{wrong:?}");
        assert!(seen.text.contains("the-audit-id"), "{}", seen.text);
        assert_eq!(live(&site).await, 1, "{wrong:?}");
    }
    for not_ours in ["x", access.as_str(), &format!("{hint}x")] {
        let page = browser.logs_out(&[("id_token_hint", not_ours)]).await;
        assert!(page.text.contains(r#"name="answer""#), "no valid hint asks: {}", page.text);
        assert_eq!(live(&site).await, 1, "{not_ours}");
    }
}

#[tokio::test]
async fn the_page_belongs_to_one_browser_and_holds_no_script() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    browser.of_the_page().await;
    let hostile = r#""><script>alert(1)</script>"#;
    let page = browser.logs_out(&[("client_id", "page"), ("state", hostile), ("id_token_hint", hostile)]).await;
    assert!(page.text.contains(r#"name="answer""#) && !page.text.contains("<script"), "{}", page.text);
    for form in ["", "x"] {
        assert_eq!(browser.post("/logout", &[("form", form), ("answer", "yes")]).await.status, 403);
    }
    let body = format!("form={}&answer=yes", page.field("form"));
    let foreign = Request::post("/logout").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(browser.send(foreign.header(header::ORIGIN, "https://evil.test"), body).await.status, 403);
    assert_eq!(live(&site).await, 1);
}

impl Visitor<'_> {
    /// Alice's tokens for the page of others, by way of the provider with a page of its own.
    async fn of_the_page_from_away(&mut self) -> Seen {
        let page = [("client_id", "page"), ("redirect_uri", "https://page.test/cb")];
        let sent = self.authorize(&page).await;
        let flow = sent.query("flow").expect("a flow");
        let state = self.get(&format!("/login/with?flow={flow}&provider=away")).await.query("state").expect("a state");
        let code = self.get(&format!("/callback/away?code=good&state={state}")).await.query("code").expect("a code");
        self.redeem(&code, &page).await
    }
}

#[tokio::test]
async fn a_browser_logs_out_at_the_provider_as_well_and_comes_back_to_the_client() {
    let site = Site::open().await;
    site.add_away().await;
    let mut browser = Visitor::new(&site);
    let hint = browser.of_the_page_from_away().await.word("id_token");
    let fields = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BACK), ("state", "s t&te")];
    let sent = browser.logs_out(&fields).await;
    assert!(sent.location.starts_with("https://idp.test/logout?"), "{} {}", sent.status, sent.text);
    assert_eq!(sent.query("who").as_deref(), Some("secret-1"), "what the provider left says whose login it is");
    assert_eq!(sent.query("back").as_deref(), Some("https://console.test/logout/done"));
    assert_eq!(live(&site).await, 0, "before the browser has gone there");
    let state = sent.query("state").expect("a state");
    let returned = browser.get(&format!("/logout/done?state={state}")).await;
    assert!(returned.location.starts_with(BACK), "{} {}", returned.status, returned.text);
    assert_eq!(returned.query("state").as_deref(), Some("s t&te"));

    // Nobody is sent where nobody was checked.
    let (first, rest) = state.split_at(1);
    let changed = format!("{}{rest}", if first == "A" { "B" } else { "A" });
    for forged in ["", "x", BACK, &changed, &state[1..]] {
        let answer = browser.get(&format!("/logout/done?state={forged}")).await;
        assert!(answer.location.is_empty() && answer.text.contains("Nobody is logged in"), "{forged}: {}", answer.text);
    }
    site.clock.advance(Duration::from_hours(1));
    let late = browser.get(&format!("/logout/done?state={state}")).await;
    assert!(late.location.is_empty(), "{}", late.location);
}

#[tokio::test]
async fn the_page_that_asks_leads_to_the_provider_and_only_the_browser_that_logged_in_goes_there() {
    let site = Site::open().await;
    site.add_away().await;
    let (mut browser, mut other) = (Visitor::new(&site), Visitor::new(&site));
    let hint = browser.of_the_page_from_away().await.word("id_token");
    let fields = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BACK)];
    let page = other.logs_out(&fields).await;
    assert_eq!(other.says(&page, "yes", &fields).await.location, BACK, "the login there is another browser's");

    browser.of_the_page_from_away().await;
    let page = browser.logs_out(&[]).await;
    let policy = page.policy.clone();
    assert!(policy.contains("form-action 'self' https://idp.test;"), "{policy}");
    let sent = browser.says(&page, "yes", &[]).await;
    assert!(sent.location.starts_with("https://idp.test/logout?"), "{} {}", sent.status, sent.text);
    let state = sent.query("state").expect("a state");
    let returned = browser.get(&format!("/logout/done?state={state}")).await;
    assert!(returned.status == 200 && returned.text.contains("You are logged out"), "{}", returned.text);
}

#[tokio::test]
async fn a_provider_that_cannot_say_where_to_log_out_holds_nobody_up() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let hint = browser.of_the_page().await.word("id_token");
    *site.corp.mood() = crate::testing::Mood::Down;
    let sent = browser.logs_out(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BACK)]).await;
    assert_eq!((sent.location.as_str(), live(&site).await), (BACK, 0), "{}", sent.text);
}
