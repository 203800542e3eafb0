//! The discovery document and the keys: checked, kept, renewed ahead, and never a flood.

use std::time::Duration;

use auth_core::testing::block_on;
use auth_core::{AuthError, AuthProvider, Coverage, ProviderKind, Search};
use serde_json::{Value, json};

use super::bed::*;
use crate::OidcKind;

const DISCOVERY: &str = "/.well-known/openid-configuration";

#[test]
fn a_document_that_cannot_be_trusted_begins_no_trip() {
    type Row = (&'static str, &'static str, Value);
    let rows: &[Row] = &[
        ("another issuer", "another issuer", json!("https://evil.example.org")),
        ("a slash more", "another issuer", json!(format!("{ISSUER}/"))),
        ("a plain endpoint", "token_endpoint: not https", json!(null)),
    ];
    for (name, words, issuer) in rows {
        let bed = bed();
        match issuer {
            Value::Null => bed.world().discovery["token_endpoint"] = json!("http://id.example.org/token"),
            issuer => bed.world().discovery["issuer"] = issuer.clone(),
        }
        let text = bed.begin().err().unwrap().audit_text();
        assert!(text.contains(words), "{name}: {text}");
    }
}

#[test]
fn what_does_not_say_that_it_is_json_is_not_read_as_such() {
    for content_type in ["text/html", "text/plain; charset=utf-8", "application/jsonp", ""] {
        let bed = bed();
        bed.world().content_type = content_type;
        let text = bed.begin().err().unwrap().audit_text();
        assert!(text.contains("not application/json"), "{content_type}: {text}");
    }
    let bed = bed();
    bed.world().content_type = "application/jwk-set+json";
    bed.begin().unwrap();
}

#[test]
fn documents_are_fetched_once_and_renewed_ahead_of_their_end() {
    let bed = bed();
    bed.log_in().unwrap();
    bed.begin().unwrap();
    assert_eq!((bed.asked(DISCOVERY), bed.asked("/keys")), (1, 1));
    bed.clock.advance(Duration::from_secs(1_801));
    bed.begin().unwrap();
    bed.begin().unwrap();
    wait_for(|| bed.asked(DISCOVERY) == 2);
}

#[test]
fn an_issuer_that_is_down_holds_nobody_who_has_its_documents() {
    let bed = bed();
    bed.begin().unwrap();
    bed.world().down = true;
    bed.clock.advance(Duration::from_secs(24 * 3_600));
    assert!(bed.begin().is_ok());
    bed.clock.advance(Duration::from_secs(8 * 24 * 3_600));
    assert_eq!(bed.begin().err().unwrap().audit_code(), "unavailable");
    let new = self::bed();
    new.world().down = true;
    assert_eq!(new.begin().err().unwrap().audit_code(), "unavailable");
}

#[test]
fn a_new_key_is_fetched_when_it_is_first_seen_and_forged_names_are_no_flood() {
    let bed = bed();
    bed.log_in().unwrap();
    let again = |code: &str| {
        let trip = bed.begin().unwrap();
        bed.finish(&trip.memo, &[("code", code), ("state", &trip.state)])
    };
    let new = ec();
    bed.world().keys = json!({"keys": [jwk(&new, "k2")]});
    bed.world().key = new;
    bed.world().change = Box::new(|forge| forge.header["kid"] = json!("k2"));
    bed.clock.advance(Duration::from_secs(10));
    again("rotated").unwrap();
    assert_eq!(bed.asked("/keys"), 2);

    bed.world().change = Box::new(|forge| forge.header["kid"] = json!("forged"));
    for n in 0..20 {
        assert!(again(&format!("forged-{n}")).unwrap_err().audit_text().contains("no such key"));
    }
    assert_eq!(bed.asked("/keys"), 2, "within ten seconds nobody asks again");
    bed.clock.advance(Duration::from_secs(10));
    for n in 20..40 {
        again(&format!("forged-{n}")).unwrap_err();
    }
    assert_eq!(bed.asked("/keys"), 3);
}

#[test]
fn keys_that_verify_nothing_are_left_out_and_one_of_several_is_found_without_a_name() {
    let bed = bed();
    let mine = jwk(&bed.world().key, "k1");
    let encryption = json!({"kty": "EC", "crv": "P-256", "use": "enc", "kid": "k1", "x": mine["x"], "y": mine["y"]});
    let secret = json!({"kty": "oct", "kid": "k1", "k": "AAAA"});
    bed.world().keys = json!({"keys": [&encryption, &secret]});
    assert!(bed.log_in().unwrap_err().audit_text().contains("no key that can verify"));
    bed.world().keys = json!({"keys": [secret, jwk(&ec(), "k0"), encryption, mine]});
    bed.world().change = Box::new(|forge| drop(forge.header.as_object_mut().unwrap().remove("kid")));
    let trip = bed.begin().unwrap();
    bed.finish(&trip.memo, &[("code", "2"), ("state", &trip.state)]).unwrap();
}

fn wait_for(is_so: impl Fn() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "a guard against a test that never ends")]
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "it did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn an_issuer_that_is_down_finds_nobody_by_an_error() {
    let bed = bed();
    let search =
        |provider: &dyn AuthProvider| block_on(provider.search_principals(&bed.ctx(), Search::new("alice", 1)));
    bed.world().down = true;
    let down = search(bed.provider.as_ref());
    assert!(matches!(down, Err(AuthError::Unavailable { .. })), "{down:?}");
    // Where tokens alone are taken, by keys that are written down, nobody asks it for anything.
    let keys = bed.world().keys.to_string();
    let config = json!({"issuer": ISSUER, "bearer": {"audiences": ["gatewarden"]}, "jwks": keys});
    let unasked = OidcKind.build("ci".parse().unwrap(), config, &bed.ports).unwrap();
    assert!(search(unasked.as_ref()).unwrap().principals.is_empty());
    bed.world().down = false;
    bed.clock.advance(Duration::from_mins(1));
    let page = search(bed.provider.as_ref()).unwrap();
    assert_eq!((page.principals.len(), page.coverage), (0, Coverage::SeenAtLogin));
}
