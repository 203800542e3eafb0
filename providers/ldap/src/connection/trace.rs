//! What was asked over one connection, for whoever wants to see how an answer came about.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Page, Question, Scope};
use crate::failure::Failure;

/// One question and what came back.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) base: String,
    pub(crate) scope: Scope,
    pub(crate) filter: String,
    /// The DNs that came, or why none did.
    pub(crate) answer: Result<Vec<String>, String>,
    pub(crate) took: Duration,
}

/// The questions of one connection, in order. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Vec<Asked>>>);

impl Trace {
    /// Gives up what was noted so far.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn note(&self, question: &Question<'_>, page: &Result<Page, Failure>, took: Duration) {
        let answer = match page {
            Ok(page) => Ok(page.entries.iter().map(|entry| entry.dn.clone()).collect()),
            Err(failure) => Err(auth_core::with_causes(failure)),
        };
        let (base, filter) = (question.base.to_owned(), question.filter.render());
        let asked = Asked { base, scope: question.scope, filter, answer, took };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    }
}
