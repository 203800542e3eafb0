//! One process refreshes or logs in; the others wait for what it brings.
//!
//! The lock is the operating system's, so a holder that is killed gives it back. The file says who holds it.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::process;
use std::time::Duration;

use super::{eprint, file};
use crate::environment::{Deadline, pause};
use crate::failure::Failure;

/// The lock of one gateway, not yet taken.
#[derive(Debug)]
pub(crate) struct Lock(File);

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(#[expect(dead_code, reason = "held, not read")] File);

const LOOK: Duration = Duration::from_millis(25);
/// Longer than a refresh takes; a wait that is shorter says nothing.
const QUIET: Duration = Duration::from_secs(2);

impl Lock {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        file::lock_file(path).map(Self)
    }

    /// Takes it if nobody has it.
    pub(crate) fn try_take(self) -> Result<Result<Held, Self>, Failure> {
        match self.0.try_lock() {
            Ok(()) => self.taken().map(Ok),
            Err(TryLockError::WouldBlock) => Ok(Err(self)),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Waits for it, no longer than this. `tells`: say once whom we wait for.
    pub(crate) fn take(self, wait: Duration, tells: bool) -> Result<Held, Failure> {
        let (until, mut quiet) = (Deadline::after(wait), tells.then(|| Deadline::after(QUIET)));
        let mut lock = self;
        loop {
            lock = match lock.try_take()? {
                Ok(held) => return Ok(held),
                Err(lock) => lock,
            };
            if until.is_over() {
                let holder = lock.holder();
                let advice = "log in there, or end that process, and try again";
                return Err(Failure::LoginNeeded(format!(
                    "{holder} still logs in after {} s; {advice}",
                    wait.as_secs()
                )));
            }
            if quiet.is_some_and(Deadline::is_over) {
                quiet = None;
                eprint(&format!("waiting for {}, which logs in", lock.holder()));
            }
            pause(LOOK);
        }
    }

    fn taken(mut self) -> Result<Held, Failure> {
        self.0.set_len(0)?;
        self.0.rewind()?;
        write!(self.0, "{}", process::id())?;
        Ok(Held(self.0))
    }

    fn holder(&mut self) -> String {
        let mut text = String::new();
        let read = self.0.rewind().and_then(|()| self.0.read_to_string(&mut text));
        match read.ok().and_then(|_| text.trim().parse::<u32>().ok()) {
            Some(pid) => format!("another kubectl-gatewarden (pid {pid})"),
            None => "another kubectl-gatewarden".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_who_it_is_stands_there() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Lock::open(&folder.path().join("lock")).unwrap();
        let held = open().try_take().unwrap().unwrap();
        let refused = open().take(Duration::ZERO, false).unwrap_err();
        assert!(refused.to_string().contains(&format!("pid {}", process::id())), "{refused}");
        assert!(matches!(refused, Failure::LoginNeeded(_)));
        drop(held);
        assert!(open().try_take().unwrap().is_ok(), "given back");
    }
}
