//! ID tokens for clients that know RS256 alone.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

use super::*;
use crate::testing::SECRET;

const OLD: [(&str, &str); 2] = [("client_id", "old"), ("redirect_uri", "https://old.test/cb")];

fn head(token: &str) -> Value {
    let head = token.split('.').next().expect("a header");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).expect("b64")).expect("JSON")
}

impl Visitor<'_> {
    async fn of_the_old_one(&mut self) -> Seen {
        let sent = self.authorize(&OLD).await;
        let page = self.get(&sent.location).await;
        let code = self.log_in(&page, "alice", "right").await.query("code").expect("a code");
        self.redeem(&code, &[OLD[0], OLD[1], ("client_secret", SECRET)]).await
    }

    async fn rsa_key(&mut self) -> Value {
        let keys = self.get("/oidc/jwks").await.json();
        let keys = keys["keys"].as_array().expect("keys");
        keys.iter().find(|key| key["kty"] == "RSA").expect("an RSA key").clone()
    }
}

#[tokio::test]
async fn a_client_that_says_so_gets_its_id_token_in_rs256_and_all_else_stays() {
    let site = Site::with_an_old_client().await;
    let mut client = Visitor::new(&site);
    let given = client.of_the_old_one().await;
    let (id, access) = (given.word("id_token"), given.word("access_token"));
    assert_eq!((&head(&id)["alg"], &head(&access)["alg"]), (&"RS256".into(), &"ES256".into()));
    let code = client.code().await;
    let other = client.redeem(&code, &[]).await.word("id_token");
    assert_eq!(head(&other)["alg"], "ES256", "another client's");
    let described = client.get("/oidc/.well-known/openid-configuration").await.json();
    assert_eq!(described["id_token_signing_alg_values_supported"], serde_json::json!(["ES256", "RS256"]));
    let key = client.rsa_key().await;
    assert_eq!((&key["kid"], &key["alg"], key.get("d")), (&head(&id)["kid"], &"RS256".into(), None));
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().expect("a number")).expect("b64");
    let (signed, signature) = id.rsplit_once('.').expect("a signature");
    let public = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("b64");
    public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).expect("as others verify it");
    // We know it, too: it says whose login is meant when somebody logs out.
    let out = client.get(&format!("/oidc/logout?id_token_hint={id}")).await;
    assert!(out.text.contains("You are logged out"), "{}", out.text);
}

#[tokio::test]
async fn no_algorithm_is_taken_for_another() {
    let site = Site::with_an_old_client().await;
    let mut client = Visitor::new(&site);
    let id = client.of_the_old_one().await.word("id_token");
    let key = client.rsa_key().await;
    let kid = key["kid"].as_str().expect("a kid");
    let parts: Vec<&str> = id.split('.').collect();
    let with = |header: String| format!("{}.{}", URL_SAFE_NO_PAD.encode(header), parts[1]);
    let public = key["n"].as_str().expect("a number");
    let as_hmac = with(format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{kid}"}}"#));
    let by = |secret: &[u8]| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), as_hmac.as_bytes());
        format!("{as_hmac}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let as_ecdsa = with(format!(r#"{{"alg":"ES256","typ":"JWT","kid":"{kid}"}}"#));
    for forged in [
        by(public.as_bytes()),
        by(&URL_SAFE_NO_PAD.decode(public).expect("b64")),
        by(SECRET.as_bytes()),
        format!("{as_ecdsa}.{}", parts[2]),
        format!("{as_ecdsa}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
        format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode([0; 256])),
        format!("{}.{}.", parts[0], parts[1]),
    ] {
        let page = client.get(&format!("/oidc/logout?id_token_hint={forged}")).await;
        assert!(page.text.contains(r#"name="answer""#), "taken as a hint: {forged}");
    }
}
