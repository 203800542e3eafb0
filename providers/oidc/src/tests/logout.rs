//! Logouts that the issuer tells of: what proves one, and what each forgery is refused for.

use std::collections::BTreeMap;

use auth_core::testing::block_on;
use auth_core::{
    AuthError, Leaving, LoginsOver, LogoutNotice, LogoutVerdict, ProviderSecret, Refetch, SecretUpdate, UpstreamLogin,
    UpstreamLogins,
};
use serde_json::{Value, json};
use url::Url;

use super::bed::*;
use super::hostile::{Change, Row, TOKENS, set, without};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// An issuer that tells of a logout when it mints a token.
fn telling() -> Bed {
    let bed = bed();
    bed.world().claims = json!({
        "iss": ISSUER, "aud": "gatewarden", "sub": "u-1", "sid": "s-1", "iat": NOW, "exp": NOW + 120, "jti": "j-1",
        "events": {EVENT: {}},
    });
    bed
}

fn read(bed: &Bed, fields: &[(&str, &str)]) -> Result<LogoutVerdict, AuthError> {
    let parameters = fields.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    block_on(bed.provider.logout().expect("it hears").read_logout(&bed.ctx(), &LogoutNotice { parameters }))
}

fn told(bed: &Bed) -> Result<LogoutVerdict, AuthError> {
    let token = bed.world().mint();
    read(bed, &[("logout_token", &token)])
}

fn over(bed: &Bed) -> LoginsOver {
    match told(bed) {
        Ok(LogoutVerdict::Over(over)) => over,
        other => panic!("{other:?}"),
    }
}

fn refused(verdict: Result<LogoutVerdict, AuthError>) -> String {
    match verdict {
        Ok(LogoutVerdict::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_logout_names_the_login_that_a_session_here_rests_on() {
    let bed = bed();
    bed.world().claims["sid"] = json!("s-1");
    let login = bed.log_in().unwrap();
    let upstream = UpstreamLogin { subject: "u-1".to_owned(), session: Some("s-1".to_owned()) };
    assert_eq!(login.upstream, Some(upstream));

    let over = over(&telling());
    assert_eq!(over.which, UpstreamLogins::SessionOf { subject: "u-1".to_owned(), session: "s-1".to_owned() });
    assert_eq!((over.notice.as_str(), over.made_at.as_second()), ("j-1", NOW));
    // A second longer than the token is believed with the skew.
    assert_eq!(over.expires_at.as_second(), NOW + 120 + 60 + 1);
}

#[test]
fn what_a_logout_leaves_out_it_does_not_narrow() {
    type Row = (&'static str, Change, UpstreamLogins);
    let rows: [Row; 6] = [
        ("all of a subject", |f| without(f, "sid"), UpstreamLogins::OfSubject("u-1".to_owned())),
        ("a login of whomever", |f| without(f, "sub"), UpstreamLogins::Session("s-1".to_owned())),
        ("no typ", |f| drop(f.header.as_object_mut().unwrap().remove("typ")), both()),
        ("its own typ", |f| f.header["typ"] = json!("logout+jwt"), both()),
        ("its own typ, shouted", |f| f.header["typ"] = json!("Logout+JWT"), both()),
        ("details of the event", |f| set(f, "events", json!({EVENT: {"x": 1}, "other": {}})), both()),
    ];
    for (name, change, which) in rows {
        let bed = telling();
        bed.world().change = Box::new(change);
        assert_eq!(over(&bed).which, which, "{name}");
    }
}

fn both() -> UpstreamLogins {
    UpstreamLogins::SessionOf { subject: "u-1".to_owned(), session: "s-1".to_owned() }
}

#[test]
fn a_token_that_is_forged_as_an_id_token_may_be_ends_nothing() {
    // Of an ID token alone, or told below.
    let others = ["another party", "another nonce", "no nonce", "no subject", "another access token", "a logout token"];
    let others = others.iter().chain(&["a login that is no text"]);
    for &(name, _, change) in TOKENS.iter().filter(|(name, ..)| !others.clone().any(|other| other == name)) {
        let bed = telling();
        bed.world().change = Box::new(change);
        assert!(!refused(told(&bed)).is_empty(), "{name}");
    }
}

const LOGOUTS: &[Row] = &[
    ("an ID token", "events", |f| without(f, "events")),
    ("an ID token with all else", "nonce", |f| set(f, "nonce", json!("n"))),
    ("an empty nonce", "nonce", |f| set(f, "nonce", json!(""))),
    ("a nonce of null", "nonce", |f| set(f, "nonce", json!(null))),
    ("another event", "events", |f| set(f, "events", json!({"http://schemas.openid.net/event/other": {}}))),
    ("an event that is a list", "events", |f| set(f, "events", json!([EVENT]))),
    ("an event that is text", "events", |f| set(f, "events", json!(EVENT))),
    ("an event that is true", "events", |f| set(f, "events", json!({EVENT: true}))),
    ("an event of null", "events", |f| set(f, "events", json!({EVENT: null}))),
    ("nobody", "neither sub nor sid", |f| {
        without(f, "sub");
        without(f, "sid");
    }),
    ("an empty subject", "sub is empty", |f| set(f, "sub", json!(""))),
    ("a subject of null", "sub is missing", |f| set(f, "sub", json!(null))),
    ("a list of subjects", "sub is missing", |f| set(f, "sub", json!(["u-1", "u-2"]))),
    ("an empty login", "sid is empty", |f| set(f, "sid", json!(""))),
    ("a login as a number", "sid is missing", |f| set(f, "sid", json!(1))),
    ("an endless login", "sid is empty or longer", |f| set(f, "sid", json!("x".repeat(256)))),
    ("no name of its own", "jti is missing", |f| without(f, "jti")),
    ("an empty name", "jti is empty", |f| set(f, "jti", json!(""))),
    ("an endless name", "jti is empty or longer", |f| set(f, "jti", json!("x".repeat(256)))),
    ("a name as a number", "jti is missing", |f| set(f, "jti", json!(7))),
    ("an access token", "typ", |f| f.header["typ"] = json!("at+jwt")),
    ("a typ of a list", "typ", |f| f.header["typ"] = json!(["logout+jwt"])),
];

#[test]
fn each_fault_of_a_logout_token_has_its_own_reason() {
    for &(name, words, change) in LOGOUTS {
        let bed = telling();
        bed.world().change = Box::new(change);
        let why = refused(told(&bed));
        assert!(why.contains(words), "{name}: {why}");
    }
}

#[test]
fn one_token_is_told_at_a_time_and_garbage_asks_nobody() {
    let bed = telling();
    let token = bed.world().mint();
    let twice = refused(read(&bed, &[("logout_token", &token), ("logout_token", &token)]));
    assert!(twice.contains("more than one"), "{twice}");
    for garbage in ["", "x", "a.b.c", "....", &"x".repeat(9_000)] {
        refused(read(&bed, &[("logout_token", garbage)]));
    }
    refused(read(&bed, &[("token", &token)]));
    assert!(bed.http.asked().is_empty(), "{:?}", bed.http.asked());
}

#[test]
fn an_issuer_whose_keys_cannot_be_read_decides_nothing_and_one_that_logs_nobody_in_tells_nothing() {
    let bed = telling();
    bed.world().down = true;
    assert!(matches!(told(&bed), Err(AuthError::Unavailable { .. })));
    let jobs = bed_with(json!({"clientId": null, "clientSecret": null, "bearer": {"audiences": ["gatewarden"]}}));
    assert!(jobs.provider.logout().is_none());
}

const BACK: &str = "https://console.example.org/logout/done";

/// A bed whose issuer has a page to log out at, and the session of a login that has just been refreshed as well.
fn leaving(changes: Value) -> Bed {
    let bed = bed_with(changes);
    bed.world().discovery["end_session_endpoint"] = json!(format!("{ISSUER}/logout?skin=dark"));
    bed
}

/// Where a browser goes, and what stands in that address.
type Way = (Url, BTreeMap<String, String>);

fn leave(bed: &Bed, secret: Option<&str>) -> Option<Way> {
    let leaving = Leaving::new(secret.map(ProviderSecret::new), BACK, "st&te");
    let way = block_on(bed.provider.logout().unwrap().leave(&bed.ctx(), &leaving)).unwrap()?;
    let way: Url = way.parse().unwrap();
    let query = way.query_pairs().into_owned().collect();
    Some((way, query))
}

#[test]
fn a_browser_logs_out_at_the_issuer_by_the_token_of_its_login_and_comes_back() {
    let bed = leaving(json!({"logOutAtIssuer": true}));
    let login = bed.log_in().unwrap();
    let (way, query) = leave(&bed, login.secret.as_ref().map(ProviderSecret::expose)).unwrap();
    assert!(way.as_str().starts_with(&format!("{ISSUER}/logout?skin=dark&")), "{way}");
    let token = query["id_token_hint"].clone();
    assert!(token.split('.').count() == 3 && !query.contains_key("logout_hint"), "{query:?}");
    for (name, value) in [("client_id", "gatewarden"), ("post_logout_redirect_uri", BACK), ("state", "st&te")] {
        assert_eq!(query[name], value);
    }
    // The next token takes its place.
    bed.world().claims["iat"] = json!(NOW - 1);
    let Ok(Refetch::Current(current)) = bed.refetch(&login) else { panic!("not there") };
    let SecretUpdate::Replace(next) = current.secret else { panic!("kept") };
    let (_, query) = leave(&bed, Some(next.expose())).unwrap();
    assert!(query["id_token_hint"] != token);
}

#[test]
fn a_token_that_makes_an_address_too_long_gives_way_to_a_name() {
    let bed = leaving(json!({"logOutAtIssuer": true}));
    let groups: Vec<String> = (0..400).map(|group| format!("group-{group}")).collect();
    bed.world().claims["groups"] = json!(groups);
    let secret = bed.log_in().unwrap().secret.unwrap();
    let (way, query) = leave(&bed, Some(secret.expose())).unwrap();
    assert!(!query.contains_key("id_token_hint") && way.as_str().len() < 1_000, "{way}");
    assert_eq!(query["logout_hint"], "alice");
}

#[test]
fn nobody_is_sent_where_there_is_nothing_or_told_whose_login_another_issuer_had() {
    let quiet = leaving(json!({}));
    let secret = quiet.log_in().unwrap().secret.unwrap();
    assert!(leave(&quiet, Some(secret.expose())).is_none(), "nobody said so");
    assert!(!secret.expose().contains("id_token\":\""), "and nothing is kept for it");
    assert!(leave(&bed_with(json!({"logOutAtIssuer": true})), None).is_none(), "the issuer has no page for it");
    let other = leaving(json!({"logOutAtIssuer": true, "clientId": "another"}));
    for secret in [None, Some(secret.expose()), Some("x")] {
        let (_, query) = leave(&other, secret).unwrap();
        let hints = ["id_token_hint", "logout_hint"].iter().any(|hint| query.contains_key(*hint));
        assert!(!hints && query["client_id"] == "another", "{query:?}");
    }
    let plain = leaving(json!({"logOutAtIssuer": true}));
    plain.world().discovery["end_session_endpoint"] = json!("http://id.example.org/logout");
    let leaving = Leaving::new(None, BACK, "state");
    assert!(block_on(plain.provider.logout().unwrap().leave(&plain.ctx(), &leaving)).is_err(), "in plain text");
}
