//! The functions that an expression may call. None reads a clock, draws a number or knows the outside.
//!
//! Left out is what cannot be paid for by the size of its arguments: `format` pads to any width, `lists.range` makes a
//! list of any length. `matches` is ours, because the crate's would compile its pattern at each call.

use cel::common::ast::operators;
use cel::common::types::LIST_TYPE;
use cel::common::value::CowVal;
use cel::{Env, ExecutionError, extensions};

/// What stands before a bracket alone: `size(x)`.
pub(super) const FUNCTIONS: [&str; 7] = ["size", "string", "int", "double", "bool", "type", "dyn"];

/// What stands behind a value: `x.size()`.
pub(super) const METHODS: [&str; 20] = [
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "lowerAscii",
    "upperAscii",
    "trim",
    "split",
    "join",
    "replace",
    "substring",
    "indexOf",
    "lastIndexOf",
    "charAt",
    "one",
    "value",
    "hasValue",
    "or",
    "orValue",
];

/// What stands behind `optional`: `optional.of(x)`.
pub(super) const OPTIONALS: [&str; 3] = ["of", "none", "ofNonZeroValue"];

/// Names of types, for `type(x) == string`.
pub(super) const TYPES: [&str; 9] = ["bool", "int", "uint", "double", "string", "list", "map", "null_type", "type"];

/// Every operator that a text can hold, with what it is in an error.
pub(super) const OPERATORS: [(&str, &str); 21] = [
    (operators::CONDITIONAL, "? :"),
    (operators::LOGICAL_AND, "&&"),
    (operators::LOGICAL_OR, "||"),
    (operators::LOGICAL_NOT, "!"),
    (operators::NOT_STRICTLY_FALSE, "&&"),
    (operators::NEGATE, "-"),
    (operators::INDEX, "[ ]"),
    (operators::OPT_INDEX, "[? ]"),
    (operators::OPT_SELECT, ".?"),
    (operators::ADD, "+"),
    (operators::SUBSTRACT, "-"),
    (operators::MULTIPLY, "*"),
    (operators::DIVIDE, "/"),
    (operators::MODULO, "%"),
    (operators::EQUALS, "=="),
    (operators::NOT_EQUALS, "!="),
    (operators::LESS, "<"),
    (operators::LESS_EQUALS, "<="),
    (operators::GREATER, ">"),
    (operators::GREATER_EQUALS, ">="),
    (operators::IN, "in"),
];

/// The standard environment, the functions on text, and `one()`.
pub(super) fn environment() -> Result<Env, String> {
    let mut library = Env::stdlib();
    library
        .add_extension(extensions::strings)
        .and_then(|()| library.add_member_overload("one", "list.one()", LIST_TYPE, vec![], one))
        .map_err(|error| error.to_string())?;
    Ok(library)
}

/// A function or operator as an operator writes it.
pub(super) fn spelt(name: &str) -> &str {
    if name == "_._" {
        return ".";
    }
    OPERATORS.iter().find(|(operator, _)| *operator == name).map_or(name, |(_, spelt)| spelt)
}

/// `list.one()`: the only element. With `[0]` a second value would be passed over in silence.
fn one<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let not_one =
        |found: &str| ExecutionError::function_error("one", format!("one() is for one value, and there {found}"));
    let list = arguments.into_iter().next();
    let Some(list) = list.as_ref().and_then(|list| list.as_iterable()) else { return Err(not_one("is no list")) };
    let mut items = list.iter();
    let first = items.next().ok_or_else(|| not_one("is none"))?.clone_as_boxed();
    if items.next().is_some() {
        return Err(not_one("are several"));
    }
    Ok(CowVal::Owned(first))
}
