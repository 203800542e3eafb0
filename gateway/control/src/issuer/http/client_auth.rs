//! Which client asks (RFC 6749 §2.3): one that holds a secret proves it, in the header or in the form; others name
//! themselves, and prove later by PKCE or a code that it was they who began.

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

use super::params::Params;
use super::wrong::Wrong;
use crate::issuer::{Client, ClientSecret, Issuer};

/// How a client may say who it is, as the discovery names it.
pub(super) const METHODS: [&str; 3] = ["none", "client_secret_basic", "client_secret_post"];
/// How one that must hold a secret may.
pub(super) const SECRET_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// What a request says of its client.
struct Said {
    id: String,
    secret: Option<SecretString>,
}

/// The client behind a request, proven as far as it can be.
pub(super) fn client<'a>(issuer: &'a Issuer, headers: &HeaderMap, params: &Params) -> Result<&'a Client, Wrong> {
    let in_form = params.get("client_id");
    let Said { id, secret } = match headers.get(header::AUTHORIZATION) {
        Some(value) => {
            let said =
                value.to_str().ok().and_then(basic).ok_or_else(|| unknown("the header is no Basic credential"))?;
            // RFC 6749 §2.3: no more than one way in each request.
            if params.get("client_secret").is_some() || in_form.is_some_and(|id| id != said.id) {
                return Err(Wrong::new("invalid_request", "the client says twice who it is"));
            }
            said
        }
        None => Said {
            id: in_form.unwrap_or_default().to_owned(),
            secret: params.get("client_secret").map(|secret| secret.into()),
        },
    };
    let client = issuer.client(&id).ok_or_else(|| unknown("no client of this id is configured"))?;
    match (&client.secret, &secret) {
        (Some(known), Some(presented)) if fits(known, presented) => Ok(client),
        (Some(_), _) => Err(unknown("the secret of the client is missing or not right")),
        (None, None) => Ok(client),
        (None, Some(_)) => Err(unknown("no secret is configured for this client")),
    }
}

/// The client behind a request, which must hold a secret.
pub(super) fn confidential<'a>(issuer: &'a Issuer, headers: &HeaderMap, params: &Params) -> Result<&'a Client, Wrong> {
    let client = client(issuer, headers, params)?;
    if client.secret.is_none() {
        return Err(unknown("this is for clients that hold a secret"));
    }
    Ok(client)
}

fn unknown(why: &'static str) -> Wrong {
    Wrong::new("invalid_client", why).with(StatusCode::UNAUTHORIZED)
}

/// A credential of RFC 7617. An empty password is none: public clients send one out of habit.
fn basic(value: &str) -> Option<Said> {
    let (scheme, coded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(coded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some(Said { id: decoded(id)?, secret: (!secret.is_empty()).then(|| secret.into()) })
}

/// RFC 6749 §2.3.1 has both parts form-encoded; half of the clients do not do it, and mean the same.
fn fits(known: &ClientSecret, presented: &SecretString) -> bool {
    let plain = presented.expose_secret();
    known.is(plain) || decoded(plain).map(SecretString::from).is_some_and(|decoded| known.is(decoded.expose_secret()))
}

fn decoded(part: &str) -> Option<String> {
    let name = form_urlencoded::parse(part.as_bytes()).next().map(|(name, _)| name.into_owned())?;
    // What holds a bare `=` or `&` was not encoded.
    (!part.contains(['=', '&'])).then_some(name)
}
