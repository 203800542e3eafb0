//! Password hashing off the caller's thread, bounded, and the same amount of it for everybody.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::{AuthError, BlockingError, Password, PasswordHash, Ports};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as PHC;

use crate::Cost;
use crate::password::{self, Verdict};

/// Runs one hash. A test counts through it; the gateway has [`Argon2id`] alone.
pub(crate) trait Runs: Send + Sync + Debug {
    fn verify(&self, password: &Password, hash: &PasswordHash, wanted: Cost) -> Verdict;
    fn hash(&self, password: &Password, cost: Cost) -> Option<PasswordHash>;
}

/// The real thing.
#[derive(Debug)]
pub(crate) struct Argon2id;

impl Runs for Argon2id {
    fn verify(&self, password: &Password, hash: &PasswordHash, wanted: Cost) -> Verdict {
        password::verify(password, hash, wanted)
    }

    fn hash(&self, password: &Password, cost: Cost) -> Option<PasswordHash> {
        password::run(password, cost).ok()
    }
}

/// The pool's front: how many may be inside, and what an unknown user is checked against.
#[derive(Debug)]
pub(crate) struct Hashing {
    ports: Ports,
    runs: Arc<dyn Runs>,
    cost: Cost,
    nobody: String,
    room: Arc<Room>,
}

impl Hashing {
    /// Makes the front. `None` when the machine has no randomness.
    pub(crate) fn new(ports: Ports, runs: Arc<dyn Runs>, cost: Cost, seats: usize) -> Option<Self> {
        let nobody = nobodys_hash(cost)?;
        Some(Self { ports, runs, cost, nobody, room: Arc::new(Room { taken: AtomicUsize::new(0), seats }) })
    }

    /// Checks a password against a stored hash, or against nobody's: one run either way.
    ///
    /// Hands the password back, because a weak hash is made anew from it.
    pub(crate) async fn check(
        &self,
        password: Password,
        stored: Option<&PasswordHash>,
    ) -> Result<(Verdict, Password), AuthError> {
        let seat = self.room.enter().ok_or(AuthError::Throttled { retry_after: FULL })?;
        let nobody = PasswordHash::new(&*self.nobody);
        let stored = stored.map(|hash| PasswordHash::new(hash.expose()));
        let (runs, wanted) = (Arc::clone(&self.runs), self.cost);
        self.blocking(move || {
            let _seat = seat;
            let verdict = runs.verify(&password, stored.as_ref().unwrap_or(&nobody), wanted);
            if verdict == Verdict::Unreadable {
                // That came at once, and an answer that comes at once would tell that the account exists.
                let _ = runs.verify(&password, &nobody, wanted);
            }
            (verdict, password)
        })
        .await
    }

    /// Hashes a password that was right a moment ago at today's cost.
    pub(crate) async fn renew(&self, password: Password) -> Result<Option<PasswordHash>, AuthError> {
        let seat = self.room.enter().ok_or(AuthError::Throttled { retry_after: FULL })?;
        let (runs, cost) = (Arc::clone(&self.runs), self.cost);
        self.blocking(move || {
            let _seat = seat;
            runs.hash(&password, cost)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, AuthError> {
        self.ports.blocking(job).await.map_err(|error| match error {
            BlockingError::Busy => AuthError::Throttled { retry_after: FULL },
            BlockingError::Lost => AuthError::unavailable(error),
        })
    }
}

const FULL: Duration = Duration::from_secs(1);

/// The stored form of a password that nobody has: random bytes where the hash would be.
///
/// Checking against it is one honest run of Argon2id, so an unknown login takes as long as a known one.
fn nobodys_hash(cost: Cost) -> Option<String> {
    let mut bytes = [0; 48];
    rand::fill(&mut bytes).ok()?;
    let (salt, output) = bytes.split_at_checked(16)?;
    let Cost { memory_kib, iterations, parallelism } = cost;
    Some(format!(
        "$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}${}${}",
        PHC.encode(salt),
        PHC.encode(output)
    ))
}

#[derive(Debug)]
struct Room {
    taken: AtomicUsize,
    seats: usize,
}

impl Room {
    fn enter(self: &Arc<Self>) -> Option<Seat> {
        let enter = |taken| (taken < self.seats).then_some(taken + 1);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, enter).ok()?;
        Some(Seat(Arc::clone(self)))
    }
}

/// One place inside. It is left when the run ends, not when the caller stops waiting: the work is still being done.
struct Seat(Arc<Room>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_hash_is_readable_and_fits_no_password() {
        let cost = Cost { memory_kib: 64, iterations: 1, parallelism: 1 };
        let hash = PasswordHash::new(nobodys_hash(cost).unwrap());
        assert_eq!(password::verify(&Password::new(""), &hash, cost), Verdict::Wrong);
        assert_eq!(password::verify(&Password::new("x"), &hash, cost), Verdict::Wrong);
    }

    #[test]
    fn a_full_room_lets_nobody_in_until_somebody_leaves() {
        let room = Arc::new(Room { taken: AtomicUsize::new(0), seats: 1 });
        let seat = room.enter().unwrap();
        assert!(room.enter().is_none());
        drop(seat);
        assert!(room.enter().is_some());
    }
}
