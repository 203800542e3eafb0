//! What the audit log is told of a request, beside what everybody sees of its answer.

use auth_core::PrincipalId;
use axum::Extension;

use crate::login::LoginError;
use crate::sessions::SessionId;

/// Goes among the extensions of an answer, to whoever writes the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted {
    /// The session that the request began, or was about.
    pub session: Option<NotedSession>,
    /// Why somebody was refused: a word for the cause, which a client may not be told, and a sentence for the operator.
    pub refused: Option<(String, String)>,
}

/// A session that a request began, or was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedSession {
    /// Its id.
    pub id: String,
    /// The instance by which its person logged in.
    pub provider: String,
    /// As whom.
    pub principal: String,
}

impl Noted {
    /// A session began.
    pub(crate) fn began(id: &SessionId, principal: &PrincipalId) -> Extension<Self> {
        let (id, provider) = (id.to_string(), principal.instance().to_string());
        Extension(Self::about(NotedSession { id, provider, principal: principal.to_string() }))
    }

    /// A session goes on.
    pub(crate) const fn about(session: NotedSession) -> Self {
        Self { session: Some(session), refused: None }
    }

    /// Nobody was let in.
    pub(crate) fn no_login(error: &LoginError) -> Self {
        Self::refused(format!("login-{}", error.audit_code()), error.audit_text())
    }

    pub(crate) const fn refused(word: String, why: String) -> Self {
        Self { session: None, refused: Some((word, why)) }
    }
}
