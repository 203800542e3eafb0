//! What an issuer says of itself (OIDC Discovery §3 and §4).

use serde_json::Value;
use url::Url;

use crate::claims::text;
use crate::config::Settings;
use crate::json::Object;

/// The parts of the document that are used.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) authorization: Url,
    pub(crate) token: Url,
    pub(crate) keys: Url,
    pub(crate) userinfo: Option<Url>,
    /// Where a browser logs out (RP-Initiated Logout 1.0 §2.1).
    pub(crate) end_session: Option<Url>,
    /// Takes the request for a login from us, so that the browser carries but its name (RFC 9126).
    pub(crate) push: Option<Url>,
    /// Takes no request from a browser.
    pub(crate) must_push: bool,
    /// Every answer of the authorization endpoint names the issuer (RFC 9207 §3).
    pub(crate) promises_issuer: bool,
    /// The token endpoint takes the secret in the form alone.
    pub(crate) secret_in_form: bool,
}

const PUSH: &str = "pushed_authorization_request_endpoint";

/// Where the document is. One slash at the end of an issuer goes, for this alone.
pub(crate) fn address(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer))
}

impl Metadata {
    pub(crate) fn read(document: &Object, settings: &Settings) -> Result<Self, String> {
        // OIDC Discovery §4.3: identical, or anybody's document could speak for this issuer.
        if text(document, "issuer")? != settings.issuer {
            return Err("the document is that of another issuer".to_owned());
        }
        let endpoint = |of: &Object, name: &str| {
            endpoint(text(of, name)?, settings.dangerous_plain_http).map_err(|why| format!("{name}: {why}"))
        };
        // RFC 8705 §5: where clients with a certificate go, when it is another place.
        let aliases = document.get("mtls_endpoint_aliases").and_then(Value::as_object);
        let aliases = aliases.filter(|_| settings.client_auth.identity().is_some());
        let for_client = |name: &str| {
            let aliases = aliases.filter(|aliases| aliases.contains_key(name));
            endpoint(aliases.unwrap_or(document), name)
        };
        let offered = |name: &str| document.get(name).is_some_and(|value| !value.is_null());
        let says = |name: &str| document.get(name) == Some(&Value::Bool(true));
        let methods = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
        let takes = |method: &str| methods.is_some_and(|all| all.iter().any(|one| one == method));
        Ok(Self {
            authorization: endpoint(document, "authorization_endpoint")?,
            token: for_client("token_endpoint")?,
            keys: endpoint(document, "jwks_uri")?,
            userinfo: offered("userinfo_endpoint").then(|| for_client("userinfo_endpoint")).transpose()?,
            end_session: offered("end_session_endpoint")
                .then(|| endpoint(document, "end_session_endpoint"))
                .transpose()?,
            push: offered(PUSH).then(|| for_client(PUSH)).transpose()?,
            must_push: says("require_pushed_authorization_requests"),
            promises_issuer: says("authorization_response_iss_parameter_supported"),
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
