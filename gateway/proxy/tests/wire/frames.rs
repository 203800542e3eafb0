//! Limits that only single frames of HTTP/2 show. Each test lowers one and sees it kept; no other would act in its place.

use gatewarden_proxy::Body;
use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::client::{self, Client, Protocol};
use crate::ending::patient;
use crate::gateway::{GUARD, Gateway};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// `END_STREAM` and `END_HEADERS`: a request without a body, whole in one frame.
const WHOLE: u8 = 0x5;
const CANCEL: [u8; 4] = 8_u32.to_be_bytes();
const ENHANCE_YOUR_CALM: u32 = 0xb;
const SETTING_INITIAL_WINDOW: u16 = 4;
/// What HTTP/2 itself gives a connection before anybody says more.
const FIRST_WINDOW: u32 = 65_535;

/// `GET https://gw/`, as HPACK writes it.
const GET: &[u8] = b"\x82\x87\x84\x41\x02gw";
/// The same with the path behind an ordinary header, where it must not be.
const CROOKED: &[u8] = b"\x82\x87\x41\x02gw\x00\x01a\x01b\x84";

#[tokio::test(flavor = "multi_thread")]
async fn a_lowered_window_is_what_clients_are_told() {
    let mut settings = patient();
    settings.limits.stream_window = 20 * 1024;
    settings.limits.connection_window = 256 * 1024;
    let gateway = Gateway::start_with(Vec::new(), settings);
    let mut wire = Wire::connect(&gateway).await;
    let told = wire.until(SETTINGS).await;
    let window = told.payload.chunks_exact(6).find(|one| one[..2] == SETTING_INITIAL_WINDOW.to_be_bytes());
    assert_eq!(number(&window.expect("a window for streams")[2..]), 20 * 1024);
    let more = wire.until(WINDOW_UPDATE).await;
    assert_eq!((more.stream, number(&more.payload)), (0, 256 * 1024 - FIRST_WINDOW));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_answers_no_ping_is_hung_up_on_and_one_that_does_stays() {
    let mut settings = patient();
    settings.timeouts.ping_interval = std::time::Duration::from_millis(100);
    settings.timeouts.ping = std::time::Duration::from_secs(2);
    let gateway = Gateway::start_with(Vec::new(), settings);
    let mut answering = Client::connect(&gateway, Protocol::H2).await;
    let mut wire = Wire::connect(&gateway).await;
    wire.until(PING).await;
    wire.ended().await;
    let sent = answering.send(client::request(Method::GET, "/k8s/clusters/east/api", Body::empty())).await;
    assert!(sent.is_ok(), "older than the one that is gone: {sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_streams_reset_than_the_lowered_limit_end_the_connection() {
    let mut settings = patient();
    settings.limits.pending_resets = 3;
    let gateway = Gateway::start_with(Vec::new(), settings);
    let mut wire = Wire::connect(&gateway).await;
    let reset = |stream| [frame(HEADERS, WHOLE, stream, GET), frame(RST_STREAM, 0, stream, &CANCEL)].concat();
    wire.send(&(0..10).flat_map(|count| reset(2 * count + 1)).collect::<Vec<u8>>()).await;
    assert_eq!(wire.goodbye().await, ENHANCE_YOUR_CALM);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_faulty_streams_than_the_lowered_limit_end_the_connection() {
    let mut settings = patient();
    settings.limits.error_resets = 3;
    let gateway = Gateway::start_with(Vec::new(), settings);
    let mut wire = Wire::connect(&gateway).await;
    wire.send(&(0..10).flat_map(|count| frame(HEADERS, WHOLE, 2 * count + 1, CROOKED)).collect::<Vec<u8>>()).await;
    assert_eq!(wire.goodbye().await, ENHANCE_YOUR_CALM);
}

struct Frame {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A connection that has greeted, and says nothing by itself.
struct Wire(TlsStream<TcpStream>);

impl Wire {
    async fn connect(gateway: &Gateway) -> Self {
        let mut wire = Self(client::tls(gateway, Protocol::H2).await);
        wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        wire.send(&frame(SETTINGS, 0, 0, b"")).await;
        wire
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next frame; nothing when the other side hung up.
    async fn next(&mut self) -> Option<Frame> {
        let read = async {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let mut payload = vec![0; number(&[&[0], &head[..3]].concat()) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            Some(Frame { kind: head[3], stream: number(&head[5..]), payload })
        };
        tokio::time::timeout(GUARD, read).await.expect("neither a frame nor an end")
    }

    async fn until(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.expect("hung up");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    async fn ended(&mut self) {
        let all = async { while self.next().await.is_some() {} };
        tokio::time::timeout(GUARD, all).await.expect("never hung up");
    }

    /// Why the connection is ended, in the number of HTTP/2.
    async fn goodbye(&mut self) -> u32 {
        number(&self.until(GOAWAY).await.payload[4..8])
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}
