//! Tokens that come without a login: whose they are, and what each fault is called.

use auth_core::testing::block_on;
use auth_core::{AuthError, BearerProof, BearerVerdict, LoginForm, ProviderKind, ProviderSecret, testing};
use serde_json::{Value, json};

use super::bed::*;
use super::hostile::{Change, Row, TOKENS, set, without};
use crate::OidcKind;

/// An instance that logs nobody in.
fn workloads(changes: Value) -> Bed {
    let mut config =
        json!({"clientId": null, "clientSecret": null, "bearer": {"audiences": ["clusters", "gatewarden"]}});
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let bed = bed_with(config);
    bed.world().claims["preferred_username"] = json!("nobody asks");
    bed
}

fn judge(bed: &Bed) -> Result<BearerVerdict, AuthError> {
    let token = ProviderSecret::new(bed.world().mint());
    block_on(bed.provider.bearer().expect("it takes tokens").authenticate_bearer(&bed.ctx(), &token))
}

fn proven(bed: &Bed) -> Box<BearerProof> {
    match judge(bed) {
        Ok(BearerVerdict::Proven(proof)) => proof,
        other => panic!("{other:?}"),
    }
}

fn refused(bed: &Bed) -> String {
    match judge(bed) {
        Ok(BearerVerdict::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_id_token_says_who_its_bearer_is() {
    let bed = bed_with(json!({"bearer": {}}));
    let proof = proven(&bed);
    let user = &proof.login.user;
    assert_eq!((user.id.to_string().as_str(), user.name.as_str()), ("sso_user://u-1", "alice"));
    assert_eq!(proof.login.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["dev", "ops"]);
    assert_eq!((proof.issued_at.as_second(), proof.expires_at.as_second()), (NOW - 60, NOW + 300));
    assert!(bed.provider.redirect().is_some(), "people log in there as well");
    assert_eq!(bed.asked("/userinfo"), 0, "there is nothing to ask with");
}

#[test]
fn a_workload_is_called_by_its_subject_and_nobody_logs_in_there() {
    let bed = workloads(json!({}));
    bed.world().claims["sub"] = json!("repo:acme/app:ref:refs/heads/main");
    let proof = proven(&bed);
    assert_eq!(proof.login.user.name, "repo:acme/app:ref:refs/heads/main");
    assert!(proof.login.groups.is_empty(), "a claim that nobody named is no group");
    assert!(bed.provider.redirect().is_none());
    let public = bed.provider.transform_to_auth_provider();
    assert!(!public.login.contains(&LoginForm::Redirect));
}

#[test]
fn nobody_takes_tokens_unless_the_operator_says_so() {
    assert!(bed().provider.bearer().is_none());
}

#[test]
fn each_forged_token_is_refused() {
    // Of a trip of ours, which there was not.
    let of_a_trip = [
        "another nonce",
        "no nonce",
        "a strange audience beside",
        "another party",
        "another access token",
        "issued yesterday",
    ];
    for &(name, _, change) in TOKENS.iter().filter(|(name, ..)| !of_a_trip.contains(name)) {
        let bed = bed_with(json!({"bearer": {}}));
        bed.world().change = Box::new(change);
        assert!(!refused(&bed).is_empty(), "{name}");
    }
}

const BEARERS: &[Row] = &[
    ("for others", "none of bearer.audiences", |f| set(f, "aud", json!(["dashboard", "gatewarden-2"]))),
    ("issued yesterday", "iat is long ago", |f| set(f, "iat", json!(NOW - 86_461))),
    ("news of a logout", "an event", |f| {
        set(f, "events", json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    }),
    ("too many groups", "incomplete", |f| {
        without(f, "groups");
        set(f, "_claim_names", json!({"groups": "src1"}));
    }),
    ("groups that are none", "groups", |f| set(f, "groups", json!(7))),
    ("an address that nobody verified", "verified", |f| set(f, "email_verified", json!(false))),
];

#[test]
fn each_fault_of_a_bearer_has_its_own_reason() {
    for &(name, words, change) in BEARERS {
        let bed = bed_with(json!({"bearer": {}, "requireEmailVerified": true}));
        bed.world().claims["email_verified"] = json!(true);
        bed.world().change = Box::new(change);
        let why = refused(&bed);
        assert!(why.contains(words), "{name}: {why}");
    }
}

/// What is said otherwise, when it ends, and how it comes about.
type Taken = (&'static str, i64, Change);

#[test]
fn one_of_several_audiences_is_enough_and_a_token_ends_at_its_greatest_age() {
    const TAKEN: &[Taken] = &[
        ("one of ours among others", NOW + 300, |f| set(f, "aud", json!(["dashboard", "clusters"]))),
        ("somebody else's party", NOW + 300, |f| set(f, "azp", json!("kubelogin"))),
        ("for a year", NOW + 3_600, |f| set(f, "exp", json!(NOW + 31_536_000))),
    ];
    for &(name, ends, change) in TAKEN {
        let bed = workloads(json!({"bearer": {"audiences": ["clusters", "gatewarden"], "maxAgeSeconds": 3_600}}));
        bed.world().change = Box::new(change);
        assert_eq!(proven(&bed).expires_at.as_second(), ends, "{name}");
    }
}

#[test]
fn an_issuer_that_is_down_decides_nothing() {
    let bed = workloads(json!({}));
    bed.world().down = true;
    assert!(matches!(judge(&bed), Err(AuthError::Unavailable { .. })), "{:?}", judge(&bed));
}

#[test]
fn keys_that_the_operator_gives_are_the_only_ones_and_nobody_is_asked_for_others() {
    let bed = workloads(json!({}));
    let given = bed.world().keys.to_string();
    let with = |jwks: &str| {
        let config = json!({"issuer": ISSUER, "bearer": {"audiences": ["gatewarden"]}, "jwks": jwks});
        let provider = OidcKind.build("ci".parse().unwrap(), config, &bed.ports).unwrap();
        let token = ProviderSecret::new(bed.world().mint());
        block_on(provider.bearer().unwrap().authenticate_bearer(&testing::context(&bed.ports), &token)).unwrap()
    };
    assert!(matches!(with(&given), BearerVerdict::Proven(_)));
    let other = json!({"keys": [jwk(&ec(), "k2")]}).to_string();
    assert!(matches!(with(&other), BearerVerdict::Refused(why) if why.contains("no such key")));
    assert!(bed.http.asked().is_empty(), "{:?}", bed.http.asked());
}
