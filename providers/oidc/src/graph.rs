//! Microsoft Graph, where Entra leaves groups out of a token because there are too many.
//!
//! The token says an address where they are; it is never asked (`_claim_sources` names one of the service before Graph,
//! and whoever makes tokens could name any). The gateway asks Graph by its own client, at the address of its
//! configuration: all groups of the person, through other groups too, or an error.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{AuthError, Context, Fault, ProviderSecret};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{Request, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::client::No;
use crate::discovery::endpoint;
use crate::fetch::{self, no_address};
use crate::issuer::{Fetched, Issuer};
use crate::json::Object;

/// As many as Graph gives at once.
const PAGE: &str = "999";
/// Twenty thousand groups, which is more than an answer may hold.
const PAGES_MAX: usize = 21;
const FIELD: &str = "directory.graph";

/// `directory:` as an operator writes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct File {
    /// Microsoft Graph, asked as this client.
    graph: GraphFile,
}

/// `directory.graph:` as an operator writes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct GraphFile {
    /// Another address of it, such as that of a national cloud.
    #[serde(default = "usual")]
    url: String,
}

fn usual() -> String {
    "https://graph.microsoft.com".to_owned()
}

impl File {
    /// The address to ask.
    pub(crate) fn check(&self, plain: bool) -> Result<Url, Fault> {
        let fault = |why: &str| Fault::new("directory.graph.url", format!("{why}; write https://graph.microsoft.com"));
        let url = endpoint(&self.graph.url, plain).map_err(|why| fault(&why))?;
        if url.path() != "/" || url.query().is_some() {
            return Err(fault("has a path or a query"));
        }
        Ok(url)
    }
}

/// Whether it is an id of Entra's. One in an address or a grant is nothing else.
pub(crate) fn is_id(text: &str) -> bool {
    let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let fits = |(at, byte): (usize, u8)| if dash(at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// What is wrong where a token names groups in another way than Graph: they would be others from login to login.
pub(crate) fn no_names() -> AuthError {
    misconfigured("the tokens tell groups by name, and Graph by id; have Entra put group ids into them")
}

impl Issuer {
    /// The ids of all groups of a person.
    pub(crate) async fn groups_by_graph(
        self: &Arc<Self>,
        ctx: &Context,
        graph: &Url,
        person: &str,
    ) -> Result<BTreeSet<String>, AuthError> {
        if !is_id(person) {
            return Err(AuthError::Protocol("Graph knows people by their object id; leave claims.id out".to_owned()));
        }
        let token = self.graph_token(ctx).await?;
        let path = format!("/v1.0/users/{person}/transitiveMemberOf/microsoft.graph.group");
        let mut page = graph.clone();
        page.set_path(&path);
        page.query_pairs_mut().append_pair("$select", "id").append_pair("$top", PAGE);
        let mut groups = BTreeSet::new();
        for _ in 0..PAGES_MAX {
            let answer = self.graph_page(ctx, &page, &token).await?;
            groups.extend(ids(&answer)?);
            match answer.get("@odata.nextLink") {
                None => return Ok(groups),
                Some(next) => page = following(next, &page)?,
            }
        }
        Err(odd("there is no end of pages"))
    }

    async fn graph_page(&self, ctx: &Context, page: &Url, token: &ProviderSecret) -> Result<Object, AuthError> {
        let request = Request::get(page.as_str())
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", token.expose()))
            .body(Vec::new())
            .map_err(|_| no_address(page.as_str()))?;
        let response = self.fetch.send(request, self.time(ctx)).await?;
        match response.status() {
            StatusCode::OK => fetch::object(&response).map_err(|why| odd(&why)),
            StatusCode::UNAUTHORIZED => Err(AuthError::unavailable("Graph refuses the token that Entra just gave")),
            StatusCode::FORBIDDEN => Err(misconfigured(
                "Graph does not let this client read groups; grant it the application permissions User.Read.All and \
                 GroupMember.Read.All, and consent as an administrator",
            )),
            StatusCode::NOT_FOUND => Err(odd("it knows no such person")),
            other => Err(fetch::refused(page.path(), other)),
        }
    }

    async fn graph_token(self: &Arc<Self>, ctx: &Context) -> Result<Arc<ProviderSecret>, AuthError> {
        self.current(|issuer| &issuer.graph, Self::fetch_graph_token, self.time(ctx)).await
    }

    /// RFC 6749 §4.4: a token of this client itself.
    fn fetch_graph_token(self: Arc<Self>, time: Duration) -> Fetched<ProviderSecret> {
        Box::pin(async move {
            let graph = self.settings.graph.as_ref().ok_or_else(|| misconfigured("is not there"))?;
            let metadata = self.known_metadata(time).await?;
            let scope = format!("{}/.default", graph.origin().ascii_serialization());
            let form = [("grant_type", "client_credentials"), ("scope", scope.as_str())];
            let response = self.post(&metadata, &metadata.token, &form, time).await?;
            if response.status() != StatusCode::OK {
                return Err(No::read(&response).error(&self.settings, &metadata.token, &response));
            }
            let answer = fetch::object(&response).map_err(|why| odd(&why))?;
            let token = answer.get("access_token").and_then(Value::as_str).ok_or_else(|| odd("there is no token"))?;
            let lasts = answer.get("expires_in").and_then(Value::as_u64).unwrap_or_default();
            Ok((ProviderSecret::new(token), Duration::from_secs(lasts.saturating_sub(60).min(24 * 3_600))))
        })
    }
}

/// All ids of a page, or none.
fn ids(page: &Object) -> Result<Vec<String>, AuthError> {
    let all = page.get("value").and_then(Value::as_array).ok_or_else(|| odd("value is missing or no list"))?;
    let id = |group: &Value| group.get("id").and_then(Value::as_str).filter(|id| is_id(id)).map(str::to_owned);
    all.iter().map(|group| id(group).ok_or_else(|| odd("a group has no id"))).collect()
}

/// The next page, at the same place: the answer may be anybody's, and our token goes along.
fn following(next: &Value, page: &Url) -> Result<Url, AuthError> {
    let next =
        next.as_str().and_then(|next| Url::parse(next).ok()).ok_or_else(|| odd("the next page is no address"))?;
    let plain = next.username().is_empty() && next.password().is_none();
    if next.origin() != page.origin() || !next.path().starts_with("/v1.0/") || !plain {
        return Err(odd("the next page is elsewhere"));
    }
    Ok(next)
}

fn odd(why: &str) -> AuthError {
    AuthError::Protocol(format!("Microsoft Graph: {why}"))
}

fn misconfigured(message: &str) -> AuthError {
    AuthError::Misconfigured { field: FIELD.to_owned(), message: message.to_owned() }
}
