//! CEL expressions, evaluated by the crate `cel` within a budget of ours.
//!
//! The crate has no limit of cost: nested loops over a thousand groups, or a list that doubles itself a hundred times,
//! would hold a thread or take all memory. So every expression is rewritten once, when the configuration is read, as
//! WebAssembly programs are: each loop pays for all its rounds before the first, and each value pays for its size
//! before an operation reads or copies it ([`metered`]). What is left is bounded by the length of the text.
//!
//! Nothing that goes wrong in here ends more than one login: text and nesting are bounded, and what recurses has a
//! thread of its own, with a stack for the worst case, at which panics of the crate end too.

mod facts;
mod library;
mod meter;
mod metered;
mod parse;
mod patterns;
mod stack;

use std::sync::Arc;

use cel::common::types::{CelBool, CelList, CelNull, CelString};
use cel::common::value::{CowVal, Val};
use cel::{Context, Env, ExecutionError, IdedExpr, Value};

use super::{Answer, Facts, Failure, Scope};
use crate::error::one_line;
use meter::Meter;
use patterns::Patterns;
use stack::Broken;

/// What one evaluation may cost: a unit is about a byte that is touched, and each step has its price in them.
const BUDGET: u64 = 20_000_000;

/// Bytes of what an expression may ask about.
const FACTS_MAX: u64 = 1 << 20;

/// Bytes of what it gives.
const ANSWER_MAX: usize = 1 << 20;

const CAUSE_MAX: usize = 200;

/// A rewritten expression.
#[derive(Clone)]
pub(super) struct Program {
    code: Arc<IdedExpr>,
    cost: u64,
    uses_variable: bool,
    patterns: Arc<Patterns>,
    library: Arc<Env>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl Program {
    pub(super) fn compile(text: &str, scope: Scope) -> Result<Self, String> {
        stack::of_its_own(|| Self::compiled(text, scope)).unwrap_or_else(|broken| {
            Err(match broken {
                Broken::NoThread => "the system gives no thread to read it on; raise its limit of tasks".to_owned(),
                Broken::Panicked => "the parser broke off; write it in a simpler way".to_owned(),
            })
        })
    }

    fn compiled(text: &str, scope: Scope) -> Result<Self, String> {
        let library = Arc::new(library::environment()?);
        let metered = metered::rewrite(parse::parse(&library, text)?, scope)?;
        Ok(Self {
            code: Arc::new(metered.code),
            cost: metered.cost,
            uses_variable: metered.uses_variable,
            patterns: Arc::new(metered.patterns),
            library,
        })
    }

    pub(super) const fn ignores_its_variable(&self) -> bool {
        !self.uses_variable
    }

    /// What it gives for these facts, or what keeps it from it, without a value of theirs.
    pub(super) fn run(&self, facts: Facts<'_>) -> Result<Answer, Failure> {
        self.run_within(&Arc::new(Meter::new(BUDGET)), facts)
    }

    fn run_within(&self, meter: &Arc<Meter>, facts: Facts<'_>) -> Result<Answer, Failure> {
        let outcome = stack::of_its_own(|| self.evaluate(facts, meter)).map_err(|broken| match broken {
            Broken::NoThread => Failure::NoThread,
            Broken::Panicked => Failure::Why("the evaluation broke off".to_owned()),
        })?;
        // Asked first: `a || b` forgets why `a` failed, and an evaluation that was cut short proves nothing.
        if meter.is_empty() {
            return Err(Failure::Why("it costs more than an expression may".to_owned()));
        }
        outcome.map_err(Failure::Why)
    }

    fn evaluate(&self, facts: Facts<'_>, meter: &Arc<Meter>) -> Result<Answer, String> {
        let (name, value) = facts::variable(facts);
        if meter::size(value.as_ref(), FACTS_MAX) > FACTS_MAX {
            return Err(format!("`{name}` takes more than {FACTS_MAX} bytes; let groups.filter take fewer"));
        }
        let mut context = Context::with_env(Arc::clone(&self.library));
        context.add_variable_as_val(name, value);
        let lent = meter.lend_to(&mut context).and_then(|()| self.patterns.lend_to(&mut context));
        lent.and_then(|()| meter.take(self.cost)).map_err(|error| told(&error))?;
        let value = Value::resolve_val(&self.code, &context).map_err(|error| told(&error))?;
        answer(&value)
    }
}

fn answer(value: &CowVal<'_, '_>) -> Result<Answer, String> {
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        return bounded(text.len()).map(|()| Answer::Text(text.inner().to_owned()));
    }
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        return texts(list);
    }
    if let Some(flag) = value.downcast_ref::<CelBool>() {
        return Ok(Answer::Bool(*flag.inner()));
    }
    if value.downcast_ref::<CelNull>().is_some() {
        return Ok(Answer::Null);
    }
    Ok(Answer::Other(value.get_type().name().to_owned()))
}

fn texts(list: &CelList<'_>) -> Result<Answer, String> {
    let mut texts = Vec::new();
    let mut bytes = 0;
    for item in list.inner() {
        let item: &dyn Val = item.as_ref();
        let Some(text) = item.downcast_ref::<CelString<'_>>() else {
            return Ok(Answer::Other(format!("a list that holds {}", item.get_type().name())));
        };
        bytes += text.len();
        bounded(bytes)?;
        texts.push(text.inner().to_owned());
    }
    Ok(Answer::Texts(texts))
}

fn bounded(bytes: usize) -> Result<(), String> {
    if bytes > ANSWER_MAX { Err(format!("it gives more than {ANSWER_MAX} bytes")) } else { Ok(()) }
}

/// Why an evaluation ended. The crate's own words quote values, and those of a person belong in no log.
fn told(error: &ExecutionError) -> String {
    let told = match error {
        ExecutionError::NoSuchKey(name) => format!("there is no `{name}`; ask with has() before, or with `.?{name}`"),
        ExecutionError::NoSuchOverload(call) => {
            let types = call.argument_types().join(", ");
            format!("`{}` is not for ({types})", library::spelt(call.function()))
        }
        ExecutionError::FunctionError { message, .. } => message.clone(),
        ExecutionError::IndexOutOfBounds(_) => "an index is beyond the end of its list".to_owned(),
        ExecutionError::ValuesNotComparable(..) => "two values of different kinds are compared".to_owned(),
        ExecutionError::UnsupportedBinaryOperator(..) => "an operator stands between values it is not for".to_owned(),
        ExecutionError::UnexpectedType { want, .. } => format!("a value is not of the type {want}"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "it divides by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number grows too large".to_owned(),
        _ => "a value is not what the expression takes it for".to_owned(),
    };
    one_line(&told, CAUSE_MAX)
}

#[cfg(test)]
mod tests;
