//! Each forgery is a row: what is forged, and the words it is refused with.

use auth_core::AuthError;
use aws_lc_rs::signature::KeyPair;
use serde_json::json;

use super::bed::*;

pub(super) type Change = fn(&mut Forge);
pub(super) type Row = (&'static str, &'static str, Change);

pub(super) fn set(forge: &mut Forge, name: &str, value: serde_json::Value) {
    forge.claims[name] = value;
}

pub(super) fn without(forge: &mut Forge, name: &str) {
    forge.claims.as_object_mut().unwrap().remove(name);
}

/// The claims as text, with something put before the last brace.
fn appended(forge: &mut Forge, more: &str) {
    let text = forge.claims.to_string();
    forge.payload = Some(format!("{}{more}}}", text.strip_suffix('}').unwrap()));
}

pub(super) const TOKENS: &[Row] = &[
    ("another issuer", "iss is another", |f| set(f, "iss", json!("https://evil.example.org"))),
    ("a slash more", "iss is another", |f| set(f, "iss", json!(format!("{ISSUER}/")))),
    ("no issuer", "iss is missing", |f| without(f, "iss")),
    ("another audience", "aud does not name", |f| set(f, "aud", json!("dashboard"))),
    ("no audience", "aud is missing", |f| without(f, "aud")),
    ("an empty audience", "aud does not name", |f| set(f, "aud", json!([]))),
    ("an audience that is no text", "aud is missing", |f| set(f, "aud", json!(["gatewarden", 1]))),
    ("a strange audience beside", "aud names others", |f| set(f, "aud", json!(["gatewarden", "x"]))),
    ("another party", "azp is another", |f| set(f, "azp", json!("dashboard"))),
    ("another nonce", "nonce", |f| set(f, "nonce", json!("n"))),
    ("no nonce", "nonce", |f| without(f, "nonce")),
    ("expired", "exp is over", |f| set(f, "exp", json!(NOW - 60))),
    ("no end", "exp is missing", |f| without(f, "exp")),
    ("an end as text", "exp is missing", |f| set(f, "exp", json!("9999999999"))),
    ("an end of null", "exp is missing", |f| set(f, "exp", json!(null))),
    ("an end of an object", "exp is missing", |f| set(f, "exp", json!({}))),
    ("an end beyond numbers", "not JSON", |f| {
        without(f, "exp");
        appended(f, r#","exp":1e400"#);
    }),
    ("a beginning to come", "nbf is still", |f| set(f, "nbf", json!(NOW + 61))),
    ("a beginning of an object", "nbf is missing", |f| set(f, "nbf", json!({}))),
    ("issued tomorrow", "iat is still", |f| set(f, "iat", json!(NOW + 86_400))),
    ("issued yesterday", "iat is long ago", |f| set(f, "iat", json!(NOW - 86_400))),
    ("never issued", "iat is missing", |f| without(f, "iat")),
    ("nobody", "sub is empty", |f| set(f, "sub", json!(""))),
    ("no subject", "sub is missing", |f| without(f, "sub")),
    ("a subject as a number", "sub is missing", |f| set(f, "sub", json!(1))),
    ("a subject beyond ASCII", "sub is empty", |f| set(f, "sub", json!("ü"))),
    ("a subject twice", "a key twice", |f| appended(f, r#","sub":"root""#)),
    ("a group twice, deeper", "a key twice", |f| appended(f, r#","x":{"a":1,"a":2}"#)),
    ("another access token", "at_hash", |f| set(f, "at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA"))),
    ("huge", "longer than", |f| set(f, "padding", json!("x".repeat(200_000)))),
    ("a stranger's key", "signature", |f| f.sign = Sign::Stranger),
    ("r and s of zero", "signature", |f| f.sign = Sign::Raw(vec![0; 64])),
    ("no signature", "signature", |f| f.sign = Sign::Raw(Vec::new())),
    ("claims changed after signing", "signature", |f| f.sign = Sign::Raw(vec![7; 64])),
    ("none", "not allowed", |f| (f.header["alg"], f.sign) = (json!("none"), Sign::Raw(Vec::new()))),
    ("nOnE", "not allowed", |f| (f.header["alg"], f.sign) = (json!("nOnE"), Sign::Raw(Vec::new()))),
    ("no algorithm", "not allowed", |f| drop(f.header.as_object_mut().unwrap().remove("alg"))),
    ("HS256 with the client's secret", "not allowed", |f| {
        (f.header["alg"], f.sign) = (json!("HS256"), Sign::Hmac(b"s3cret/+".to_vec()));
    }),
    ("HS256 with the public key", "not allowed", |f| {
        f.header = json!({"alg": "HS256", "kid": "k1"});
        f.sign = Sign::Hmac(RSA.public_key().as_ref().to_vec());
    }),
    ("RS256 of an EC key", "no such key", |f| (f.header["alg"], f.sign) = (json!("RS256"), Sign::Rsa)),
    ("an unknown kid", "no such key", |f| f.header["kid"] = json!("k2")),
    ("a kid that is no text", "kid is not text", |f| f.header["kid"] = json!(["k1"])),
    ("a key in the header", "signature", |f| {
        f.header["jwk"] = rsa_jwk("k1");
        f.header["jku"] = json!("https://evil.example.org/keys");
        f.sign = Sign::Stranger;
    }),
    ("critical extensions", "extensions", |f| f.header["crit"] = json!(["exp"])),
    ("an access token", "typ", |f| f.header["typ"] = json!("at+jwt")),
    ("a logout token", "typ", |f| f.header["typ"] = json!("logout+jwt")),
    ("a login that is no text", "preferred_username is not text", |f| set(f, "preferred_username", json!(["root"]))),
];

#[test]
fn each_forged_token_is_refused_for_its_own_reason() {
    for &(name, words, change) in TOKENS {
        let bed = bed();
        bed.world().change = Box::new(change);
        match bed.log_in() {
            Err(AuthError::Protocol(text)) => assert!(text.contains(words), "{name}: {text}"),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(bed.asked("/userinfo"), 0, "{name}: nobody is asked about a forged token");
    }
}

#[test]
fn what_is_just_within_the_bounds_is_taken() {
    let rows: &[(&str, Change)] = &[
        ("expired within the skew", |f| set(f, "exp", json!(NOW - 59))),
        ("issued within the skew", |f| set(f, "iat", json!(NOW + 60))),
        ("fractions", |f| set(f, "exp", json!(NOW as f64 + 0.5))),
        ("us as a list", |f| set(f, "aud", json!(["gatewarden"]))),
        ("us as the party", |f| set(f, "azp", json!("gatewarden"))),
        ("no kid", |f| drop(f.header.as_object_mut().unwrap().remove("kid"))),
        ("no typ", |f| drop(f.header.as_object_mut().unwrap().remove("typ"))),
    ];
    for &(name, change) in rows {
        let bed = bed();
        bed.world().change = Box::new(change);
        assert!(bed.log_in().is_ok(), "{name}: {:?}", bed.log_in());
    }
}

#[test]
fn an_algorithm_that_the_operator_left_out_is_refused() {
    let bed = bed_with(json!({"algorithms": ["RS256"]}));
    assert!(bed.log_in().unwrap_err().audit_text().contains("not allowed"));
}

#[test]
fn others_beside_us_need_trust_and_a_party() {
    let bed = bed_with(json!({"trustedAudiences": ["mobile"]}));
    bed.world().claims["aud"] = json!(["gatewarden", "mobile"]);
    assert!(bed.log_in().unwrap_err().audit_text().contains("no azp"));
    bed.world().claims["azp"] = json!("gatewarden");
    let trip = bed.begin().unwrap();
    assert!(bed.finish(&trip.memo, &[("code", "another"), ("state", &trip.state)]).is_ok());
}

type Answer = fn(&str) -> Vec<(&'static str, String)>;

#[test]
fn an_answer_that_is_not_of_this_trip_is_refused_before_its_code_is_used() {
    pub(super) type Row = (&'static str, &'static str, Answer);
    let rows: &[Row] = &[
        ("no state", "replay", |_| vec![("code", "c".into())]),
        ("another state", "replay", |_| vec![("code", "c".into()), ("state", "x".into())]),
        ("two states", "protocol", |state| vec![("code", "c".into()), ("state", state.into()), ("state", "x".into())]),
        ("two codes", "protocol", |state| vec![("code", "c".into()), ("code", "d".into()), ("state", state.into())]),
        ("no code", "protocol", |state| vec![("state", state.into())]),
        ("an empty code", "protocol", |state| vec![("code", String::new()), ("state", state.into())]),
        ("another issuer", "protocol", |state| {
            vec![("code", "c".into()), ("state", state.into()), ("iss", "https://evil.example.org".into())]
        }),
        ("a no of another issuer", "protocol", |state| {
            vec![("error", "access_denied".into()), ("state", state.into()), ("iss", "https://evil.example.org".into())]
        }),
        ("a no", "policy-denied", |state| vec![("error", "access_denied".into()), ("state", state.into())]),
        ("trouble", "unavailable", |state| vec![("error", "server_error".into()), ("state", state.into())]),
    ];
    for (name, code, answer) in rows {
        let bed = bed();
        let trip = bed.begin().unwrap();
        let parameters = answer(&trip.state);
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(bed.finish(&trip.memo, &parameters).unwrap_err().audit_code(), *code, "{name}");
        assert_eq!(bed.asked("/token"), 0, "{name}: the code was used");
    }
}

#[test]
fn an_issuer_that_promised_its_name_must_give_it() {
    let bed = bed();
    bed.world().discovery["authorization_response_iss_parameter_supported"] = json!(true);
    let trip = bed.begin().unwrap();
    let unnamed = bed.finish(&trip.memo, &[("code", "c"), ("state", &trip.state)]).unwrap_err();
    assert!(unnamed.audit_text().contains("whose it is"), "{}", unnamed.audit_text());
    assert!(bed.finish(&trip.memo, &[("code", "c"), ("state", &trip.state), ("iss", ISSUER)]).is_ok());
}

#[test]
fn a_code_is_good_once_and_for_its_own_trip() {
    let bed = bed();
    let trip = bed.begin().unwrap();
    let parameters = [("code", "c"), ("state", trip.state.as_str())];
    bed.finish(&trip.memo, &parameters).unwrap();
    assert!(matches!(bed.finish(&trip.memo, &parameters), Err(AuthError::Replay)));

    let (mine, _theirs) = (bed.begin().unwrap(), bed.begin().unwrap());
    let stolen = bed.finish(&mine.memo, &[("code", "of theirs"), ("state", &mine.state)]);
    assert!(matches!(stolen, Err(AuthError::Replay)), "the verifier is that of my trip, the challenge that of theirs");
}

#[test]
fn a_trip_of_long_ago_or_of_another_configuration_is_over() {
    let bed = bed();
    let trip = bed.begin().unwrap();
    bed.clock.advance(std::time::Duration::from_secs(601));
    assert!(matches!(bed.finish(&trip.memo, &[("code", "c"), ("state", &trip.state)]), Err(AuthError::Replay)));
    // Of the same moment, so that nothing but the client differs.
    let (bed, other) = (self::bed(), bed_with(json!({"clientId": "another"})));
    let trip = bed.begin().unwrap();
    assert!(matches!(other.finish(&trip.memo, &[("code", "c"), ("state", &trip.state)]), Err(AuthError::Replay)));
    assert_eq!(bed.asked("/token") + other.asked("/token"), 0);
}

#[test]
fn nothing_that_is_shown_holds_a_secret() {
    let bed = bed();
    let login = bed.log_in().unwrap();
    let shown = format!("{:?} {login:?}", bed.provider);
    for secret in ["s3cret", "rt-1", "at-1", "c0de"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}
