//! Looking for principals by name.

use crate::{Principal, PrincipalType};

/// A question for principals whose name contains a text.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// What to look for: a part of a login, name or display name. Plain text, never a query language.
    pub text: String,
    /// Only this type, or every type.
    pub kind: Option<PrincipalType>,
    /// How many to return at most; the core has bounded it.
    pub limit: usize,
    /// Where the page before this one ended, in the provider's own words.
    pub cursor: Option<String>,
}

impl Search {
    /// Searches every type, from the start.
    pub fn new(text: impl Into<String>, limit: usize) -> Self {
        Self { text: text.into(), kind: None, limit, cursor: None }
    }

    /// Searches one type only.
    #[must_use]
    pub const fn of_kind(mut self, kind: PrincipalType) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Goes on where a page ended.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }
}

/// One page of answers. An empty page means that nobody matches; an outage is an error.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalPage {
    /// At most as many as asked for.
    pub principals: Vec<Principal>,
    /// The cursor of the next page; `None` on the last.
    pub next: Option<String>,
    /// How much of the world was searched.
    pub coverage: Coverage,
}

impl PrincipalPage {
    /// A last page over the whole directory.
    #[must_use]
    pub const fn new(principals: Vec<Principal>) -> Self {
        Self { principals, next: None, coverage: Coverage::WholeDirectory }
    }

    /// Says where the next page starts.
    #[must_use]
    pub fn with_next(mut self, cursor: Option<String>) -> Self {
        self.next = cursor;
        self
    }

    /// Says how much was searched.
    #[must_use]
    pub const fn with_coverage(mut self, coverage: Coverage) -> Self {
        self.coverage = coverage;
        self
    }
}

/// How much of the world a search saw. Pages tell people, so that "not found" is not misread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// Everybody the identity system knows.
    WholeDirectory,
    /// Only those who logged in here before: the system has no directory to search.
    SeenAtLogin,
}
