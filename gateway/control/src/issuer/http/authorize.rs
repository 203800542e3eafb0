//! Where a client sends its person to log in (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use super::login::{broken, failed};
use super::pages::Failed;
use super::params::{Params, Unreadable};
use super::texts::Texts;
use super::{browser, issuer};
use crate::api::Entered;
use crate::control::Control;
use crate::issuer::authorization::{self, Flow, New};
use crate::issuer::{Client, Issuer, Random, scope, secret};
use crate::keys::KeyFault;
use crate::store::{Change, StoreFault};

pub(super) async fn by_query(
    State(control): State<Arc<Control>>,
    RawQuery(query): RawQuery,
    entered: Entered,
    headers: HeaderMap,
) -> Response {
    answer(&control, Params::of_query(query), entered, headers).await
}

pub(super) async fn by_form(
    State(control): State<Arc<Control>>,
    entered: Entered,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let params = Params::of_form(&headers, body).await;
    answer(&control, params, entered, headers).await
}

/// Why a request leads to no login.
enum Refused {
    /// It is not known that the client wants the answer: the person reads it (RFC 6749 §4.1.2.1).
    Shown(&'static str),
    /// The client reads it.
    Told {
        back: Back,
        error: &'static str,
        why: &'static str,
    },
    Failed(StoreFault),
    NoRandomness(KeyFault),
}

/// Where the answer to a client goes.
pub(super) struct Back {
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
}

/// What a request asks for, after it was looked at.
struct Asked<'a> {
    client: &'a Client,
    scope: String,
    nonce: Option<&'a str>,
    back: Back,
    challenge: String,
}

async fn answer(
    control: &Control,
    params: Result<Params, Unreadable>,
    entered: Entered,
    headers: HeaderMap,
) -> Response {
    let Ok(issuer) = issuer(control) else { return StatusCode::NOT_FOUND.into_response() };
    let texts = Texts::wanted(&headers);
    let params = match params {
        Ok(params) => params,
        Err(unreadable) => return unreadable.page(&headers, &entered),
    };
    let begun = match check(issuer, texts, &params) {
        Ok(asked) => begin(control, asked, &entered, &headers).await,
        Err(refused) => Err(refused),
    };
    match begun {
        Ok(response) => response,
        Err(Refused::Shown(why)) => Failed::new(texts, why, entered.arrival()).with(StatusCode::BAD_REQUEST),
        Err(Refused::Told { back, error, why }) => {
            see_other(&back.to(issuer, &[("error", error), ("error_description", why)]))
        }
        Err(Refused::Failed(fault)) => failed(texts, entered.arrival(), &fault),
        Err(Refused::NoRandomness(fault)) => broken(texts, entered.arrival(), &fault),
    }
}

async fn begin(
    control: &Control,
    asked: Asked<'_>,
    entered: &Entered,
    headers: &HeaderMap,
) -> Result<Response, Refused> {
    let Asked { client, scope, nonce, back, challenge } = asked;
    let browser = match browser::of(headers) {
        Some(known) => known,
        None => Random::new().map_err(Refused::NoRandomness)?,
    };
    let flow = Flow::Code { redirect_uri: back.redirect_uri, state: back.state, challenge };
    let new = New {
        client: &client.id,
        scope: &scope,
        nonce,
        flow: &flow,
        device: None,
        browser: Some(&browser),
        address: entered.arrival().client,
        agent: None,
    };
    let id = keep(control, new).await.map_err(Refused::Failed)?;
    let mut response = see_other(&format!("/login?flow={id}"));
    if let Ok(value) = browser::cookie(&browser).parse() {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// Keeps a login that begins.
pub(super) async fn keep(control: &Control, new: New<'_>) -> Result<String, StoreFault> {
    let mut write = control.store().write().await?;
    let id = authorization::begin(&mut write, new).await?;
    write.commit(Change::AuthorizationSeen(id.clone())).await?;
    Ok(id)
}

/// Longest texts that are kept for a client.
const LONGEST: usize = 1_024;

fn check<'a>(issuer: &'a Issuer, texts: &Texts, params: &'a Params) -> Result<Asked<'a>, Refused> {
    let client =
        params.get("client_id").and_then(|id| issuer.client(id)).ok_or(Refused::Shown(texts.unknown_client))?;
    let redirect_uri = params.get("redirect_uri").filter(|uri| client.may_be_sent_to(uri));
    let redirect_uri = redirect_uri.ok_or(Refused::Shown(texts.unknown_redirect))?.to_owned();
    let back = Back { redirect_uri, state: params.get("state").map(str::to_owned) };
    let refused = |error, why| Refused::Told {
        back: Back { redirect_uri: back.redirect_uri.clone(), state: back.state.clone() },
        error,
        why,
    };
    if ["state", "nonce", "scope"].iter().any(|name| params.get(name).is_some_and(|value| value.len() > LONGEST)) {
        return Err(refused("invalid_request", "state, nonce or scope is longer than 1024 bytes"));
    }
    for (name, error) in [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")] {
        if params.get(name).is_some() {
            return Err(refused(error, "request objects are not read here"));
        }
    }
    if params.get("response_type") != Some("code") {
        return Err(refused("unsupported_response_type", "response_type must be code"));
    }
    if params.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(refused("invalid_request", "response_mode must be query"));
    }
    if params.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|word| word == "none")) {
        return Err(refused("login_required", "every login here shows a page"));
    }
    let scope = scope::known(params.get("scope")).ok_or_else(|| refused("invalid_scope", "scope must hold openid"))?;
    let challenge = params.get("code_challenge").filter(|challenge| secret::is_challenge(challenge));
    if params.get("code_challenge_method") != Some("S256") {
        return Err(refused("invalid_request", "code_challenge_method must be S256 (RFC 7636)"));
    }
    let Some(challenge) = challenge.map(str::to_owned) else {
        return Err(refused("invalid_request", "code_challenge must be what S256 makes (RFC 7636)"));
    };
    Ok(Asked { client, scope, nonce: params.get("nonce"), back, challenge })
}

impl Back {
    /// The address that carries these to the client, with its state and with who answers (RFC 9207).
    pub(super) fn to(&self, issuer: &Issuer, answer: &[(&str, &str)]) -> String {
        let Ok(mut url) = Url::parse(&self.redirect_uri) else { return "/".to_owned() };
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(answer);
            query.extend_pairs(self.state.as_deref().map(|state| ("state", state)));
            query.append_pair("iss", issuer.url());
        }
        url.into()
    }
}

/// 303: the browser goes on with GET, and sends no form along.
pub(super) fn see_other(location: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, location.to_owned())]).into_response()
}
