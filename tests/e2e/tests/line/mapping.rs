//! Names that expressions make, from the directory to RBAC, and what operators are told of them.

use anyhow::{Result, ensure};
use e2e::Case;

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        names_that_expressions_make_are_what_clusters_see_and_operators_are_told,
        whom_an_expression_does_not_fit_stays_out_and_the_log_says_why,
        an_example_that_does_not_hold_is_found_before_anybody_logs_in,
    ]
}

/// alice is in payments, which is in backend, which is in dev; dave is in no group.
const MAPPING: &str = r#"
      username: { expression: "claims.login + '@' + claims.attributes.dn.one().split(',')[1].replace('ou=', '')" }
      groups:
        filter: { exclude: [payments] }
        expression: "claims.groups.map(g, g == 'dev' ? g : 'team-' + g)"
      userValidationRules:
        - { expression: "user.username.startsWith('corp:') && 'corp:dev' in user.groups", message: only developers enter }
      examples:
        - given: { login: alice, attributes: { dn: ["uid=alice,ou=people,dc=x"] }, groups: [payments, backend, dev] }
          expect: { username: "corp:alice@people", groups: ["corp:team-backend", "corp:dev"] }
        - { given: { login: dave, attributes: { dn: ["uid=dave,ou=people"] } }, refused: only developers }"#;

fn plan() -> Plan<'static> {
    Plan { mapping: Some(MAPPING), ..Plan::default() }
}

fn holds(told: &str, parts: &[&str]) -> Result<()> {
    for part in parts {
        ensure!(told.contains(part), "{part:?} is missing: {told}");
    }
    Ok(())
}

pub(crate) fn names_that_expressions_make_are_what_clusters_see_and_operators_are_told(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &plan())?;
    gate.wait_until_proven()?;
    let kubectl = gate.kubectl(&gate.session("alice")?, "east")?;
    let seen = kubectl.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo['username','groups']}"])?;
    holds(&seen, &["corp:alice@people ", "corp:team-backend", "corp:dev"])?;
    ensure!(!seen.contains("payments"), "{seen}");
    kubectl.ok(&["get", "pods", POD])?;

    let told = [
        "username: corp: before claims.login + '@' + ",
        " gives corp:alice@people",
        " gives corp:team-backend, corp:dev",
    ];
    let holding = "user validation rule: user.username.startsWith('corp:') && 'corp:dev' in user.groups holds";
    let left_out = r#"group payments: left out by groups.filter.exclude "payments""#;
    let explained = gate.ok(&["explain", "alice", "--cluster", "east", "get", "pods", "-n", "dev"])?;
    let tried = gate.ok(&["provider", "test", "corp", "--user", "alice"])?;
    for text in [explained, tried] {
        holds(&text, &told)?;
        holds(&text, &[holding, left_out])?;
    }
    Ok(())
}

pub(crate) fn whom_an_expression_does_not_fit_stays_out_and_the_log_says_why(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &plan())?;
    let refused = gate.login_as("dave")?;
    ensure!(refused.status == 403 && refused.text().contains("only developers enter"), "{}", refused.text());
    let tried = gate.command(&["provider", "test", "corp", "--user", "dave"])?;
    ensure!(!tried.success(), "{}", tried.stdout);
    holds(&tried.stdout, &["FAILED  mapping: a login is refused: only developers enter"])?;

    let missing = r#"{ username: { expression: "claims.attributes.badge.one()" } }"#;
    let gate = Gate::start(bed, &Plan { mapping: Some(missing), ..Plan::default() })?;
    let refused = gate.login_as("alice")?;
    ensure!(refused.status == 403 && !refused.text().contains("badge"), "{}", refused.text());
    let why = "the expression of the username fails: there is no `badge`";
    e2e::eventually("the reason in the log", || Ok(gate.log()?.contains(why).then_some(())))
}

pub(crate) fn an_example_that_does_not_hold_is_found_before_anybody_logs_in(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &plan())?;
    let other = MAPPING.replace("? g :", "? 'devs' :");
    gate.rewrite(bed, &Plan { mapping: Some(&other), ..Plan::default() })?;
    let checked = gate.command(&["check"])?;
    ensure!(!checked.success(), "check accepted it: {}", checked.stdout);
    let told = "providers[1].mapping.examples[0].expect: they are refused: only developers enter";
    holds(&format!("{}{}", checked.stdout, checked.stderr), &[told])?;
    gate.hang_up()?;
    e2e::eventually("the refusal in the log", || Ok(gate.log()?.contains(told).then_some(())))?;
    ensure!(gate.login_as("alice")?.status == 201, "the old mapping serves on");
    Ok(())
}
