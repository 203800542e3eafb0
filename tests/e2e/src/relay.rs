//! A wire that can be cut: stands between the gateway and a server, and makes the server unreachable for one test
//! while all others go on using it.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

/// Forwards TCP connections to a server until it is cut.
#[derive(Debug)]
pub struct Relay {
    addr: SocketAddr,
    wire: Arc<Wire>,
}

#[derive(Debug)]
struct Wire {
    target: SocketAddr,
    cut: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// Listens on a free port of the loopback address.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let wire = Arc::new(Wire { target, cut: AtomicBool::new(false), open: Mutex::default() });
        let taker = Arc::clone(&wire);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A wire that is cut takes the call and drops it: the same reset as a server that died.
                if !taker.cut.load(Ordering::SeqCst) {
                    let _ = taker.forward(client);
                }
            }
        });
        Ok(Self { addr, wire })
    }

    /// Where clients must connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends every connection and takes no more.
    pub fn cut(&self) {
        self.wire.cut.store(true, Ordering::SeqCst);
        for stream in self.wire.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.wire.cut.store(false, Ordering::SeqCst);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.cut();
    }
}

impl Wire {
    fn forward(&self, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(self.target)?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
            self.open.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone()?);
        }
        pump(client.try_clone()?, server.try_clone()?);
        pump(server, client);
        Ok(())
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        // Either end may go at any time; the other one is told and that is all.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
