//! HTTP/1.1, as much as is needed: one request for each connection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::lies::{Answer, Endpoint};
use super::protocol::{Reply, World};

const REQUEST_MAX: usize = 4 << 20;
const HUGE: usize = 2 << 20;

/// What was asked.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) url: Url,
    pub(super) authorization: Option<String>,
    pub(super) form: Vec<(String, String)>,
}

/// Answers until it is dropped.
pub(super) async fn serve(listener: TcpListener, world: Arc<Mutex<World>>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let world = Arc::clone(&world);
        connections.spawn(async move {
            // Whoever hangs up has their reasons.
            let _ = converse(stream, &world).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(mut stream: TcpStream, world: &Mutex<World>) -> std::io::Result<()> {
    let reply = match asked(&mut stream).await? {
        Some(asked) => world.lock().unwrap_or_else(PoisonError::into_inner).reply(&asked),
        None => Reply::page(400, "no request"),
    };
    match reply {
        Reply::Down => Ok(()),
        Reply::Says { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            stream.write_all(format!("{head}\r\n{body}").as_bytes()).await?;
            stream.shutdown().await
        }
        Reply::Odd(odd) => misbehave(stream, odd).await,
    }
}

async fn misbehave(mut stream: TcpStream, odd: Answer) -> std::io::Result<()> {
    let begun = |length: &str| format!("HTTP/1.1 200 -\r\nContent-Type: application/json\r\n{length}\r\n{{");
    match odd {
        Answer::Says(..) | Answer::Redirect => Ok(()),
        Answer::Huge => {
            stream.write_all(begun(&format!("Content-Length: {}\r\n", HUGE + 1)).as_bytes()).await?;
            stream.write_all(&vec![b' '; HUGE]).await
        }
        Answer::Cut => stream.write_all(begun("Content-Length: 1000\r\n").as_bytes()).await,
        Answer::Silence => std::future::pending().await,
        Answer::Endless => {
            stream.write_all(begun("").as_bytes()).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Reads one request; `None` when it is none.
async fn asked(stream: &mut TcpStream) -> std::io::Result<Option<Asked>> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if let Some(whole) = whole(&bytes) {
            return Ok(read(whole));
        }
        let count = stream.read(&mut buffer).await?;
        if count == 0 || bytes.len() > REQUEST_MAX {
            return Ok(None);
        }
        bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
}

/// A head and a body.
type Message<'a> = (&'a str, &'a [u8]);

/// Both, when all of it is there.
fn whole(bytes: &[u8]) -> Option<Message<'_>> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = bytes.split_at(end);
    let head = std::str::from_utf8(head).ok()?;
    let length = header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    Some((head, body.get(4..4 + length)?))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let pairs = head.split("\r\n").filter_map(|line| line.split_once(':'));
    pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

fn read((head, body): Message<'_>) -> Option<Asked> {
    let mut words = head.split("\r\n").next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    Some(Asked {
        method,
        url: Url::parse("http://issuer").ok()?.join(target).ok()?,
        authorization: header(head, "authorization").map(str::to_owned),
        form: url::form_urlencoded::parse(body).into_owned().collect(),
    })
}

impl Asked {
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        Some(match self.url.path() {
            "/.well-known/openid-configuration" => Endpoint::Document,
            "/keys" => Endpoint::Keys,
            "/authorize" => Endpoint::Authorize,
            "/token" => Endpoint::Token,
            "/userinfo" => Endpoint::Userinfo,
            path if path.starts_with("/elsewhere") => Endpoint::Elsewhere,
            _ => return None,
        })
    }

    /// The query, where nothing comes twice.
    pub(super) fn query(&self) -> BTreeMap<String, String> {
        self.url.query_pairs().into_owned().collect()
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
