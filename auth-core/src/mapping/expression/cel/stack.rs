//! A stack for what recurses: the parser over its text, the evaluation over its tree.
//!
//! On the stack of whoever logs somebody in, a deep expression would end the process. How much a level needs is the
//! crate's affair and differs tenfold between builds, so there is a stack for the worst that the bounds let through.
//! A thread costs some 20 µs, at a login that is.

use std::thread;

/// `a.a.a…` nests two thousand deep in the parser before its depth can be judged, at 4 KiB for each without
/// optimisation; the evaluation nests less, but takes up to 50 KiB each. Memory is taken as it is used.
const STACK: usize = 32 << 20;

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Broken {
    /// The system gives no thread now.
    NoThread,
    /// The crate panicked.
    Panicked,
}

/// Runs it where neither its recursion nor a panic of the crate reaches the caller.
pub(super) fn of_its_own<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Broken> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("expression".to_owned()).stack_size(STACK).spawn_scoped(scope, work);
        thread.map_err(|_| Broken::NoThread)?.join().map_err(|_| Broken::Panicked)
    })
}
