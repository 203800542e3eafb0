//! Whether somebody lets a program of somebody else's know them (OpenID Connect Core §3.1.2.4).
//!
//! It is asked before the login: nobody should type a password for a program that they did not mean to use. The answer
//! belongs to the login under way, so it is good for the session that comes of it and for no other.

use axum::http::StatusCode;
use axum::response::Response;

use super::authorize::see_other;
use super::browser;
use super::login::{Visit, failed};
use super::pages::{ConsentPage, Failed, leading_to, shown};
use crate::issuer::authorization::{self, Flow};
use crate::store::{Change, StoreFault};

impl Visit<'_> {
    /// Whether the person has to be asked before anything else.
    pub(super) fn must_ask(&self) -> bool {
        // One that was taken out of the configuration meanwhile is nobody's own.
        let first_party = self.issuer.client(&self.found.client).is_some_and(|client| client.first_party);
        !first_party && !self.found.consented
    }

    /// The page that asks.
    pub(super) fn ask(&self) -> Response {
        let form_code = match browser::form_code(self.issuer, &self.browser, &self.found.id) {
            Ok(form_code) => form_code,
            Err(fault) => return self.broken(&fault),
        };
        let client = self.issuer.client(&self.found.client);
        let mut wants: Vec<&str> =
            self.found.scope.split(' ').filter_map(|scope| self.texts.wanted_by(scope)).collect();
        // More than one scope gives the user name.
        wants.dedup();
        if client.is_some_and(|client| client.kubectl) {
            wants.push(self.texts.wants_clusters);
        }
        let page = ConsentPage {
            texts: self.texts,
            client: client.map_or(self.found.client.as_str(), |client| &client.name),
            wants,
            goes_to: match &self.found.flow {
                Flow::Code { redirect_uri, .. } => redirect_uri,
                Flow::Device { user_code } => user_code,
            },
            flow: &self.found.id,
            form_code: &form_code,
        };
        let response = shown(&page, StatusCode::OK);
        match &self.found.flow {
            Flow::Code { redirect_uri, .. } => leading_to(response, [redirect_uri.as_str()]),
            Flow::Device { .. } => response,
        }
    }

    /// Takes a yes, and goes on to the login.
    pub(super) async fn agree(&self) -> Response {
        match self.keep_consent().await {
            Ok(true) => see_other(&format!("/login?flow={}", self.found.id)),
            Ok(false) => Failed::new(self.texts, self.texts.over, self.arrival).with(StatusCode::GONE),
            Err(fault) => failed(self.texts, self.arrival, &fault),
        }
    }

    async fn keep_consent(&self) -> Result<bool, StoreFault> {
        let mut write = self.control.store().write().await?;
        if !authorization::consent(&mut write, &self.found.id).await? {
            return Ok(false);
        }
        write.commit(Change::AuthorizationSeen(self.found.id.clone())).await?;
        let (audit_id, client) = (&self.arrival.trace_id, &self.found.client);
        tracing::info!(audit_id, client, authorization = self.found.id, "somebody agreed to what a client asks for");
        Ok(true)
    }
}
