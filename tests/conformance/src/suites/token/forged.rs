//! ID tokens that prove nothing.

use auth_core::Completeness;
use serde_json::json;

use super::{Row, let_in, refuses, with};
use crate::run::{Verdict, ensure};
use crate::{Bench, Forge, Lie, Sign};

const DAY: i64 = 86_400;

/// Without these, whoever refuses everything would pass.
pub(super) async fn what_the_rules_allow_logs_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ALLOWED: &[Row] = &[
        ("for one in a list", |f| {
            let audience = f.claims.get("aud").cloned().unwrap_or_default();
            f.set("aud", json!([audience]));
        }),
        ("with us as the party", |f| {
            let audience = f.claims.get("aud").cloned().unwrap_or_default();
            f.set("azp", audience);
        }),
        ("without a kid", |f| f.headless("kid")),
        ("without a typ", |f| f.headless("typ")),
        ("without at_hash", |f| f.without("at_hash")),
        ("by the other key", Forge::by_the_other_key),
        ("with claims of its own", |f| f.set("https://example.org/floor", json!({ "number": 7, "name": [null, "7"] }))),
        ("that ends at a fraction of a second", |f| {
            let end = f.claims.get("exp").and_then(serde_json::Value::as_f64).unwrap_or_default();
            f.set("exp", json!(end + 0.5));
        }),
        ("of a clock that is some seconds ahead", |f| f.shift("iat", 20)),
    ];
    for (name, change) in ALLOWED {
        let_in(with(bench, &[Lie::Token(*change)]).await?, &format!("a token {name}"))?;
    }
    Ok(())
}

pub(super) async fn a_token_of_another_issuer_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("of another issuer", |f| f.set("iss", json!("https://mallory.example.org"))),
        ("of an issuer with a slash more", |f| {
            let issuer = f.claims.get("iss").and_then(|issuer| issuer.as_str()).unwrap_or_default();
            f.set("iss", json!(format!("{issuer}/")));
        }),
        ("of several issuers", |f| {
            let issuer = f.claims.get("iss").cloned().unwrap_or_default();
            f.set("iss", json!([issuer]));
        }),
        ("of no issuer", |f| f.without("iss")),
    ];
    refuses(bench, ROWS).await
}

pub(super) async fn a_token_for_another_client_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("for another client", |f| f.set("aud", json!("another"))),
        ("for other clients", |f| f.set("aud", json!(["another", "one-more"]))),
        ("for nobody", |f| f.set("aud", json!([]))),
        ("for a number", |f| f.set("aud", json!(1))),
        ("without an audience", |f| f.without("aud")),
        ("for a client whose name begins like ours", |f| {
            let audience = f.claims.get("aud").and_then(|audience| audience.as_str()).unwrap_or_default();
            f.set("aud", json!(format!("{audience}-2")));
        }),
    ];
    refuses(bench, ROWS).await
}

pub(super) async fn a_token_for_another_party_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("whose party is another", |f| f.set("azp", json!("another"))),
        ("for us and another, who is its party", |f| {
            let audience = f.claims.get("aud").cloned().unwrap_or_default();
            f.set("aud", json!([audience, "another"]));
            f.set("azp", json!("another"));
        }),
    ];
    refuses(bench, ROWS).await
}

pub(super) async fn a_token_of_another_trip_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("of another trip", |f| f.set("nonce", json!("the-nonce-of-another-trip-of-somebody"))),
        ("with an empty nonce", |f| f.set("nonce", json!(""))),
        ("with several nonces", |f| {
            let nonce = f.claims.get("nonce").cloned().unwrap_or_default();
            f.set("nonce", json!([nonce]));
        }),
        ("of no trip", |f| f.without("nonce")),
    ];
    refuses(bench, ROWS).await
}

pub(super) async fn a_token_that_is_over_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("that ended yesterday", |f| f.shift("exp", -DAY)),
        ("that ended ten minutes ago", |f| f.shift("exp", -600)),
        ("without an end", |f| f.without("exp")),
    ];
    refuses(bench, ROWS).await
}

pub(super) async fn a_token_that_is_not_yet_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] =
        &[("that begins tomorrow", |f| f.shift("nbf", DAY)), ("that is made tomorrow", |f| f.shift("iat", DAY))];
    refuses(bench, ROWS).await
}

/// CVE-2026-25537: a time that cannot be read is no reason to look at it no further.
pub(super) async fn a_time_that_is_no_number_is_no_time(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("whose end is text", |f| f.set("exp", json!("9999999999"))),
        ("whose end is null", |f| f.set("exp", json!(null))),
        ("whose end is an object", |f| f.set("exp", json!({}))),
        ("whose end is beyond numbers", |f| {
            f.without("exp");
            f.append(r#""exp":1e400"#);
        }),
        ("whose beginning is an object", |f| f.set("nbf", json!({}))),
    ];
    refuses(bench, ROWS).await
}

pub(super) async fn a_token_about_nobody_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("about nobody", |f| f.without("sub")),
        ("about an empty name", |f| f.set("sub", json!(""))),
        ("about a number", |f| f.set("sub", json!(1))),
        ("about null", |f| f.set("sub", json!(null))),
        ("about several people", |f| f.set("sub", json!(["person-1", "person-2"]))),
    ];
    refuses(bench, ROWS).await
}

/// CVE-2015-9235.
pub(super) async fn a_token_that_nobody_signed_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    fn unsigned(f: &mut Forge, algorithm: &str) {
        f.head("alg", json!(algorithm));
        f.sign = Sign::Bytes(Vec::new());
    }
    const ROWS: &[Row] = &[
        ("signed by none", |f| unsigned(f, "none")),
        ("signed by None", |f| unsigned(f, "None")),
        ("signed by nOnE", |f| unsigned(f, "nOnE")),
        ("signed by nothing", |f| unsigned(f, "")),
        ("that does not say how it is signed", |f| {
            f.headless("alg");
            f.sign = Sign::Bytes(Vec::new());
        }),
        ("with an empty signature", |f| f.sign = Sign::Bytes(Vec::new())),
    ];
    refuses(bench, ROWS).await
}

pub(super) async fn a_token_that_a_stranger_signed_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("that a stranger signed", |f| f.sign = Sign::Stranger),
        ("that a stranger signed, without a kid", |f| {
            f.headless("kid");
            f.sign = Sign::Stranger;
        }),
        ("that a stranger signed by a key of their own", |f| {
            f.head("kid", json!("rsa-3"));
            f.sign = Sign::Stranger;
        }),
        ("with bytes for a signature", |f| f.sign = Sign::Bytes(vec![7; 256])),
        // CVE-2022-21449.
        ("with an ECDSA signature of zeroes", |f| {
            f.by_the_other_key();
            f.sign = Sign::Bytes(vec![0; 64]);
        }),
        ("that says ES256 and names an RSA key", |f| {
            f.head("alg", json!("ES256"));
            f.sign = Sign::Bytes(vec![1; 64]);
        }),
        ("whose claims were changed afterwards", |f| {
            f.whole = Some(|token| {
                let (mut parts, other) = (token.split('.'), "eyJzdWIiOiJwZXJzb24tMiJ9");
                [parts.next(), Some(other), parts.nth(1)].map(Option::unwrap_or_default).join(".")
            });
        }),
    ];
    refuses(bench, ROWS).await
}

pub(super) async fn a_key_that_a_token_brings_is_none(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("that brings its key", Forge::bring_a_key),
        ("that says where its key is", |f| {
            let issuer = f.claims.get("iss").and_then(|issuer| issuer.as_str()).unwrap_or_default().to_owned();
            f.head("jku", json!(format!("{issuer}/elsewhere/keys")));
            f.head("x5u", json!(format!("{issuer}/elsewhere/keys")));
            f.sign = Sign::Stranger;
        }),
    ];
    refuses(bench, ROWS).await?;
    let issuer = bench.liar()?;
    ensure!(issuer.asked(crate::Endpoint::Elsewhere) == 0, "keys were looked for where a token says that they are");
    Ok(())
}

/// CVE-2016-5431.
pub(super) async fn what_both_sides_know_signs_nothing(bench: &Bench<'_>) -> Result<(), Verdict> {
    fn hs256(f: &mut Forge, sign: Sign) {
        f.head("alg", json!("HS256"));
        f.sign = sign;
    }
    const ROWS: &[Row] = &[
        ("signed with the client's secret", |f| hs256(f, Sign::Secret)),
        ("signed with the public key", |f| hs256(f, Sign::Public)),
    ];
    refuses(bench, ROWS).await
}

/// RFC 8725 §3.11.
pub(super) async fn a_token_for_another_use_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("that is an access token", |f| f.head("typ", json!("at+jwt"))),
        ("that is news of a logout", |f| f.head("typ", json!("logout+jwt"))),
    ];
    refuses(bench, ROWS).await
}

/// RFC 7515 §4.1.11.
pub(super) async fn a_token_with_unknown_demands_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("with a critical field that nobody knows", |f| {
            f.head("crit", json!(["https://example.org/demand"]));
            f.head("https://example.org/demand", json!(true));
        }),
        ("with an empty list of critical fields", |f| f.head("crit", json!([]))),
    ];
    refuses(bench, ROWS).await
}

pub(super) async fn a_claim_that_comes_twice_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("about two people", |f| f.append(r#""sub":"person-2""#)),
        ("with two ends", |f| f.append(r#""exp":9999999999"#)),
        ("for two audiences", |f| f.append(r#""aud":"another""#)),
    ];
    refuses(bench, ROWS).await
}

pub(super) async fn a_token_beside_another_access_token_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("of another access token", |f| f.set("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA"))),
        ("whose hash is a number", |f| f.set("at_hash", json!(7))),
    ];
    refuses(bench, ROWS).await
}

pub(super) async fn what_is_no_signed_token_logs_nobody_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("of nothing", |f| f.whole = Some(|_| String::new())),
        ("of one part", |f| f.whole = Some(|_| "token".to_owned())),
        ("of points alone", |f| f.whole = Some(|_| "..".to_owned())),
        ("of two parts", |f| {
            f.whole = Some(|token| token.rsplit_once('.').map(|(two, _)| two.to_owned()).unwrap_or_default())
        }),
        ("of five parts, as if encrypted", |f| f.whole = Some(|token| format!("{token}.AAAA.AAAA"))),
        ("with padding", |f| f.whole = Some(|token| format!("{token}=="))),
        ("with white space", |f| f.whole = Some(|token| format!(" {token}\n"))),
        ("in JSON", |f| f.whole = Some(|token| json!({ "payload": token, "signatures": [] }).to_string())),
        ("whose claims are a list", |f| f.payload = Some("[]".to_owned())),
        ("whose claims are none", |f| f.payload = Some("{".to_owned())),
        ("of more than a quarter of a million bytes", |f| f.set("padding", json!("x".repeat(200_000)))),
    ];
    refuses(bench, ROWS).await
}

pub(super) async fn groups_of_a_wrong_type_are_not_none(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Row] = &[
        ("a number", |f| f.set("groups", json!(7))),
        ("a list that holds a number", |f| f.set("groups", json!(["dev", 7]))),
        ("a list of lists", |f| f.set("groups", json!([["dev"]]))),
    ];
    for (name, change) in ROWS {
        if let Ok(login) = with(bench, &[Lie::Token(*change)]).await? {
            // Read as none, they would pass a rule that asks for absence.
            let complete = login.completeness == Completeness::Complete;
            ensure!(!complete, "groups that are {name} are {:?}, and complete", login.groups);
        }
    }
    Ok(())
}
