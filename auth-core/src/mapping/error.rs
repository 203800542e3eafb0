//! Why a person could not be mapped.

use crate::AuthError;

/// Why a person could not be mapped. Their login is refused: part of an identity is another identity.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// A name that Kubernetes or the operator keeps. The operator filters or prefixes it.
    #[error("the {what} {name:?} is reserved")]
    Reserved {
        /// Username, uid or group.
        what: &'static str,
        /// The name, quoted and escaped when shown.
        name: String,
    },
    /// A value came out empty.
    #[error("the {what} is empty")]
    Empty {
        /// Username, uid, group or extra.
        what: &'static str,
    },
    /// A value holds a control character or has white space at an end, which no header carries unchanged.
    #[error("the {what} holds a control character, or white space at an end")]
    Bytes {
        /// Username, uid, group or extra.
        what: &'static str,
    },
    /// A rule needs a value which the principal does not have.
    #[error("the {what} needs `{{{needs}}}`, which is not there")]
    Missing {
        /// Username, uid or group.
        what: &'static str,
        /// The variable.
        needs: String,
    },
    /// A rule needs one value of an attribute which has several.
    #[error("the {what} needs one value of `{{{needs}}}`, and there are {count}")]
    Several {
        /// Username, uid or group.
        what: &'static str,
        /// The variable.
        needs: String,
        /// How many there are.
        count: usize,
    },
    /// An expression failed, gave a value that the rule cannot take, or cost too much. The operator mends it.
    #[error("the expression of the {what} fails: {why}")]
    Expression {
        /// Username, uid, groups, extra, claim or user validation rule.
        what: &'static str,
        /// Why, without any value of the person's.
        why: String,
    },
    /// The system had no thread for an expression. Nothing was decided: the person tries again, and nobody's session
    /// ends of it.
    #[error("the system gives no thread to evaluate the expression of the {what}")]
    NoThread {
        /// Username, uid, groups, extra, claim or user validation rule.
        what: &'static str,
    },
    /// A validation rule does not hold. The operator said so, in these words.
    #[error("{message}")]
    Invalid {
        /// The rule's message.
        message: String,
    },
    /// The key of an extra is not lower case with a domain, or belongs to Kubernetes or the gateway.
    #[error("{0:?} cannot be the key of an extra")]
    ExtraKey(String),
    /// More groups than the limit. The operator filters them.
    #[error("{count} groups are more than the limit of {limit}")]
    TooManyGroups {
        /// How many the filter let through.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// More bytes than the limit.
    #[error("the identity takes {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// How many bytes its names and values take.
        bytes: usize,
        /// How many they may.
        limit: usize,
    },
}

impl From<MappingError> for AuthError {
    fn from(error: MappingError) -> Self {
        match error {
            MappingError::NoThread { .. } => Self::unavailable(error),
            other => Self::PolicyDenied(other.to_string()),
        }
    }
}
