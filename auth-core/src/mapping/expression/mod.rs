//! CEL in a mapping: what kinds of value an expression gives, and what that means to a rule.
//!
//! The language and the variables are those of Kubernetes' structured authentication, so that operators learn one.
//! A build without the feature `cel` knows the keys and says that it has no expressions.
#![cfg_attr(not(feature = "cel"), expect(dead_code, reason = "nothing is evaluated where there are no expressions"))]

#[cfg_attr(feature = "cel", path = "cel/mod.rs")]
#[cfg_attr(not(feature = "cel"), path = "absent.rs")]
mod engine;

use std::fmt;

use super::claims::Claims;
use super::{Identity, MappingError};
use crate::error::one_line;
use engine::Program;

/// Bytes of an expression. A page of text; the parser's stack and time follow from it.
const TEXT_MAX: usize = 4_096;

/// Bytes of an expression as `explain` shows it.
const SHOWN_MAX: usize = 400;

/// What an expression may ask about: before the mapping a person's claims, after it the user that it made of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Facts<'a> {
    /// The variable `claims`.
    Claims(&'a Claims<'a>),
    /// The variable `user`.
    User(&'a Identity),
}

impl Facts<'_> {
    /// What a rule is called that must hold of them.
    pub(super) const fn validation(self) -> &'static str {
        match self {
            Self::Claims(_) => "claim validation rule",
            Self::User(_) => "user validation rule",
        }
    }
}

/// Which variable an expression sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Claims,
    User,
}

/// What an expression gave. Only the engine knows further kinds of value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Text(String),
    Texts(Vec<String>),
    Bool(bool),
    Null,
    /// Something that no rule takes, by the name of its type.
    Other(String),
}

/// Why an evaluation gave nothing.
#[derive(Debug)]
enum Failure {
    /// The expression, or what it met.
    Why(String),
    /// The system, which may do better later.
    NoThread,
}

/// A compiled expression.
#[derive(Debug, Clone, Default)]
pub(super) struct Expression {
    text: String,
    /// `None` only where the compilation failed, so never in a mapping.
    program: Option<Program>,
}

impl Expression {
    /// Compiles, or says what to write instead.
    pub(super) fn compile(text: String, scope: Scope) -> Result<Self, String> {
        if text.len() > TEXT_MAX {
            return Err(format!("{} bytes are more than an expression may have ({TEXT_MAX})", text.len()));
        }
        let program = Some(Program::compile(&text, scope)?);
        Ok(Self { text, program })
    }

    /// Whether it gives the same for everybody.
    pub(super) fn ignores_its_variable(&self) -> bool {
        self.program.as_ref().is_some_and(Program::ignores_its_variable)
    }

    /// The text that it must give.
    pub(super) fn text(&self, what: &'static str, facts: Facts<'_>) -> Result<String, MappingError> {
        match self.run(what, facts)? {
            Answer::Text(text) => Ok(text),
            other => Err(other.is_not(what, "a text")),
        }
    }

    /// The texts that it gives. As in Kubernetes, no text and null are none.
    pub(super) fn texts(&self, what: &'static str, facts: Facts<'_>) -> Result<Vec<String>, MappingError> {
        match self.run(what, facts)? {
            Answer::Text(text) if text.is_empty() => Ok(Vec::new()),
            Answer::Text(text) => Ok(vec![text]),
            Answer::Texts(texts) => Ok(texts),
            Answer::Null => Ok(Vec::new()),
            other => Err(other.is_not(what, "a text or a list of texts")),
        }
    }

    /// Whether it holds.
    pub(super) fn holds(&self, what: &'static str, facts: Facts<'_>) -> Result<bool, MappingError> {
        match self.run(what, facts)? {
            Answer::Bool(holds) => Ok(holds),
            other => Err(other.is_not(what, "true or false")),
        }
    }

    fn run(&self, what: &'static str, facts: Facts<'_>) -> Result<Answer, MappingError> {
        let program = self.program.as_ref();
        let answer = program.map_or_else(|| Err(Failure::Why("it was not compiled".to_owned())), |it| it.run(facts));
        answer.map_err(|failure| match failure {
            Failure::Why(why) => MappingError::Expression { what, why },
            Failure::NoThread => MappingError::NoThread { what },
        })
    }
}

impl Answer {
    fn is_not(&self, what: &'static str, wanted: &str) -> MappingError {
        let gave = match self {
            Self::Text(_) => "a text",
            Self::Texts(_) => "a list",
            Self::Bool(_) => "true or false",
            Self::Null => "null",
            Self::Other(kind) => kind,
        };
        MappingError::Expression { what, why: format!("it gives {gave}, and {wanted} is needed") }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(self.text.trim(), SHOWN_MAX))
    }
}

#[cfg(test)]
mod tests;
