//! A server process: started apart from our terminal, found again by its pid file, stopped by pid.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::state::StateDir;
use crate::wait;

/// A running server. Stops when dropped, unless it was detached or found.
#[derive(Debug)]
pub struct Process {
    name: String,
    id: Identity,
    pid_file: PathBuf,
    log: PathBuf,
    child: Option<Child>,
    owned: bool,
}

/// A pid alone may have been given to somebody else since; with its start time it is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    pid: i32,
    started: u64,
}

impl Process {
    /// Starts `command` in a process group of its own, so that Ctrl-C at our terminal leaves it to us.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(state: &StateDir, name: &str, mut command: Command) -> Result<Self> {
        let log = state.log(name);
        let file = OpenOptions::new().create(true).append(true).open(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let child = command.spawn().with_context(|| format!("start {name} ({})", command.get_program().display()))?;
        let pid = i32::try_from(child.id())?;
        let id = Identity::of(pid).with_context(|| format!("{name} vanished at once, see {}", log.display()))?;
        let pid_file = state.pid_file(name);
        fs::write(&pid_file, format!("{} {}\n", id.pid, id.started))?;
        Ok(Self { name: name.into(), id, pid_file, log, child: Some(child), owned: true })
    }

    /// The process that an earlier start left running in this folder.
    pub fn find(state: &StateDir, name: &str) -> Option<Self> {
        let pid_file = state.pid_file(name);
        let text = fs::read_to_string(&pid_file).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        let id = Identity { pid: pid.parse().ok()?, started: started.parse().ok()? };
        let process = Self { name: name.into(), id, pid_file, log: state.log(name), child: None, owned: false };
        process.is_running().then_some(process)
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.id.pid.unsigned_abs()
    }

    /// Whether that very process still runs.
    pub fn is_running(&self) -> bool {
        Identity::of(self.id.pid) == Some(self.id)
    }

    /// Fails, with the end of the log, when the process is gone.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn check(&self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        bail!("{} ended; last lines of {}:\n{}", self.name, self.log.display(), self.log_tail(8))
    }

    /// The last lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(lines).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Leaves it running when this value goes.
    pub fn detach(&mut self) {
        self.owned = false;
    }

    /// Sends TERM, waits, and sends KILL when it did not go.
    ///
    /// # Errors
    /// When it survives even that.
    pub fn stop(&mut self, patience: Duration) -> Result<()> {
        self.signal(Signal::TERM);
        if self.await_end(patience).is_err() {
            self.signal(Signal::KILL);
            self.await_end(Duration::from_secs(10))?;
        }
        let _ = fs::remove_file(&self.pid_file);
        Ok(())
    }

    /// Sends KILL: what a power cut looks like to the program.
    ///
    /// # Errors
    /// When it survives.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL);
        self.await_end(Duration::from_secs(10))?;
        let _ = fs::remove_file(&self.pid_file);
        Ok(())
    }

    /// Sends HUP, by which servers are told to read their configuration again.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        if self.is_running()
            && let Some(pid) = Pid::from_raw(self.id.pid)
        {
            let _ = kill_process(pid, signal); // gone meanwhile: that is what we wanted
        }
    }

    fn await_end(&mut self, limit: Duration) -> Result<()> {
        wait::until_true(&format!("{} (pid {}) to end", self.name, self.id.pid), limit, || {
            // Our own child stays in the table until it is waited for.
            if let Some(child) = &mut self.child {
                let _ = child.try_wait();
            }
            Identity::of(self.id.pid) != Some(self.id)
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.owned {
            let _ = self.stop(Duration::from_secs(20)); // the reaper tries once more
        }
    }
}

impl Identity {
    fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(pid, &stat)
    }

    /// Fields are counted behind the last `)`: a program's name may hold spaces and parentheses.
    fn parse(pid: i32, stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        if fields.next()? == "Z" {
            return None; // dead, only not waited for
        }
        Some(Self { pid, started: fields.nth(18)?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4242 100 5 0";

    #[test]
    fn the_start_time_is_found_behind_an_odd_name() {
        assert_eq!(Identity::parse(7, STAT), Some(Identity { pid: 7, started: 4242 }));
    }

    #[test]
    fn a_zombie_does_not_run() {
        assert_eq!(Identity::parse(7, &STAT.replace(") S", ") Z")), None);
    }

    #[test]
    fn a_reused_pid_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::create(dir.path()).unwrap();
        fs::write(state.pid_file("sleep"), format!("{} 1", std::process::id())).unwrap();
        assert!(Process::find(&state, "sleep").is_none());
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::create(dir.path()).unwrap();
        let mut command = Command::new("sleep");
        command.arg("600");
        let process = Process::start(&state, "sleep", command).unwrap();
        let id = process.id;
        assert!(Process::find(&state, "sleep").is_some());
        drop(process);
        assert_eq!(Identity::of(id.pid), None);
    }
}
