//! Prints what the demo does: numbered steps, each command before it runs, its answer after it.
#![expect(clippy::print_stdout, reason = "the demo is told on standard output")]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::kubectl::{Output, run_with_input};
use crate::state::write_private;

/// Answers every question with yes, for when nobody is there to ask.
const YES: &str = "DEMO_YES";

/// Environment that a reader needs to repeat a command; the rest is ours.
const TOLD: [&str; 2] = ["KUBECONFIG", "GATEWARDEN_CONFIG"];

pub(super) struct Narrator {
    dir: String,
    checkout: String,
    step: usize,
    bold: (&'static str, &'static str),
}

impl Narrator {
    pub(super) fn new(dir: &Path) -> Self {
        let bold = if io::stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let checkout = format!("{}/", checkout().display());
        Self { dir: dir.display().to_string(), checkout, step: 0, bold }
    }

    pub(super) fn title(&self, text: &str) {
        println!("\n{}{text}{}\n", self.bold.0, self.bold.1);
    }

    pub(super) fn step(&mut self, text: &str) {
        self.step += 1;
        self.title(&format!("{}. {text}", self.step));
    }

    pub(super) fn tell(&self, text: &str) {
        println!("{}", format!("   {text}").trim_end());
    }

    /// Prints a file in full: what it says is the point.
    pub(super) fn show_file(&self, path: &Path) -> Result<()> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let mut cat = Command::new("cat");
        self.show(cat.arg(path), "");
        self.answer(&text);
        Ok(())
    }

    /// Prints a command without running it.
    pub(super) fn show(&self, command: &Command, rest: &str) {
        println!("   {}$ {}{rest}{}", self.bold.0, self.line(command), self.bold.1);
    }

    /// Runs a command that has to succeed.
    pub(super) fn succeed(&self, command: Command) -> Result<String> {
        let line = self.line(&command);
        let output = self.run(command)?;
        ensure!(output.success(), "this should have worked: {line}");
        Ok(output.stdout)
    }

    /// Runs a command that has to be refused, with a reason that holds `reason`.
    pub(super) fn be_refused(&self, command: Command, reason: &str) -> Result<()> {
        let line = self.line(&command);
        let output = self.run(command)?;
        ensure!(!output.success(), "this should have been refused: {line}");
        ensure!(output.stderr.contains(reason), "this was refused, but not by \"{reason}\": {line}");
        Ok(())
    }

    /// Runs a command whose answer goes to a file (mode 0600) and not to the screen.
    pub(super) fn keep(&self, command: Command, file: &Path) -> Result<()> {
        let line = self.line(&command);
        self.show(&command, &format!(" > {}", self.word(file.as_os_str())));
        let output = run_with_input(command, b"")?.ok().context(line)?;
        write_private(file, output.trim_end())
    }

    /// Runs a command and prints only what `tell` makes of its answer.
    pub(super) fn run_and_tell(&self, command: Command, tell: impl FnOnce(&str) -> String) -> Result<String> {
        let line = self.line(&command);
        self.show(&command, "");
        let output = run_with_input(command, b"")?.ok().with_context(|| line)?;
        self.answer(&tell(&output));
        Ok(output)
    }

    /// Asks whether to go on.
    pub(super) fn ask(&self, question: &str) -> Result<bool> {
        if env::var_os(YES).is_some_and(|answer| answer == "1") {
            self.tell(&format!("{question} [y/N] y ({YES}=1)"));
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            bail!("{question} Nobody is there to answer: say {YES}=1 to answer yes");
        }
        print!("   {question} [y/N] ");
        io::stdout().flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    fn run(&self, command: Command) -> Result<Output> {
        self.show(&command, "");
        let output = run_with_input(command, b"")?;
        self.answer(&output.stdout);
        self.answer(&output.stderr);
        Ok(output)
    }

    fn answer(&self, text: &str) {
        for line in text.trim_end().lines() {
            println!("     {}", line.replace(&self.dir, "$D"));
        }
    }

    /// The command as one would type it.
    fn line(&self, command: &Command) -> String {
        let told = command.get_envs().filter(|(name, _)| TOLD.iter().any(|told| name == told));
        let environment = told.filter_map(|(name, value)| Some(format!("{}={}", name.display(), self.word(value?))));
        let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
        let words = [program].into_iter().chain(command.get_args()).map(|word| self.word(word));
        environment.chain(words).collect::<Vec<_>>().join(" ")
    }

    fn word(&self, word: &OsStr) -> String {
        quoted(&word.to_string_lossy().replace(&self.dir, "$D").replace(&self.checkout, ""))
    }
}

/// The root of the sources: who runs the demo stands there.
pub(super) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned).unwrap_or_default()
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@,$+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let narrator = Narrator::new(Path::new("/cache/demo"));
        let mut command = Command::new("/opt/kubectl");
        command.env("KUBECONFIG", "/cache/demo/a").env("KUBECACHEDIR", "/x").args(["get", "pods", "-o", "it's {x}"]);
        assert_eq!(narrator.line(&command), r"KUBECONFIG=$D/a kubectl get pods -o 'it'\''s {x}'");
    }
}
