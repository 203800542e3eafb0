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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn a_cut_ends_what_runs_and_lets_nothing_through_until_it_is_mended() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay::start(server.local_addr().unwrap()).unwrap();
        let call = || {
            let mut client = TcpStream::connect(relay.addr()).unwrap();
            // A cut wire may have reset the connection already.
            let _ = client.write_all(b"?");
            client
        };
        let answered = |mut client: TcpStream| {
            let (mut stream, _) = server.accept().unwrap();
            stream.write_all(b"!").unwrap();
            let mut answer = [0];
            client.read_exact(&mut answer).map(|()| (client, stream))
        };
        let (mut client, _stream) = answered(call()).unwrap();
        relay.cut();
        assert!(!matches!(client.read(&mut [0]), Ok(1..)), "a running connection lives on");
        assert!(!matches!(call().read(&mut [0]), Ok(1..)), "a new one gets through");
        relay.mend();
        answered(call()).unwrap();
    }
}
