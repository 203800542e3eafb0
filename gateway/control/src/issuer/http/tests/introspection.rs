//! What clients are told of tokens, and how they prove who they are.

use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::testing::SECRET;

const INTROSPECT: &str = "/oidc/introspect";

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

impl Visitor<'_> {
    async fn asks(&mut self, client: &str, token: &str) -> Value {
        let fields = [("client_id", client), ("client_secret", SECRET), ("token", token)];
        let seen = self.post(INTROSPECT, &fields).await;
        assert_eq!(seen.status, 200, "{}", seen.text);
        seen.json()
    }

    async fn with_header(&mut self, path: &str, value: &str, form: &str) -> Seen {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, value);
        self.send(request, form.to_owned()).await
    }

    /// Alice's tokens for the wiki.
    async fn of_the_wiki(&mut self) -> Seen {
        let wiki = [("client_id", "wiki"), ("redirect_uri", "https://wiki.test/cb")];
        let sent = self.authorize(&wiki).await;
        let page = self.get(&sent.location).await;
        let done = self.log_in(&page, "alice", "right").await;
        let code = done.query("code").expect("a code");
        self.redeem(&code, &[wiki[0], wiki[1], ("client_secret", SECRET)]).await
    }
}

#[tokio::test]
async fn a_client_learns_what_its_own_tokens_are_worth_and_no_more() {
    let site = Site::open().await;
    let mut wiki = Visitor::new(&site);
    let given = wiki.of_the_wiki().await;
    let (access, refresh) = (given.word("access_token"), given.word("refresh_token"));
    let told = wiki.asks("wiki", &access).await;
    let names: Vec<&str> = told.as_object().expect("an object").keys().map(String::as_str).collect();
    let expected = ["active", "aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub", "token_type"];
    assert_eq!(names, expected, "no session, no name, no groups: {told}");
    let of = claims(&access);
    assert_eq!((&told["active"], &told["token_type"]), (&true.into(), &"Bearer".into()));
    for name in ["aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"] {
        assert_eq!(told[name], of[name], "{name}");
    }
    let told = wiki.asks("wiki", &refresh).await;
    assert_eq!((&told["active"], &told["client_id"], &told["sub"]), (&true.into(), &"wiki".into(), &of["sub"]));
    assert!(told.get("token_type").is_none(), "it is no bearer token: {told}");
}

#[tokio::test]
async fn whatever_is_not_this_clients_or_not_good_is_not_active_and_nothing_else_is_said() {
    let site = Site::open().await;
    let mut visitor = Visitor::new(&site);
    let given = visitor.of_the_wiki().await;
    let (access, refresh) = (given.word("access_token"), given.word("refresh_token"));
    let code = visitor.code().await;
    let kubectls = visitor.redeem(&code, &[]).await;
    let not_active = serde_json::json!({ "active": false });
    let api = site.login("alice").await.expect("logged in").token.expose().to_owned();
    for other in [
        &kubectls.word("access_token"),
        &kubectls.word("refresh_token"),
        &given.word("id_token"),
        &format!("{access}x"),
        &format!("{refresh}x"),
        &api,
        &"x".to_owned(),
    ] {
        assert_eq!(visitor.asks("wiki", other).await, not_active, "{other}");
    }
    // A resource server gets access tokens from others. Refresh tokens it never sees.
    assert_eq!(visitor.asks("service", &kubectls.word("access_token")).await["active"], true);
    assert_eq!(visitor.asks("service", &kubectls.word("refresh_token")).await, not_active);
    let fields = [
        ("client_id", "wiki"),
        ("client_secret", SECRET),
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    let next = visitor.post("/oidc/token", &fields).await.word("refresh_token");
    assert_eq!(visitor.asks("wiki", &refresh).await, not_active, "it was used");
    assert_eq!(visitor.asks("wiki", &next).await["active"], true, "and asking is no second use");
    site.clock.advance(Duration::from_mins(15));
    assert_eq!(visitor.asks("wiki", &access).await, not_active, "its time is over");
    let session = claims(&access)["sid"].as_str().expect("a session").to_owned();
    site.admin().end_session(&session).await.expect("ended");
    assert_eq!(visitor.asks("wiki", &next).await, not_active, "its session is over");
}

#[tokio::test]
async fn what_cannot_be_decided_now_is_not_called_over() {
    let settings = crate::Settings { max_staleness: Some(Duration::from_mins(5)), ..crate::Settings::default() };
    let site = Site::with(auth_core::AccessPolicy::default(), settings).await;
    let mut wiki = Visitor::new(&site);
    let access = wiki.of_the_wiki().await.word("access_token");
    *site.corp.mood() = Mood::Down;
    site.clock.advance(Duration::from_mins(6));
    let fields = [("client_id", "wiki"), ("client_secret", SECRET), ("token", &access)];
    let seen = wiki.post(INTROSPECT, &fields).await;
    assert_eq!(
        (seen.status, seen.word("error").as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
    );
}

#[tokio::test]
async fn only_a_client_that_proves_itself_is_told_anything() {
    let site = Site::open().await;
    let mut visitor = Visitor::new(&site);
    let access = visitor.of_the_wiki().await.word("access_token");
    let form = format!("token={access}");
    for (header, rest, error) in [
        ("", "&client_id=wiki", "invalid_client"),
        ("", "&client_id=wiki&client_secret=x", "invalid_client"),
        ("", "&client_id=page", "invalid_client"),
        ("", "&client_id=nobody", "invalid_client"),
        ("", "", "invalid_client"),
        (&basic("wiki", ""), "", "invalid_client"),
        (&basic("wiki", "x"), "", "invalid_client"),
        (&basic("page", ""), "", "invalid_client"),
        (&basic("page", SECRET), "", "invalid_client"),
        (&basic("service", SECRET), "&client_id=wiki", "invalid_request"),
        (&basic("wiki", SECRET), "&client_secret=x", "invalid_request"),
        ("Basic !", "", "invalid_client"),
        (&format!("Bearer {access}"), "&client_id=wiki", "invalid_client"),
    ] {
        let seen = match header {
            "" => visitor.post_text(INTROSPECT, format!("{form}{rest}")).await,
            value => visitor.with_header(INTROSPECT, value, &format!("{form}{rest}")).await,
        };
        assert_eq!((seen.status.as_u16() / 100, seen.word("error").as_str()), (4, error), "{header} {rest}");
    }
    let encoded = SECRET.replace('-', "%2D");
    for good in [basic("wiki", SECRET), basic("wiki", &encoded)] {
        let seen = visitor.with_header(INTROSPECT, &good, &form).await;
        assert_eq!(seen.json()["active"], true, "{}", seen.text);
    }
    let seen = visitor.with_header(INTROSPECT, &basic("wiki", SECRET), "").await;
    assert_eq!(seen.word("error"), "invalid_request", "no token");
}

#[tokio::test]
async fn a_client_with_a_secret_gets_no_token_without_it() {
    let site = Site::open().await;
    let mut visitor = Visitor::new(&site);
    let wiki = [("client_id", "wiki"), ("redirect_uri", "https://wiki.test/cb")];
    let given = visitor.of_the_wiki().await;
    let refresh = given.word("refresh_token");
    let sent = visitor.authorize(&wiki).await;
    let page = visitor.get(&sent.location).await;
    let code = visitor.log_in(&page, "alice", "right").await.query("code").expect("a code");
    let wrong = visitor.redeem(&code, &wiki).await;
    assert_eq!((wrong.status, wrong.word("error").as_str()), (StatusCode::UNAUTHORIZED, "invalid_client"));
    let fields = [("grant_type", "refresh_token"), ("client_id", "wiki"), ("refresh_token", refresh.as_str())];
    assert_eq!(visitor.post("/oidc/token", &fields).await.word("error"), "invalid_client");
    let fields = [("client_id", "wiki"), ("token", refresh.as_str())];
    assert_eq!(visitor.post("/oidc/revoke", &fields).await.word("error"), "invalid_client");
    assert_eq!(visitor.post("/oidc/device", &[wiki[0], ("scope", "openid")]).await.word("error"), "invalid_client");
    assert_eq!(visitor.redeem(&code, &[wiki[0], wiki[1], ("client_secret", SECRET)]).await.status, 200);
}
