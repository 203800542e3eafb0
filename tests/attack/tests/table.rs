//! Prints the table of attacks: passed, failed or skipped, for each pair of protocols. `docs/attacks.md` shows the same.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "the table is what this test prints")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use attack::{Outcome, Row};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    let rows = runtime.block_on(attack::run(&attack::all(), &attack::exchanges()));
    let count =
        |wanted: fn(&Outcome) -> bool| rows.iter().flat_map(|row| &row.outcomes).filter(|one| wanted(one)).count();
    let passed = count(|outcome| matches!(outcome, Outcome::Passed));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let table = format!(
        "{}\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; 0 filtered out",
        table(&rows)
    );
    println!("\n{table}");
    if failed > 0 {
        return ExitCode::FAILURE;
    }
    let differing = differing(&table);
    if differing.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("docs/attacks.md does not show what was printed; these lines are in one of both alone:");
    differing.iter().for_each(|line| println!("    {line}"));
    ExitCode::FAILURE
}

fn table(rows: &[Row]) -> String {
    let mut table = String::new();
    let mut line = |text: String| writeln!(table, "{}", text.trim_end()).expect("writing into a string");
    line(format!("{:5} {:62} 1→1  1→2  2→1  2→2", "case", "what is tried (client → cluster, HTTP/1.1 and HTTP/2)"));
    for row in rows {
        let cells = row.outcomes.each_ref().map(|outcome| match outcome {
            Outcome::Passed => "ok",
            Outcome::Failed(_) => "FAIL",
            Outcome::Skipped(_) => "-",
        });
        line(format!("{:5} {:62} {:4} {:4} {:4} {:4}", row.id, row.what, cells[0], cells[1], cells[2], cells[3]));
        let everywhere = row.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Skipped(_)));
        for (at, outcome) in row.outcomes.iter().enumerate() {
            match outcome {
                Outcome::Failed(why) => line(format!("      {why}")),
                Outcome::Skipped(why) if everywhere && at == 0 => line(format!("      {why}")),
                _ => {}
            }
        }
    }
    line("      - : cannot be written in that protocol, by the client or by the cluster".to_owned());
    table
}

/// The lines of the table that the document lacks, and those of the document that the table lacks.
fn differing(table: &str) -> Vec<String> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/attacks.md");
    let document = std::fs::read_to_string(document).expect("docs/attacks.md is there");
    let shown: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix("    ")).map(str::trim).collect();
    let printed: Vec<&str> = table.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let lacks = |some: &[&str], line: &str| !some.contains(&line);
    let one = printed.iter().filter(|line| lacks(&shown, line));
    let other = shown.iter().filter(|line| lacks(&printed, line));
    one.chain(other).map(|line| (*line).to_owned()).collect()
}
