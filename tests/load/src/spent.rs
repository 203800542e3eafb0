//! What processes have spent and hold, as the kernel counts it.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// A process and all its descendants.
#[derive(Debug, Clone)]
pub(crate) struct Group(pub(crate) u32);

impl Group {
    /// User and system time of the group's threads so far, from `/proc/<pid>/stat`, in clock ticks' resolution.
    ///
    /// # Errors
    /// When the leader is gone.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let mut ticks = 0;
        for pid in self.members()? {
            // A worker may end between the look and this.
            let Some(fields) = stat(pid) else { continue };
            ticks += fields.user + fields.system;
        }
        let per_second = rustix::param::clock_ticks_per_second();
        Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
    }

    /// Proportional set size in bytes, from `/proc/<pid>/smaps_rollup`: what the group would free if it ended.
    ///
    /// # Errors
    /// When the leader is gone.
    pub(crate) fn memory(&self) -> Result<u64> {
        let mut bytes = 0;
        for pid in self.members()? {
            let Ok(text) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { continue };
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss line")?;
            let kib: u64 = line.split_whitespace().next().context("no size")?.parse()?;
            bytes += kib * 1024;
        }
        Ok(bytes)
    }

    fn members(&self) -> Result<BTreeSet<u32>> {
        stat(self.0).with_context(|| format!("process {} is gone", self.0))?;
        let mut members = BTreeSet::from([self.0]);
        let all: Vec<(u32, u32)> = fs::read_dir("/proc")?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|pid| Some((pid, stat(pid)?.parent)))
            .collect();
        loop {
            let more: Vec<u32> = all
                .iter()
                .filter(|(pid, parent)| members.contains(parent) && !members.contains(pid))
                .map(|(pid, _)| *pid)
                .collect();
            if more.is_empty() {
                return Ok(members);
            }
            members.extend(more);
        }
    }
}

/// Processor time of the thread that asks, from `/proc/thread-self/schedstat`, in nanoseconds.
///
/// # Errors
/// When the kernel does not tell.
pub(crate) fn by_thread() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().context("no time")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

struct Stat {
    parent: u32,
    user: u64,
    system: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Fields are counted behind the last `)`: a program's name may hold spaces and parentheses.
fn parse(text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat { parent: u32::try_from(number(1)?).ok()?, user: number(11)?, system: number(12)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_parent_are_found_behind_an_odd_name() {
        let stat = parse("7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 31 41 0 0 20 0 1 0 4242 100 5 0").unwrap();
        assert_eq!((stat.parent, stat.user, stat.system), (1, 31, 41));
    }

    #[test]
    fn this_process_has_memory_and_time() {
        let group = Group(std::process::id());
        assert!(group.memory().unwrap() > 0);
        assert!(group.cpu().is_ok());
        assert!(by_thread().unwrap() > Duration::ZERO);
    }
}
