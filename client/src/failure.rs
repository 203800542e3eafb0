//! Why something did not work, and the exit code that says so to scripts.

use std::process::ExitCode;

/// Why a command failed. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Anything else: 1.
    #[error("{0}")]
    Other(String),
    /// The command line is not right: 2.
    #[error("{0}")]
    Usage(String),
    /// Somebody has to log in, and nobody is there to do it: 3.
    #[error("{0}")]
    LoginNeeded(String),
    /// The gateway says no: 4.
    #[error("{0}")]
    Denied(String),
    /// The gateway cannot be reached, or cannot answer now: 5.
    #[error("{0}")]
    Network(String),
}

impl Failure {
    pub(crate) fn other(text: impl Into<String>) -> Self {
        Self::Other(text.into())
    }

    pub(crate) fn code(&self) -> ExitCode {
        self.kind().into()
    }

    /// The number by which it is told to scripts, and to those who waited.
    pub(crate) const fn kind(&self) -> u8 {
        match self {
            Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::LoginNeeded(_) => 3,
            Self::Denied(_) => 4,
            Self::Network(_) => 5,
        }
    }

    pub(crate) const fn of(kind: u8, text: String) -> Self {
        match kind {
            2 => Self::Usage(text),
            3 => Self::LoginNeeded(text),
            4 => Self::Denied(text),
            5 => Self::Network(text),
            _ => Self::Other(text),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.to_string())
    }
}
