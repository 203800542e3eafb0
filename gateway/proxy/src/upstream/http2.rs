//! HTTP/2 connections to one endpoint, counted by streams.
//!
//! One connection carries few streams: an API server allows a hundred, and a hundred watches would starve everything
//! else. So there are several, and a new one is made when the old ones are nearly full. Requests fill the first one
//! first: fewer connections batch better, and the later ones fall idle and close.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::meters::Open;
use super::outgoing::Reading;
use super::settings::PoolSettings;
use crate::executor::Executor;

/// The connections that one kind of request shares.
#[derive(Debug, Default)]
pub(super) struct Lane {
    connections: Mutex<Vec<Http2>>,
    /// Held while a connection is made: a burst of requests waits for one, and does not dial one each.
    pub(super) dialing: tokio::sync::Mutex<()>,
    pub(super) growing: AtomicBool,
}

/// One connection.
#[derive(Debug)]
struct Http2 {
    sender: SendRequest<Reading>,
    meter: Arc<Meter>,
}

/// What is known of a connection by those who use it and by the task that runs it.
#[derive(Debug)]
struct Meter {
    in_flight: AtomicU32,
    capacity: AtomicU32,
    /// Whether it was used since the last sweep. A flag costs less per request than a clock.
    used: AtomicBool,
}

/// A place on a connection, given back when it is dropped. It is kept until the last byte of the answer.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) sender: SendRequest<Reading>,
    meter: Arc<Meter>,
}

/// How full a connection may be to be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Below four fifths: nobody waits, nothing grows.
    Ample,
    /// Any free stream.
    Any,
}

impl Lane {
    /// A place on the first connection with room.
    pub(super) fn take(&self, room: Room) -> Option<Seat> {
        let mut connections = self.lock();
        connections.retain(|connection| !connection.sender.is_closed());
        let connection = connections.iter().find(|connection| connection.meter.has(room))?;
        connection.meter.in_flight.fetch_add(1, Ordering::Relaxed);
        connection.meter.used.store(true, Ordering::Relaxed);
        Some(Seat { sender: connection.sender.clone(), meter: Arc::clone(&connection.meter) })
    }

    /// How many connections are open.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Speaks HTTP/2 on a fresh connection and takes it in.
    pub(super) async fn open(
        &self,
        io: TlsStream<TcpStream>,
        open: Open,
        settings: &PoolSettings,
        executor: &Executor,
    ) -> hyper::Result<()> {
        let (sender, connection) = builder(settings, executor).handshake(TokioIo::new(io)).await?;
        let meter = Arc::new(Meter {
            in_flight: AtomicU32::new(0),
            capacity: AtomicU32::new(settings.streams),
            used: AtomicBool::new(true),
        });
        let driven = drive(connection, Arc::clone(&meter), settings.streams);
        executor.spawn(async move {
            driven.await;
            drop(open);
        });
        self.lock().push(Http2 { sender, meter });
        Ok(())
    }

    /// Lets connections go that carried nothing since the last sweep. They close when their handle is gone.
    pub(super) fn sweep(&self) {
        self.lock().retain(|connection| !connection.sender.is_closed() && connection.meter.is_wanted());
    }

    // No code that can panic runs under this lock, so a poisoned one still holds good state.
    fn lock(&self) -> MutexGuard<'_, Vec<Http2>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meter {
    fn has(&self, room: Room) -> bool {
        let capacity = self.capacity.load(Ordering::Relaxed);
        let limit = match room {
            Room::Ample => capacity.saturating_mul(4).div_ceil(5),
            Room::Any => capacity,
        };
        self.in_flight.load(Ordering::Relaxed) < limit
    }

    fn is_wanted(&self) -> bool {
        let used = self.used.swap(false, Ordering::Relaxed);
        used || self.in_flight.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.meter.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn builder(settings: &PoolSettings, executor: &Executor) -> Builder<Executor> {
    let mut builder = Builder::new(executor.clone());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(settings.stream_window)
        .initial_connection_window_size(settings.connection_window())
        .max_header_list_size(settings.head_bytes)
        .max_send_buf_size(settings.send_buffer)
        .keep_alive_interval(settings.ping_interval)
        .keep_alive_timeout(settings.ping)
        .keep_alive_while_idle(true);
    builder
}

type Line = TokioIo<TlsStream<TcpStream>>;

/// Runs a connection to its end, and notes how many streams the server allows, which it may change at any time.
async fn drive(mut connection: Connection<Line, Reading, Executor>, meter: Arc<Meter>, ours: u32) {
    let ended = std::future::poll_fn(|cx| {
        let ended = Future::poll(Pin::new(&mut connection), cx);
        let theirs = u32::try_from(connection.current_max_send_streams()).unwrap_or(u32::MAX);
        meter.capacity.store(theirs.min(ours), Ordering::Relaxed);
        ended
    })
    .await;
    if let Err(fault) = ended {
        tracing::debug!(fault = %fault, "an upstream connection ended");
    }
}
