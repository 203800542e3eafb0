//! From plain text to TLS on one socket (RFC 4511 §4.14), with nothing carried across.
//!
//! Whatever a server sends in plain text behind its consent could have been written by anybody on
//! the way. Kept in a buffer, it would later be read as if it had come through TLS.

use std::io;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::ber::{INTEGER, SEQUENCE, element};
use crate::failure::code;
use crate::guard::{Guard, GuardFault, Kind, Limits};

const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
const EXTENDED_REQUEST: u8 = 0x77;
const REQUEST_NAME: u8 = 0x80;

/// Why TLS was not started.
#[derive(Debug, Error)]
pub(crate) enum StartTlsFault {
    #[error("the connection broke during StartTLS")]
    Io(#[from] io::Error),
    #[error("the server closed the connection during StartTLS")]
    Closed,
    #[error("the server answered StartTLS with {0}")]
    Guard(#[from] GuardFault),
    #[error("the server refused StartTLS with result {0}; use ldaps if it offers that")]
    Refused(u32),
    #[error("the server answered something else than StartTLS")]
    OtherAnswer,
    #[error("the server sent plain text behind its answer to StartTLS")]
    PlainTextBehind,
}

/// Asks for TLS and reads exactly one answer. The caller starts the handshake on the same socket.
pub(super) async fn negotiate(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<(), StartTlsFault> {
    let request = element(EXTENDED_REQUEST, &element(REQUEST_NAME, START_TLS));
    let message = element(SEQUENCE, &[element(INTEGER, &[1]), request].concat());
    socket.write_all(&message).await?;
    socket.flush().await?;
    let mut guard = Guard::new(Limits { message_bytes: 4_096, ..Limits::default() });
    let mut buffer = [0; 1_024];
    loop {
        let read = socket.read(&mut buffer).await?;
        if read == 0 {
            return Err(StartTlsFault::Closed);
        }
        guard.push(buffer.get(..read).unwrap_or_default());
        let Some(answer) = guard.next()? else { continue };
        if guard.holds_bytes() {
            return Err(StartTlsFault::PlainTextBehind);
        }
        return match answer.kind() {
            Kind::Extended(code::SUCCESS) => Ok(()),
            Kind::Extended(code) => Err(StartTlsFault::Refused(code)),
            Kind::Bind | Kind::Entry | Kind::Done | Kind::Reference | Kind::Notice => Err(StartTlsFault::OtherAnswer),
        };
    }
}
