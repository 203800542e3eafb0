//! The thread that accepts, and that runs what concerns all workers: certificates, clusters, their probes, and the end
//! of tokens.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::task::TaskTracker;

use super::doorman::Doorman;
use super::running::Shared;
use super::worker::{Arrival, Handle};
use crate::authenticate::keep_service_accounts;
use crate::executor::Executor;
use crate::upstream::Pool;

/// How often certificate files are compared.
const CERTIFICATES: Duration = Duration::from_secs(10);

/// How often streams of expired tokens are looked for.
const EXPIRY: Duration = Duration::from_secs(1);

/// How long to wait when the system gives no more connections (no file descriptors): at once would spin.
const OUT_OF_BREATH: Duration = Duration::from_millis(100);

/// Accepts until the gateway stops.
pub(super) async fn run(shared: Arc<Shared>, listener: TcpListener, workers: Vec<Handle>) {
    let executor = Executor::new(TaskTracker::new());
    let pool = Pool::new(Arc::clone(&shared.pool), executor, shared.drain.clone())
        .with_meters(Arc::clone(&shared.upstream_meters));
    let common = Arc::clone(&shared.common);
    let doorman = Doorman::new(shared.limits.clone());
    let pool = Arc::new(pool);
    tokio::join!(
        accept(&shared, listener, workers, doorman),
        renew_certificate(&shared),
        end_expired(&shared, shared.drain.begun()),
        common.clusters.keep(&common.snapshot, Arc::clone(&pool), shared.drain.clone()),
        keep_service_accounts(&common, &pool, &shared.drain),
    );
}

async fn accept(shared: &Shared, listener: TcpListener, workers: Vec<Handle>, doorman: Arc<Doorman>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.drain.begun() => return,
        };
        match accepted {
            Ok((stream, address)) => take_in(shared, &workers, &doorman, stream, address),
            Err(fault) if is_of_the_client(&fault) => {}
            Err(fault) => out_of_breath(&fault).await,
        }
    }
}

fn take_in(shared: &Shared, workers: &[Handle], doorman: &Arc<Doorman>, stream: TcpStream, address: SocketAddr) {
    let Some(place) = doorman.enter(address.ip()) else {
        shared.meters.refused.inc();
        return;
    };
    if let Ok(stream) = stream.into_std() {
        hand_over(shared, workers, Arrival { stream, address, place, connected: None });
    }
}

async fn out_of_breath(fault: &io::Error) {
    tracing::error!(fault = %fault, "no connection could be accepted");
    tokio::time::sleep(OUT_OF_BREATH).await;
}

fn hand_over(shared: &Shared, workers: &[Handle], arrival: Arrival) {
    if !is_taken(workers, arrival) {
        shared.meters.refused.inc();
        tracing::warn!("a connection was closed because no worker could take it");
    }
}

/// Gives a connection to the least busy worker; to another when that one does not keep up.
fn is_taken(workers: &[Handle], mut arrival: Arrival) -> bool {
    for worker in least_busy(workers).into_iter().chain(workers) {
        arrival.connected = Some(worker.load.connected());
        arrival = match worker.arrivals.try_send(arrival) {
            Ok(()) => return true,
            Err(TrySendError::Full(arrival) | TrySendError::Closed(arrival)) => arrival,
        };
    }
    false
}

/// One busy HTTP/2 client must not share its worker with the next by chance.
fn least_busy(workers: &[Handle]) -> Option<&Handle> {
    workers.iter().min_by_key(|worker| worker.load.score())
}

/// The client was gone before we had its connection.
fn is_of_the_client(fault: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(fault.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn renew_certificate(shared: &Shared) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(CERTIFICATES) => shared.reload_certificate(),
            () = shared.drain.begun() => return,
        }
    }
}

/// Ends what runs by tokens whose time is over, until something else is over. A drain goes on with it: streams may run
/// through all of it.
pub(super) async fn end_expired<T>(shared: &Shared, until: impl Future<Output = T>) {
    let mut until = std::pin::pin!(until);
    loop {
        tokio::select! {
            () = tokio::time::sleep(EXPIRY) => shared.common.sessions.end_expired(),
            _ = &mut until => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::super::limits::Limits;
    use super::super::worker::Load;
    use super::*;

    #[test]
    fn a_connection_goes_to_the_worker_with_the_least_to_do() {
        let worker = || Handle { arrivals: mpsc::channel(1).0, load: Arc::new(Load::default()) };
        let workers = [worker(), worker(), worker()];
        let chosen = || {
            let chosen = least_busy(&workers).unwrap();
            workers.iter().position(|worker| std::ptr::eq(worker, chosen)).unwrap()
        };
        let _on_first = workers[0].load.connected();
        assert_eq!(chosen(), 1);
        let on_second = workers[1].load.connected();
        assert_eq!(chosen(), 2);
        let _on_third = (workers[2].load.connected(), workers[2].load.connected());
        drop(on_second);
        assert_eq!(chosen(), 1);
    }

    #[test]
    fn a_crowd_that_comes_before_any_worker_looks_spreads_over_all() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let doorman = Doorman::new(Limits::default());
        let (workers, mut queues): (Vec<_>, Vec<_>) = (0..2)
            .map(|_| {
                let (arrivals, queue) = mpsc::channel(8);
                (Handle { arrivals, load: Arc::new(Load::default()) }, queue)
            })
            .unzip();
        for _ in 0..8 {
            let stream = std::net::TcpStream::connect(address).unwrap();
            let place = doorman.enter(address.ip()).unwrap();
            assert!(is_taken(&workers, Arrival { stream, address, place, connected: None }));
        }
        assert_eq!(queues.iter().map(mpsc::Receiver::len).collect::<Vec<_>>(), [4, 4]);
        while queues[0].try_recv().is_ok() {}
        assert_eq!(workers.iter().map(|worker| worker.load.score()).collect::<Vec<_>>(), [0, 4], "given back");
    }
}
