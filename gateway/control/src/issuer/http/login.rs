//! The page where somebody logs in for a client or a device.

use std::sync::Arc;

use auth_core::{AuthError, LoginForm, LoginInput, Password, PublicProvider};
use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::authorize::{Back, see_other};
use super::pages::{Choice, Device, Failed, LoginPage, MessagePage, leading_to, shown};
use super::params::Params;
use super::texts::Texts;
use super::{browser, issuer, log};
use crate::api::{Arrival, Entered, Noted, agent};
use crate::control::Control;
use crate::issuer::authorization::{self, Authorization, By, Flow};
use crate::issuer::{Issuer, Random};
use crate::keys::KeyFault;
use crate::login::{Gives, LoginError, LoginRequest};
use crate::store::{Change, StoreFault};

/// A visit of the page: which login it is for, and whose browser it is.
pub(super) struct Visit<'a> {
    pub(super) control: &'a Control,
    pub(super) issuer: &'a Issuer,
    pub(super) texts: &'static Texts,
    pub(super) arrival: &'a Arrival,
    pub(super) browser: Random,
    /// What the browser calls itself.
    agent: Option<String>,
    pub(super) found: Authorization,
}

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
    match Visit::find(&control, &entered, &headers, params.get("flow")).await {
        Ok(visit) if visit.must_ask() => visit.ask(),
        Ok(visit) => visit.page("", "", None),
        Err(refused) => refused,
    }
}

pub(super) async fn submit(
    State(control): State<Arc<Control>>,
    entered: Entered,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let params = match Params::of_form(&headers, body).await {
        Ok(params) => params,
        Err(unreadable) => return unreadable.page(&headers, &entered),
    };
    let visit = match Visit::find(&control, &entered, &headers, params.get("flow")).await {
        Ok(visit) => visit,
        Err(refused) => return refused,
    };
    let about = (&visit.browser, visit.found.id.as_str());
    if !browser::is_ours(visit.issuer, &headers, about, params.get("form").unwrap_or_default()) {
        return Failed::new(visit.texts, visit.texts.foreign_form, visit.arrival).with(StatusCode::FORBIDDEN);
    }
    match params.get("answer") {
        Some("no") => visit.stop().await,
        Some("yes") if visit.must_ask() => visit.agree().await,
        _ if visit.must_ask() => visit.ask(),
        _ => visit.log_in(&params).await,
    }
}

impl<'a> Visit<'a> {
    pub(super) async fn find(
        control: &'a Control,
        entered: &'a Entered,
        headers: &HeaderMap,
        flow: Option<&str>,
    ) -> Result<Self, Response> {
        let (texts, arrival) = (Texts::wanted(headers), entered.arrival());
        let issuer = issuer(control).map_err(IntoResponse::into_response)?;
        let over = || Failed::new(texts, texts.over, arrival).with(StatusCode::GONE);
        let (Some(browser), Some(flow)) = (browser::of(headers), flow) else { return Err(over()) };
        let found = read(control, flow).await.map_err(|fault| failed(texts, arrival, &fault))?;
        let now = control.store().now();
        let found = found.filter(|found| found.is_open(now) && found.is_of(&browser)).ok_or_else(over)?;
        Ok(Self { control, issuer, texts, arrival, browser, agent: agent(headers), found })
    }

    fn page(&self, chosen: &str, username: &str, problem: Option<&str>) -> Response {
        let form_code = match browser::form_code(self.issuer, &self.browser, &self.found.id) {
            Ok(form_code) => form_code,
            Err(fault) => return self.broken(&fault),
        };
        let registry = self.control.registry();
        let public = registry.public();
        let takes_password = |provider: &&&PublicProvider| provider.login.contains(&LoginForm::Password);
        let sends_there = |provider: &&&PublicProvider| provider.login.contains(&LoginForm::Redirect);
        let choice = |provider: &&'_ PublicProvider| Choice {
            id: provider.id.as_str().to_owned(),
            display_name: provider.display_name.clone(),
            is_chosen: provider.id.as_str() == chosen,
        };
        let client = self.issuer.client(&self.found.client).map_or(self.found.client.as_str(), |client| &client.name);
        let page = LoginPage {
            texts: self.texts,
            client,
            flow: &self.found.id,
            form_code: &form_code,
            device: self.device(),
            passwords: public.iter().filter(takes_password).map(choice).collect(),
            trips: public.iter().filter(sends_there).map(choice).collect(),
            username,
            problem,
            problem_of: (public.iter().find(|provider| provider.id.as_str() == chosen))
                .map_or("", |provider| provider.display_name.as_str()),
            audit_id: &self.arrival.trace_id,
        };
        let response = shown(&page, StatusCode::OK);
        match &self.found.flow {
            Flow::Code { redirect_uri, .. } => leading_to(response, [redirect_uri.as_str()]),
            Flow::Device { .. } => response,
        }
    }

    fn device(&self) -> Option<Device<'_>> {
        let Flow::Device { user_code } = &self.found.flow else { return None };
        Some(Device {
            user_code,
            address: self.found.address.as_deref().unwrap_or("?"),
            agent: self.found.agent.as_deref().unwrap_or("?"),
            started: self.found.created_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        })
    }

    async fn log_in(&self, params: &Params) -> Response {
        let part = |name: &str| params.get(name).unwrap_or_default();
        let (provider, username) = (part("provider"), part("username"));
        let password = Password::new(part("password"));
        self.enter(provider, username, LoginInput::Password { login: username.to_owned(), password }).await
    }

    /// Logs somebody in by what they presented to a provider.
    pub(super) async fn enter(&self, provider: &str, username: &str, input: LoginInput) -> Response {
        let request = LoginRequest {
            provider: provider.to_owned(),
            input,
            client: Some(self.arrival.client),
            agent: self.agent.clone(),
            trace_id: self.arrival.trace_id.clone(),
        };
        let code = match &self.found.flow {
            Flow::Code { .. } => Random::new().map(Some),
            Flow::Device { .. } => Ok(None),
        };
        let code = match code {
            Ok(code) => code,
            Err(fault) => return self.broken(&fault),
        };
        let gives = Gives::Approval { authorization: &self.found, code: code.as_ref() };
        match self.control.begin(request, gives).await {
            Ok(begun) => (Noted::began(&begun.session, &begun.principal), self.done(code)).into_response(),
            Err(error) => {
                let noted = Extension(Noted::no_login(&error));
                (noted, self.refused(provider, username, &error)).into_response()
            }
        }
    }

    fn refused(&self, provider: &str, username: &str, error: &LoginError) -> Response {
        match error {
            LoginError::Over => Failed::new(self.texts, self.texts.over, self.arrival).with(StatusCode::GONE),
            LoginError::Store(fault) => failed(self.texts, self.arrival, fault),
            LoginError::Keys(fault) => self.broken(fault),
            LoginError::Refused { error, .. } => {
                let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::FORBIDDEN);
                self.again(provider, username, (error.code(), status))
            }
            LoginError::UnknownProvider => self.again(provider, username, ("other", StatusCode::NOT_FOUND)),
            LoginError::Mapping { .. } | LoginError::NameTaken { .. } => {
                self.again(provider, username, ("other", StatusCode::FORBIDDEN))
            }
        }
    }

    /// The page once more, with why it did not work: a page that says no is on record as one.
    fn again(&self, provider: &str, username: &str, (problem, status): (&str, StatusCode)) -> Response {
        let mut page = self.page(provider, username, Some(self.texts.problem(problem)));
        // One that could not be made says so.
        if page.status().is_success() {
            *page.status_mut() = status;
        }
        page
    }

    /// The page again, with why a provider leads nowhere.
    pub(super) fn refuse(&self, provider: &str, error: &AuthError) -> Response {
        let (audit_id, why) = (&self.arrival.trace_id, error.audit_text());
        tracing::warn!(audit_id, provider, why, "nobody can be sent there");
        let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::FORBIDDEN);
        let noted = Noted::refused(format!("login-{}", error.audit_code()), format!("{provider}: {why}"));
        (Extension(noted), self.again(provider, "", (error.code(), status))).into_response()
    }

    pub(super) fn broken(&self, fault: &KeyFault) -> Response {
        broken(self.texts, self.arrival, fault)
    }

    fn done(&self, code: Option<Random>) -> Response {
        match (&self.found.flow, code) {
            (Flow::Code { redirect_uri, state, .. }, Some(code)) => {
                let back = Back { redirect_uri: redirect_uri.clone(), state: state.clone() };
                see_other(&back.to(self.issuer, &[("code", code.expose())]))
            }
            _ => self.message(self.texts.done_title, self.texts.done),
        }
    }

    async fn stop(&self) -> Response {
        match self.deny().await {
            Err(fault) => return failed(self.texts, self.arrival, &fault),
            Ok(()) => tracing::warn!(
                audit_id = self.arrival.trace_id,
                authorization = self.found.id,
                "a login was stopped by its person"
            ),
        }
        match &self.found.flow {
            Flow::Code { redirect_uri, state, .. } => {
                let back = Back { redirect_uri: redirect_uri.clone(), state: state.clone() };
                see_other(&back.to(self.issuer, &[("error", "access_denied")]))
            }
            Flow::Device { .. } => self.message(self.texts.denied_title, self.texts.denied),
        }
    }

    async fn deny(&self) -> Result<(), StoreFault> {
        let mut write = self.control.store().write().await?;
        authorization::deny(&mut write, &self.found.id).await?;
        write.commit(Change::AuthorizationSeen(self.found.id.clone())).await
    }

    fn message(&self, title: &str, text: &str) -> Response {
        shown(&MessagePage { texts: self.texts, title, text, audit_id: None }, StatusCode::OK)
    }
}

async fn read(control: &Control, flow: &str) -> Result<Option<Authorization>, StoreFault> {
    authorization::find(&mut *control.store().read().await?, By::Id(flow)).await
}

/// The page for a store that does not answer.
pub(super) fn failed(texts: &Texts, arrival: &Arrival, fault: &StoreFault) -> Response {
    log(arrival, fault);
    Failed::new(texts, texts.unavailable, arrival).with(StatusCode::SERVICE_UNAVAILABLE)
}

/// The page for a machine that gives no randomness, and for keys that do not do what keys do.
pub(super) fn broken(texts: &Texts, arrival: &Arrival, fault: &KeyFault) -> Response {
    log(arrival, fault);
    Failed::new(texts, texts.unavailable, arrival).with(StatusCode::INTERNAL_SERVER_ERROR)
}
