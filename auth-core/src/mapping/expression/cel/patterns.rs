//! The patterns of `matches()`, compiled with the expression.
//!
//! The crate would compile a pattern at each call, and look with an engine whose time grows with pattern and text. Here
//! each becomes an automaton that reads every byte of a text once, and one that would be too large is a fault. Patterns
//! are written out for that.

use std::sync::Arc;

use cel::common::types::{CelBool, CelInt, CelString};
use cel::common::value::CowVal;
use cel::{Context, ExecutionError};
use regex_automata::Input;
use regex_automata::dfa::Automaton;
use regex_automata::dfa::dense::{Builder, Config, DFA};
use regex_automata::nfa::thompson;

use super::meter::Function;
use crate::error::one_line;

/// `@matches(text, number)`: whether the pattern of this number is found in it. No text can hold this name.
pub(super) const MATCHES: &str = "@matches";

/// Bytes of an automaton, and of what it is made from. `\\w` takes some 40 KiB.
const SIZE_MAX: usize = 1 << 20;

const FAULT_MAX: usize = 200;

/// The patterns of one expression.
#[derive(Debug, Default)]
pub(super) struct Patterns(Vec<DFA<Vec<u32>>>);

impl Patterns {
    /// Compiles one and gives its number, or says what to write instead.
    pub(super) fn add(&mut self, pattern: &str) -> Result<usize, String> {
        let sizes = Config::new().dfa_size_limit(Some(SIZE_MAX)).determinize_size_limit(Some(SIZE_MAX));
        let mut builder = Builder::new();
        builder.configure(sizes).thompson(thompson::Config::new().nfa_size_limit(Some(SIZE_MAX)));
        let automaton = builder
            .build(pattern)
            .map_err(|fault| one_line(&format!("matches() cannot take the pattern {pattern:?}: {fault}"), FAULT_MAX))?;
        self.0.push(automaton);
        Ok(self.0.len() - 1)
    }

    /// Lets an evaluation look for them.
    pub(super) fn lend_to(self: &Arc<Self>, context: &mut Context<'_, '_>) -> Result<(), ExecutionError> {
        let patterns = Arc::clone(self);
        let matches: Function = Box::new(move |call| patterns.look(&call.args));
        let added = context.add_function(MATCHES, matches);
        added.map_err(|error| ExecutionError::InternalError(error.to_string()))
    }

    fn look<'a, 'v>(&self, arguments: &[CowVal<'_, '_>]) -> Result<CowVal<'a, 'v>, ExecutionError> {
        let [text, number] = arguments else { return Err(ExecutionError::missing_argument_or_target()) };
        let Some(text) = text.downcast_ref::<CelString<'_>>() else {
            let types = vec![text.get_type().name().to_owned(), "string".to_owned()];
            return Err(ExecutionError::no_such_overload("matches", types));
        };
        let number = number.downcast_ref::<CelInt>().and_then(|number| usize::try_from(*number.inner()).ok());
        let automaton =
            number.and_then(|number| self.0.get(number)).ok_or_else(ExecutionError::missing_argument_or_target)?;
        let found = automaton.try_search_fwd(&Input::new(text.inner()).earliest(true));
        let found = found.map_err(|error| ExecutionError::function_error("matches", error))?;
        Ok(CowVal::owned(CelBool::from(found.is_some())))
    }
}
