//! A network namespace for one command, so that fixed ports and bridges of two runs never collide.
//!
//! The machine's mounts stay visible: `ip netns exec` would remount `/sys` and hide the control groups
//! that a kubelet needs, `unshare --net` does not.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};

use crate::{packages, programs::say, reaper, state};

/// The folder that a run's servers should use; it is cleared when the command ends.
pub const RUN_DIR: &str = "TESTBED_DIR";

/// What [`inside`] does to the new namespace. A kubelet wants an address that is not loopback, and a default
/// route; a veth pair whose other end nobody holds gives both.
const SETUP: [&str; 6] = [
    "link set lo up",
    "link add eth0 type veth peer name eth0peer",
    "addr add 10.99.0.1/24 dev eth0",
    "link set eth0 up",
    "link set eth0peer up",
    "route add default via 10.99.0.2 dev eth0",
];

/// Becomes `command` in a network namespace of its own, or here when there may be none.
///
/// # Errors
/// When the command cannot be started. It does not return otherwise.
pub fn run(command: &[OsString]) -> Result<i32> {
    if let Some(reason) = unavailable() {
        say(&format!("no network namespace of its own: {reason}. Going on in the machine's network"));
        return supervise(command);
    }
    let error = packages::command("unshare")?
        .args(["--net", "--"])
        .arg(env::current_exe()?)
        .args(["inside", "--"])
        .args(command)
        .exec();
    Err(anyhow!(error).context("start unshare"))
}

/// The inner half: brings up the network, then runs the command.
///
/// # Errors
/// When the network cannot be set up or the command not be started.
pub fn inside(command: &[OsString]) -> Result<i32> {
    for line in SETUP {
        let output = packages::command("ip")?.args(line.split(' ')).output()?;
        ensure!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    supervise(command)
}

/// Runs the command with a folder for its servers, and clears up behind it, whatever became of it.
fn supervise(command: &[OsString]) -> Result<i32> {
    let (program, arguments) = command.split_first().context("no command was given")?;
    let dir = tempfile::Builder::new().prefix("testbed-").tempdir()?;
    reaper::watch(dir.path());
    let status = Command::new(program)
        .args(arguments)
        .env(RUN_DIR, dir.path())
        .env(reaper::PROGRAM, env::current_exe()?)
        .status()
        .with_context(|| format!("run {}", program.display()))?;
    state::down(dir.path()).context("clear up")?;
    let wrote = dir.path().read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if !status.success() && wrote {
        say(&format!("logs are kept in {}", dir.keep().display()));
    }
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
}

/// Why there can be none, in the operator's words.
fn unavailable() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("that needs root".into());
    }
    let unshare = packages::command("unshare").ok()?.args(["--net", "true"]).stderr(Stdio::piped()).output();
    match unshare {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}
