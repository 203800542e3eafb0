//! A record that outlives the answer: a tunnel runs on after its 101.

use std::sync::{Arc, Mutex, PoisonError};

use crate::audit::Record;

/// Kept by a tunnel to its end, which closes the record of the request that opened it.
#[derive(Debug)]
pub(crate) struct Hold(pub(super) Option<Arc<Tunnel>>);

/// Where a record waits for its tunnel to end.
#[derive(Debug, Default)]
pub(super) struct Tunnel(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    record: Option<Record>,
    over: bool,
}

impl Tunnel {
    /// Takes the record in, unless the tunnel is over already; then it closes here.
    pub(super) fn keep(&self, record: Record) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.over {
            state.record = Some(record);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(tunnel) = &self.0 else { return };
        let record = {
            let mut state = tunnel.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.over = true;
            state.record.take()
        };
        drop(record);
    }
}
