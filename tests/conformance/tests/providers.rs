//! Every provider of this repository on every real server, held to every suite; prints what was found as a table.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "tests")]

#[path = "providers/keycloak.rs"]
mod keycloak;
#[path = "providers/local.rs"]
mod local;
#[path = "providers/openid.rs"]
mod openid;
#[path = "providers/ports.rs"]
mod ports;
#[path = "providers/samba.rs"]
mod samba;
#[path = "providers/slapd.rs"]
mod slapd;

use std::path::Path;
use std::process::ExitCode;

use auth_conformance::{Fixture, Report, run, table};
use testbed::{Keycloak, Samba};

type Fixtures = Vec<Box<dyn Fixture>>;

fn main() -> ExitCode {
    let filters: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter(); // providers start tasks as they are built
    let mut fixtures = Fixtures::new();
    if wanted("local") {
        fixtures.push(Box::new(local::People::new()));
    }
    if wanted("ldap on slapd") {
        fixtures.push(Box::new(slapd::Directory::start().expect("slapd")));
    }
    let samba: Vec<_> = samba::STRATEGIES.into_iter().filter(|(_, name)| wanted(name)).collect();
    let asked = fixtures.len() + samba.len();
    fixtures.extend(domains(samba).expect("Samba"));
    let mut left_out = asked - fixtures.len();
    if wanted("oidc on oidc-provider") {
        fixtures.push(Box::new(openid::Panva::start().expect("oidc-provider")));
    }
    if wanted("oidc on an issuer that lies") {
        fixtures.push(Box::new(runtime.block_on(openid::lying()).expect("an issuer")));
    }
    match (wanted(keycloak::Realm::NAME), Keycloak::unsupported()) {
        (false, _) => {}
        (true, None) => fixtures.push(Box::new(keycloak::Realm::start().expect("Keycloak"))),
        (true, Some(why)) => {
            println!("{} ... skipped: {why}", keycloak::Realm::NAME);
            left_out += 1;
        }
    }
    let prove = |fixture: Box<dyn Fixture>| {
        let report = runtime.block_on(run(&*fixture));
        print!("{report}");
        report
    };
    let complete = filters.is_empty() && left_out == 0;
    let reports: Vec<_> = fixtures.into_iter().map(prove).collect();
    summed(&reports, left_out, complete && !is_in_the_document(&table(&reports)))
}

/// Whether `docs/conformance.md` shows the table and the facts, line by line.
fn is_in_the_document(table: &str) -> bool {
    let facts = auth_conformance::all().map(|suite| {
        let facts: Vec<_> = suite.facts.iter().map(|fact| fact.name.replace('_', " ")).collect();
        format!("- **{}**: {}.", suite.name, facts.join("; "))
    });
    let table = format!("{table}\n{}", facts.join("\n"));
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance.md");
    let document = std::fs::read_to_string(document).expect("docs/conformance.md is there");
    let missing: Vec<&str> = table.lines().filter(|line| !document.lines().any(|shown| shown == *line)).collect();
    if !missing.is_empty() {
        println!("docs/conformance.md does not show these lines:\n{}", missing.join("\n"));
    }
    missing.is_empty()
}

/// One domain controller for all of them, where it can run.
fn domains(wanted: Vec<samba::Strategy>) -> anyhow::Result<Fixtures> {
    if let Some(why) = Samba::unsupported() {
        println!("ldap on Samba ... skipped: {why}");
        return Ok(Vec::new());
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let controller = samba::Controller::start()?;
    Ok(wanted.into_iter().map(|strategy| Box::new(controller.domain(strategy)) as Box<dyn Fixture>).collect())
}

/// The table, and a last line in the words of the standard harness. A provider that was left out counts as one skipped,
/// a document that shows another table as one failed.
fn summed(reports: &[Report], left_out: usize, outdated: bool) -> ExitCode {
    println!("\n{}", table(reports));
    let mut sum = (0, usize::from(outdated), left_out);
    for (passed, failed, skipped) in reports.iter().map(Report::counts) {
        sum = (sum.0 + passed, sum.1 + failed, sum.2 + skipped);
    }
    let word = if sum.1 == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {} passed; {} failed; {} ignored; 0 measured; 0 filtered out", sum.0, sum.1, sum.2);
    if sum.1 == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
