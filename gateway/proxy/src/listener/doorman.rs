//! Who may hold a connection: counts in all and by source, checked before anything is read.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::limits::Limits;

/// Counts connections and handshakes. Touched when a connection begins and ends, never by a request.
#[derive(Debug)]
pub(super) struct Doorman {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    handshakes: usize,
    sources: HashMap<IpAddr, Source>,
}

#[derive(Debug, Default)]
struct Source {
    connections: usize,
    handshakes: usize,
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    doorman: Arc<Doorman>,
    source: IpAddr,
    shaking: bool,
}

impl Doorman {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, counts: Mutex::default() })
    }

    /// A place for a connection whose handshake is still to come; `None` when it has to be closed.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let source = network(address);
        let mut counts = self.lock();
        if counts.connections >= self.limits.connections || counts.handshakes >= self.limits.handshakes {
            return None;
        }
        let from = counts.sources.entry(source).or_default();
        let refused = from.connections >= self.limits.connections_per_source
            || from.handshakes >= self.limits.handshakes_per_source;
        if refused {
            return None;
        }
        from.connections += 1;
        from.handshakes += 1;
        counts.connections += 1;
        counts.handshakes += 1;
        Some(Place { doorman: Arc::clone(self), source, shaking: true })
    }

    // No code that can panic runs under this lock, so a poisoned one still holds good state.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The handshake is over: it counts as a connection only.
    pub(super) fn shook_hands(&mut self) {
        if std::mem::take(&mut self.shaking) {
            let mut counts = self.doorman.lock();
            counts.handshakes = counts.handshakes.saturating_sub(1);
            if let Some(from) = counts.sources.get_mut(&self.source) {
                from.handshakes = from.handshakes.saturating_sub(1);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shook_hands();
        let mut counts = self.doorman.lock();
        counts.connections = counts.connections.saturating_sub(1);
        if let Some(from) = counts.sources.get_mut(&self.source) {
            from.connections = from.connections.saturating_sub(1);
            if from.connections == 0 {
                counts.sources.remove(&self.source);
            }
        }
    }
}

/// One host may use a whole IPv6 network of 64 bits, so that is one source.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doorman(connections: usize, per_source: usize, handshakes: usize) -> Arc<Doorman> {
        Doorman::new(Limits {
            connections,
            connections_per_source: per_source,
            handshakes,
            handshakes_per_source: handshakes,
            ..Limits::default()
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_cannot_take_the_places_of_others() {
        let doorman = doorman(10, 2, 10);
        let held = [doorman.enter(ip("192.0.2.1")), doorman.enter(ip("192.0.2.1"))];
        assert!(held.iter().all(Option::is_some));
        assert!(doorman.enter(ip("192.0.2.1")).is_none());
        assert!(doorman.enter(ip("::ffff:192.0.2.1")).is_none(), "the same address, written in IPv6");
        assert!(doorman.enter(ip("192.0.2.2")).is_some());
    }

    #[test]
    fn one_ipv6_network_is_one_source() {
        let doorman = doorman(10, 1, 10);
        let _held = doorman.enter(ip("2001:db8::1"));
        assert!(doorman.enter(ip("2001:db8::2")).is_none());
        assert!(doorman.enter(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn a_finished_handshake_makes_room_for_another_and_nothing_is_left_behind() {
        let doorman = doorman(10, 10, 1);
        let mut first = doorman.enter(ip("192.0.2.1")).unwrap();
        assert!(doorman.enter(ip("192.0.2.2")).is_none());
        first.shook_hands();
        let second = doorman.enter(ip("192.0.2.2")).unwrap();
        drop((first, second));
        let counts = doorman.lock();
        assert_eq!((counts.connections, counts.handshakes, counts.sources.len()), (0, 0, 0));
    }
}
