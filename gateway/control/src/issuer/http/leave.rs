//! The way to the identity system's own logout and back (OpenID Connect RP-Initiated Logout 1.0 as a client).
//!
//! The browser carries along, as `state`, where the client that asked wants it at the end. It is sealed and good for a
//! while, so that nobody is sent to an address that was not checked before.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::authorize::see_other;
use super::logout;
use super::pages::{MessagePage, shown};
use super::params::Params;
use super::texts::Texts;
use crate::api::Entered;
use crate::control::Control;
use crate::issuer::Random;
use crate::issuer::logout::Ending;

/// Where identity systems send browsers back to; operators register it there.
pub(super) const DONE: &str = "/logout/done";
const ABOUT: &str = "the way back from a logout";
/// How long somebody may look at the identity system's page.
const LASTS: i64 = 3_600;

/// What the browser carries.
#[derive(Serialize, Deserialize)]
struct Carried {
    /// Where it goes at the end, where a client said so.
    back: Option<String>,
    at: i64,
    /// Makes each another.
    once: String,
}

/// Where a browser whose logins these are logs out at the identity system, and comes back to us from.
pub(super) async fn way(
    control: &Control,
    origin: &str,
    endings: &[Ending],
    (back, trace): (Option<&str>, &str),
) -> Option<String> {
    let once = Random::new().ok()?.expose().to_owned();
    let at = control.store().now().as_second();
    let carried = serde_json::to_vec(&Carried { back: back.map(str::to_owned), at, once }).ok()?;
    let state = URL_SAFE_NO_PAD.encode(control.secrets().seal(ABOUT, &carried).ok()?);
    control.way_out(endings, (&format!("{origin}{DONE}"), &state), trace).await
}

/// Takes a browser that comes back.
pub(super) async fn arrive(
    State(control): State<Arc<Control>>,
    RawQuery(query): RawQuery,
    entered: Entered,
    headers: HeaderMap,
) -> Response {
    let params = Params::of_query(query);
    let state = params.ok().and_then(|params| opened(&control, params.get("state")?));
    match state {
        Some(Carried { back: Some(back), .. }) => see_other(&back),
        Some(Carried { back: None, .. }) => {
            let texts = Texts::wanted(&headers);
            let (title, text) = (texts.logged_out_title, texts.logged_out);
            shown(&MessagePage { texts, title, text, audit_id: None }, axum::http::StatusCode::OK)
        }
        // Whoever else comes here is told how things stand.
        None => logout::answer(&control, Ok(Params::default()), &entered, &headers).await,
    }
}

fn opened(control: &Control, state: &str) -> Option<Carried> {
    let sealed = URL_SAFE_NO_PAD.decode(state).ok()?;
    let carried: Carried = serde_json::from_slice(&control.secrets().open(ABOUT, &sealed)?).ok()?;
    is_recent(&carried, control.store().now()).then_some(carried)
}

fn is_recent(carried: &Carried, now: Timestamp) -> bool {
    let age = now.as_second().saturating_sub(carried.at);
    (0..LASTS).contains(&age)
}
