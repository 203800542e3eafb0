//! Logging in at a provider of its own: the browser goes there, and comes back with an answer (RFC 6749 §4.1 as a client).

use std::sync::Arc;

use auth_core::{AuthError, LoginInput, ProviderSecret, RedirectAnswer};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::authorize::see_other;
use super::login::{Visit, failed};
use super::pages::Failed;
use super::params::Params;
use super::texts::Texts;
use crate::api::Entered;
use crate::control::Control;
use crate::issuer::authorization::{self, By, Trip};
use crate::store::{Change, StoreFault};

/// Where each provider sends browsers back to; operators register it there.
///
/// Each has its own: an issuer that does not name itself in its answers (RFC 9207) could be made to answer a trip that went
/// to another, and that one would get the code (RFC 9700 §4.4).
pub(super) const CALLBACK: &str = "/callback/{provider}";

/// Sends the browser to a provider.
pub(super) async fn depart(
    State(control): State<Arc<Control>>,
    RawQuery(query): RawQuery,
    entered: Entered,
    headers: HeaderMap,
) -> Response {
    let params = match Params::of_query(query) {
        Ok(params) => params,
        Err(unreadable) => return unreadable.page(&headers, &entered),
    };
    let visit = match Visit::find(&control, &entered, &headers, params.get("flow")).await {
        Ok(visit) => visit,
        Err(refused) => return refused,
    };
    if visit.must_ask() {
        return see_other(&format!("/login?flow={}", visit.found.id));
    }
    let provider = params.get("provider").unwrap_or_default();
    let registry = control.registry();
    let Some(entry) = registry.entry(provider) else {
        return visit.refuse(provider, &AuthError::UnsupportedInput);
    };
    let ctx = control.context(visit.arrival.trace_id.clone()).with_client(Some(visit.arrival.client));
    let callback = format!("{}{}", visit.issuer.origin(), CALLBACK.replace("{provider}", provider));
    let asked = entry.provider.begin(&ctx, &callback);
    let begun = match control.meters().ask(entry.provider.name(), "begin", asked).await {
        Ok(begun) => begun,
        Err(error) => return visit.refuse(provider, &error),
    };
    let memo = match control.secrets().seal(&memo_of(&visit.found.id), begun.memo.expose().as_bytes()) {
        Ok(memo) => memo,
        Err(fault) => return visit.broken(&fault),
    };
    let trip = Trip { provider, state: &begun.state, sealed_memo: &memo };
    match keep(&control, &visit.found.id, trip).await {
        Ok(()) => see_other(&begun.location),
        Err(fault) => failed(visit.texts, visit.arrival, &fault),
    }
}

async fn keep(control: &Control, id: &str, trip: Trip<'_>) -> Result<(), StoreFault> {
    let mut write = control.store().write().await?;
    authorization::depart(&mut write, id, trip).await?;
    write.commit(Change::AuthorizationSeen(id.to_owned())).await
}

/// Takes the answer that the browser brought back.
pub(super) async fn arrive(
    State(control): State<Arc<Control>>,
    Path(came_from): Path<String>,
    RawQuery(query): RawQuery,
    entered: Entered,
    headers: HeaderMap,
) -> Response {
    let (texts, arrival) = (Texts::wanted(&headers), entered.arrival());
    let parameters: Vec<(String, String)> =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let over = || Failed::new(texts, texts.over, arrival).with(StatusCode::GONE);
    let mut states = parameters.iter().filter(|(name, _)| name == "state").map(|(_, value)| value);
    let (Some(state), None) = (states.next(), states.next()) else { return over() };
    let found = match find(&control, state).await {
        Ok(found) => found,
        Err(fault) => return failed(texts, arrival, &fault),
    };
    let Some(id) = found else { return over() };
    // Only the browser that was sent: somebody else's answer would log this person in as somebody else.
    let visit = match Visit::find(&control, &entered, &headers, Some(&id)).await {
        Ok(visit) => visit,
        Err(refused) => return refused,
    };
    // Whose address this is must be whom the trip went to. The trip itself goes on.
    if visit.found.trip.as_deref() != Some(came_from.as_str()) {
        return over();
    }
    let memo = match take(&control, &id, state).await {
        Ok(memo) => memo,
        Err(fault) => return failed(texts, arrival, &fault),
    };
    let (Some(memo), Some(provider)) = (memo, visit.found.trip.clone()) else { return over() };
    let answer = RedirectAnswer { parameters, begun: memo };
    visit.enter(&provider, "", LoginInput::Redirect { answer }).await
}

async fn find(control: &Control, state: &str) -> Result<Option<String>, StoreFault> {
    let found = authorization::find(&mut *control.store().read().await?, By::Trip(state)).await?;
    Ok(found.map(|found| found.id))
}

async fn take(control: &Control, id: &str, state: &str) -> Result<Option<ProviderSecret>, StoreFault> {
    let mut write = control.store().write().await?;
    let sealed = authorization::arrive(&mut write, state).await?;
    write.commit(Change::AuthorizationSeen(id.to_owned())).await?;
    let plain = sealed.and_then(|sealed| control.secrets().open(&memo_of(id), &sealed));
    Ok(plain.and_then(|plain| std::str::from_utf8(&plain).ok().map(ProviderSecret::new)))
}

fn memo_of(id: &str) -> String {
    format!("memo {id}")
}
