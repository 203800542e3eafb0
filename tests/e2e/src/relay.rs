//! A wire that can be broken in the ways in which servers break: stands between the gateway and a server, and spoils the
//! server for one test while all others go on using it.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

/// What a wire does instead of carrying everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Takes the call and drops it: the same reset as from a server that died.
    Cut,
    /// Takes the call, and every byte, and never answers: a server that hangs.
    Silent,
    /// Answers every call with bytes that mean nothing in any protocol.
    Rubbish,
    /// Ends every connection once the server has sent so many bytes: a server that dies in the middle of an answer.
    EndsAfter(usize),
}

/// Forwards TCP connections to a server until it is broken.
#[derive(Debug)]
pub struct Relay {
    addr: SocketAddr,
    wire: Arc<Wire>,
}

#[derive(Debug)]
struct Wire {
    target: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    fault: Option<Fault>,
    open: Vec<TcpStream>,
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
        let wire = Arc::new(Wire { target, state: Mutex::default() });
        let taker = Arc::clone(&wire);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Either end may be gone before it is forwarded.
                let _ = taker.take(client);
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
        self.suffer(Fault::Cut);
    }

    /// Breaks in this way from now on. What runs is ended, except that silence comes over it where it is.
    pub fn suffer(&self, fault: Fault) {
        self.wire.change(Some(fault), fault != Fault::Silent);
    }

    /// Carries everything again, on new connections.
    pub fn mend(&self) {
        self.wire.change(None, true);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.cut();
    }
}

impl Wire {
    fn change(&self, fault: Option<Fault>, end_all: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.fault = fault;
        if end_all {
            for stream in state.open.drain(..) {
                // It may have ended by itself.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    fn fault(&self) -> Option<Fault> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fault
    }

    fn keep(&self, stream: &TcpStream) -> io::Result<()> {
        let stream = stream.try_clone()?;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).open.push(stream);
        Ok(())
    }

    fn take(self: &Arc<Self>, mut client: TcpStream) -> io::Result<()> {
        match self.fault() {
            Some(Fault::Cut) => Ok(()),
            Some(Fault::Rubbish) => client.write_all(&[0x5a; 512]),
            Some(Fault::Silent) => self.keep(&client),
            Some(Fault::EndsAfter(most)) => self.forward(client, most),
            None => self.forward(client, usize::MAX),
        }
    }

    fn forward(self: &Arc<Self>, client: TcpStream, most: usize) -> io::Result<()> {
        let server = TcpStream::connect(self.target)?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
            self.keep(stream)?;
        }
        self.pump(client.try_clone()?, server.try_clone()?, usize::MAX);
        self.pump(server, client, most);
        Ok(())
    }

    fn pump(self: &Arc<Self>, mut from: TcpStream, mut to: TcpStream, most: usize) {
        let wire = Arc::clone(self);
        std::thread::spawn(move || {
            // Either end may go at any time; the other one is told and that is all.
            if let Ok(true) = wire.carry(&mut from, &mut to, most) {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
            }
            let _ = to.shutdown(Shutdown::Write);
        });
    }

    /// Whether it ended because `most` bytes were carried.
    fn carry(&self, from: &mut TcpStream, to: &mut TcpStream, most: usize) -> io::Result<bool> {
        let mut left = most;
        let mut chunk = [0; 16 * 1024];
        loop {
            let read = from.read(&mut chunk)?;
            let bytes = chunk.get(..read.min(left)).unwrap_or_default();
            if self.fault() != Some(Fault::Silent) {
                to.write_all(bytes)?;
            }
            left -= bytes.len();
            if read == 0 || left == 0 {
                return Ok(left == 0);
            }
        }
    }
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

    #[test]
    fn each_fault_is_what_it_says() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay::start(server.local_addr().unwrap()).unwrap();
        let call = || TcpStream::connect(relay.addr()).unwrap();
        let mut running = call();
        let (mut far, _) = server.accept().unwrap();
        relay.suffer(Fault::Silent);
        far.write_all(b"answer").unwrap();
        let mut new = call();
        for client in [&mut running, &mut new] {
            client.write_all(b"?").unwrap();
            client.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
            let waiting = client.read(&mut [0]).unwrap_err();
            assert!(matches!(waiting.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{waiting}");
        }
        relay.suffer(Fault::Rubbish);
        let mut rubbish = Vec::new();
        call().read_to_end(&mut rubbish).unwrap();
        assert!(rubbish.len() == 512, "{}", rubbish.len());
        relay.suffer(Fault::EndsAfter(3));
        let mut cut = call();
        let (mut far, _) = server.accept().unwrap();
        far.write_all(b"answer").unwrap();
        let mut answer = Vec::new();
        cut.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"ans");
    }
}
