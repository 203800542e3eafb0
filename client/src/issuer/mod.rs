//! The gateway's OpenID Connect issuer, as this client meets it.

mod browser;
mod callback;
mod device;
mod landing;

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use crate::cache::Held;
use crate::environment;
use crate::failure::Failure;
use crate::http::{Answer, Http};

pub(crate) const CLIENT: &str = "kubectl-gatewarden";
pub(crate) const SCOPE: &str = "openid offline_access";

/// Where the issuer takes what.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) name: String,
    authorization: String,
    token: String,
    device: String,
    revocation: String,
}

/// What a login or a refresh brings.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) expires_at: Timestamp,
    pub(crate) refresh: Option<String>,
}

/// What became of a refresh.
pub(crate) enum Refreshed {
    Tokens(Tokens),
    /// The login is over: somebody has to log in again.
    Over,
}

impl Issuer {
    /// Asks the gateway which issuer it trusts (RFC 9728), and the issuer what it can do.
    pub(crate) fn find(http: &Http, gateway: &str) -> Result<Self, Failure> {
        let told = http.get(&format!("{gateway}/.well-known/oauth-protected-resource"), None)?;
        let told = told.ok("the gateway names no issuer")?;
        let name = told.pointer("/authorization_servers/0").and_then(Value::as_str);
        let name =
            name.ok_or_else(|| Failure::other("the gateway names no issuer: its operator sets hosts.console"))?;
        let described = http.get(&format!("{name}/.well-known/openid-configuration"), None)?;
        let described = described.ok("the issuer does not describe itself")?;
        let text = |key: &str| {
            let found = described.get(key).and_then(Value::as_str).map(str::to_owned);
            found.ok_or_else(|| Failure::other(format!("the issuer {name} does not say its {key}")))
        };
        if text("issuer")? != name {
            return Err(Failure::other(format!("{name} describes another issuer: {}", text("issuer")?)));
        }
        let endpoint = |key: &str| own_page(name, &text(key)?).map(Into::into);
        Ok(Self {
            name: name.to_owned(),
            authorization: endpoint("authorization_endpoint")?,
            token: endpoint("token_endpoint")?,
            device: endpoint("device_authorization_endpoint")?,
            revocation: endpoint("revocation_endpoint")?,
        })
    }

    /// Logs somebody in by the browser of this machine.
    pub(crate) fn by_browser(&self, http: &Http, held: &Held) -> Result<Tokens, Failure> {
        browser::log_in(self, http, held)
    }

    /// Logs somebody in by a code that they type elsewhere.
    pub(crate) fn by_device(&self, http: &Http, held: &Held) -> Result<Tokens, Failure> {
        device::log_in(self, http, held)
    }

    /// New tokens for a refresh token, which is then spent.
    pub(crate) fn refresh(&self, http: &Http, token: &str) -> Result<Refreshed, Failure> {
        let fields = [("client_id", CLIENT), ("grant_type", "refresh_token"), ("refresh_token", token)];
        let answer = http.post_form(&self.token, &fields)?;
        if answer.status == 400 && answer.error() == "invalid_grant" {
            return Ok(Refreshed::Over);
        }
        self.tokens(answer, "the login cannot be refreshed").map(Refreshed::Tokens)
    }

    /// Ends the login that a refresh token belongs to.
    pub(crate) fn revoke(&self, http: &Http, token: &str) -> Result<(), Failure> {
        let answer = http.post_form(&self.revocation, &[("client_id", CLIENT), ("token", token)])?;
        answer.ok("the login cannot be ended at the gateway").map(drop)
    }

    fn tokens(&self, answer: Answer, what: &str) -> Result<Tokens, Failure> {
        let asked_at = environment::now();
        let body = answer.ok(what)?;
        let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
        let access = text("access_token").ok_or_else(|| Failure::other(format!("{} gave no token", self.name)))?;
        let life = body.get("expires_in").and_then(Value::as_u64).unwrap_or_default();
        let expires_at = asked_at.saturating_add(Duration::from_secs(life)).unwrap_or(asked_at);
        Ok(Tokens { access, expires_at, refresh: text("refresh_token") })
    }
}

/// An address that an issuer names as its own. It is opened in a browser, shown to people, or sent a secret, so it must be
/// where the issuer is.
fn own_page(issuer: &str, address: &str) -> Result<Url, Failure> {
    let (own, page) = (Url::parse(issuer).ok(), Url::parse(address).ok());
    let page = page.filter(|page| page.scheme() == "https" && own.is_some_and(|own| own.origin() == page.origin()));
    let page = page.filter(|page| page.username().is_empty() && page.password().is_none());
    page.ok_or_else(|| Failure::other(format!("the issuer {issuer} names an address that is not its own: {address:?}")))
}

/// 256 random bits as base64url: a state, or a code verifier (RFC 7636 §4.1).
fn random() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Failure::other("the system gives no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The challenge of a verifier (RFC 7636 §4.2, S256).
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_ne!(random().unwrap(), random().unwrap());
    }

    #[test]
    fn an_issuer_sends_people_and_secrets_to_itself_alone() {
        let issuer = "https://login.test:8443/oidc";
        for own in ["https://login.test:8443/oidc/authorize", "https://login.test:8443/device?user_code=BCDF-GHJK"] {
            assert_eq!(own_page(issuer, own).unwrap().as_str(), own);
        }
        for other in [
            "http://login.test:8443/oidc/authorize",
            "https://login.test/oidc/authorize",
            "https://evil.test:8443/oidc/authorize",
            "https://login.test:8443@evil.test/",
            "https://somebody@login.test:8443/oidc/authorize",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "--help",
            "/oidc/authorize",
            "",
        ] {
            assert!(matches!(own_page(issuer, other), Err(Failure::Other(_))), "{other}");
        }
        assert!(own_page("no issuer", "https://login.test:8443/").is_err());
    }
}
