//! The caller's own sessions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::entered::{Caller, Entered};
use super::problem::Problem;
use super::segment::Segment;
use crate::control::Control;
use crate::sessions::{self, SessionId, SessionInfo, Which};
use crate::store::StoreFault;
use crate::users::UserId;

pub(super) async fn list(State(control): State<Arc<Control>>, entered: Entered) -> Result<Json<Value>, Problem> {
    let caller = entered.caller()?;
    let live = live(&control, &caller.user).await?;
    let sessions: Vec<Value> = live
        .iter()
        .map(|session| {
            json!({
                "id": session.id.as_str(),
                "provider": session.provider,
                "createdAt": session.created_at,
                "refreshedAt": session.refreshed_at,
                "expiresAt": session.expires_at,
                "current": session.id.as_str() == caller.session,
            })
        })
        .collect();
    Ok(Json(json!({ "sessions": sessions })))
}

/// Ends one; somebody else's answers as one that is not there.
pub(super) async fn end(
    State(control): State<Arc<Control>>,
    Segment(id): Segment,
    entered: Entered,
) -> Result<StatusCode, Problem> {
    let caller = entered.caller()?;
    let id = if id == "current" { &caller.session } else { &id };
    end_own(&control, caller, id).await
}

pub(super) async fn end_own(control: &Control, caller: &Caller, id: &str) -> Result<StatusCode, Problem> {
    let not_found = || Problem::new(404, "not-found", "You have no such session.");
    let id: SessionId = id.parse().map_err(|_| not_found())?;
    if !live(control, &caller.user).await?.iter().any(|session| session.id == id) {
        return Err(not_found());
    }
    let mut write = control.store().write().await?;
    if let Some(changes) = sessions::end(&mut write, Which::One(&id), "its owner ended it").await? {
        write.commit(changes).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn live(control: &Control, user: &str) -> Result<Vec<SessionInfo>, StoreFault> {
    let user: UserId = crate::users::parse_id(user)?;
    let now = control.store().now();
    let mut all = sessions::list(&mut *control.store().read().await?, Some(&user)).await?;
    all.retain(|session| session.ended.is_none() && session.expires_at > now);
    Ok(all)
}
