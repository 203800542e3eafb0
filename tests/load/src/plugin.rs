//! The kubectl plugin with a token that it keeps: what every kubectl waits for.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use e2e::Running;
use testbed::programs::say;

use crate::contender::{Gatewarden, Ground};
use crate::pace::Kept;
use crate::table::{millis, tell};

/// Runs that are timed.
const RUNS: usize = 200;
const PROGRAM: &str = "kubectl-gatewarden";
/// Behind this stands the code that a person types elsewhere.
const CODE: &str = "type this code: ";

/// A person's machine.
struct Machine {
    program: PathBuf,
    home: PathBuf,
    url: String,
    ca: PathBuf,
}

/// Measures, and prints what came of it.
///
/// # Errors
/// When the program is not built, or somebody cannot log in.
pub(crate) fn run(ground: &Ground) -> Result<()> {
    let gateway = Gatewarden::start_alone(ground, "plugin")?;
    let program = std::env::current_exe()?.with_file_name(PROGRAM);
    ensure!(program.is_file(), "{PROGRAM} is not built");
    let (url, ca) = gateway.address();
    let machine = Machine { program, home: ground.folder("home"), url, ca };
    let mut login = Running::start(machine.command(&["login", "--device"]))?;
    let code = e2e::eventually("a code", || Ok(code(&login.output())))?;
    gateway.visitor()?.let_device_in(&code)?;
    ensure!(login.wait_for_end()?.success(), "{}", login.output());
    say(&format!("{PROGRAM} get-token, {RUNS} times"));
    let nothing = times(|| Command::new("true"))?;
    let token = times(|| machine.command(&["get-token"]))?;
    let size = std::fs::metadata(&machine.program)?.len();
    tell(&format!(
        "\n{PROGRAM} get-token with a token that it keeps: p50 {} ms, p99 {} ms (a program that does nothing: {} ms); the \
         program has {:.1} MB.",
        millis(token.percentile(50)),
        millis(token.percentile(99)),
        millis(nothing.percentile(50)),
        size as f64 / 1e6
    ));
    Ok(())
}

impl Machine {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--gateway", &self.url, "--certificate-authority"]).arg(&self.ca);
        command.env_remove("DISPLAY").env_remove("BROWSER");
        command.env("HOME", &self.home).env("XDG_CACHE_HOME", self.home.join("cache"));
        command
    }
}

fn code(output: &str) -> Option<String> {
    let (_, rest) = output.split_once(CODE)?;
    // Whole lines alone: the rest may be on its way.
    rest.split_once('\n').map(|(code, _)| code.trim().to_owned())
}

/// From the start of a program to its end.
fn times(command: impl Fn() -> Command) -> Result<Kept> {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let mut command = command();
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let begun = Instant::now();
        ensure!(command.status().with_context(|| format!("{command:?}"))?.success(), "{command:?} failed");
        times.push(begun.elapsed());
    }
    Ok(Kept::of(times.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_when_all_of_it_is_there() {
        assert_eq!(code("Open this and type this code: BCDF-GH"), None);
        assert_eq!(code("Open this and type this code: BCDF-GHJK\nmore").as_deref(), Some("BCDF-GHJK"));
    }
}
