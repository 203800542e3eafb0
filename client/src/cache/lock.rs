//! One process refreshes or logs in; the others wait for what it brings.
//!
//! The lock is the operating system's, so a holder that is killed gives it back. The file says who holds it, what for and
//! until when at the latest: a code may be typed for ten minutes, and whoever waits must not give up before.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::process;
use std::time::Duration;

use jiff::Timestamp;

use super::{eprint, file};
use crate::environment::{self, Deadline, pause};
use crate::failure::Failure;

/// The lock of one gateway, not yet taken.
#[derive(Debug)]
pub(crate) struct Lock(File);

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(File);

/// Who holds it, as the file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pid: u32,
    until: Timestamp,
    what: String,
}

const LOOK: Duration = Duration::from_millis(25);
/// Longer than a refresh takes; a wait that is shorter says nothing.
const QUIET: Duration = Duration::from_secs(2);
/// What a refresh takes at most: three requests to a gateway that does not answer.
const REFRESH: Duration = Duration::from_secs(60);
/// How much longer than it said a holder is waited for.
const SPARE: Duration = Duration::from_secs(5);
/// What ends a process.
const KILL: &str = if cfg!(windows) { "taskkill /F /PID" } else { "kill" };
/// Whatever a file says: nobody waits longer.
const LONGEST: Duration = Duration::from_mins(30);

impl Lock {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        file::lock_file(path).map(Self)
    }

    /// Takes it if nobody has it.
    pub(crate) fn try_take(self) -> Result<Result<Held, Self>, Failure> {
        match self.0.try_lock() {
            Ok(()) => {
                let held = Held(self.0);
                held.promise("renews the login", REFRESH)?;
                Ok(Ok(held))
            }
            Err(TryLockError::WouldBlock) => Ok(Err(self)),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Waits for it, as long as those who hold it may need. Where somebody sees it, says once whom it waits for.
    pub(crate) fn take(self) -> Result<Held, Failure> {
        self.take_within(LONGEST)
    }

    fn take_within(self, longest: Duration) -> Result<Held, Failure> {
        let (began, end) = (environment::now(), Deadline::after(longest));
        let mut quiet = environment::is_seen().then(|| Deadline::after(QUIET));
        let mut lock = self;
        loop {
            lock = match lock.try_take()? {
                Ok(held) => return Ok(held),
                Err(lock) => lock,
            };
            let holder = lock.holder();
            if end.is_over() || environment::now() > patience(holder.as_ref(), began) {
                let holder = named(holder.as_ref());
                return Err(Failure::LoginNeeded(format!(
                    "{holder} still logs in, longer than it may; end that process, and try again"
                )));
            }
            if quiet.is_some_and(Deadline::is_over) {
                quiet = None;
                eprint(&format!("waiting for {}", named(holder.as_ref())));
            }
            pause(LOOK);
        }
    }

    /// Who holds it. While somebody writes it down, nobody.
    pub(crate) fn holder(&mut self) -> Option<Holder> {
        let mut text = String::new();
        self.0.rewind().and_then(|()| self.0.read_to_string(&mut text)).ok()?;
        Holder::read(&text)
    }
}

impl Held {
    /// Tells those who wait what the lock is held for, and how long at most.
    pub(crate) fn promise(&self, what: &str, wait: Duration) -> Result<(), Failure> {
        let until = environment::now().saturating_add(wait).unwrap_or(Timestamp::MAX);
        let text = format!("{} {until} {what}", process::id());
        let mut file = &self.0;
        file.set_len(0)?;
        file.rewind()?;
        Ok(file.write_all(text.as_bytes())?)
    }
}

impl Holder {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, ' ');
        let (pid, until, what) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { pid: pid.parse().ok()?, until: until.parse().ok()?, what: what.to_owned() })
    }
}

impl Holder {
    /// What can be done about it.
    pub(crate) fn fix(&self) -> String {
        if file::is_alive(self.pid) {
            return format!("finish what it waits for, or end it: {KILL} {}", self.pid);
        }
        "no such process is seen here: is the folder shared with another machine, or a container?".to_owned()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = self.until.strftime("%H:%M:%S UTC");
        write!(out, "another kubectl-gatewarden (pid {}), which {}, until {until} at the latest", self.pid, self.what)
    }
}

fn named(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another kubectl-gatewarden".to_owned(), ToString::to_string)
}

/// When whoever waits since then gives up on this holder.
fn patience(holder: Option<&Holder>, began: Timestamp) -> Timestamp {
    let until = holder.map_or_else(|| began.saturating_add(REFRESH), |holder| Ok(holder.until));
    until.and_then(|until| until.saturating_add(SPARE)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_who_it_is_stands_there() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Lock::open(&folder.path().join("lock")).unwrap();
        let held = open().try_take().unwrap().unwrap();
        held.promise("waits for a code", Duration::ZERO).unwrap();
        let said = open().holder().unwrap().to_string();
        assert!(said.contains(&format!("pid {}), which waits for a code, until", process::id())), "{said}");
        drop(held);
        assert!(open().try_take().unwrap().is_ok(), "given back");
    }

    #[test]
    fn whoever_waits_gives_up_on_one_that_holds_it_longer_than_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Lock::open(&folder.path().join("lock")).unwrap();
        let held = open().try_take().unwrap().unwrap();
        let mut file = &held.0;
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        file.write_all(b"7 2020-01-01T00:00:00Z waits for a code").unwrap();
        let refused = open().take().unwrap_err();
        assert!(refused.to_string().contains("(pid 7)"), "{refused}");
        assert!(matches!(refused, Failure::LoginNeeded(_)));
    }

    #[test]
    fn whatever_the_file_says_the_wait_ends() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Lock::open(&folder.path().join("lock")).unwrap();
        let held = open().try_take().unwrap().unwrap();
        held.promise("waits for a code", Duration::from_hours(1_000_000)).unwrap();
        let refused = open().take_within(Duration::ZERO).unwrap_err();
        assert!(refused.to_string().contains("longer than it may"), "{refused}");
    }

    #[test]
    fn a_holder_that_is_there_is_told_apart_from_one_that_is_not() {
        let holder = |pid| Holder { pid, until: Timestamp::UNIX_EPOCH, what: "renews the login".to_owned() };
        assert!(holder(process::id()).fix().contains(&format!("kill {}", process::id())));
        let mut child = process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        for gone in [child.id(), 0, u32::MAX] {
            assert!(holder(gone).fix().contains("no such process"), "{gone}");
        }
    }

    #[test]
    fn a_login_is_waited_for_as_long_as_it_may_take() {
        let began: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let code = Holder::read("7 2026-01-01T00:10:20Z waits for a code").unwrap();
        assert_eq!(patience(Some(&code), began).to_string(), "2026-01-01T00:10:25Z");
        assert_eq!(patience(None, began).to_string(), "2026-01-01T00:01:05Z");
        for torn in ["", "7", "7 2026", "7 2026-01-01T00:10:20Z", "x 2026-01-01T00:10:20Z y"] {
            assert_eq!(Holder::read(torn), None, "{torn:?}");
        }
    }
}
