//! A command run to its end, or killed at a limit: a program that hangs fails its test and nothing else.

use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::wait;

/// Longer than any command of a test takes, its own `--timeout` included.
pub const LIMIT: Duration = Duration::from_secs(300);

/// Runs a command with this input and collects what it writes.
///
/// # Errors
/// When it cannot be started, or has not ended within the limit; then it is killed.
pub fn run(mut command: Command, input: &[u8], limit: Duration) -> Result<Output> {
    let name = format!("{command:?}");
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.with_context(|| name.clone())?;
    let ended = feed_and_collect(&mut child, &name, input, limit);
    if ended.is_err() {
        let _ = child.kill(); // an error means that it is gone already
        let _ = child.wait();
    }
    ended
}

fn feed_and_collect(child: &mut Child, name: &str, input: &[u8], limit: Duration) -> Result<Output> {
    let deadline = Instant::now() + limit;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        thread::spawn(move || {
            let _ = stdin.write_all(&input); // a program may end without reading all
        });
    }
    let stdout = collect(child.stdout.take().context("stdout is piped")?);
    let stderr = collect(child.stderr.take().context("stderr is piped")?);
    let rest = || deadline.saturating_duration_since(Instant::now());
    let collected = |from: Receiver<Vec<u8>>| match from.recv_timeout(rest()) {
        Ok(bytes) => Ok(bytes),
        Err(RecvTimeoutError::Timeout) => bail!("{name}: not over after {} s, killed", limit.as_secs()),
        Err(RecvTimeoutError::Disconnected) => bail!("{name}: its output could not be read"),
    };
    let (stdout, stderr) = (collected(stdout)?, collected(stderr)?);
    let status = wait::until(name, rest(), || Ok(child.try_wait()?))?;
    Ok(Output { status, stdout, stderr })
}

/// Reads to the end on the side, so that neither stream waits for the other.
fn collect(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if from.read_to_end(&mut bytes).is_ok() {
            let _ = tell.send(bytes); // nobody listens any more: the limit was over
        }
    });
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_a_command_reads_and_writes_is_carried() {
        let output = run(shell("cat; echo complaint >&2; exit 3"), b"words", LIMIT).unwrap();
        assert_eq!(
            (output.status.code(), &*output.stdout, &*output.stderr),
            (Some(3), &b"words"[..], &b"complaint\n"[..])
        );
    }

    #[test]
    fn a_command_that_hangs_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let script = format!("echo $$ > {}; exec sleep 3600", pid.display());
        let told = run(shell(&script), b"", Duration::from_secs(1)).unwrap_err();
        assert!(told.to_string().contains("killed"), "{told}");
        let pid = std::fs::read_to_string(pid).unwrap();
        assert!(!std::path::Path::new("/proc").join(pid.trim()).exists());
    }
}
