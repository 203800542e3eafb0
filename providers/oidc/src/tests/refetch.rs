//! Asking again without the person.

use std::sync::Arc;
use std::time::Duration;

use auth_core::{AuthError, Current, Login, Refetch, SecretUpdate};
use serde_json::{Value, json};

use super::bed::*;

fn current(refetch: Result<Refetch, AuthError>) -> Box<Current> {
    match refetch {
        Ok(Refetch::Current(current)) => current,
        other => panic!("{other:?}"),
    }
}

fn logged_in(changes: Value) -> (Bed, Login) {
    let bed = bed_with(changes);
    let login = bed.log_in().unwrap();
    (bed, login)
}

fn names(current: &Current) -> Vec<&str> {
    current.groups.iter().map(|group| group.name.as_str()).collect()
}

#[test]
fn a_refresh_token_brings_the_groups_of_now_and_the_next_token_is_kept() {
    let (bed, login) = logged_in(json!({}));
    bed.world().claims["groups"] = json!(["ops"]);
    bed.world().token_answer["refresh_token"] = json!("rt-2");
    let first = current(bed.refetch(&login));
    assert_eq!((names(&first), bed.world().form["refresh_token"].as_str()), (vec!["ops"], "rt-1"));
    let SecretUpdate::Replace(secret) = &first.secret else { panic!("the rotated token is lost") };
    current(bed.refetch_with(&login.user.id, Some(secret)));
    assert_eq!(bed.world().form["refresh_token"], "rt-2");
}

#[test]
fn gone_and_switched_off_and_run_out_and_in_trouble_are_four_things() {
    let grant = |more: Value| {
        let mut answer = json!({"error": "invalid_grant"});
        answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answer
    };
    type Row = (&'static str, &'static str, u16, Value, &'static str);
    let rows: Vec<Row> = vec![
        ("run out", "generic", 400, grant(json!({})), "NeedsLogin"),
        ("switched off", "keycloak", 400, grant(json!({"error_description": "User disabled"})), "UserDisabled"),
        (
            "switched off in words of another product",
            "generic",
            400,
            grant(json!({"error_description": "User disabled"})),
            "NeedsLogin",
        ),
        ("switched off", "entra", 400, grant(json!({"error_codes": [50057]})), "UserDisabled"),
        ("gone", "entra", 400, grant(json!({"error_codes": [50034]})), "UserGone"),
        ("a wrong secret", "generic", 401, json!({"error": "invalid_client"}), "misconfigured"),
        ("trouble", "generic", 503, json!({}), "unavailable"),
        ("trouble that says it is the person", "generic", 500, grant(json!({})), "unavailable"),
        ("too many", "generic", 429, json!({}), "unavailable"),
        ("too many, in a word of its own", "generic", 429, json!({"error": "slow_down"}), "unavailable"),
        ("too many that says it is the person", "generic", 429, grant(json!({})), "unavailable"),
        ("nonsense", "generic", 404, json!({}), "protocol"),
    ];
    for (name, preset, status, answer, expected) in rows {
        let (bed, login) = logged_in(json!({"preset": preset, "claims": {"id": "/sub"}}));
        bed.world().token_refusal = Some((status, answer));
        let found = match bed.refetch(&login) {
            Ok(Refetch::NeedsLogin) => "NeedsLogin",
            Ok(Refetch::UserDisabled) => "UserDisabled",
            Ok(Refetch::UserGone) => "UserGone",
            Ok(Refetch::Current(_)) => "Current",
            Err(error) => error.audit_code(),
        };
        assert_eq!(found, expected, "{name}, {preset}");
    }
}

#[test]
fn new_tokens_of_another_person_are_refused() {
    let (bed, login) = logged_in(json!({}));
    bed.world().token_answer["refresh_token"] = json!(null);
    bed.world().claims["sub"] = json!("u-2");
    assert!(bed.refetch(&login).unwrap_err().audit_text().contains("another person"));
    bed.world().claims["sub"] = json!("u-1");
    bed.world().claims["nonce"] = json!("of another login");
    assert!(bed.refetch(&login).unwrap_err().audit_text().contains("nonce"));
}

#[test]
fn without_an_id_token_userinfo_tells_of_the_same_person() {
    let (bed, login) = logged_in(json!({}));
    bed.world().token_answer["id_token"] = json!(null);
    bed.world().userinfo = Some(json!({"sub": "u-1", "preferred_username": "alice2", "groups": ["dev"]}));
    let found = current(bed.refetch(&login));
    assert_eq!((names(&found), found.user.name.as_str(), &found.user.id), (vec!["dev"], "alice2", &login.user.id));
    bed.world().token_answer["refresh_token"] = json!(null);
    bed.world().userinfo = Some(json!({"sub": "u-2", "preferred_username": "bob", "groups": ["admins"]}));
    assert!(matches!(bed.refetch(&login), Err(AuthError::Protocol(_))));
}

#[test]
fn a_rotated_token_is_kept_when_what_follows_does_not_answer() {
    let (bed, login) = logged_in(json!({}));
    bed.world().token_answer =
        json!({"access_token": "at-2", "token_type": "bearer", "refresh_token": "rt-2", "id_token": null});
    bed.world().userinfo_status = 503;
    let found = current(bed.refetch(&login));
    assert!(!found.completeness.is_complete() && found.user.name == "alice");
    let SecretUpdate::Replace(secret) = &found.secret else { panic!("the rotated token is lost") };
    assert!(secret.expose().contains("rt-2"));
}

#[test]
fn a_rotated_token_is_kept_whatever_is_wrong_with_what_came_along() {
    for (name, claim) in [("sub", json!("u-2")), ("nonce", json!("of another login")), ("groups", json!(7))] {
        let (bed, login) = logged_in(json!({}));
        bed.world().claims[name] = claim;
        bed.world().token_answer["refresh_token"] = json!("rt-2");
        let found = current(bed.refetch(&login));
        assert!(!found.completeness.is_complete() && found.groups.is_empty(), "{name}");
        let SecretUpdate::Replace(secret) = &found.secret else { panic!("{name}: the rotated token is lost") };
        assert!(secret.expose().contains("rt-2"), "{name}");
    }
}

#[test]
fn whose_address_is_not_verified_any_more_is_refused() {
    let bed = bed_with(json!({"requireEmailVerified": true}));
    bed.world().claims["email_verified"] = json!(true);
    let login = bed.log_in().unwrap();
    bed.world().claims["email_verified"] = json!(false);
    bed.world().token_answer["refresh_token"] = json!("rt-2");
    assert!(matches!(bed.refetch(&login), Err(AuthError::PolicyDenied(_))));
}

#[test]
fn a_refresh_token_is_not_shown_when_little_time_is_left() {
    let (bed, login) = logged_in(json!({}));
    let asked = bed.asked("/token");
    bed.clock.advance(Duration::from_hours(48));
    bed.world().slow = Some((Arc::clone(&bed.clock), Duration::from_secs(27)));
    assert!(bed.refetch(&login).unwrap_err().audit_text().contains("too little time"));
    assert_eq!(bed.asked("/token"), asked);
}

#[test]
fn groups_are_gone_only_where_who_told_them_is_silent() {
    let silent = || Some(json!({"sub": "u-1", "preferred_username": "alice"}));
    let (bed, login) = logged_in(json!({}));
    bed.world().token_answer["id_token"] = json!(null);
    bed.world().userinfo = silent();
    assert!(!current(bed.refetch(&login)).completeness.is_complete(), "the token told them, and none came");
    bed.world().userinfo = Some(json!({"sub": "u-1", "preferred_username": "alice", "groups": []}));
    assert!(current(bed.refetch(&login)).completeness.is_complete(), "userinfo tells that there are none");

    let (bed, login) = logged_in(json!({}));
    bed.world().claims["groups"] = json!(null);
    bed.world().userinfo = silent();
    let found = current(bed.refetch(&login));
    assert!(found.completeness.is_complete() && found.groups.is_empty(), "the new token tells none");

    let bed = bed_with(json!({}));
    bed.world().claims.as_object_mut().unwrap().remove("groups");
    bed.world().userinfo = Some(json!({"sub": "u-1", "groups": ["dev"]}));
    let login = bed.log_in().unwrap();
    bed.world().discovery["userinfo_endpoint"] = json!(null);
    bed.clock.advance(Duration::from_hours(48));
    bed.world().claims["iat"] = json!(NOW + 48 * 3600);
    bed.world().claims["exp"] = json!(NOW + 49 * 3600);
    assert!(!current(bed.refetch(&login)).completeness.is_complete(), "userinfo told them, and is not there");
}

#[test]
fn attributes_are_gone_only_where_a_new_token_is_silent() {
    let bed = bed_with(json!({"claims": {"attributes": {"team": "/team"}}}));
    bed.world().userinfo = Some(json!({"sub": "u-1", "preferred_username": "alice", "groups": []}));
    let login = bed.log_in().unwrap();
    assert!(current(bed.refetch(&login)).completeness.is_complete(), "the new token tells none");
    bed.world().token_answer["id_token"] = json!(null);
    assert!(!current(bed.refetch(&login)).completeness.is_complete(), "the token may have told it, and none came");
    bed.world().userinfo.as_mut().unwrap()["team"] = json!(["eu"]);
    let told = current(bed.refetch(&login));
    assert!(told.completeness.is_complete() && told.user.attributes["team"] == ["eu"], "userinfo tells it");
}

#[test]
fn without_a_refresh_token_the_access_token_serves_until_its_end() {
    let bed = bed();
    bed.world().token_answer = json!({"access_token": "at-1", "token_type": "Bearer", "expires_in": 600});
    let login = bed.log_in().unwrap();
    bed.world().userinfo = Some(json!({"sub": "u-1", "preferred_username": "alice", "groups": ["ops"]}));
    assert_eq!(names(&current(bed.refetch(&login))), ["ops"]);
    bed.world().userinfo_status = 401;
    assert!(matches!(bed.refetch(&login), Ok(Refetch::NeedsLogin)));
    bed.world().userinfo_status = 200;
    bed.clock.advance(Duration::from_secs(600));
    let asked = bed.asked("/userinfo");
    assert!(matches!(bed.refetch(&login), Ok(Refetch::NeedsLogin)));
    assert_eq!(bed.asked("/userinfo"), asked, "one whose time is over is not shown to anybody");
}

#[test]
fn what_another_issuer_left_is_shown_to_nobody() {
    let (_, login) = logged_in(json!({}));
    let other = bed_with(json!({"clientId": "another"}));
    assert!(matches!(other.refetch(&login), Ok(Refetch::NeedsLogin)));
    assert!(matches!(other.refetch_with(&login.user.id, None), Ok(Refetch::NeedsLogin)));
    assert!(matches!(
        other.refetch_with(&"sso_user://u-9".parse().unwrap(), login.secret.as_ref()),
        Ok(Refetch::NeedsLogin)
    ));
    assert_eq!(other.asked("/token"), 0);
}

#[test]
fn what_is_kept_of_a_person_is_not_that_of_a_group_or_another_instance_of_the_same_text() {
    let (bed, login) = logged_in(json!({}));
    let asked = bed.asked("/token");
    for id in ["sso_group://u-1", "other_user://u-1"] {
        let found = bed.refetch_with(&id.parse().unwrap(), login.secret.as_ref());
        assert!(matches!(found, Ok(Refetch::NeedsLogin)), "{id}: {found:?}");
    }
    assert_eq!(bed.asked("/token"), asked, "a refresh token was shown for somebody else");
}
