//! Rewrites an expression so that it pays for what it does, and refuses what cannot be paid for.
//!
//! Two things make an evaluation long or large: rounds of loops, and the size of values. So
//! - the range of a loop becomes `@rounds(range, cost)`, which takes the cost of one round for each element, before the
//!   first. A round that costs nothing more than its steps needs no count of its own, and an error that `||` swallows
//!   in one round gives the next no more time;
//! - what an operation copies or reads to its end becomes `@pay(value, times)`, which takes the size before. Where the
//!   result can be longer than the arguments (`replace`, `join`, `split`), so many times over; what it depends on has
//!   to be written out for that.
//!
//! The rest - names, fields, `&&`, `? :` - does a bounded thing per step, and each step is counted in the cost of its
//! round.

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, ListExpr, LiteralValue, MapExpr, SelectExpr, operators,
};
use cel::common::types::CelInt;

use super::super::Scope;
use super::library::{FUNCTIONS, METHODS, OPERATORS, OPTIONALS, TYPES};
use super::meter::{PAY, ROUNDS};
use super::patterns::{MATCHES, Patterns};

/// Steps within steps.
const DEPTH_MAX: usize = 48;

/// What a step costs: a look-up, a comparison.
const STEP: u64 = 10;

/// What a call costs: its arguments are gathered and its overload is looked for.
const CALL: u64 = 40;

/// What a part of a split text takes more than its characters, of which it may have one.
const PART: usize = 16;

const NAMESPACE: &str = "optional";

/// The result of a rewriting.
pub(super) struct Metered {
    pub(super) code: IdedExpr,
    /// What it costs beside rounds and sizes.
    pub(super) cost: u64,
    pub(super) uses_variable: bool,
    pub(super) patterns: Patterns,
}

pub(super) fn rewrite(tree: IdedExpr, scope: Scope) -> Result<Metered, String> {
    let mut rewriting = Rewriting { scope, bound: Vec::new(), uses_variable: false, patterns: Patterns::default() };
    let Priced { code, cost } = rewriting.node(tree, 0)?;
    Ok(Metered { code, cost, uses_variable: rewriting.uses_variable, patterns: rewriting.patterns })
}

/// A rewritten part, and what one evaluation of it costs.
struct Priced {
    code: IdedExpr,
    cost: u64,
}

struct Rewriting {
    scope: Scope,
    /// The names that loops around this place bind.
    bound: Vec<String>,
    uses_variable: bool,
    patterns: Patterns,
}

impl Rewriting {
    fn node(&mut self, node: IdedExpr, depth: usize) -> Result<Priced, String> {
        if depth > DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} steps stand within each other; write it in a simpler way"));
        }
        let (expr, cost) = match node.expr {
            Expr::Literal(literal) => {
                let cost = STEP + length(&literal) as u64;
                (Expr::Literal(literal), cost)
            }
            Expr::Ident(name) => {
                self.name(&name)?;
                (Expr::Ident(name), STEP)
            }
            Expr::Select(select) => self.select(select, depth)?,
            Expr::Call(call) => self.call(call, depth)?,
            Expr::List(list) => self.list(list, depth)?,
            Expr::Map(map) => self.map(map, depth)?,
            Expr::Comprehension(comprehension) => self.comprehension(*comprehension, depth)?,
            Expr::Struct(_) => return Err("there are no messages to make here; write a map: {'key': value}".to_owned()),
            Expr::Unspecified => return Err("it is not an expression".to_owned()),
        };
        Ok(Priced { code: IdedExpr { id: node.id, expr }, cost })
    }

    /// A part whose value is read or copied whole.
    fn paid(&mut self, node: IdedExpr, depth: usize) -> Result<Priced, String> {
        self.paid_times(node, 1, depth)
    }

    fn paid_times(&mut self, node: IdedExpr, times: usize, depth: usize) -> Result<Priced, String> {
        let id = node.id;
        // A text of the expression itself is as long as it is written: that is in its cost.
        if matches!(node.expr, Expr::Literal(_)) && times == 1 {
            return self.node(node, depth + 1);
        }
        let value = self.node(node, depth + 1)?;
        Ok(call(id, PAY, value, times as u64))
    }

    fn name(&mut self, name: &str) -> Result<(), String> {
        let variable = self.scope.variable();
        if self.bound.iter().any(|bound| bound == name) || TYPES.contains(&name) {
            return Ok(());
        }
        if name != variable {
            return Err(format!("there is no variable `{name}` here; use {variable}.{}", self.fields()));
        }
        self.uses_variable = true;
        Ok(())
    }

    fn fields(&self) -> String {
        self.scope.fields().join(&format!(", {}.", self.scope.variable()))
    }

    fn select(&mut self, select: SelectExpr, depth: usize) -> Result<(Expr, u64), String> {
        let SelectExpr { operand, field, test } = select;
        let is_variable = matches!(&operand.expr, Expr::Ident(name) if name == self.scope.variable());
        if is_variable && !self.scope.fields().contains(&field.as_str()) {
            return Err(format!("`{}` has no `{field}`; use {0}.{}", self.scope.variable(), self.fields()));
        }
        // What is behind the variable is lent, field by field. Everything else may be an optional, which copies.
        let operand =
            if self.is_lent(&operand) { self.node(*operand, depth + 1)? } else { self.paid(*operand, depth)? };
        let cost = operand.cost + STEP;
        Ok((Expr::Select(SelectExpr { operand: Box::new(operand.code), field, test }), cost))
    }

    fn is_lent(&self, node: &IdedExpr) -> bool {
        match &node.expr {
            Expr::Ident(name) => name == self.scope.variable(),
            Expr::Select(select) => !select.test && self.is_lent(&select.operand),
            _ => false,
        }
    }

    fn call(&mut self, call: CallExpr, depth: usize) -> Result<(Expr, u64), String> {
        let CallExpr { func_name: name, target, args } = call;
        match target {
            None => self.function(name, args, depth),
            Some(target) if self.is_namespace(&target) => {
                let known = OPTIONALS.contains(&name.as_str());
                if !known {
                    return Err(unknown(&format!("{NAMESPACE}.{name}"), &OPTIONALS));
                }
                self.with_arguments(name, Some(Priced { code: *target, cost: STEP }), args, depth)
            }
            Some(target) => self.method(name, *target, args, depth),
        }
    }

    fn is_namespace(&self, target: &IdedExpr) -> bool {
        matches!(&target.expr, Expr::Ident(name) if name == NAMESPACE && !self.bound.contains(name))
    }

    fn function(&mut self, name: String, args: Vec<IdedExpr>, depth: usize) -> Result<(Expr, u64), String> {
        let word = name.as_str();
        // These look at a truth value or decide which part to evaluate.
        let looks = [
            operators::CONDITIONAL,
            operators::LOGICAL_AND,
            operators::LOGICAL_OR,
            operators::LOGICAL_NOT,
            operators::NOT_STRICTLY_FALSE,
        ];
        if looks.contains(&word) {
            let args = args.into_iter().map(|arg| self.node(arg, depth + 1)).collect::<Result<Vec<_>, _>>()?;
            return Ok(assembled(name, None, args));
        }
        // A standard function may be written before its value as well: `size(x)`, `x.size()`.
        if !OPERATORS.iter().any(|(operator, _)| *operator == word) && !FUNCTIONS.contains(&word) {
            return Err(unknown(word, &FUNCTIONS));
        }
        self.with_arguments(name, None, args, depth)
    }

    fn method(
        &mut self,
        name: String,
        target: IdedExpr,
        args: Vec<IdedExpr>,
        depth: usize,
    ) -> Result<(Expr, u64), String> {
        if name == "matches" {
            return self.matches(target, &args, depth);
        }
        if !METHODS.contains(&name.as_str()) {
            return Err(unknown(&name, &METHODS));
        }
        let times = match name.as_str() {
            "split" => written_out(&name, &args)? + PART,
            "join" | "replace" | "indexOf" | "lastIndexOf" => written_out(&name, &args)? + 2,
            _ => 1,
        };
        let target = self.paid_times(target, times, depth)?;
        self.with_arguments(name, Some(target), args, depth)
    }

    /// `x.matches('pattern')` becomes a question to an automaton.
    fn matches(&mut self, target: IdedExpr, args: &[IdedExpr], depth: usize) -> Result<(Expr, u64), String> {
        let [IdedExpr { id, expr: Expr::Literal(LiteralValue::String(pattern)) }] = args else {
            return Err("what matches() is given must be written out, as in matches('^k8s-')".to_owned());
        };
        let number = self.patterns.add(pattern.inner())?;
        let text = self.paid(target, depth)?;
        let Priced { code, cost } = call(*id, MATCHES, text, number as u64);
        Ok((code.expr, cost))
    }

    fn with_arguments(
        &mut self,
        name: String,
        target: Option<Priced>,
        args: Vec<IdedExpr>,
        depth: usize,
    ) -> Result<(Expr, u64), String> {
        let args = args.into_iter().map(|arg| self.paid(arg, depth)).collect::<Result<Vec<_>, _>>()?;
        Ok(assembled(name, target, args))
    }

    fn list(&mut self, list: ListExpr, depth: usize) -> Result<(Expr, u64), String> {
        let mut cost = CALL;
        let mut elements = Vec::with_capacity(list.elements.len());
        for element in list.elements {
            let element = self.paid(element, depth)?;
            cost += element.cost;
            elements.push(element.code);
        }
        Ok((Expr::List(ListExpr::new_with_optionals(elements, list.optional_indices)), cost))
    }

    fn map(&mut self, mut map: MapExpr, depth: usize) -> Result<(Expr, u64), String> {
        let mut cost = CALL;
        for entry in &mut map.entries {
            let EntryExpr::MapEntry(entry) = &mut entry.expr else { return Err("it is not an expression".to_owned()) };
            for part in [&mut entry.key, &mut entry.value] {
                let priced = self.paid(std::mem::take(part), depth)?;
                cost += priced.cost;
                *part = priced.code;
            }
        }
        Ok((Expr::Map(map), cost))
    }

    fn comprehension(&mut self, mut loops: ComprehensionExpr, depth: usize) -> Result<(Expr, u64), String> {
        let appends = appends(&loops);
        // Both are evaluated around the loop, where its names are not bound.
        let range = self.node(loops.iter_range, depth + 1)?;
        let init = self.paid(loops.accu_init, depth)?;
        let around = self.bound.len();
        for name in [&loops.iter_var, &loops.accu_var] {
            if name == self.scope.variable() || name == NAMESPACE {
                return Err(format!("`{name}` is taken; give the variable of the loop another name"));
            }
            self.bound.push(name.clone());
        }
        let cond = self.node(loops.loop_cond, depth + 1)?;
        let step =
            if appends { self.append(loops.loop_step, depth + 1)? } else { self.node(loops.loop_step, depth + 1)? };
        let result = match &loops.result.expr {
            Expr::Ident(name) if appends && *name == loops.accu_var => self.node(loops.result, depth + 1)?,
            _ => self.paid(loops.result, depth)?,
        };
        self.bound.truncate(around);
        let id = range.code.id;
        let range = call(id, ROUNDS, range, CALL + cond.cost + step.cost);
        let cost = CALL + range.cost + init.cost + result.cost;
        loops.iter_range = range.code;
        (loops.accu_init, loops.loop_cond) = (init.code, cond.code);
        (loops.loop_step, loops.result) = (step.code, result.code);
        Ok((Expr::Comprehension(Box::new(loops)), cost))
    }

    /// The step of a loop that [`appends`]. It must keep its form, or the evaluator would copy what is there already in
    /// each round.
    fn append(&mut self, step: IdedExpr, depth: usize) -> Result<Priced, String> {
        let Expr::Call(CallExpr { func_name, target: None, args }) = step.expr else { return self.node(step, depth) };
        let is_guarded = func_name == operators::CONDITIONAL;
        let args = args.into_iter().enumerate().map(|(index, arg)| match index {
            1 if is_guarded => self.append(arg, depth + 1),
            _ => self.node(arg, depth + 1),
        });
        let (expr, cost) = assembled(func_name, None, args.collect::<Result<Vec<_>, _>>()?);
        Ok(Priced { code: IdedExpr { id: step.id, expr }, cost })
    }
}

/// Whether a loop is that of `map` or `filter`, `@result + [x]`, maybe under a condition. The evaluator then appends in
/// place: what is there already is neither read nor copied.
fn appends(loops: &ComprehensionExpr) -> bool {
    let is_result = |node: &IdedExpr| matches!(&node.expr, Expr::Ident(name) if *name == loops.accu_var);
    let adds = |node: &IdedExpr| match &node.expr {
        Expr::Call(CallExpr { func_name, target: None, args }) if func_name == operators::ADD => {
            matches!(args.as_slice(), [result, IdedExpr { expr: Expr::List(_), .. }] if is_result(result))
        }
        _ => false,
    };
    let adds_if = |node: &IdedExpr| match &node.expr {
        Expr::Call(CallExpr { func_name, target: None, args }) if func_name == operators::CONDITIONAL => {
            matches!(args.as_slice(), [_, step, otherwise] if adds(step) && is_result(otherwise))
        }
        _ => false,
    };
    matches!(&loops.accu_init.expr, Expr::List(list) if list.elements.is_empty())
        && matches!(loops.loop_cond.expr, Expr::Literal(_))
        && is_result(&loops.result)
        && (adds(&loops.loop_step) || adds_if(&loops.loop_step))
}

/// A call of one of ours, with a number.
fn call(id: u64, name: &str, value: Priced, number: u64) -> Priced {
    let number = CelInt::from(i64::try_from(number).unwrap_or(i64::MAX));
    let number = IdedExpr { id, expr: Expr::Literal(LiteralValue::Int(number)) };
    let args = vec![value.code, number];
    let expr = Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args });
    Priced { code: IdedExpr { id, expr }, cost: value.cost + CALL }
}

fn assembled(func_name: String, target: Option<Priced>, args: Vec<Priced>) -> (Expr, u64) {
    let cost = CALL + target.iter().chain(&args).map(|part| part.cost).sum::<u64>();
    let target = target.map(|target| Box::new(target.code));
    let args = args.into_iter().map(|arg| arg.code).collect();
    (Expr::Call(CallExpr { func_name, target, args }), cost)
}

/// The bytes of arguments that decide how long a result is.
fn written_out(function: &str, args: &[IdedExpr]) -> Result<usize, String> {
    args.iter()
        .map(|arg| match &arg.expr {
            Expr::Literal(literal) => Ok(length(literal)),
            _ => Err(format!("what {function}() is given must be written out, as in {function}(\",\")")),
        })
        .sum()
}

fn length(literal: &LiteralValue) -> usize {
    match literal {
        LiteralValue::String(text) => text.inner().len(),
        LiteralValue::Bytes(bytes) => bytes.inner().len(),
        _ => 0,
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    format!("there is no `{name}()` here; there are {}", known.join(", "))
}
