//! `gatewarden token`: what logins have given out.

use std::path::Path;
use std::process::ExitCode;

use gatewarden_control::TokenInfo;
use serde::Serialize;
use serde_json::json;

use super::arguments::TokenCommand;
use super::output::Output;
use super::{CommandError, store};

pub(super) fn run(path: &Path, command: TokenCommand, output: &Output) -> Result<ExitCode, CommandError> {
    match command {
        TokenCommand::List { user } => {
            let tokens = store::with(path, async |admin| Ok(admin.tokens(user.as_deref()).await?))?;
            let rows: Vec<Row> = tokens.into_iter().map(Row::from).collect();
            output.list(["token", "principal", "created", "expires", "ended"], &rows, |row| {
                let ended = row.revoked_at.clone().unwrap_or_default();
                [row.name.clone(), row.principal.clone(), row.created_at.clone(), row.expires_at.clone(), ended]
            })?;
        }
        TokenCommand::Revoke { name } => {
            // Somebody may paste the whole token: its secret must not come back in a message.
            let name = name.split(':').next().unwrap_or_default().to_owned();
            store::with(path, async |admin| Ok(admin.revoke_token(&name).await?))?;
            output.one(&json!({ "revoked": name }), &format!("revoked {name}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    kind: String,
    user: String,
    principal: String,
    session: String,
    created_at: String,
    expires_at: String,
    revoked_at: Option<String>,
}

impl From<TokenInfo> for Row {
    fn from(token: TokenInfo) -> Self {
        Self {
            name: token.name.to_string(),
            kind: token.kind,
            user: token.user.to_string(),
            principal: token.principal.to_string(),
            session: token.session.to_string(),
            created_at: token.created_at.to_string(),
            expires_at: token.expires_at.to_string(),
            revoked_at: token.revoked_at.map(|at| at.to_string()),
        }
    }
}
