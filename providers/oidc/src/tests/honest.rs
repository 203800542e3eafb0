//! What an honest issuer says arrives.

use std::collections::BTreeMap;

use auth_core::{AuthError, Completeness, Login};
use serde_json::{Value, json};

use super::bed::*;

fn names(login: &Login) -> Vec<&str> {
    login.groups.iter().map(|group| group.name.as_str()).collect()
}

#[test]
fn a_person_comes_back_with_their_groups() {
    let bed = bed();
    bed.world().claims["auth_time"] = json!(NOW - 60);
    bed.world().claims["amr"] = json!(["pwd", "otp"]);
    let login = bed.log_in().unwrap();
    assert_eq!(login.user.id.to_string(), "sso_user://u-1");
    assert_eq!((login.user.name.as_str(), login.user.display_name.as_deref()), ("alice", Some("Alice Liddell")));
    assert_eq!((names(&login), &login.completeness), (vec!["dev", "ops"], &Completeness::Complete));
    assert_eq!((login.auth_time.as_second(), login.amr), (NOW - 60, vec!["pwd".to_owned(), "otp".to_owned()]));
    assert_eq!(bed.asked("/userinfo"), 0, "the token said everything");
}

#[test]
fn the_browser_goes_with_state_nonce_and_a_challenge_that_are_others_each_time() {
    let bed = bed();
    let (one, two) = (bed.begin().unwrap(), bed.begin().unwrap());
    let query: BTreeMap<_, _> = one.location.query_pairs().into_owned().collect();
    let said = |name: &str| query[name].as_str();
    assert_eq!((said("response_type"), said("code_challenge_method")), ("code", "S256"));
    assert_eq!((said("client_id"), said("redirect_uri")), ("gatewarden", CALLBACK));
    assert_eq!((said("scope"), said("prompt")), ("openid profile email offline_access", "consent"));
    assert_eq!(said("state"), one.state);
    let other: BTreeMap<_, _> = two.location.query_pairs().into_owned().collect();
    for name in ["state", "nonce", "code_challenge"] {
        assert!(query[name].len() >= 43 && query[name] != other[name], "{name}");
    }
    assert!(!one.location.as_str().contains("s3cret"));
}

#[test]
fn the_secret_goes_where_the_issuer_takes_it() {
    let bed = bed();
    bed.log_in().unwrap();
    assert_eq!(bed.world().authorization.as_deref(), Some(basic("gatewarden:s3cret%2F%2B").as_str()));
    assert!(!bed.world().form.contains_key("client_secret"));

    let bed = self::bed();
    bed.world().discovery["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
    bed.log_in().unwrap();
    let world = bed.world();
    assert_eq!((&world.authorization, world.form["client_secret"].as_str()), (&None, "s3cret/+"));
}

#[test]
fn rsa_signatures_count_too() {
    let bed = bed();
    bed.world().keys = json!({"keys": [rsa_jwk("r1")]});
    bed.world().change = Box::new(|forge| {
        forge.header = json!({"alg": "RS256", "kid": "r1"});
        forge.sign = Sign::Rsa;
    });
    assert!(bed.log_in().is_ok());
}

#[test]
fn groups_are_read_in_each_shape() {
    let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    type Row = (&'static str, &'static str, Value, Vec<String>);
    let rows: &[Row] = &[
        ("one as text", "/groups", json!({"groups": "dev"}), list(&["dev"])),
        ("none", "/groups", json!({"groups": []}), list(&[])),
        (
            "paths stay whole",
            "/groups",
            json!({"groups": ["/team/admins", "admins"]}),
            list(&["/team/admins", "admins"]),
        ),
        ("nested", "/realm_access/roles", json!({"realm_access": {"roles": ["dev"]}}), list(&["dev"])),
        (
            "a claim named as an address",
            "/https:~1~1x.org~1groups",
            json!({"https://x.org/groups": ["a"]}),
            list(&["a"]),
        ),
        ("keys of an object", "/roles", json!({"roles": {"admin": {"1": "x"}, "dev": {}}}), list(&["admin", "dev"])),
    ];
    for (name, pointer, claims, expected) in rows {
        let bed = bed_with(json!({"claims": {"groups": pointer}}));
        bed.world().claims.as_object_mut().unwrap().remove("groups");
        bed.world().claims.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let login = bed.log_in().unwrap();
        assert_eq!(names(&login), *expected, "{name}");
        assert!(login.completeness.is_complete(), "{name}");
    }
}

#[test]
fn further_claims_are_attributes_under_the_names_that_they_are_given() {
    let pointers = json!({"mail": "/email", "team": "/org/team", "level": "/level", "on": "/on", "phone": "/phone", "none": "/none"});
    let bed = bed_with(json!({"claims": {"attributes": pointers}}));
    let told = json!({"email": "a@x.org", "org": {"team": ["eu", "ops"]}, "level": 7, "on": true, "phone": "", "none": [], "more": "x"});
    bed.world().claims.as_object_mut().unwrap().extend(told.as_object().unwrap().clone());
    let list = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>();
    let expected = [
        ("level", list(&["7"])),
        ("mail", list(&["a@x.org"])),
        ("on", list(&["true"])),
        ("team", list(&["eu", "ops"])),
    ];
    let attributes = bed.log_in().unwrap().user.attributes;
    assert_eq!(attributes.into_iter().collect::<Vec<_>>(), expected.map(|(name, values)| (name.to_owned(), values)));
    for wrong in [json!({"team": "x"}), json!([["x"]]), json!([null])] {
        let bed = bed_with(json!({"claims": {"attributes": {"mail": "/email"}}}));
        bed.world().claims["email"] = wrong.clone();
        let refused = bed.log_in();
        assert!(matches!(&refused, Err(AuthError::Protocol(why)) if why.contains("/email")), "{wrong}: {refused:?}");
    }
}

#[test]
fn groups_of_a_wrong_type_are_an_error_and_not_none() {
    for wrong in [json!(7), json!(true), json!([["dev"]]), json!(["dev", 1]), json!([" "])] {
        let bed = bed();
        bed.world().claims["groups"] = wrong.clone();
        assert!(matches!(bed.log_in(), Err(AuthError::Protocol(_))), "{wrong}");
    }
}

#[test]
fn a_list_that_is_cut_short_says_so() {
    for overage in [json!({"_claim_names": {"groups": "src1"}}), json!({"hasgroups": true})] {
        let bed = bed_with(json!({"preset": "entra", "claims": {"id": "/sub"}}));
        bed.world().claims.as_object_mut().unwrap().remove("groups");
        bed.world().claims.as_object_mut().unwrap().extend(overage.as_object().unwrap().clone());
        assert!(!bed.log_in().unwrap().completeness.is_complete(), "{overage}");
        assert_eq!(bed.asked("/userinfo"), 0);
    }
    let bed = bed_with(json!({"preset": "okta"}));
    bed.world().claims["groups"] = (0..100).map(|n| format!("g{n}")).collect();
    assert!(!bed.log_in().unwrap().completeness.is_complete());
}

#[test]
fn userinfo_says_what_the_token_does_not() {
    let bed = bed();
    bed.world().claims.as_object_mut().unwrap().remove("groups");
    bed.world().userinfo = Some(json!({"sub": "u-1", "groups": ["dev"], "preferred_username": "mallory"}));
    let login = bed.log_in().unwrap();
    assert_eq!((names(&login), login.user.name.as_str()), (vec!["dev"], "alice"), "what is signed counts first");

    bed.world().userinfo = Some(json!({"sub": "u-2", "groups": ["admins"]}));
    let trip = bed.begin().unwrap();
    let swapped = bed.finish(&trip.memo, &[("code", "other"), ("state", &trip.state)]).unwrap_err();
    assert!(swapped.audit_text().contains("another person"), "{}", swapped.audit_text());
}

#[test]
fn an_address_that_nobody_verified_is_no_login() {
    let bed = bed_with(json!({"preset": "dex"}));
    bed.world().claims["email"] = json!("alice@example.org");
    for (verified, enters) in [(json!(false), false), (json!("no"), false), (json!(null), false), (json!(true), true)] {
        bed.world().claims["email_verified"] = verified.clone();
        bed.world().userinfo = Some(json!({"sub": "u-1"}));
        let trip = bed.begin().unwrap();
        let entered = bed.finish(&trip.memo, &[("code", &verified.to_string()), ("state", &trip.state)]);
        assert_eq!(entered.is_ok(), enters, "{verified}");
    }
}

#[test]
fn who_is_of_no_domain_that_is_named_is_kept_out() {
    let config = || json!({"preset": "google", "hostedDomains": ["example.org", "example.com"]});
    for (hosted, enters) in [
        (Some(json!("example.com")), true),
        (Some(json!("evil.org")), false),
        (Some(json!("example.org.evil.org")), false),
        (Some(json!("Example.org")), false),
        (Some(json!("")), false),
        (Some(json!(["example.org"])), false),
        // A private account: whoever has one may have been at the site.
        (None, false),
    ] {
        let bed = bed_with(config());
        bed.world().claims["email"] = json!("alice@example.org");
        // What userinfo says is not signed.
        bed.world().userinfo = Some(json!({"sub": "u-1", "hd": "example.org", "email_verified": true}));
        if let Some(hosted) = &hosted {
            bed.world().claims["hd"] = hosted.clone();
        }
        let login = bed.log_in();
        match enters {
            true => assert!(login.is_ok(), "{hosted:?}: {login:?}"),
            false => assert!(matches!(login, Err(AuthError::PolicyDenied(_))), "{hosted:?}: {login:?}"),
        }
    }
}
