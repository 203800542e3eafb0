//! What a connection shares with the task that relays its bytes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use crate::guard::{GuardFault, Kind, Message};

/// What the replies to one question may cost in memory. The library queues without a bound, so we set it.
///
/// A page of 500 groups costs less than one; a person in 5,000 groups, about one.
const BUDGET: usize = 16 << 20;

/// The kind of reply that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    Nothing,
    Bind,
    Search,
}

/// The state of one connection, seen from both sides.
#[derive(Debug, Default)]
pub(super) struct Flow {
    awaited: AtomicU8,
    budget: AtomicUsize,
    fault: OnceLock<GuardFault>,
    closed: AtomicBool,
}

impl Flow {
    /// Says what reply is due from now on, with a full budget for it.
    pub(super) fn begin(&self, awaited: Awaited) {
        self.budget.store(BUDGET, Ordering::Relaxed);
        self.awaited.store(awaited as u8, Ordering::Release);
    }

    /// Whether a message may go on to the library.
    ///
    /// The library panics on a reply of another kind than its question, so those end here.
    pub(super) fn admit(&self, message: &Message) -> Result<(), GuardFault> {
        let awaited = self.awaited.load(Ordering::Acquire);
        let fits = match message.kind() {
            Kind::Bind => awaited == Awaited::Bind as u8,
            Kind::Entry | Kind::Done | Kind::Reference => awaited == Awaited::Search as u8,
            Kind::Extended(_) | Kind::Notice => false,
        };
        if !fits {
            return Err(GuardFault::Unasked);
        }
        let cost = message.cost();
        self.budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost))
            .map(|_| ())
            .map_err(|_| GuardFault::TooMuch)
    }

    pub(super) fn refuse(&self, fault: GuardFault) {
        // A second fault adds nothing: the connection ends with the first.
        let _ = self.fault.set(fault);
    }

    pub(super) fn fault(&self) -> Option<GuardFault> {
        self.fault.get().copied()
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}
