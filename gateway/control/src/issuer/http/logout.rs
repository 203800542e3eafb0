//! Logging out in a browser (OpenID Connect RP-Initiated Logout 1.0).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use super::authorize::see_other;
use super::leave;
use super::login::{broken, failed};
use super::pages::{Failed, LogoutPage, MessagePage, leading_to, shown};
use super::params::{Params, Unreadable};
use super::texts::Texts;
use super::{browser, issuer};
use crate::api::{Arrival, Entered};
use crate::control::Control;
use crate::issuer::logout::Ending;
use crate::issuer::{Claims, Issuer, Random};

/// A request to log out, after it was looked at.
struct Asked {
    /// Whose login is meant, where that is known.
    meant: Option<Claims>,
    /// Where the browser goes afterwards, where the client said so.
    back: Option<String>,
}

/// Who asks, and how they are answered.
struct Visit<'a> {
    control: &'a Control,
    issuer: &'a Issuer,
    texts: &'static Texts,
    arrival: &'a Arrival,
    browser: Option<Random>,
}

pub(super) async fn by_query(
    State(control): State<Arc<Control>>,
    RawQuery(query): RawQuery,
    entered: Entered,
    headers: HeaderMap,
) -> Response {
    answer(&control, Params::of_query(query), &entered, &headers).await
}

pub(super) async fn by_form(
    State(control): State<Arc<Control>>,
    entered: Entered,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let params = Params::of_form(&headers, body).await;
    answer(&control, params, &entered, &headers).await
}

/// Takes what somebody said on the page.
pub(super) async fn submit(
    State(control): State<Arc<Control>>,
    entered: Entered,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(visit) = Visit::of(&control, &entered, &headers) else { return StatusCode::NOT_FOUND.into_response() };
    let params = match Params::of_form(&headers, body).await {
        Ok(params) => params,
        Err(unreadable) => return unreadable.page(&headers, &entered),
    };
    let code = params.get("form").unwrap_or_default();
    let ours = visit.browser.as_ref().is_some_and(|who| browser::is_ours(visit.issuer, &headers, (who, ABOUT), code));
    if !ours {
        return visit.refuse(visit.texts.foreign_form, StatusCode::FORBIDDEN);
    }
    if params.get("answer") != Some("yes") {
        return visit.message(visit.texts.stayed_title, visit.texts.stayed);
    }
    match visit.check(&params) {
        Ok(asked) => match visit.endings(&asked).await {
            Ok(endings) => visit.end(&endings, asked.back).await,
            Err(refused) => refused,
        },
        Err(why) => visit.refuse(why, StatusCode::BAD_REQUEST),
    }
}

/// What the code in the form of this page is about.
const ABOUT: &str = "logout";
/// Longest text that is sent back to a client.
const LONGEST: usize = 1_024;
/// What is carried from the request to the form.
const CARRIED: [&str; 4] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"];

/// Answers a request to log out.
pub(super) async fn answer(
    control: &Control,
    params: Result<Params, Unreadable>,
    entered: &Entered,
    headers: &HeaderMap,
) -> Response {
    let Ok(visit) = Visit::of(control, entered, headers) else { return StatusCode::NOT_FOUND.into_response() };
    let params = match params {
        Ok(params) => params,
        Err(unreadable) => return unreadable.page(headers, entered),
    };
    let asked = match visit.check(&params) {
        Ok(asked) => asked,
        Err(why) => return visit.refuse(why, StatusCode::BAD_REQUEST),
    };
    let endings = match visit.endings(&asked).await {
        Ok(endings) => endings,
        Err(refused) => return refused,
    };
    // §2: without a hint, or where it is of another browser's login, the person must be asked.
    let is_sure = asked.meant.is_some() && endings.iter().all(|ending| ending.is_here);
    if is_sure || endings.is_empty() {
        return visit.end(&endings, asked.back).await;
    }
    visit.page(&params, &endings, asked.back.as_deref()).await
}

impl<'a> Visit<'a> {
    fn of(control: &'a Control, entered: &'a Entered, headers: &HeaderMap) -> Result<Self, StatusCode> {
        let (texts, arrival) = (Texts::wanted(headers), entered.arrival());
        Ok(Self { control, issuer: issuer(control)?, texts, arrival, browser: browser::of(headers) })
    }

    /// Nobody is logged out, and nobody is sent anywhere, for a request that does not hold together.
    fn check(&self, params: &Params) -> Result<Asked, &'static str> {
        let now = self.control.store().now();
        let meant = params.get("id_token_hint").and_then(|hint| self.issuer.hint(hint, now));
        let of_hint = meant.as_ref().map(|claims| claims.client_id.as_str());
        let said = params.get("client_id");
        if said.is_some() && of_hint.is_some() && said != of_hint {
            return Err(self.texts.bad_request);
        }
        let client = match said.or(of_hint) {
            Some(id) => Some(self.issuer.client(id).ok_or(self.texts.unknown_client)?),
            None => None,
        };
        let Some(uri) = params.get("post_logout_redirect_uri") else { return Ok(Asked { meant, back: None }) };
        let client = client.ok_or(self.texts.unknown_way_back)?;
        if !client.post_logout_redirect_uris.iter().any(|known| known == uri) {
            return Err(self.texts.unknown_way_back);
        }
        let mut back = Url::parse(uri).map_err(|_| self.texts.unknown_way_back)?;
        if let Some(state) = params.get("state") {
            if state.len() > LONGEST {
                return Err(self.texts.bad_request);
            }
            back.query_pairs_mut().append_pair("state", state);
        }
        Ok(Asked { meant, back: Some(back.into()) })
    }

    async fn endings(&self, asked: &Asked) -> Result<Vec<Ending>, Response> {
        let found = self.control.endings(asked.meant.as_ref(), self.browser.as_ref()).await;
        found.map_err(|fault| failed(self.texts, self.arrival, &fault))
    }

    async fn end(&self, endings: &[Ending], back: Option<String>) -> Response {
        let way = self.way(endings, back.as_deref()).await;
        if let Err(fault) = self.control.log_out(endings).await {
            return failed(self.texts, self.arrival, &fault);
        }
        for Ending { session, username, .. } in endings {
            tracing::info!(audit_id = self.arrival.trace_id, %session, username, "logged out");
        }
        match way.or(back) {
            Some(back) => see_other(&back),
            None if endings.is_empty() => self.message(self.texts.logged_out_title, self.texts.nobody_here),
            None => self.message(self.texts.logged_out_title, self.texts.logged_out),
        }
    }

    /// By way of the identity system, where that wants to hear of it.
    async fn way(&self, endings: &[Ending], back: Option<&str>) -> Option<String> {
        leave::way(self.control, self.issuer.origin(), endings, (back, &self.arrival.trace_id)).await
    }

    async fn page(&self, params: &Params, endings: &[Ending], back: Option<&str>) -> Response {
        let made = self.browser.clone().map_or_else(Random::new, Ok).and_then(|browser| {
            let code = browser::form_code(self.issuer, &browser, ABOUT)?;
            Ok((browser, code))
        });
        let (browser, form_code) = match made {
            Ok(made) => made,
            Err(fault) => return broken(self.texts, self.arrival, &fault),
        };
        let name = |client: &'_ Option<String>| {
            let id = client.as_deref().unwrap_or_default();
            self.issuer.client(id).map_or(id, |client| &client.name).to_owned()
        };
        let page = LogoutPage {
            texts: self.texts,
            form_code: &form_code,
            logins: endings.iter().map(|ending| (ending.username.as_str(), name(&ending.client))).collect(),
            carried: CARRIED.iter().filter_map(|name| Some((*name, params.get(name)?))).collect(),
        };
        let mut response = shown(&page, StatusCode::OK);
        if let (None, Ok(cookie)) = (&self.browser, browser::cookie(&browser).parse()) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        let way = self.way(endings, back).await;
        leading_to(response, way.as_deref().into_iter().chain(back))
    }

    fn refuse(&self, why: &str, status: StatusCode) -> Response {
        Failed::new(self.texts, why, self.arrival).with(status)
    }

    fn message(&self, title: &str, text: &str) -> Response {
        shown(&MessagePage { texts: self.texts, title, text, audit_id: None }, StatusCode::OK)
    }
}
