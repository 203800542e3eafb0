//! What an issuer says of itself (OIDC Discovery §3 and §4).

use serde_json::Value;
use url::Url;

use crate::claims::text;
use crate::json::Object;

/// The parts of the document that are used.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) authorization: Url,
    pub(crate) token: Url,
    pub(crate) keys: Url,
    pub(crate) userinfo: Option<Url>,
    /// Every answer of the authorization endpoint names the issuer (RFC 9207 §3).
    pub(crate) promises_issuer: bool,
    /// The token endpoint takes the secret in the form alone.
    pub(crate) secret_in_form: bool,
}

/// Where the document is. One slash at the end of an issuer goes, for this alone.
pub(crate) fn address(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer))
}

impl Metadata {
    pub(crate) fn read(document: &Object, issuer: &str, plain: bool) -> Result<Self, String> {
        // OIDC Discovery §4.3: identical, or anybody's document could speak for this issuer.
        if text(document, "issuer")? != issuer {
            return Err("the document is that of another issuer".to_owned());
        }
        let endpoint = |name: &str| endpoint(text(document, name)?, plain).map_err(|why| format!("{name}: {why}"));
        let methods = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
        let takes = |method: &str| methods.is_some_and(|all| all.iter().any(|one| one == method));
        Ok(Self {
            authorization: endpoint("authorization_endpoint")?,
            token: endpoint("token_endpoint")?,
            keys: endpoint("jwks_uri")?,
            userinfo: document.contains_key("userinfo_endpoint").then(|| endpoint("userinfo_endpoint")).transpose()?,
            promises_issuer: document.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
            secret_in_form: takes("client_secret_post") && !takes("client_secret_basic"),
        })
    }
}

/// An address that may be asked.
pub(crate) fn endpoint(text: &str, plain: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "not an address")?;
    if url.scheme() != "https" && !(plain && url.scheme() == "http") {
        return Err("not https".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("an address with a name, a password or a fragment".to_owned());
    }
    Ok(url)
}
