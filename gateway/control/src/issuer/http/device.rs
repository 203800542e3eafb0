//! The device flow (RFC 8628): a terminal without a browser shows a code, and somebody types it on another machine.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::authorize::{keep, see_other};
use super::login::{broken, failed};
use super::pages::{DevicePage, Failed, shown};
use super::params::Params;
use super::texts::Texts;
use super::wrong::{self, Wrong};
use super::{browser, client_auth};
use crate::api::{Arrival, Entered, agent};
use crate::control::Control;
use crate::issuer::authorization::{self, By, Flow, INTERVAL, LIFE, New};
use crate::issuer::{Random, scope};
use crate::keys::KeyFault;
use crate::store::{Change, StoreFault};

/// Letters that are not mistaken for one another and make no words (RFC 8628 §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// Begins: a secret for the device, and a short code for its person.
pub(super) async fn begin(
    State(control): State<Arc<Control>>,
    entered: Entered,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Wrong> {
    let (issuer, params) = (wrong::issuer(&control)?, wrong::read(&headers, body).await?);
    let client = client_auth::client(issuer, &headers, &params)?;
    let scope =
        scope::known(params.get("scope")).ok_or_else(|| Wrong::new("invalid_scope", "scope must hold openid"))?;
    let broken = |fault: KeyFault| Wrong::broken(entered.arrival(), &fault);
    let (secret, user_code) = (Random::new().map_err(broken)?, user_code().map_err(broken)?);
    let agent = agent(&headers);
    let flow = Flow::Device { user_code };
    let new = New {
        client: &client.id,
        scope: &scope,
        nonce: None,
        flow: &flow,
        device: Some(&secret),
        browser: None,
        address: entered.arrival().client,
        agent: agent.as_deref(),
    };
    keep(&control, new).await.map_err(|fault| Wrong::unavailable(entered.arrival(), &fault))?;
    let Flow::Device { user_code } = &flow else { return Err(Wrong::new("server_error", "no code was made")) };
    let page = format!("{}/device", issuer.origin());
    let answer = json!({
        "device_code": secret.expose(),
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": LIFE.as_secs(),
        "interval": INTERVAL.as_secs(),
    });
    Ok(Json(answer).into_response())
}

/// The page where the code is typed. It comes filled in when the address holds the code, and still has to be sent: the
/// person compares it with what the device shows.
pub(super) async fn show(
    State(control): State<Arc<Control>>,
    RawQuery(query): RawQuery,
    entered: Entered,
    headers: HeaderMap,
) -> Response {
    let params = match Params::of_query(query) {
        Ok(params) => params,
        Err(unreadable) => return unreadable.page(&headers, &entered),
    };
    let known = params.get("user_code").and_then(spelled).unwrap_or_default();
    let texts = Texts::wanted(&headers);
    page(&control, entered.arrival(), texts, browser::of(&headers), (&known, None))
}

pub(super) async fn submit(
    State(control): State<Arc<Control>>,
    entered: Entered,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (texts, arrival) = (Texts::wanted(&headers), entered.arrival());
    let params = match Params::of_form(&headers, body).await {
        Ok(params) => params,
        Err(unreadable) => return unreadable.page(&headers, &entered),
    };
    let (Ok(issuer), Some(browser)) = (super::issuer(&control), browser::of(&headers)) else {
        return Failed::new(texts, texts.foreign_form, arrival).with(StatusCode::FORBIDDEN);
    };
    if !browser::is_ours(issuer, &headers, (&browser, ABOUT), params.get("form").unwrap_or_default()) {
        return Failed::new(texts, texts.foreign_form, arrival).with(StatusCode::FORBIDDEN);
    }
    let typed = params.get("user_code").unwrap_or_default();
    match taken(&control, typed, &browser).await {
        Ok(Some(id)) => see_other(&format!("/login?flow={id}")),
        Ok(None) => page(&control, arrival, texts, Some(browser), (typed, Some(texts.device_unknown))),
        Err(fault) => failed(texts, arrival, &fault),
    }
}

/// What the code in the form of this page is about.
const ABOUT: &str = "device";

fn page(
    control: &Control,
    arrival: &Arrival,
    texts: &Texts,
    browser: Option<Random>,
    (user_code, problem): (&str, Option<&str>),
) -> Response {
    let Ok(issuer) = super::issuer(control) else { return StatusCode::NOT_FOUND.into_response() };
    let made = browser.map_or_else(Random::new, Ok).and_then(|browser| {
        let code = browser::form_code(issuer, &browser, ABOUT)?;
        Ok((browser, code))
    });
    let (browser, form_code) = match made {
        Ok(made) => made,
        Err(fault) => return broken(texts, arrival, &fault),
    };
    let mut response = shown(&DevicePage { texts, form_code: &form_code, user_code, problem }, StatusCode::OK);
    if let Ok(cookie) = browser::cookie(&browser).parse() {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The login that a code stands for, given to this browser.
async fn taken(control: &Control, typed: &str, browser: &Random) -> Result<Option<String>, StoreFault> {
    let Some(code) = spelled(typed) else { return Ok(None) };
    let mut write = control.store().write().await?;
    let found = authorization::find(write.connection(), By::UserCode(&code)).await?;
    let Some(found) = found.filter(|found| found.is_open(write.at())) else { return Ok(None) };
    authorization::take(&mut write, &found.id, browser).await?;
    write.commit(Change::AuthorizationSeen(found.id.clone())).await?;
    Ok(Some(found.id))
}

/// A code as it is kept, from what somebody typed: in any case, with anything between the letters (RFC 8628 §6.1).
fn spelled(typed: &str) -> Option<String> {
    let letters: Vec<u8> = typed.bytes().filter(u8::is_ascii_alphabetic).map(|b| b.to_ascii_uppercase()).collect();
    let legal = letters.len() == LENGTH && letters.iter().all(|letter| LETTERS.contains(letter));
    legal.then(|| shown_as(&letters))
}

fn user_code() -> Result<String, KeyFault> {
    let mut letters = Vec::with_capacity(LENGTH);
    let mut random = [0; 32];
    while letters.len() < LENGTH {
        aws_lc_rs::rand::fill(&mut random).map_err(|_| KeyFault::Crypto)?;
        // 240 is a multiple of 20: without what is above, every letter is as likely.
        let fair = random.iter().filter(|byte| **byte < 240);
        letters.extend(
            fair.filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len())).take(LENGTH - letters.len()),
        );
    }
    Ok(shown_as(&letters))
}

fn shown_as(letters: &[u8]) -> String {
    let (first, last) = letters.split_at(letters.len() / 2);
    format!("{}-{}", String::from_utf8_lossy(first), String::from_utf8_lossy(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_however_it_is_typed() {
        let code = user_code().expect("random");
        assert_eq!(code.len(), 9, "{code}");
        assert_ne!(code, user_code().expect("random"));
        let loose = code.to_lowercase().replace('-', " ");
        assert_eq!((spelled(&code), spelled(&loose)), (Some(code.clone()), Some(code.clone())));
        for wrong in ["", "BCDF", "AEIO-UUUU", "BCDF-GHJKL"] {
            assert_eq!(spelled(wrong), None, "{wrong}");
        }
    }
}
