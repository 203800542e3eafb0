//! Prints the table of attacks: passed, failed or skipped, for each pair of protocols.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "the table is what this test prints")]

use std::process::ExitCode;

use attack::Outcome;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    let rows = runtime.block_on(attack::run(&attack::all(), &attack::exchanges()));
    println!("\n{:5} {:62} 1→1  1→2  2→1  2→2", "case", "what is tried (client → cluster, HTTP/1.1 and HTTP/2)");
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for row in &rows {
        let cells = row.outcomes.each_ref().map(|outcome| match outcome {
            Outcome::Passed => "ok",
            Outcome::Failed(_) => "FAIL",
            Outcome::Skipped(_) => "-",
        });
        println!("{:5} {:62} {:4} {:4} {:4} {:4}", row.id, row.what, cells[0], cells[1], cells[2], cells[3]);
        if let [Outcome::Skipped(why), ..] = &row.outcomes
            && row.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Skipped(_)))
        {
            println!("      {why}");
        }
        for outcome in &row.outcomes {
            match outcome {
                Outcome::Passed => passed += 1,
                Outcome::Skipped(_) => skipped += 1,
                Outcome::Failed(why) => {
                    failed += 1;
                    println!("      {why}");
                }
            }
        }
    }
    println!("      - : cannot be written in that protocol, by the client or by the cluster");
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
