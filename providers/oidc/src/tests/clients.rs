//! How the issuer knows that it is us who ask, and what we tell it before the browser comes.

use std::collections::BTreeMap;

use auth_core::{AuthError, ProviderKind, testing};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384};
use serde_json::{Value, json};

use super::bed::*;
use crate::OidcKind;

/// A key and its certificate, PEM.
fn certified() -> (String, String, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["gatewarden.example.org".to_owned()]).unwrap();
    (key.serialize_pem(), certificate.self_signed(&key).unwrap().pem(), key)
}

fn rsa_pem(key: &RsaKeyPair) -> String {
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(key).unwrap();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()))
}

/// The header and the claims of an assertion, and what its signature is over.
fn taken_apart(assertion: &str) -> (Value, Value, String, Vec<u8>) {
    let parts: Vec<&str> = assertion.split('.').collect();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let read = |part: &str| serde_json::from_slice(&decode(part)).unwrap();
    (read(parts[0]), read(parts[1]), format!("{}.{}", parts[0], parts[1]), decode(parts[2]))
}

#[test]
fn a_key_signs_a_statement_for_this_issuer_alone_that_is_another_each_time() {
    let (pem, _, key) = certified();
    let bed = bed_with(json!({"clientSecret": null, "clientKey": {"key": pem, "keyId": "2026"}}));
    // Where a false issuer could name the endpoint of the true one, an audience of the endpoint would be good there.
    bed.world().discovery["token_endpoint"] = json!(format!("{ISSUER}/token?at=bank.example.org"));
    let login = bed.log_in().unwrap();
    let form = bed.world().form.clone();
    let (header, claims, signed, signature) = taken_apart(&form["client_assertion"]);
    assert_eq!(header, json!({"alg": "ES256", "typ": "JWT", "kid": "2026"}));
    assert_eq!(
        (&claims["iss"], &claims["sub"], &claims["aud"]),
        (&json!("gatewarden"), &json!("gatewarden"), &json!(ISSUER))
    );
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(NOW), &json!(NOW + 60)));
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key_raw());
    public.verify(signed.as_bytes(), &signature).unwrap();
    assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert_eq!(form["client_id"], "gatewarden");
    assert!(!form.contains_key("client_secret") && bed.world().authorization.is_none());

    bed.refetch(&login).unwrap();
    let (_, again, ..) = taken_apart(&bed.world().form["client_assertion"]);
    assert!(again["jti"].as_str().unwrap().len() >= 43 && again["jti"] != claims["jti"]);
}

#[test]
fn an_rsa_key_signs_too_and_may_be_known_by_its_certificate() {
    let bed = bed_with(json!({"clientSecret": null, "clientKey": {"key": rsa_pem(&RSA)}}));
    bed.log_in().unwrap();
    let (header, _, signed, signature) = taken_apart(&bed.world().form["client_assertion"]);
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT"}));
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, RSA.public_key().as_ref());
    public.verify(signed.as_bytes(), &signature).unwrap();

    let (pem, certificate, _) = certified();
    let bed = bed_with(json!({"clientSecret": null, "clientKey": {"key": pem, "certificate": certificate}}));
    bed.log_in().unwrap();
    let (header, ..) = taken_apart(&bed.world().form["client_assertion"]);
    assert_eq!(header["x5t#S256"].as_str().unwrap().len(), 43);
}

#[test]
fn a_certificate_is_shown_where_clients_are_known_and_nowhere_else() {
    let (pem, certificate, _) = certified();
    let bed = bed_with(json!({"clientSecret": null, "clientCertificate": {"key": pem, "certificate": certificate}}));
    let aliases = json!({"token_endpoint": format!("{ISSUER}/tls/token")});
    bed.world().discovery["mtls_endpoint_aliases"] = aliases.clone();
    bed.world().claims.as_object_mut().unwrap().remove("groups");
    bed.world().userinfo = Some(json!({"sub": "u-1"}));
    bed.log_in().unwrap();
    let shown = bed.http.asked_with_certificate();
    assert_eq!(shown, [format!("POST {ISSUER}/tls/token"), format!("GET {ISSUER}/userinfo")]);
    assert_eq!((bed.asked("/.well-known/openid-configuration"), bed.asked("/keys")), (1, 1));
    assert_eq!(bed.world().form["client_id"], "gatewarden");

    let by_secret = self::bed();
    by_secret.world().discovery["mtls_endpoint_aliases"] = aliases;
    by_secret.log_in().unwrap();
    assert_eq!((by_secret.asked("/tls/token"), by_secret.http.asked_with_certificate().len()), (0, 0));
}

#[test]
fn a_client_that_is_not_known_hears_which_setting_is_wrong() {
    let (key, certificate, _) = certified();
    let rows = [
        (json!({}), "clientSecret"),
        (json!({"clientSecret": null}), "clientId"),
        (json!({"clientSecret": null, "clientKey": {"key": key}}), "clientKey"),
        (
            json!({"clientSecret": null, "clientCertificate": {"key": key, "certificate": certificate}}),
            "clientCertificate",
        ),
    ];
    for (changes, expected) in rows {
        let bed = bed_with(changes);
        bed.world().token_refusal = Some((401, json!({"error": "invalid_client"})));
        match bed.log_in().unwrap_err() {
            AuthError::Misconfigured { field, .. } => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn what_cannot_prove_the_client_is_a_fault_of_the_configuration() {
    let ((key, certificate, _), (other, ..)) = (certified(), certified());
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
    let rows = [
        (json!({"clientKey": {"key": "secret"}}), "clientKey.key: holds no private key"),
        (json!({"clientKey": {"key": p384}}), "clientKey.key: is neither an EC P-256 nor an RSA key"),
        (json!({"clientKey": {"key": other, "certificate": certificate}}), "clientKey.certificate: is not the"),
        (json!({"clientKey": {"key": key, "certificate": key}}), "clientKey.certificate: holds no certificate"),
        (
            json!({"clientCertificate": {"key": other, "certificate": certificate}}),
            "clientCertificate.certificate: is not",
        ),
        (
            json!({"clientCertificate": {"key": certificate, "certificate": certificate}}),
            "clientCertificate.key: holds no",
        ),
        (json!({"clientSecret": "s", "clientKey": {"key": key}}), "clientKey: stands beside another"),
        (
            json!({"clientSecret": "s", "clientCertificate": {"key": key, "certificate": certificate}}),
            "clientCertificate: stands beside another",
        ),
    ];
    for (changes, words) in rows {
        let mut config = json!({"issuer": "https://id.example.org", "clientId": "gatewarden"});
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let faults = OidcKind.build("sso".parse().unwrap(), config, &testing::ports()).unwrap_err();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].starts_with(words), "{words}: {told:?}");
        assert!(!told[0].contains("PRIVATE"), "{told:?}");
    }
}

fn offers_push(bed: &Bed) {
    bed.world().discovery["pushed_authorization_request_endpoint"] = json!(format!("{ISSUER}/par"));
}

#[test]
fn an_issuer_that_takes_the_request_from_us_gets_it_and_the_browser_carries_its_name() {
    let bed = bed();
    offers_push(&bed);
    bed.log_in().unwrap();
    let trip = bed.begin().unwrap();
    let query: Vec<_> = trip.location.query_pairs().into_owned().collect();
    let pairs = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(query, [pairs("client_id", "gatewarden"), pairs("request_uri", "urn:request:1")]);
    let pushed = bed.world().pushed.clone();
    assert_eq!((pushed["redirect_uri"].as_str(), pushed["state"].as_str()), (CALLBACK, trip.state.as_str()));
    assert_eq!((pushed["code_challenge_method"].as_str(), pushed["client_id"].as_str()), ("S256", "gatewarden"));
    assert_eq!(bed.world().authorization.as_deref(), Some(basic("gatewarden:s3cret%2F%2B").as_str()));
}

#[test]
fn a_request_that_is_pushed_names_the_client_once() {
    let (key, ..) = certified();
    for changes in [json!({}), json!({"clientSecret": null}), json!({"clientSecret": null, "clientKey": {"key": key}})]
    {
        let bed = bed_with(changes.clone());
        offers_push(&bed);
        bed.log_in().unwrap();
        assert_eq!(bed.world().pushed_twice, Vec::<String>::new(), "{changes}");
        assert!(bed.world().pushed.contains_key("client_id"), "{changes}");
    }
}

#[test]
fn requests_that_are_not_pushed_are_a_choice_until_the_issuer_takes_no_others() {
    let bed = bed_with(json!({"pushAuthorizationRequests": false}));
    offers_push(&bed);
    let trip = bed.begin().unwrap();
    let query: BTreeMap<_, _> = trip.location.query_pairs().into_owned().collect();
    assert!(query.contains_key("nonce") && bed.asked("/par") == 0);

    for (push, offered, code) in [(false, true, "misconfigured"), (true, false, "protocol")] {
        let bed = bed_with(json!({"pushAuthorizationRequests": push}));
        if offered {
            offers_push(&bed);
        }
        bed.world().discovery["require_pushed_authorization_requests"] = json!(true);
        assert_eq!(bed.begin().err().unwrap().audit_code(), code, "{push} {offered}");
    }
}

#[test]
fn an_answer_to_a_pushed_request_that_names_nothing_begins_no_trip() {
    let rows = [
        (200, json!({}), "protocol", "request_uri is missing"),
        (201, json!({"request_uri": ""}), "protocol", "request_uri is missing"),
        (201, json!({"request_uri": ["urn:x"]}), "protocol", "request_uri is missing"),
        (201, json!({"request_uri": "urn:x y"}), "protocol", "not ASCII"),
        (201, json!({"request_uri": "u".repeat(513)}), "protocol", "longer than 512"),
        (302, json!({"request_uri": "urn:x"}), "protocol", "answered 302"),
        (400, json!({"error": "invalid_request"}), "protocol", "answered 400 (invalid_request)"),
        (400, json!({"error": "<b>\u{1b}[2J"}), "protocol", "answered 400"),
        (400, json!({"error": "invalid_scope"}), "misconfigured", "write those that it offers"),
        (401, json!({"error": "invalid_client"}), "misconfigured", "what it has for this client"),
        (503, json!({}), "unavailable", "answered 503"),
        (429, json!({}), "unavailable", "answered 429"),
    ];
    for (status, answer, code, words) in rows {
        let bed = bed();
        offers_push(&bed);
        bed.world().push_answer = (status, answer.clone());
        let error = bed.begin().err().unwrap();
        let text = error.audit_text();
        assert!(error.audit_code() == code && text.contains(words), "{status} {answer}: {text}");
        assert!(!text.contains('<'), "{text}");
    }
}
