//! The issuer as clients and browsers meet it.

mod account;
mod attacks;
mod bounds;
mod consent;
mod introspection;
mod kubelogin;
mod logout;
mod memory;
mod narrowing;
mod rs256;
mod sessions;
mod times;
mod told;
mod unreadable;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use super::*;
use crate::testing::{Mood, Site};
use crate::{Arrival, Rejected, ResolveError};

const CALLBACK: &str = "http://127.0.0.1:40123/callback";
// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A browser, or a client without one: it keeps one cookie.
struct Visitor<'a> {
    site: &'a Site,
    cookie: Option<String>,
    address: IpAddr,
    /// What the last answer told the audit log.
    noted: Option<crate::Noted>,
}

struct Seen {
    status: StatusCode,
    location: String,
    text: String,
    /// Where its forms may lead.
    policy: String,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} {}", self.status, self.text))
    }

    fn word(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("{name}: {}", self.text)).to_owned()
    }

    /// What stands behind a hidden field of a form.
    fn field(&self, name: &str) -> String {
        let before = format!(r#"name="{name}" value=""#);
        let (_, rest) = self.text.split_once(&before).unwrap_or_else(|| panic!("{name} is not in {}", self.text));
        rest.split('"').next().expect("a value").to_owned()
    }

    fn query(&self, name: &str) -> Option<String> {
        let url = Url::parse("https://console.test").expect("a base").join(&self.location).expect("a location");
        url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    }
}

impl<'a> Visitor<'a> {
    fn new(site: &'a Site) -> Self {
        Self { site, cookie: None, address: IpAddr::V4(Ipv4Addr::LOCALHOST), noted: None }
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: String) -> Seen {
        let cookie = self.cookie.iter().fold(request, |request, cookie| request.header(header::COOKIE, cookie));
        let arrival = Arrival { caller: None, client: self.address, trace_id: "the-audit-id".to_owned() };
        let router = router(Arc::clone(&self.site.control));
        let response = crate::enter(&router, cookie.body(Body::from(body)).expect("a request"), arrival).await;
        self.noted = response.extensions().get().cloned();
        self.keep(response).await
    }

    async fn keep(&mut self, response: Response<Body>) -> Seen {
        let header = |name| response.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
        assert_eq!(header(header::X_FRAME_OPTIONS).as_deref(), Some("DENY"));
        assert!(header(header::CONTENT_SECURITY_POLICY).expect("a policy").contains("default-src 'none'"));
        assert_eq!(header(header::STRICT_TRANSPORT_SECURITY).as_deref(), Some("max-age=31536000"));
        if let Some(cookie) = header(header::SET_COOKIE) {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        let (status, location) = (response.status(), header(header::LOCATION).unwrap_or_default());
        let policy = header(header::CONTENT_SECURITY_POLICY).unwrap_or_default();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        Seen { status, location, policy, text: String::from_utf8(bytes.to_vec()).expect("text") }
    }

    async fn get(&mut self, path: &str) -> Seen {
        self.send(Request::get(path), String::new()).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Seen {
        self.post_text(path, Serializer::new(String::new()).extend_pairs(fields).finish()).await
    }

    async fn post_text(&mut self, path: &str, body: String) -> Seen {
        self.send(Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded"), body).await
    }

    /// What a client asks for, with some of it changed.
    async fn authorize(&mut self, changed: &[(&str, &str)]) -> Seen {
        let usual = [
            ("client_id", "kubectl-gatewarden"),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid offline_access"),
            ("state", "s t&te"),
            ("nonce", "n0nce"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let kept = usual.into_iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        let query = Serializer::new(String::new()).extend_pairs(kept).extend_pairs(changed).finish();
        self.get(&format!("/oidc/authorize?{query}")).await
    }

    /// Fills in the form of a login page.
    async fn log_in(&mut self, page: &Seen, username: &str, password: &str) -> Seen {
        let (flow, form) = (page.field("flow"), page.field("form"));
        let fields = [
            ("flow", flow.as_str()),
            ("form", &form),
            ("provider", "corp"),
            ("username", username),
            ("password", password),
        ];
        self.post("/login", &fields).await
    }

    /// From the request to a code.
    async fn code(&mut self) -> String {
        let sent = self.authorize(&[]).await;
        let page = self.get(&sent.location).await;
        let done = self.log_in(&page, "alice", "right").await;
        assert_eq!(done.status, 303, "{}", done.text);
        done.query("code").expect("a code")
    }

    async fn redeem(&mut self, code: &str, changed: &[(&str, &str)]) -> Seen {
        let usual = [
            ("grant_type", "authorization_code"),
            ("client_id", "kubectl-gatewarden"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let kept = usual.into_iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        let fields: Vec<_> = kept.chain(changed.iter().copied()).collect();
        self.post("/oidc/token", &fields).await
    }

    async fn refresh(&mut self, token: &str) -> Seen {
        let fields = [("grant_type", "refresh_token"), ("client_id", "kubectl-gatewarden"), ("refresh_token", token)];
        self.post("/oidc/token", &fields).await
    }
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("claims");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

async fn is_good(site: &Site, token: &str) -> bool {
    match site.control.resolve_signed(token).await {
        Ok(_) => true,
        Err(ResolveError::Unauthenticated(_)) => false,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_person_logs_in_and_the_client_gets_tokens_that_open_clusters() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let sent = browser.authorize(&[("scope", "openid groups offline_access")]).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let page = browser.get(&sent.location).await;
    assert!(page.text.contains("Corporate directory") && page.text.contains("kubectl"), "{}", page.text);
    let wrong = browser.log_in(&page, "alice", "wrong").await;
    assert!(wrong.status == 401 && wrong.text.contains("not right") && wrong.text.contains("the-audit-id"));
    assert!(wrong.text.contains(r#"value="alice""#) && !wrong.text.contains(r#"value="wrong""#), "{}", wrong.text);
    let done = browser.log_in(&page, "alice", "right").await;
    assert!(done.location.starts_with("http://127.0.0.1:40123/callback?code="), "{}", done.location);
    assert_eq!(done.query("state").as_deref(), Some("s t&te"));
    assert_eq!(done.query("iss").as_deref(), Some("https://console.test/oidc"));
    let mut client = Visitor::new(&site);
    let given = client.redeem(&done.query("code").expect("a code"), &[]).await;
    assert_eq!(given.json()["expires_in"], 900, "{}", given.text);
    let (access, id) = (given.word("access_token"), given.word("id_token"));
    for token in [&access, &id] {
        let resolved = site.control.resolve_signed(token).await.expect("a session");
        assert_eq!(resolved.identity.user.username, "corp:alice");
        assert!(claims(token).get("groups").is_none(), "groups are the session's");
    }
    let about = claims(&id);
    assert_eq!((&about["nonce"], &about["aud"]), (&"n0nce".into(), &"kubectl-gatewarden".into()));
    assert_eq!(
        (&about["preferred_username"], &claims(&access)["aud"]),
        (&"corp:alice".into(), &"https://gw.test".into())
    );
    let shown = client
        .send(Request::get("/oidc/userinfo").header("authorization", format!("Bearer {access}")), String::new())
        .await;
    assert_eq!(shown.json()["groups"], serde_json::json!(["corp:dev", "corp:ops"]), "{}", shown.text);
}

#[tokio::test]
async fn whatever_a_client_asks_wrongly_is_told_to_it_or_to_the_person() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    // Nobody is sent to an address that is not known to want the answer.
    for changed in [
        ("client_id", "nobody"),
        ("client_id", ""),
        ("redirect_uri", "https://evil.test/callback"),
        ("redirect_uri", "http://127.0.0.1:1/other"),
        ("redirect_uri", "https://page.test/cb"),
        ("redirect_uri", ""),
    ] {
        let seen = browser.authorize(&[changed]).await;
        assert!(seen.status == 400 && seen.location.is_empty(), "{changed:?}: {} {}", seen.status, seen.location);
        assert!(seen.text.contains("the-audit-id"), "{}", seen.text);
    }
    let twice = browser.get("/oidc/authorize?client_id=kubectl-gatewarden&client_id=page").await;
    assert_eq!((twice.status, twice.location.as_str()), (StatusCode::BAD_REQUEST, ""));
    for (changed, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", "code id_token"), "unsupported_response_type"),
        (("response_mode", "fragment"), "invalid_request"),
        (("scope", "profile"), "invalid_scope"),
        (("scope", ""), "invalid_scope"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("prompt", "none"), "login_required"),
        (("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"),
        (("request_uri", "https://evil.test/x"), "request_uri_not_supported"),
    ] {
        let seen = browser.authorize(&[changed]).await;
        assert!(seen.location.starts_with(CALLBACK), "{changed:?}: {} {}", seen.status, seen.text);
        assert_eq!(seen.query("error").as_deref(), Some(error), "{changed:?}");
        assert_eq!(seen.query("state").as_deref(), Some("s t&te"));
        assert!(seen.query("iss").is_some() && seen.query("code").is_none());
    }
}

#[tokio::test]
async fn a_login_page_belongs_to_the_browser_that_opened_it() {
    let site = Site::open().await;
    let (mut alice, mut mallory) = (Visitor::new(&site), Visitor::new(&site));
    let sent = alice.authorize(&[]).await;
    let page = alice.get(&sent.location).await;
    let other = mallory.authorize(&[]).await;
    let others = mallory.get(&other.location).await;
    assert_eq!(Visitor::new(&site).get(&sent.location).await.status, 410, "without a cookie");
    assert_eq!(mallory.get(&sent.location).await.status, 410, "another browser's");
    assert_eq!(mallory.log_in(&page, "alice", "right").await.status, 410, "another browser's form");
    // A page of mallory's that makes alice's browser send his form.
    assert_eq!(alice.log_in(&others, "mallory", "right").await.status, 410);
    let (flow, form) = (page.field("flow"), others.field("form"));
    let fields =
        [("flow", flow.as_str()), ("form", &form), ("provider", "corp"), ("username", "bob"), ("password", "right")];
    assert_eq!(alice.post("/login", &fields).await.status, 403, "a code of another form");
    let form = page.field("form");
    let body = format!("flow={flow}&form={form}&provider=corp&username=alice&password=right");
    let request = Request::post("/login").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    for origin in ["https://evil.test", "null", "https://console.test.evil.test", "http://console.test"] {
        let foreign = Request::post("/login").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let seen = alice.send(foreign.header(header::ORIGIN, origin), body.clone()).await;
        assert_eq!(seen.status, 403, "{origin}");
    }
    let seen = alice.send(request.header(header::ORIGIN, "https://console.test"), body).await;
    assert_eq!(seen.status, 303, "{}", seen.text);
    assert_eq!(alice.log_in(&page, "alice", "right").await.status, 410, "a second time");
    assert_eq!(alice.get(&sent.location).await.status, 410);
}

#[tokio::test]
async fn a_login_that_takes_too_long_is_over() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let sent = browser.authorize(&[]).await;
    let page = browser.get(&sent.location).await;
    site.clock.advance(Duration::from_mins(10));
    assert_eq!(browser.get(&sent.location).await.status, 410);
    assert_eq!(browser.log_in(&page, "alice", "right").await.status, 410);
}

#[tokio::test]
async fn a_code_is_good_for_its_client_with_its_verifier_for_a_minute() {
    let site = Site::open().await;
    let mut visitor = Visitor::new(&site);
    let code = visitor.code().await;
    for (changed, error) in [
        (("code", "x"), "invalid_grant"),
        (("code", CHALLENGE), "invalid_grant"),
        (("client_id", "page"), "invalid_grant"),
        (("client_id", "nobody"), "invalid_client"),
        (("redirect_uri", "http://127.0.0.1:40124/callback"), "invalid_grant"),
        (("code_verifier", CHALLENGE), "invalid_grant"),
        (("code_verifier", ""), "invalid_request"),
        (("grant_type", "password"), "unsupported_grant_type"),
        (("grant_type", ""), "unsupported_grant_type"),
    ] {
        let seen = visitor.redeem(&code, &[changed]).await;
        assert_eq!((seen.status.is_client_error(), seen.word("error").as_str()), (true, error), "{changed:?}");
    }
    assert_eq!(visitor.redeem(&code, &[]).await.status, 200, "it is still good");
    let late = visitor.code().await;
    site.clock.advance(Duration::from_mins(1));
    assert_eq!(visitor.redeem(&late, &[]).await.word("error"), "invalid_grant");
}

#[tokio::test]
async fn a_code_that_comes_twice_ends_the_login() {
    let site = Site::open().await;
    let mut visitor = Visitor::new(&site);
    let code = visitor.code().await;
    let access = visitor.redeem(&code, &[]).await.word("access_token");
    assert!(is_good(&site, &access).await);
    assert_eq!(visitor.redeem(&code, &[]).await.word("error"), "invalid_grant");
    assert!(!is_good(&site, &access).await, "somebody else had the code");
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_again_for_a_lost_answer() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    let first = client.redeem(&code, &[]).await.word("refresh_token");
    assert!(first.starts_with("gwr-"), "{first}");
    let given = client.refresh(&first).await;
    let (access, second) = (given.word("access_token"), given.word("refresh_token"));
    assert_ne!(first, second);
    site.clock.advance(Duration::from_secs(30));
    assert_eq!(client.refresh(&first).await.status, 200, "the answer was lost");
    assert_eq!(client.refresh(&second).await.status, 200, "or it was not");
    site.clock.advance(Duration::from_secs(1));
    assert!(is_good(&site, &access).await);
    assert_eq!(client.refresh(&first).await.word("error"), "invalid_grant", "somebody else has it");
    assert!(!is_good(&site, &access).await, "so the login ends");
    assert_eq!(client.refresh(&second).await.word("error"), "invalid_grant");
}

#[tokio::test]
async fn a_refresh_token_means_something_to_its_client_alone() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    let token = client.redeem(&code, &[]).await.word("refresh_token");
    let api = site.login("alice").await.expect("logged in").token.expose().to_owned();
    let fields = [("grant_type", "refresh_token"), ("client_id", "page"), ("refresh_token", token.as_str())];
    assert_eq!(client.post("/oidc/token", &fields).await.word("error"), "invalid_grant");
    for wrong in ["", "x", &api, &format!("{token}x"), &token.replace("gwr-", "gwt-")] {
        assert_eq!(client.refresh(wrong).await.word("error"), "invalid_grant", "{wrong}");
    }
    let refused = site.control.resolve_token(&token).await;
    assert!(matches!(refused, Err(ResolveError::Unauthenticated(Rejected::Malformed))), "no credential: {refused:?}");
    assert_eq!(client.refresh(&token).await.status, 200);
}

#[tokio::test]
async fn every_refresh_asks_the_provider_and_an_outage_takes_nothing_away() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    let mut token = client.redeem(&code, &[]).await.word("refresh_token");
    site.corp.set("alice", crate::testing::Person { groups: vec![("1", "dev")], ..Default::default() });
    let given = client.refresh(&token).await;
    let now = site.control.resolve_signed(&given.word("access_token")).await.expect("good");
    assert_eq!(now.identity.user.groups, ["corp:dev"], "what was lost is lost at once");
    token = given.word("refresh_token");
    *site.corp.mood() = Mood::Down;
    let given = client.refresh(&token).await;
    assert_eq!(given.status, 200, "{}", given.text);
    token = given.word("refresh_token");
    *site.corp.mood() = Mood::Gone;
    assert_eq!(client.refresh(&token).await.word("error"), "invalid_grant");
    assert!(!is_good(&site, &given.word("access_token")).await);
}

#[tokio::test]
async fn a_login_that_nobody_uses_is_over_after_eight_hours_and_every_one_after_twelve() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    let unused = client.redeem(&code, &[]).await.word("refresh_token");
    let code = client.code().await;
    let mut used = client.redeem(&code, &[]).await.word("refresh_token");
    site.clock.advance(Duration::from_hours(4));
    used = client.refresh(&used).await.word("refresh_token");
    site.clock.advance(Duration::from_hours(4));
    assert_eq!(client.refresh(&unused).await.word("error"), "invalid_grant");
    let given = client.refresh(&used).await;
    used = given.word("refresh_token");
    site.clock.advance(Duration::from_hours(4) - Duration::from_secs(60));
    let last = client.refresh(&used).await;
    assert_eq!(last.json()["expires_in"], 60, "no longer than the session");
    site.clock.advance(Duration::from_secs(60));
    assert_eq!(client.refresh(&last.word("refresh_token")).await.word("error"), "invalid_grant");
    assert!(!is_good(&site, &last.word("access_token")).await);
}

#[tokio::test]
async fn a_signed_token_is_over_in_time_with_its_session_and_when_a_byte_is_changed() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    let given = client.redeem(&code, &[]).await;
    let (access, id) = (given.word("access_token"), given.word("id_token"));
    let parts: Vec<&str> = access.split('.').collect();
    let others: Vec<&str> = id.split('.').collect();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    let spaced = URL_SAFE_NO_PAD
        .encode(String::from_utf8(URL_SAFE_NO_PAD.decode(parts[0]).expect("b64")).expect("text").replace(',', ", "));
    for forged in [
        format!("{}.{}.", parts[0], parts[1]),
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{spaced}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", others[0], parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], others[1], parts[2]),
        format!("{}.{}.{}=", parts[0], parts[1], parts[2]),
        format!("{access}.x"),
        parts[..2].join("."),
    ] {
        assert!(!is_good(&site, &forged).await, "{forged}");
    }
    assert!(is_good(&site, &access).await && is_good(&site, &id).await);
    site.clock.advance(Duration::from_mins(15));
    let refused = site.control.resolve_signed(&access).await;
    assert!(matches!(refused, Err(ResolveError::Unauthenticated(Rejected::Expired))), "{refused:?}");
    let again = client.refresh(&given.word("refresh_token")).await.word("access_token");
    let session = claims(&again)["sid"].as_str().expect("a session").to_owned();
    site.admin().end_session(&session).await.expect("ended");
    let refused = site.control.resolve_signed(&again).await;
    assert!(matches!(refused, Err(ResolveError::Unauthenticated(Rejected::Revoked))), "{refused:?}");
}

#[tokio::test]
async fn what_a_page_of_others_gets_says_who_somebody_is_and_opens_nothing() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let page = [("client_id", "page"), ("redirect_uri", "https://page.test/cb"), ("scope", "openid")];
    let sent = browser.authorize(&page).await;
    let shown = browser.get(&sent.location).await;
    let done = browser.log_in(&shown, "alice", "right").await;
    let code = done.query("code").expect("a code");
    let given = browser.redeem(&code, &page[..2]).await;
    assert!(given.json().get("refresh_token").is_none(), "it did not ask for one: {}", given.text);
    for token in [given.word("access_token"), given.word("id_token")] {
        assert!(!is_good(&site, &token).await, "{token}");
    }
    let bearer = format!("Bearer {}", given.word("access_token"));
    let shown = browser.send(Request::get("/oidc/userinfo").header("authorization", bearer), String::new()).await;
    assert_eq!(shown.word("preferred_username"), "corp:alice");
    assert!(shown.json().get("groups").is_none(), "it did not ask for them: {}", shown.text);
    let bearer = format!("Bearer {}", given.word("id_token"));
    let shown = browser.send(Request::get("/oidc/userinfo").header("authorization", bearer), String::new()).await;
    assert_eq!(shown.status, 401, "an ID token is no access token");
}

const PLUGIN: (&str, &str) = ("client_id", "kubectl-gatewarden");

/// What a terminal asks with, and what it shows its person (RFC 8628 §3.2).
async fn begun_on_a_terminal(terminal: &mut Visitor<'_>) -> (String, String) {
    let begun = terminal.post("/oidc/device", &[PLUGIN, ("scope", "openid")]).await;
    (begun.word("device_code"), begun.word("user_code"))
}

/// How it asks whether somebody logged in (RFC 8628 §3.4).
fn polled_by(device: &str) -> [(&str, &str); 3] {
    [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), PLUGIN, ("device_code", device)]
}

#[tokio::test]
async fn a_terminal_logs_in_by_a_code_that_somebody_types_elsewhere() {
    let site = Site::open().await;
    let (mut terminal, mut browser) = (Visitor::new(&site), Visitor::new(&site));
    let (device, user_code) = begun_on_a_terminal(&mut terminal).await;
    let fields = polled_by(&device);
    assert_eq!(terminal.post("/oidc/token", &fields).await.word("error"), "authorization_pending");
    assert_eq!(terminal.post("/oidc/token", &fields).await.word("error"), "slow_down");
    site.clock.advance(Duration::from_secs(5));
    assert_eq!(terminal.post("/oidc/token", &fields).await.word("error"), "authorization_pending");
    let typed = browser.get(&format!("/device?user_code={}", user_code.to_lowercase())).await;
    assert!(typed.text.contains(&format!(r#"value="{user_code}""#)), "filled in, and not yet sent");
    let form = typed.field("form");
    let unknown = browser.post("/device", &[("form", &form), ("user_code", "BBBB-BBBB")]).await;
    assert!(unknown.status == 200 && unknown.text.contains("no such code"), "{}", unknown.text);
    assert_eq!(Visitor::new(&site).post("/device", &[("form", &form), ("user_code", &user_code)]).await.status, 403);
    let sent = browser.post("/device", &[("form", &form), ("user_code", &user_code)]).await;
    let page = browser.get(&sent.location).await;
    for word in [user_code.as_str(), "127.0.0.1", "This was not me"] {
        assert!(page.text.contains(word), "{word} is not in {}", page.text);
    }
    let done = browser.log_in(&page, "alice", "right").await;
    assert!(done.text.contains("You are logged in"), "{}", done.text);
    let given = terminal.post("/oidc/token", &fields).await;
    assert!(is_good(&site, &given.word("access_token")).await);
    site.clock.advance(Duration::from_secs(30));
    let again = terminal.post("/oidc/token", &fields).await;
    assert!(is_good(&site, &again.word("access_token")).await, "the answer was lost");
    site.clock.advance(Duration::from_secs(31));
    assert_eq!(terminal.refresh(&given.word("refresh_token")).await.word("error"), "invalid_grant", "it was not lost");
    assert!(!is_good(&site, &again.word("access_token")).await, "so two have the login, and it ends");
}

#[tokio::test]
async fn a_device_code_that_comes_again_late_ends_the_login() {
    let site = Site::open().await;
    let (mut terminal, mut browser) = (Visitor::new(&site), Visitor::new(&site));
    let (device, user_code) = begun_on_a_terminal(&mut terminal).await;
    let form = browser.get("/device").await.field("form");
    let sent = browser.post("/device", &[("form", &form), ("user_code", &user_code)]).await;
    let page = browser.get(&sent.location).await;
    browser.log_in(&page, "alice", "right").await;
    let fields = polled_by(&device);
    let access = terminal.post("/oidc/token", &fields).await.word("access_token");
    site.clock.advance(Duration::from_secs(31));
    assert_eq!(terminal.post("/oidc/token", &fields).await.word("error"), "invalid_grant");
    assert!(!is_good(&site, &access).await, "somebody else has the code");
}

#[tokio::test]
async fn whoever_did_not_begin_it_says_so_and_the_device_gets_nothing() {
    let site = Site::open().await;
    let (mut terminal, mut browser) = (Visitor::new(&site), Visitor::new(&site));
    let (device, user_code) = begun_on_a_terminal(&mut terminal).await;
    let fields = polled_by(&device);
    let form = browser.get("/device").await.field("form");
    let sent = browser.post("/device", &[("form", &form), ("user_code", &user_code)]).await;
    let page = browser.get(&sent.location).await;
    let (flow, form) = (page.field("flow"), page.field("form"));
    let stopped = browser.post("/login", &[("flow", &flow), ("form", &form), ("answer", "no")]).await;
    assert!(stopped.text.contains("Nobody was logged in"), "{}", stopped.text);
    assert_eq!(terminal.post("/oidc/token", &fields).await.word("error"), "access_denied");
    assert_eq!(browser.log_in(&page, "alice", "right").await.status, 410);
    let (device, _) = begun_on_a_terminal(&mut terminal).await;
    site.clock.advance(Duration::from_mins(10));
    assert_eq!(terminal.post("/oidc/token", &polled_by(&device)).await.word("error"), "expired_token");
}

#[tokio::test]
async fn a_client_ends_its_own_login_and_no_other() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    let given = client.redeem(&code, &[]).await;
    let (access, refresh) = (given.word("access_token"), given.word("refresh_token"));
    for wrong in ["x", &refresh.replace("gwr-", "gwt-")] {
        let seen = client.post("/oidc/revoke", &[("client_id", "kubectl-gatewarden"), ("token", wrong)]).await;
        assert_eq!(seen.status, 200, "{wrong}");
    }
    assert_eq!(client.post("/oidc/revoke", &[("client_id", "page"), ("token", &refresh)]).await.status, 200);
    assert!(is_good(&site, &access).await, "another client's");
    let ends = async |client: &mut Visitor<'_>, token: &str| {
        let seen = client.post("/oidc/revoke", &[("client_id", "kubectl-gatewarden"), ("token", token)]).await;
        assert_eq!(seen.status, 200);
    };
    ends(&mut client, &given.word("id_token")).await;
    assert!(is_good(&site, &access).await, "an ID token says who somebody is");
    site.clock.advance(Duration::from_mins(15));
    let given = client.refresh(&refresh).await;
    let (late, refresh) = (access, given.word("refresh_token"));
    let access = given.word("access_token");
    ends(&mut client, &late).await;
    assert!(is_good(&site, &access).await, "one that is over");
    let again = client.code().await;
    let other = client.redeem(&again, &[]).await.word("access_token");
    ends(&mut client, &other).await;
    assert!(!is_good(&site, &other).await, "an access token ends its own login");
    let fields = [("client_id", "kubectl-gatewarden"), ("token", refresh.as_str())];
    assert_eq!(client.post("/oidc/revoke", &fields).await.status, 200);
    assert!(!is_good(&site, &access).await);
}

#[tokio::test]
async fn the_discovery_names_what_is_there_and_the_keys_verify_what_is_signed() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let described = client.get("/oidc/.well-known/openid-configuration").await.json();
    assert_eq!(described["issuer"], "https://console.test/oidc");
    for (name, value) in described.as_object().expect("an object") {
        let Some(path) = value.as_str().filter(|_| name.ends_with("_endpoint") || name == "jwks_uri") else { continue };
        let seen = client.get(path.strip_prefix("https://console.test").expect("of this origin")).await;
        assert_ne!(seen.status, 404, "{name}");
    }
    let keys = client.get("/oidc/jwks").await.json();
    assert!(keys["keys"][0].get("d").is_none(), "a private key: {keys}");
    let code = client.code().await;
    let token = client.redeem(&code, &[]).await.word("id_token");
    let head: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().expect("a head")).expect("b64"))
            .expect("JSON");
    assert_eq!(head["kid"], keys["keys"][0]["kid"]);
    let nothing = client.get("/somewhere").await;
    assert!(nothing.status == 404 && nothing.text.contains("the-audit-id"), "{}", nothing.text);
}

#[test]
fn browsers_come_back_by_tls_alone_unless_the_name_is_their_own_machine() {
    for (origin, keeps) in [
        ("https://login.example.org", true),
        ("https://login.example.org:8443", true),
        ("https://localhost.example.org", true),
        ("https://localhost:8443", false),
        ("https://login.localhost:8443", false),
    ] {
        assert_eq!(keeps_to_tls(origin), keeps, "{origin}");
    }
}

#[tokio::test]
async fn a_page_speaks_the_language_of_its_browser_and_holds_no_script() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let sent = browser.authorize(&[("state", "<script>alert(1)</script>")]).await;
    let korean = browser.send(Request::get(&sent.location).header(header::ACCEPT_LANGUAGE, "ko"), String::new()).await;
    assert!(korean.text.contains(r#"lang="ko""#) && korean.text.contains("비밀번호"), "{}", korean.text);
    let hostile = r#""><script>alert(1)</script>"#;
    let again = browser.log_in(&korean, hostile, "wrong").await;
    assert_eq!(again.status, 401);
    assert!(!again.text.contains("<script"), "{}", again.text);
}

#[tokio::test]
async fn a_login_at_the_issuer_is_swept_with_all_that_came_of_it() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    client.redeem(&code, &[]).await;
    site.clock.advance(Duration::from_hours(8 * 24));
    crate::control::sweep(site.control.store()).await.expect("swept");
    assert!(site.admin().sessions(None).await.expect("listed").is_empty());
}

#[tokio::test]
async fn of_two_who_have_one_refresh_token_no_more_than_one_goes_on() {
    let site = Site::open().await;
    let (mut thief, mut owner) = (Visitor::new(&site), Visitor::new(&site));
    let code = owner.code().await;
    let shared = owner.redeem(&code, &[]).await.word("refresh_token");
    let stolen = thief.refresh(&shared).await;
    // Within the grace: the owner's answer may have got lost.
    let owned = owner.refresh(&shared).await;
    site.clock.advance(Duration::from_mins(14));
    assert_eq!(thief.refresh(&stolen.word("refresh_token")).await.word("error"), "invalid_grant");
    assert!(!is_good(&site, &owned.word("access_token")).await, "and both have to log in again");
    assert_eq!(owner.refresh(&owned.word("refresh_token")).await.word("error"), "invalid_grant");
}

#[tokio::test]
async fn two_logins_for_one_request_give_one_code() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let sent = browser.authorize(&[]).await;
    let flow = sent.query("flow").expect("a flow");
    let login = async || {
        let code = crate::issuer::Random::new().expect("random");
        let request = crate::LoginRequest {
            provider: "corp".to_owned(),
            input: auth_core::LoginInput::Password {
                login: "alice".to_owned(),
                password: auth_core::Password::new("right"),
            },
            client: None,
            agent: None,
            trace_id: String::new(),
        };
        let by = crate::issuer::authorization::By::Id(&flow);
        let mut reader = site.control.store().read().await.expect("a reader");
        let found = crate::issuer::authorization::find(&mut reader, by).await.expect("asked").expect("there");
        drop(reader);
        let gives = crate::login::Gives::Approval { authorization: &found, code: Some(&code) };
        site.control.begin(request, gives).await
    };
    login().await.expect("the first");
    assert!(matches!(login().await, Err(crate::LoginError::Over)), "the second");
    assert_eq!(site.admin().sessions(None).await.expect("listed").len(), 1, "and it began no session");
}

#[tokio::test]
async fn a_token_for_somebody_else_or_that_is_over_is_refused_before_the_store_is_asked() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    let access = client.redeem(&code, &[]).await.word("access_token");
    let issuer = site.control.issuer().expect("an issuer");
    let now = site.control.store().now();
    let (_, good) = crate::issuer::jwt_of(issuer, now, &access).expect("ours");
    let signed = |claims| crate::issuer::signed_by(issuer, now, &claims);
    let asked = site.control.store().calls();
    for wrong in [
        crate::issuer::Claims { aud: "https://other.test".to_owned(), ..good.clone() },
        crate::issuer::Claims { iss: "https://other.test/oidc".to_owned(), ..good.clone() },
        crate::issuer::Claims { client_id: "nobody".to_owned(), ..good.clone() },
        crate::issuer::Claims { exp: now.as_second(), ..good.clone() },
    ] {
        assert!(!is_good(&site, &signed(wrong)).await);
    }
    assert_eq!(site.control.store().calls(), asked);
    let other = crate::issuer::Claims { sub: "u-aaaaaaaaaaaaaaaaaaaa".to_owned(), ..good.clone() };
    assert!(!is_good(&site, &signed(other)).await, "a session of somebody else");
    assert!(is_good(&site, &signed(good)).await);
}

/// From a client's request to the provider's page: the state that the browser takes along.
async fn sent_away(browser: &mut Visitor<'_>) -> String {
    let sent = browser.authorize(&[]).await;
    let page = browser.get(&sent.location).await;
    assert!(page.text.contains("Log in with Away"), "{}", page.text);
    let flow = sent.query("flow").expect("a flow");
    let away = browser.get(&format!("/login/with?flow={flow}&provider=away")).await;
    assert!(away.location.starts_with("https://idp.test/authorize?"), "{} {}", away.status, away.text);
    assert_eq!(away.query("redirect_uri").as_deref(), Some("https://console.test/callback/away"));
    away.query("state").expect("a state")
}

/// From a client's request, by way of the provider, to the client's tokens.
async fn tokens_from_away(browser: &mut Visitor<'_>) -> Seen {
    let state = sent_away(browser).await;
    let done = browser.get(&format!("/callback/away?code=good&state={state}&iss=x")).await;
    browser.redeem(&done.query("code").expect("a code"), &[]).await
}

#[tokio::test]
async fn a_browser_is_sent_to_a_provider_and_its_answer_logs_somebody_in() {
    let site = Site::open().await;
    site.add_away().await;
    let mut browser = Visitor::new(&site);
    let given = tokens_from_away(&mut browser).await;
    let resolved = site.control.resolve_signed(&given.word("access_token")).await.expect("good");
    assert_eq!(resolved.identity.user.username, "away:alice");
    // What the provider left is asked with, and what it leaves next is kept.
    let mut token = given.word("refresh_token");
    for _ in 0..3 {
        token = browser.refresh(&token).await.word("refresh_token");
    }
    let mut reader = site.control.store().read().await.expect("a reader");
    let kept: Vec<u8> = sqlx::query_scalar("SELECT secret FROM sessions").fetch_one(&mut *reader).await.expect("one");
    assert!(!kept.windows(6).any(|window| window == b"secret"), "in plain text");
}

#[tokio::test]
async fn questions_at_once_present_a_provider_s_secret_once_each() {
    let site = Site::open().await;
    site.add_away().await;
    let mut browser = Visitor::new(&site);
    let given = tokens_from_away(&mut browser).await;
    let token = given.word("access_token");
    let resolved = site.control.resolve_signed(&token).await.expect("good");
    let registry = site.control.registry();
    let ask = || site.control.read_anew(&registry, &resolved.user, &resolved.principal);
    // One that comes twice is stolen, to an issuer that rotates it.
    tokio::join!(ask(), ask(), ask());
    assert!(site.control.resolve_signed(&token).await.is_ok(), "the login is over");
}

#[tokio::test]
async fn an_answer_is_taken_once_from_the_browser_that_was_sent() {
    let site = Site::open().await;
    site.add_away().await;
    let (mut alice, mut mallory) = (Visitor::new(&site), Visitor::new(&site));
    let (hers, his) = (sent_away(&mut alice).await, sent_away(&mut mallory).await);
    let came_back = |state: &str| format!("/callback/away?code=good&state={state}");
    assert_eq!(Visitor::new(&site).get(&came_back(&hers)).await.status, 410, "no browser of ours");
    assert_eq!(alice.get(&came_back(&his)).await.status, 410, "mallory's answer in alice's browser");
    for wrong in [
        "/callback/away?code=good".to_owned(),
        format!("/callback/corp?code=good&state={hers}"),
        format!("/callback?code=good&state={hers}"),
        came_back("state-of-the-trip-with-the-number-9"),
        format!("{}&state={hers}", came_back(&hers)),
    ] {
        let status = alice.get(&wrong).await.status;
        assert!(status == 410 || (status == 404 && wrong.starts_with("/callback?")), "{wrong}: {status}");
    }
    let refused = alice.get(&format!("/callback/away?code=bad&state={hers}")).await;
    assert!(refused.status == 401 && refused.text.contains("not right"), "{}", refused.text);
    assert_eq!(alice.get(&came_back(&hers)).await.status, 410, "a second time");
    assert_eq!(mallory.get(&came_back(&his)).await.status, 303, "his own is good");
}

#[tokio::test]
async fn nobody_is_sent_to_a_provider_that_takes_passwords_or_is_none() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let sent = browser.authorize(&[]).await;
    let flow = sent.query("flow").expect("a flow");
    for provider in ["corp", "nobody", ""] {
        let seen = browser.get(&format!("/login/with?flow={flow}&provider={provider}")).await;
        assert!(seen.status.is_client_error() && seen.location.is_empty(), "{provider}: {} {}", seen.status, seen.text);
    }
    assert_eq!(Visitor::new(&site).get(&format!("/login/with?flow={flow}&provider=corp")).await.status, 410);
}
