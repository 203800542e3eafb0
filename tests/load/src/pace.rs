//! Load in an open loop: so many times a second, whether or not the last one is over, as people come who do not know of
//! one another.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// How often something is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// So many times a minute, by all workers together.
    pub(crate) per_minute: u32,
    /// For how long.
    pub(crate) lasts: Duration,
}

/// How long each turn took, from when it was due to its end: who comes while another is late waits, and that counts.
#[derive(Debug, Default)]
pub(crate) struct Kept(Vec<Duration>);

impl Pace {
    /// Has the workers take turns, each in a thread of its own. A turn that is not due before the time is over is not
    /// taken, and neither is one whose worker was late for that long.
    ///
    /// # Errors
    /// When a turn fails.
    pub(crate) fn keep<W: FnMut() -> Result<()> + Send>(self, workers: &mut [W]) -> Result<Kept> {
        let (begun, of) = (Instant::now(), workers.len());
        let kept = thread::scope(|scope| {
            let threads: Vec<_> = (workers.iter_mut().enumerate())
                .map(|(worker, turn)| scope.spawn(move || take(self.turns(worker, of), begun, self.lasts, turn)))
                .collect();
            let ended = threads.into_iter().map(|one| one.join().unwrap_or_else(|_| Err(anyhow!("panicked"))));
            ended.collect::<Result<Vec<_>>>()
        })?;
        Ok(Kept(kept.concat()))
    }

    /// When the turns of one worker are due.
    fn turns(self, worker: usize, of: usize) -> impl Iterator<Item = Duration> {
        let apart = Duration::from_mins(1).div_f64(f64::from(self.per_minute));
        let due = (worker..).step_by(of).map(move |turn| apart.mul_f64(turn as f64));
        due.take_while(move |due| *due < self.lasts)
    }
}

fn take(
    turns: impl Iterator<Item = Duration>,
    begun: Instant,
    lasts: Duration,
    turn: &mut impl FnMut() -> Result<()>,
) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    for due in turns {
        thread::sleep(due.saturating_sub(begun.elapsed()));
        if begun.elapsed() >= lasts {
            break;
        }
        turn()?;
        took.push(begun.elapsed().saturating_sub(due));
    }
    Ok(took)
}

impl Kept {
    /// Turns that took so long.
    pub(crate) fn of(times: impl Iterator<Item = Duration>) -> Self {
        Self(times.collect())
    }

    /// So many turns of a hundred took no longer than this.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }

    /// How many were taken.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_take_turns_until_the_time_is_over() {
        let pace = Pace { per_minute: 240, lasts: Duration::from_secs(1) };
        let of = |worker| pace.turns(worker, 2).map(|due| due.as_millis()).collect::<Vec<_>>();
        assert_eq!((of(0), of(1)), (vec![0, 500], vec![250, 750]));
    }

    #[test]
    fn a_turn_that_fails_is_no_result() {
        let pace = Pace { per_minute: 60_000, lasts: Duration::from_millis(3) };
        let mut calls = 0;
        assert!(pace.keep(&mut [|| Err(anyhow!("refused"))]).is_err());
        let kept = pace.keep(&mut [|| {
            calls += 1;
            Ok(())
        }]);
        assert_eq!(kept.unwrap().count(), calls);
    }

    #[test]
    fn a_percentile_is_the_least_that_covers_so_many() {
        let kept = |times: &[u64]| Kept::of(times.iter().map(|time| Duration::from_secs(*time)));
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(kept(&hundred).percentile(99).as_secs(), 99);
        assert_eq!(kept(&hundred).percentile(50).as_secs(), 50);
        assert_eq!(kept(&[4, 2, 3]).percentile(50).as_secs(), 3);
        assert_eq!(kept(&[]).percentile(99).as_secs(), 0);
    }
}
