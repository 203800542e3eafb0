//! What can go wrong with the store, in words that tell an operator what to do.

use std::path::PathBuf;

use sqlx::migrate::MigrateError;

/// The store did not do what was asked. Requests get 503 and nobody's access changes.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// The file cannot be opened or made. The operator looks at the path and its owner.
    #[error("{} cannot be opened or made; give it and its folder to the gateway's user", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process holds the lock for longer than the wait. Trying again helps.
    #[error("another process holds the store; end it, such as a backup or a shell on the file, and try again")]
    Locked(#[source] sqlx::Error),
    /// The operator makes room.
    #[error("the disk of the store is full; make room on it")]
    Full(#[source] sqlx::Error),
    /// The operator looks at the owner of the file and at its mount.
    #[error("the store is read-only; give the file to the gateway's user, or mount its folder for writing")]
    ReadOnly(#[source] sqlx::Error),
    /// The operator brings back a backup.
    #[error("the store is damaged, or is not a store; bring back a backup, or move the file away to begin anew")]
    Damaged(#[source] sqlx::Error),
    /// A row holds what this version does not understand. Most likely a newer version wrote it.
    #[error("the store holds a {what} that this version cannot read; run the version that wrote it")]
    Unreadable {
        /// What the row describes.
        what: &'static str,
        /// What was wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The build is at fault, not the operator.
    #[error("SQLite {0} is too old: 3.51.3 is the first that keeps committed pages through a reset of its log")]
    OldSqlite(String),
    /// The schema could not be brought up to date. The operator reads the source.
    #[error("the store's schema cannot be brought up to date; mend what the cause names, or bring back a backup")]
    Schema(#[source] Box<MigrateError>),
    /// Anything else that the database says.
    #[error("the store failed; look at its disk and at the cause")]
    Other(#[source] sqlx::Error),
}

impl StoreFault {
    /// Whether the store is there and its disk cannot be written.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::ReadOnly(_) => true,
            Self::File { source, .. } => source.kind() == std::io::ErrorKind::ReadOnlyFilesystem,
            _ => false,
        }
    }

    pub(crate) fn unreadable(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unreadable { what, source: source.into() }
    }
}

impl From<sqlx::Error> for StoreFault {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Locked(error);
        }
        // https://www.sqlite.org/rescode.html: the low byte of an extended code is its primary code.
        let code = error.as_database_error().and_then(|found| found.code()?.parse::<u32>().ok());
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => Self::Locked(error),
            Some(13) => Self::Full(error),
            Some(8) => Self::ReadOnly(error),
            Some(11 | 26) => Self::Damaged(error),
            _ => Self::Other(error),
        }
    }
}

impl From<MigrateError> for StoreFault {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(source) => match Self::from(source) {
                Self::Other(source) => Self::Schema(Box::new(MigrateError::Execute(source))),
                known => known,
            },
            other => Self::Schema(Box::new(other)),
        }
    }
}

impl From<StoreFault> for auth_core::StoreError {
    fn from(fault: StoreFault) -> Self {
        Self(Box::new(fault))
    }
}
