//! A client that sends what no library would: raw bytes for HTTP/1.1, single frames for HTTP/2.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::case::{Field, Protocol};
use crate::gateway::GUARD;
use crate::stimulus::Http2;

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// None where nothing came but an end.
    pub(crate) status: Option<u16>,
    /// Everything behind the head of the answer.
    pub(crate) body: Vec<u8>,
}

pub(crate) async fn connect(address: SocketAddr, ca_pem: &str, protocol: Protocol) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.alpn().to_vec()];
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::from(address.ip());
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
}

/// Sends bytes and reads until the connection ends; the first status line is the answer.
pub(crate) async fn http1(mut io: TlsStream<TcpStream>, bytes: &[u8]) -> Answer {
    // The gateway may close while we are still writing: then the answer, if any, is there to be read.
    let _ = io.write_all(bytes).await;
    let mut read = Vec::new();
    let reading = async {
        while !read.windows(4).any(|window| window == b"\r\n\r\n") {
            if io.read_buf(&mut read).await.unwrap_or(0) == 0 {
                break;
            }
        }
        // What follows on the connection has its time, too: a hidden second request would be answered here.
        let _ = io.shutdown().await;
        let _ = io.read_to_end(&mut read).await;
    };
    tokio::time::timeout(GUARD, reading).await.expect("the gateway answers or closes");
    let line = String::from_utf8_lossy(&read);
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    let end = read.windows(4).position(|window| window == b"\r\n\r\n").map_or(read.len(), |at| at + 4);
    Answer { status, body: read.split_off(end) }
}

/// Sends one request in HEADERS frames of literal fields and DATA frames, and reads its answer.
pub(crate) async fn http2(mut io: TlsStream<TcpStream>, request: &Http2) -> Answer {
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut out, SETTINGS, 0, 0, &[]);
    let mut left = request.data.len() + usize::from(!request.trailers.is_empty());
    let end = |left: usize| if left == 0 && !request.open { END_STREAM } else { 0 };
    headers(&mut out, &request.fields, end(left));
    for data in &request.data {
        left -= 1;
        frame(&mut out, DATA, end(left), 1, data);
    }
    if !request.trailers.is_empty() {
        headers(&mut out, &request.trailers, END_STREAM);
    }
    let _ = io.write_all(&out).await;
    tokio::time::timeout(GUARD, answer(&mut io)).await.expect("the gateway answers, resets or closes")
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn headers(out: &mut Vec<u8>, fields: &[Field], end: u8) {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0x10); // a literal that is never indexed, with a new name (RFC 7541 §6.2.3)
        string(&mut block, name.as_bytes());
        string(&mut block, value);
    }
    for (at, part) in block.chunks(16_000).enumerate() {
        let last = (at + 1) * 16_000 >= block.len();
        let flags = if last { END_HEADERS } else { 0 } | if at == 0 { end } else { 0 };
        frame(out, if at == 0 { HEADERS } else { CONTINUATION }, flags, 1, part);
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// A string without Huffman coding; its length in seven bits and more (RFC 7541 §5.1).
fn string(out: &mut Vec<u8>, text: &[u8]) {
    if text.len() < 127 {
        out.push(text.len() as u8);
    } else {
        out.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            out.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        out.push(rest as u8);
    }
    out.extend_from_slice(text);
}

/// Reads until the stream or the connection ends.
async fn answer(io: &mut TlsStream<TcpStream>) -> Answer {
    let mut answer = Answer::default();
    while let Some((kind, flags, payload)) = read_frame(io).await {
        match kind {
            HEADERS if answer.status.is_none() => {
                answer.status = Some(first_status(&payload)).filter(|status| *status >= 200);
            }
            DATA => answer.body.extend(payload),
            RST_STREAM => break,
            // A server that only says goodbye still answers what it has (RFC 9113 §6.8).
            GOAWAY if payload.get(4..8) != Some(&[0; 4]) => break,
            _ => {}
        }
        if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            break;
        }
    }
    answer
}

async fn read_frame(io: &mut TlsStream<TcpStream>) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    io.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let mut payload = vec![0; length];
    io.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[4], payload))
}

/// The status is the first field of an answer: an entry of the static table (RFC 7541 appendix A, 8 to 14), or a literal
/// with the name of entry 8.
fn first_status(block: &[u8]) -> u16 {
    let known = [200, 204, 206, 304, 400, 404, 500];
    match block {
        [first @ 0x88..=0x8e, ..] => known[usize::from(first - 0x88)],
        [0x48 | 0x08 | 0x18, length, rest @ ..] => {
            let text = &rest[..usize::from(length & 0x7f)];
            let digits = if length & 0x80 == 0 { text.to_vec() } else { huffman_digits(text) };
            String::from_utf8(digits).unwrap().parse().unwrap()
        }
        _ => panic!("an answer that does not begin with its status: {block:?}"),
    }
}

/// Decodes three digits (RFC 7541 appendix B): `0`, `1` and `2` have five bits, the others six.
fn huffman_digits(bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let (mut at, mut digits) = (0, Vec::new());
    let number = |bits: &[u8]| bits.iter().fold(0_u8, |number, bit| number << 1 | bit);
    while digits.len() < 3 {
        let five = number(&bits[at..at + 5]);
        if five < 3 {
            digits.push(b'0' + five);
            at += 5;
        } else {
            digits.push(b'3' + number(&bits[at..at + 6]) - 0b01_1001);
            at += 6;
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_each_of_its_forms() {
        assert_eq!(first_status(&[0x88]), 200);
        assert_eq!(first_status(&[0x8d]), 404);
        assert_eq!(first_status(&[0x48, 3, b'4', b'0', b'3']), 403);
        // RFC 7541 appendix C.6.1 and C.6.2: "302" and "307".
        assert_eq!(first_status(&[0x48, 0x82, 0x64, 0x02]), 302);
        assert_eq!(first_status(&[0x48, 0x83, 0x64, 0x0e, 0xff]), 307);
    }
}
