//! Sessions: the caller's own, and for administrators everybody's.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::entered::{Caller, Entered};
use super::problem::Problem;
use super::segment::Segment;
use crate::admin::{Admin, AdminError, BY_ADMINISTRATOR};
use crate::control::Control;
use crate::sessions::{self, Listing, LoginFlow, SessionId, SessionInfo, Which};
use crate::users::UserId;

/// Which sessions are asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wanted {
    /// Whose: a login name, a user id or a principal id; `*` is everybody. The caller's own when absent.
    #[serde(default)]
    #[schemars(with = "String")]
    user: Option<String>,
    /// Only those that began before this one: the `next` of the page before.
    #[serde(default)]
    #[schemars(with = "String")]
    before: Option<String>,
    /// How many on one page.
    #[serde(default)]
    #[schemars(with = "u32", range(min = 1, max = 500))]
    limit: Option<u32>,
}

const MOST: u32 = 500;
const USUAL: u32 = 200;

/// A page of sessions, newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sessions {
    sessions: Vec<SessionView>,
    /// Where the next page begins, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// One login.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SessionView {
    id: String,
    user: String,
    provider: String,
    principal: String,
    /// What clusters call the person.
    username: String,
    /// The OpenID Connect client that it was for; none for a login at the API.
    client: Option<String>,
    /// How the person logged in.
    flow: Option<LoginFlow>,
    /// How the provider made sure of them (RFC 8176).
    amr: Vec<String>,
    /// The address of the program that holds it.
    address: Option<String>,
    /// What that program calls itself.
    agent: Option<String>,
    /// The address of the browser in which a device was let in.
    approved_from: Option<String>,
    created_at: Timestamp,
    /// To some minutes.
    last_used_at: Timestamp,
    /// When its groups were read last, and when they will be.
    refreshed_at: Timestamp,
    next_refresh_at: Option<Timestamp>,
    /// Why the last reading brought not all groups.
    incomplete: Option<String>,
    /// When it ends, whatever happens.
    expires_at: Timestamp,
    /// When it ends unless it is used before.
    idle_expires_at: Option<Timestamp>,
    /// Whether it is the one that asks.
    current: bool,
}

pub(super) async fn list(
    State(control): State<Arc<Control>>,
    entered: Entered,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Sessions>, Problem> {
    let caller = entered.caller()?;
    let Ok(Query(wanted)) = wanted else {
        return Err(Problem::new(400, "invalid-query", "The query may hold user, before and limit."));
    };
    let most = wanted.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&most) {
        return Err(Problem::new(400, "invalid-query", format!("limit must be between 1 and {MOST}.")));
    }
    let before: Option<SessionId> =
        wanted.before.map(|id| id.parse()).transpose().map_err(|_| {
            Problem::new(400, "invalid-query", "before must be the id of a session, as `next` gives it.")
        })?;
    let user = whose(&control, caller, wanted.user.as_deref()).await?;
    let open_at = Some(control.store().now());
    let listing = Listing { user: user.as_ref(), open_at, before: before.as_ref(), most: most + 1 };
    let mut found = sessions::list(&mut *control.store().read().await?, listing).await?;
    let more = found.len() > most as usize;
    found.truncate(most as usize);
    let next = found.last().filter(|_| more).map(|last| last.id.to_string());
    let sessions = found.into_iter().map(|session| SessionView::of(&control, caller, session)).collect();
    Ok(Json(Sessions { sessions, next }))
}

/// Whose sessions a caller may be shown; `None` is everybody's.
async fn whose(control: &Control, caller: &Caller, asked: Option<&str>) -> Result<Option<UserId>, Problem> {
    let own = crate::users::parse_id(&caller.user)?;
    let Some(asked) = asked.filter(|asked| *asked != caller.user) else { return Ok(Some(own)) };
    if !caller.is_administrator {
        // Whether there is such a person is not told.
        let hint = "Only administrators of the gateway see other people's sessions.";
        return Err(Problem::new(403, "forbidden", hint));
    }
    if asked == "*" {
        return Ok(None);
    }
    match Admin::new(control.store().clone()).find(asked).await {
        Ok(user) => Ok(Some(user)),
        Err(AdminError::Store(fault)) => Err(fault.into()),
        Err(AdminError::Ambiguous { ids, .. }) => Err(Problem::new(
            409,
            "ambiguous-user",
            format!("Several users are called so; name one by its id: {}.", ids.join(", ")),
        )),
        Err(_) => Err(Problem::new(404, "not-found", "There is no such user.")),
    }
}

impl SessionView {
    fn of(control: &Control, caller: &Caller, session: SessionInfo) -> Self {
        let noted = control.used().of(&session.id);
        Self {
            current: session.id.as_str() == caller.session,
            next_refresh_at: session.next_refresh(control.settings()),
            last_used_at: noted.map_or(session.used_at, |noted| noted.max(session.used_at)),
            id: session.id.to_string(),
            user: session.user.to_string(),
            provider: session.provider.to_string(),
            principal: session.principal.to_string(),
            username: session.identity.user.username,
            client: session.client,
            flow: session.origin.flow,
            amr: session.origin.amr,
            address: session.origin.address.map(|address| address.to_string()),
            agent: session.origin.agent,
            approved_from: session.origin.approved_from.map(|address| address.to_string()),
            created_at: session.created_at,
            refreshed_at: session.refreshed_at,
            incomplete: session.incomplete,
            expires_at: session.expires_at,
            idle_expires_at: session.idle_at,
        }
    }
}

/// Ends one; somebody else's answers as one that is not there, to all but administrators.
pub(super) async fn end(
    State(control): State<Arc<Control>>,
    Segment(id): Segment,
    entered: Entered,
) -> Result<StatusCode, Problem> {
    let caller = entered.caller()?;
    let id = if id == "current" { &caller.session } else { &id };
    end_one(&control, caller, id).await
}

pub(super) async fn end_one(control: &Control, caller: &Caller, id: &str) -> Result<StatusCode, Problem> {
    let not_found = || Problem::new(404, "not-found", "You have no such session.");
    let id: SessionId = id.parse().map_err(|_| not_found())?;
    let now = control.store().now();
    let why = match sessions::owner(&mut *control.store().read().await?, &id, now).await? {
        Some(owner) if owner.as_str() == caller.user => "its owner ended it",
        Some(_) if caller.is_administrator => BY_ADMINISTRATOR,
        _ => return Err(not_found()),
    };
    let mut write = control.store().write().await?;
    if let Some(changes) = sessions::end(&mut write, Which::One(&id), why).await? {
        write.commit(changes).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
