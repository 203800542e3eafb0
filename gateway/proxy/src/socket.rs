//! What every TCP connection of ours is told.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

/// Connections that may wait for the accept loop. The standard library's 128 is too few when all clients of a replica
/// that went away come at once.
const BACKLOG: i32 = 4096;

/// A silent peer is asked whether it is still there. HTTP/2 has pings of its own; a terminal in HTTP/1.1 has nothing
/// else that would find out, and would be held for ever.
const SILENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(15);

/// Binds a listener.
pub(crate) fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart finds its port although old connections are still winding down.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sets up a connection, whichever side made it.
pub(crate) fn set_up(stream: &TcpStream) -> io::Result<()> {
    // Nagle's algorithm would hold small frames, such as a watch event, back for up to 40 ms.
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE).with_interval(PAUSE))
}
