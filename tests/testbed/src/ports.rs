//! Free ports on loopback.
//!
//! They lie below the range from which the kernel serves outgoing connections; otherwise a client
//! could take a port between our look and the server's start. Each process begins somewhere else.

use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

/// How many ports one cluster may count from its base.
pub const BLOCK: u16 = 10;

static SINGLES: Range = Range { first: 12_000, step: 1, count: 8_000, next: AtomicU32::new(0) };
static BLOCKS: Range = Range { first: 20_000, step: BLOCK, count: 1_000, next: AtomicU32::new(0) };

/// One port that nobody listens on.
///
/// # Errors
/// When the whole range is taken.
pub fn free() -> Result<u16> {
    SINGLES.take()
}

/// The first of [`BLOCK`] ports that nobody listens on, a multiple of [`BLOCK`].
///
/// # Errors
/// When the whole range is taken.
pub fn block() -> Result<u16> {
    BLOCKS.take()
}

struct Range {
    first: u16,
    step: u16,
    count: u32,
    next: AtomicU32,
}

impl Range {
    fn take(&self) -> Result<u16> {
        let offset = process::id().wrapping_mul(37);
        (0..self.count)
            .map(|_| self.next.fetch_add(1, Ordering::Relaxed).wrapping_add(offset) % self.count)
            .filter_map(|index| Some(self.first + u16::try_from(index).ok()? * self.step))
            .find(|&port| (port..port + self.step).all(is_free))
            .with_context(|| format!("no free port from {} up", self.first))
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_handed_out() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!is_free(taken.local_addr().unwrap().port()));
    }

    #[test]
    fn blocks_do_not_overlap() {
        let (one, two) = (block().unwrap(), block().unwrap());
        assert!(one.abs_diff(two) >= BLOCK, "{one} and {two}");
        assert_eq!((one % BLOCK, two % BLOCK), (0, 0));
    }
}
