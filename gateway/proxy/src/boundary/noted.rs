//! What the audit log says of a request to the gateway's own API, beside what everybody sees of its answer.

/// Goes among the extensions of an answer, from whoever decided to the one who writes the record, and no further: none of
/// it reaches the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted {
    /// The session that the request began, or that it was about.
    pub session: Option<NotedSession>,
    /// Why somebody was refused: a word for the cause, and a sentence for the operator.
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
