//! What people are asked before a program of somebody else's learns who they are.

use super::*;

const GUEST: [(&str, &str); 3] =
    [("client_id", "guest"), ("redirect_uri", "https://guest.test/cb"), ("scope", "openid groups offline_access")];

impl Visitor<'_> {
    /// Says yes or no on the page.
    async fn answers(&mut self, page: &Seen, answer: &str) -> Seen {
        let (flow, form) = (page.field("flow"), page.field("form"));
        self.post("/login", &[("flow", &flow), ("form", &form), ("answer", answer)]).await
    }
}

#[tokio::test]
async fn a_program_of_somebody_elses_learns_nothing_before_its_person_said_yes() {
    let site = Site::open().await;
    site.add_away().await;
    let mut browser = Visitor::new(&site);
    let sent = browser.authorize(&GUEST).await;
    let flow = sent.query("flow").expect("a flow");
    let page = browser.get(&sent.location).await;
    for word in ["A guest", "your user name", "your groups", "stay logged in", "https://guest.test/cb"] {
        assert!(page.text.contains(word), "{word} is not in {}", page.text);
    }
    assert!(!page.text.contains(r#"name="password""#), "no password before that: {}", page.text);
    // Past the page: with a password, and to a provider of its own.
    let past = browser.log_in(&page, "alice", "right").await;
    assert!(past.location.is_empty() && past.text.contains(r#"name="answer""#), "{} {}", past.location, past.text);
    let away = browser.get(&format!("/login/with?flow={flow}&provider=away")).await;
    assert_eq!(away.location, sent.location, "back to the question");
    assert!(site.admin().sessions(None).await.expect("listed").is_empty());
    let (form, yes) = (page.field("form"), ("answer", "yes"));
    assert_eq!(Visitor::new(&site).answers(&page, "yes").await.status, 410, "another browser");
    assert_eq!(browser.post("/login", &[("flow", &flow), ("form", "x"), yes]).await.status, 403, "another form");
    let agreed = browser.post("/login", &[("flow", &flow), ("form", &form), yes]).await;
    assert_eq!((agreed.status, agreed.location.as_str()), (StatusCode::SEE_OTHER, sent.location.as_str()));
    let login = browser.get(&agreed.location).await;
    let done = browser.log_in(&login, "alice", "right").await;
    let given = browser.redeem(&done.query("code").expect("a code"), &GUEST[..2]).await;
    assert_eq!(given.status, 200, "{}", given.text);
    // Nobody is asked again while that login goes on, and everybody is at the next.
    let refresh = given.word("refresh_token");
    let fields = [("grant_type", "refresh_token"), GUEST[0], ("refresh_token", refresh.as_str())];
    assert_eq!(browser.post("/oidc/token", &fields).await.status, 200);
    let next = browser.authorize(&GUEST).await;
    assert!(browser.get(&next.location).await.text.contains("your groups"));
}

#[tokio::test]
async fn a_no_goes_back_to_the_program_as_access_denied() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let sent = browser.authorize(&GUEST).await;
    let page = browser.get(&sent.location).await;
    let refused = browser.answers(&page, "no").await;
    assert!(refused.location.starts_with("https://guest.test/cb?"), "{}", refused.location);
    assert_eq!(refused.query("error").as_deref(), Some("access_denied"));
    assert_eq!((refused.query("state").as_deref(), refused.query("code")), (Some("s t&te"), None));
    assert_eq!(browser.answers(&page, "yes").await.status, 410, "and a yes comes too late");
}

#[tokio::test]
async fn the_page_names_only_what_is_asked_for_in_the_language_of_its_browser() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let sent = browser.authorize(&[GUEST[0], GUEST[1], ("scope", "openid")]).await;
    let page = browser.send(Request::get(&sent.location).header(header::ACCEPT_LANGUAGE, "ko"), String::new()).await;
    assert!(page.text.contains("동의") && !page.text.contains("그룹"), "{}", page.text);
    let own = browser.authorize(&[]).await;
    assert!(browser.get(&own.location).await.text.contains(r#"name="password""#), "our own programs do not ask");
}

#[tokio::test]
async fn a_device_of_somebody_elses_asks_too() {
    let site = Site::open().await;
    let (mut terminal, mut browser) = (Visitor::new(&site), Visitor::new(&site));
    let begun = terminal.post("/oidc/device", &[GUEST[0], ("scope", "openid")]).await;
    let (device, code) = (begun.word("device_code"), begun.word("user_code"));
    let form = browser.get("/device").await.field("form");
    let sent = browser.post("/device", &[("form", &form), ("user_code", &code)]).await;
    let page = browser.get(&sent.location).await;
    assert!(page.text.contains("A guest") && page.text.contains(&code), "{}", page.text);
    assert!(browser.answers(&page, "no").await.text.contains("Nobody was logged in"));
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let polled = terminal.post("/oidc/token", &[GUEST[0], grant, ("device_code", &device)]).await;
    assert_eq!(polled.word("error"), "access_denied");
}

#[tokio::test]
async fn a_browser_that_takes_a_device_over_is_asked_itself() {
    let site = Site::open().await;
    let (mut terminal, mut first, mut second) = (Visitor::new(&site), Visitor::new(&site), Visitor::new(&site));
    let begun = terminal.post("/oidc/device", &[GUEST[0], ("scope", "openid")]).await;
    let code = begun.word("user_code");
    for browser in [&mut first, &mut second] {
        let form = browser.get("/device").await.field("form");
        let sent = browser.post("/device", &[("form", &form), ("user_code", &code)]).await;
        let page = browser.get(&sent.location).await;
        assert!(page.text.contains("A guest") && page.text.contains(r#"name="answer""#), "{}", page.text);
        let agreed = browser.answers(&page, "yes").await;
        assert!(browser.get(&agreed.location).await.text.contains(r#"name="password""#), "{}", agreed.text);
    }
}
