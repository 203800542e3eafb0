//! From text to a tree.

use cel::{Env, IdedExpr};

use crate::error::one_line;

/// Brackets within brackets that the parser follows.
const NESTING_MAX: u16 = 24;

const FAULT_MAX: usize = 200;

/// The tree of a text, macros expanded.
pub(super) fn parse(library: &Env, text: &str) -> Result<IdedExpr, String> {
    let parser = library.parser().max_recursion_depth(NESTING_MAX).enable_ident_escape_syntax(true);
    parser.parse(text).map_err(|faults| {
        let Some(first) = faults.errors.first() else { return "it is not an expression".to_owned() };
        if first.msg.contains("Recursion limit") {
            return format!("more than {NESTING_MAX} brackets stand within each other");
        }
        let (line, column) = first.pos;
        one_line(&format!("not an expression, at line {line}, column {}: {}", column.max(0), first.msg), FAULT_MAX)
    })
}
