//! "Read this user anew, now": a command writes the request, the running server writes the answer.

use std::sync::Arc;
use std::time::Duration;

use auth_core::PrincipalId;
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::{Outcome, Refresher};
use crate::store::{Change, StoreFault, Write, millis};
use crate::users::{self, UserId};

/// A request that no server ran for is carried out when one starts, unless it is older than this.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);
const AT_ONCE: usize = 4;

/// What a requested refresh came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshAnswer {
    /// Whom it was about.
    pub user: UserId,
    /// One answer for each of their principals.
    pub principals: Vec<PrincipalAnswer>,
}

/// What one provider said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrincipalAnswer {
    /// The principal.
    pub principal: PrincipalId,
    /// What it came to.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Writes a request.
pub(crate) async fn request(write: &mut Write, id: &str, user: &UserId) -> Result<(), StoreFault> {
    let at = millis(write.at());
    sqlx::query("INSERT INTO refreshes (id, user_id, requested_at) VALUES (?, ?, ?)")
        .bind(id)
        .bind(user.as_str())
        .bind(at)
        .execute(write.connection())
        .await?;
    Ok(())
}

/// Reads the answer, if it is there.
pub(crate) async fn answer(connection: &mut SqliteConnection, id: &str) -> Result<Option<RefreshAnswer>, StoreFault> {
    let text: Option<Option<String>> =
        sqlx::query_scalar("SELECT answer FROM refreshes WHERE id = ?").bind(id).fetch_optional(connection).await?;
    let read = |text: String| serde_json::from_str(&text).map_err(|error| StoreFault::unreadable("answer", error));
    text.flatten().map(read).transpose()
}

impl Refresher {
    /// Answers requests as they come, until the gateway stops.
    pub(crate) async fn answer_requests(self: Arc<Self>) {
        let end = self.control.end().clone();
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                () = self.answer_all() => {}
            }
            tokio::select! {
                () = end.cancelled() => return,
                () = self.requested.notified() => {}
            }
        }
    }

    async fn answer_all(&self) {
        let open = match self.open_requests().await {
            Ok(open) => open,
            Err(fault) => return tracing::error!(why = %auth_core::with_causes(&fault), "requests cannot be read"),
        };
        stream::iter(open)
            .for_each_concurrent(AT_ONCE, async |(id, user)| {
                if let Err(fault) = self.answer_one(&id, user).await {
                    tracing::error!(request = %id, why = %auth_core::with_causes(&fault), "a request cannot be answered");
                }
            })
            .await;
    }

    async fn open_requests(&self) -> Result<Vec<(String, UserId)>, StoreFault> {
        let store = self.control.store();
        let oldest = store.now().saturating_sub(FORGOTTEN).unwrap_or(Timestamp::MIN);
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT id, user_id FROM refreshes WHERE answered_at IS NULL AND requested_at >= ? ORDER BY id",
        )
        .bind(millis(oldest))
        .fetch_all(&mut *store.read().await?)
        .await?;
        rows.into_iter().map(|(id, user)| Ok((id, users::parse_id(&user)?))).collect()
    }

    async fn answer_one(&self, id: &str, user: UserId) -> Result<(), StoreFault> {
        let store = self.control.store();
        let registry = self.control.registry();
        let mut answer = RefreshAnswer { user, principals: Vec::new() };
        for principal in users::principals(&mut *store.read().await?, &answer.user).await? {
            let outcome = self.control.read_anew(&registry, &answer.user, &principal).await;
            answer.principals.push(PrincipalAnswer { principal, outcome });
        }
        let text = serde_json::to_string(&answer).map_err(|error| StoreFault::unreadable("answer", error))?;
        let mut write = store.write().await?;
        let at = millis(write.at());
        sqlx::query("UPDATE refreshes SET answered_at = ?, answer = ? WHERE id = ?")
            .bind(at)
            .bind(text)
            .bind(id)
            .execute(write.connection())
            .await?;
        write.commit(Change::RefreshAnswered(id.to_owned())).await
    }
}
