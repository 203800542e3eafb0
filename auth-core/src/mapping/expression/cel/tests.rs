//! What the worst expressions may do: end within the budget, on the stack that there is, and hurt nobody else.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use cel::common::types::{CelMap, CelMapKey, Type};
use cel::context::VariableResolver;

use super::*;
use crate::Principal;
use crate::mapping::claims::Claims;

/// Steps that a budget pays for at most: each is at least a look-up.
const STEPS_MAX: u64 = BUDGET / 10;

/// Copies of one value that a budget pays for at most.
const COPIES_MAX: u64 = BUDGET / meter::VALUE;

/// Counts how often an evaluation asks for a variable, without knowing of any payment.
#[derive(Default)]
struct Steps(AtomicU64);

impl VariableResolver for Steps {
    fn resolve<'b>(&'b self, _: &str) -> Option<CowVal<'b, 'b>> {
        let steps = self.0.fetch_add(1, Ordering::Relaxed);
        assert!(steps <= STEPS_MAX, "more steps than any budget pays for");
        None
    }
}

static COUNTED: Type = Type::new_unspecified_type("counted");

/// A value that counts how often it is copied.
#[derive(Debug)]
struct Counted(Arc<AtomicU64>);

impl Val for Counted {
    fn get_type(&self) -> &Type {
        &COUNTED
    }

    fn cel_type() -> &'static Type {
        &COUNTED
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        let copies = self.0.fetch_add(1, Ordering::Relaxed);
        assert!(copies <= COPIES_MAX, "more copies than any budget pays for");
        Box::new(Self(Arc::clone(&self.0)))
    }
}

fn refusal(program: &Program, facts: Facts<'_>) -> String {
    match program.run(facts) {
        Err(Failure::Why(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn program(text: &str) -> Program {
    Program::compile(text, Scope::Claims).unwrap_or_else(|why| panic!("{why}: {text}"))
}

fn with_groups<T>(count: usize, check: impl FnOnce(Facts<'_>) -> T) -> T {
    let name = |n: usize| format!("cn=some-group-{n},ou=groups,dc=example");
    let group = |n: usize| Principal::new(format!("corp_group://{n}").parse().unwrap(), name(n));
    let groups: Vec<_> = (0..count).map(group).collect();
    let user = Principal::new("corp_user://7".parse().unwrap(), "alice").with_attribute("mail", ["a@x"]);
    let groups = groups.iter().map(|group| (group.name.as_str(), group)).collect();
    let extra = BTreeMap::new();
    check(Facts::Claims(&Claims { user: &user, groups, extra: &extra }))
}

/// The evaluation as a login makes it, with somebody who counts along.
fn evaluate_counted(program: &Program, claims: Box<dyn Val + '_>) {
    let steps = Steps::default();
    let meter = Arc::new(Meter::new(BUDGET));
    let mut context = Context::with_env(Arc::clone(&program.library));
    context.set_variable_resolver(&steps);
    context.add_variable_as_val("claims", claims);
    meter.lend_to(&mut context).unwrap();
    program.patterns.lend_to(&mut context).unwrap();
    meter.take(program.cost).unwrap();
    let _ = Value::resolve_val(&program.code, &context);
}

fn costly() -> Vec<String> {
    let doubled = |text: &str, doubling: &str, times: usize| format!("{text}{}", doubling.repeat(times));
    let claims = vec!["claims"; 200].join(",");
    vec![
        "claims.groups.map(a, claims.groups.map(b, claims.groups.map(c, a + b + c + claims.name)))".to_owned(),
        "claims.groups.exists(a, claims.groups.exists(b, claims.groups.exists(c, a + b + c == claims.name)))"
            .to_owned(),
        // Errors that are swallowed give no more time, and no answer.
        "claims.groups.all(a, claims.groups.all(b, claims.groups.all(c, c != claims.name)) || true)".to_owned(),
        "claims.groups.all(a, claims.groups.all(b, claims.groups.all(c, c != claims.name))) || true".to_owned(),
        "claims.groups.all(a, claims.groups.all(b, claims.groups.exists(c, c == claims.name) || true) || true)"
            .to_owned(),
        "claims.groups.exists_one(a, claims.groups.exists_one(b, claims.groups.exists_one(c, c == claims.name)))"
            .to_owned(),
        "claims.groups.filter(a, claims.groups.filter(b, b in claims.groups).size() > 0)".to_owned(),
        format!("claims.groups.all(a, claims.groups.all(b, {}))", vec!["has(claims.name)"; 200].join(" && ")),
        "claims.groups.all(a, claims.groups.all(b, b.matches('(a|b|.)*x?')))".to_owned(),
        // Values that grow.
        doubled("[claims.groups]", ".map(x, [x, x])", 40),
        doubled("[claims.groups]", ".map(x, x + x)", 40),
        doubled("[claims.groups]", ".map(x, {'a': x, 'b': x})", 40),
        doubled("[claims.name]", ".map(x, x + x)", 40),
        format!("claims.groups.map(x, [{claims}])"),
        format!("claims.groups.map(x, [{claims}].map(y, [{claims}]))"),
        // Copies that no operator shows.
        "claims.groups.all(x, claims.?groups.hasValue())".to_owned(),
        "claims.groups.all(x, claims[?'groups'].hasValue())".to_owned(),
        "claims.groups.all(x, claims.groups[1.5] == x || true)".to_owned(),
        "[claims.?groups].map(o, claims.groups.map(x, [o.a, o.b, claims]))".to_owned(),
        "claims.groups.all(x, claims == claims)".to_owned(),
        "claims.groups.map(x, claims.groups.join('-').split(''))".to_owned(),
        // Results that are longer than what they are made of.
        format!("claims.groups.join('{}')", "-".repeat(2_000)),
        format!("claims.groups.join('').replace('', '{}')", "-".repeat(1_000)),
        "claims.groups.map(x, x + x + x + x + x + x).join('').split('')".to_owned(),
        format!("claims.groups.map(x, claims.groups.join('').indexOf('{}'))", "c".repeat(2_000)),
    ]
}

#[test]
fn the_worst_expressions_end_within_their_budget_and_give_nothing() {
    with_groups(5_000, |facts| {
        for text in costly() {
            let program = program(&text);
            let refused = refusal(&program, facts);
            assert_eq!(refused, "it costs more than an expression may", "{text}");
            let counted = stack::of_its_own(|| evaluate_counted(&program, facts::variable(facts).1));
            assert!(counted.is_ok(), "{text}");
        }
    });
}

/// What is copied when the budget is spent already, in rounds whose errors are swallowed, is copied for nothing.
#[test]
fn nothing_is_copied_that_was_not_paid_for() {
    let claims = vec!["claims"; 20].join(",");
    let entries: Vec<_> = (0..20).map(|key| format!("{key}: claims")).collect();
    let swallowed = |copying: &str| format!("claims.groups.all(x, {copying} || true)");
    let many = swallowed("o.groups.hasValue() && false");
    for text in [
        format!("[optional.of(claims)].all(o, {many})"),
        swallowed(&format!("[{claims}] == 1")),
        swallowed(&format!("{{{}}} == 1", entries.join(","))),
        swallowed(&format!("{{{}}}[7] == 1", entries.join(","))),
        swallowed("claims.groups + claims.groups == 1"),
        swallowed("claims.?groups.hasValue() && false"),
        swallowed("claims[?'groups'].hasValue() && false"),
        swallowed("claims.groups[1.5] == 1"),
        swallowed("claims.?groups.orValue([]) == 1"),
        swallowed("claims.?groups.optMap(g, g).hasValue() && false"),
        swallowed("[claims.?groups].map(o, o)[0] == 1"),
        swallowed("(true ? claims : claims).groups == 1"),
        swallowed("claims.groups.filter(y, true) == 1"),
    ] {
        let program = program(&text);
        let copies = Arc::new(AtomicU64::new(0));
        let groups = (0..5_000).map(|_| Box::new(Counted(Arc::clone(&copies))) as Box<dyn Val>).collect::<Vec<_>>();
        let groups: Box<dyn Val> = Box::new(CelList::from(groups));
        let claims = CelMap::from(HashMap::from([(CelMapKey::from("groups"), groups)]));
        let counted = stack::of_its_own(|| evaluate_counted(&program, Box::new(claims)));
        assert!(counted.is_ok(), "{text}");
        assert!(copies.load(Ordering::Relaxed) >= 5_000, "{text}: not every round was taken");
    }
}

#[test]
fn what_operators_write_is_far_from_the_budget_with_five_thousand_groups() {
    with_groups(5_000, |facts| {
        for text in [
            "claims.groups.filter(g, g.contains('k8s-')).map(g, g.lowerAscii())",
            "claims.groups.map(g, g.split(',')[0].replace('cn=', ''))",
            "claims.groups.filter(g, ['a', 'b', 'c'].exists(p, g.startsWith(p)))",
            "claims.groups.exists(g, g == 'x') ? 'a' : 'b'",
        ] {
            let meter = Arc::new(Meter::new(BUDGET));
            program(text).run_within(&meter, facts).unwrap_or_else(|failure| panic!("{text}: {failure:?}"));
            assert!(meter.left() > BUDGET / 3, "{text}: {} is left", meter.left());
        }
    });
}

#[test]
fn more_is_said_of_a_person_than_an_expression_may_see() {
    with_groups(20_000, |facts| {
        let refused = refusal(&program("claims.name"), facts);
        assert!(refused.starts_with("`claims` takes more than 1048576 bytes"), "{refused}");
    });
}

#[test]
fn an_answer_has_a_size() {
    with_groups(5_000, |facts| {
        for text in
            ["claims.groups.map(g, g + g + g + g + g + g)", "claims.groups.map(g, g + g + g + g + g + g).join('')"]
        {
            assert_eq!(refusal(&program(text), facts), "it gives more than 1048576 bytes", "{text}");
        }
    });
}

/// Texts that nest as deep as their length lets them.
fn deep(bytes: usize) -> Vec<String> {
    let fill = |before: &str, middle: &str, after: &str| {
        let times = bytes.saturating_sub(middle.len()) / (before.len() + after.len());
        format!("{}{middle}{}", before.repeat(times), after.repeat(times))
    };
    vec![
        fill("", "claims", ".a"),
        fill("", "claims", "+a"),
        fill("", "a", "<a"),
        fill("", "a", "[0]"),
        fill("", "a", ".size()"),
        fill("", "a", ".map(x,x)"),
        fill("", "a", "||a&&a"),
        fill("-", "a", ""),
        fill("!", "a", ""),
        fill("(", "a", ")"),
        fill("[", "a", "]"),
        fill("{1:", "a", "}"),
        fill("size(", "a", ")"),
        fill("a?b:", "a", ""),
        fill("a.map(x,", "a", ")"),
        fill("(", "", ""),
        fill("[", "", ""),
        fill("{", "", ""),
        fill(")", "", ""),
        fill("'", "", ""),
        fill("`", "", ""),
        fill("\0", "", ""),
        fill("안", "", ""),
    ]
}

#[test]
fn text_that_nests_as_deep_as_it_is_long_is_a_fault() {
    for text in deep(super::super::TEXT_MAX) {
        let start: String = text.chars().take(12).collect();
        let refused = Program::compile(&text, Scope::Claims).unwrap_err();
        assert!(!refused.is_empty() && refused.len() <= 300, "{start}: {refused}");
    }
}

#[test]
fn a_panic_of_the_crate_is_an_error() {
    assert!(matches!(stack::of_its_own(|| panic!("on purpose")), Err(Broken::Panicked)));
}

/// On a thread with a small stack, as a login may be.
#[test]
fn the_deepest_expressions_end_no_thread() {
    let mut texts: Vec<String> = (4..400).step_by(24).flat_map(deep).map(|text| text.replace('a', "claims")).collect();
    let mut nested = "claims.groups".to_owned();
    for depth in 0..24 {
        let _ = write!(nested, ".map(x{depth}, [x{depth}].filter(y, y == y)[0])");
        texts.push(nested.clone());
    }
    let evaluated = thread::Builder::new().stack_size(128 << 10).spawn(move || {
        let programs = texts.iter().filter_map(|text| Program::compile(text, Scope::Claims).ok());
        with_groups(3, |facts| programs.inspect(|program| drop(program.run(facts))).count())
    });
    let evaluated = evaluated.unwrap().join().unwrap();
    assert!(evaluated > 100, "{evaluated}");
}
