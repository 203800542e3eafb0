//! A server that does what a test tells it to, for what no real one does on request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const BIND: u8 = 0x60;
pub(crate) const SEARCH: u8 = 0x63;
pub(crate) const EXTENDED: u8 = 0x77;

/// What the client said: its number for it, what it is, and its bytes.
pub(crate) struct Request {
    pub(crate) id: u16,
    pub(crate) operation: u8,
    pub(crate) bytes: Vec<u8>,
}

impl Request {
    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// What the server does then.
pub(crate) enum Answer {
    Send(Vec<u8>),
    /// Sends the same again and again, for as long as anybody reads.
    Flood(Vec<u8>),
    Silence,
    Close,
}

/// A listener on a free port.
pub(crate) struct Fake {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Fake {
    pub(crate) async fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fake = Self { port, connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (Arc::clone(&fake.connections), Arc::clone(&fake.requests));
        let answer = Arc::new(answer);
        spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (answer, requests) = (Arc::clone(&answer), Arc::clone(&requests));
                spawn(async move {
                    let _ = serve(socket, &*answer, &requests).await;
                });
            }
        });
        fake
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How often the client said anything, an LDAP message or not.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's runtime ends with the test")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

async fn serve(
    mut socket: TcpStream,
    answer: &impl Fn(&Request) -> Answer,
    requests: &AtomicUsize,
) -> std::io::Result<()> {
    loop {
        let mut header = [0; 2];
        socket.read_exact(&mut header).await?;
        requests.fetch_add(1, Ordering::SeqCst);
        let request = read(&mut socket, header).await?;
        match answer(&request) {
            Answer::Send(bytes) => socket.write_all(&bytes).await?,
            Answer::Flood(bytes) => loop {
                socket.write_all(&bytes).await?;
            },
            Answer::Silence => {}
            Answer::Close => return Ok(()),
        }
    }
}

async fn read(socket: &mut TcpStream, header: [u8; 2]) -> std::io::Result<Request> {
    let length = match header[1] {
        short if short < 0x80 => usize::from(short),
        long => {
            let mut octets = vec![0; usize::from(long & 0x7f)];
            socket.read_exact(&mut octets).await?;
            octets.iter().fold(0, |length, octet| (length << 8) | usize::from(*octet))
        }
    };
    let mut bytes = vec![0; length];
    socket.read_exact(&mut bytes).await?;
    let operation = 2 + usize::from(bytes[1]);
    let id = bytes[2..operation].iter().fold(0, |id, octet| (id << 8) | u16::from(*octet));
    Ok(Request { id, operation: bytes[operation], bytes })
}

pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &length, &content].concat()
}

pub(crate) fn message(id: u16, operation: &[u8]) -> Vec<u8> {
    element(0x30, &[&number(id), operation])
}

pub(crate) fn number(value: u16) -> Vec<u8> {
    element(2, &[&value.to_be_bytes()])
}

/// A result with this tag: `0x61` bind, `0x65` end of search, `0x78` extended.
pub(crate) fn result(tag: u8, code: u8) -> Vec<u8> {
    element(tag, &[&[0x0a, 1, code], &[4, 0], &[4, 0]])
}

pub(crate) fn entry(dn: &str, attributes: &[(&str, &str)]) -> Vec<u8> {
    let list: Vec<u8> = attributes
        .iter()
        .flat_map(|(name, value)| {
            let values = element(0x31, &[&element(4, &[value.as_bytes()])]);
            element(0x30, &[&element(4, &[name.as_bytes()]), &values])
        })
        .collect();
    element(0x64, &[&element(4, &[dn.as_bytes()]), &element(0x30, &[&list])])
}

/// A directory with one person, `alice`, in which everything succeeds, but for what `other` says.
pub(crate) fn obliging(other: impl Fn(&Request) -> Option<Answer>) -> impl Fn(&Request) -> Answer {
    move |request| {
        other(request).unwrap_or_else(|| match request.operation {
            BIND => Answer::Send(message(request.id, &result(0x61, 0))),
            SEARCH if request.mentions("ou=people") && !request.mentions("groupOfNames") => {
                Answer::Send([message(request.id, &alice()), message(request.id, &result(0x65, 0))].concat())
            }
            SEARCH => Answer::Send(message(request.id, &result(0x65, 0))),
            _ => Answer::Close,
        })
    }
}

pub(crate) fn alice() -> Vec<u8> {
    entry("uid=alice,ou=people", &[("entryUUID", "a-1"), ("uid", "alice"), ("cn", "Alice")])
}

pub(crate) fn group(number: usize) -> Vec<u8> {
    let (dn, id) = (format!("cn=g{number},ou=groups"), format!("g-{number}"));
    entry(&dn, &[("entryUUID", &id), ("cn", &format!("g{number}"))])
}
