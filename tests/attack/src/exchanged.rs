//! Runs one exchange: asks, lets the cluster answer as told, and looks at what came back.

use std::time::Duration;

use http::HeaderMap;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::case::Protocol;
use crate::client;
use crate::cluster::Cluster;
use crate::exchange::{Ask, Exchange, Header, Told};
use crate::gateway::{GUARD, Gateway, TOKEN};
use crate::run::{ALICE, identity};
use crate::stimulus::PODS;

const EXEC: &str = "/k8s/clusters/one/api/v1/namespaces/dev/pods/p/exec?command=sh";

/// What a client saw.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    /// The body came to its end as its framing says.
    whole: bool,
}

pub(crate) async fn run(
    exchange: &Exchange,
    down: Protocol,
    gateway: &Gateway,
    cluster: &Cluster,
) -> Result<(), String> {
    cluster.take();
    cluster.tell(Some(exchange.answer));
    let io = client::connect(gateway.address, &gateway.ca_pem, down).await;
    let host = gateway.address.to_string();
    let asking = async {
        match (exchange.ask, down) {
            (Ask::Plain(method), Protocol::H2) => http2(io, method, &host).await,
            (Ask::Plain(method), Protocol::H1) => plain(io, method, &host).await,
            (Ask::Upgrade(method, lines, early), _) => {
                let tunnelled = matches!(exchange.told, Told::Tunnel(_)).then_some((cluster, early));
                upgrade(io, &head(method, EXEC, &host, lines), early, tunnelled).await
            }
        }
    };
    let answer = tokio::time::timeout(GUARD, asking).await.map_err(|_| "no end of the answer".to_owned());
    let carried = cluster.carried();
    cluster.tell(None);
    judge(exchange, &answer?, &carried)?;
    match cluster.take().as_slice() {
        [one] => identity(one, ALICE),
        several => Err(format!("{} requests reached the cluster, expected one", several.len())),
    }
}

fn judge(exchange: &Exchange, answer: &Answer, carried: &[u8]) -> Result<(), String> {
    let body = String::from_utf8_lossy(&answer.body);
    let told = format!("answered {} {:?} ({}whole)", answer.status, body, if answer.whole { "" } else { "not " });
    let as_expected = match exchange.told {
        Told::Whole(status, facts, text) => {
            facts.iter().try_for_each(|fact| header(&answer.headers, *fact))?;
            answer.status == status && body == text && answer.whole
        }
        Told::Refused(status) => {
            answer.status == status && body.contains("\"kind\":\"Status\"") && answer.headers.contains_key("audit-id")
        }
        Told::Cut(status) => (answer.status == status && !answer.whole) || answer.status == 502,
        Told::Tunnel(text) => answer.status == 101 && body == text,
    };
    let Ask::Upgrade(_, _, early) = exchange.ask else {
        return if as_expected { Ok(()) } else { Err(format!("{told}, expected {:?}", exchange.told)) };
    };
    let expected = if matches!(exchange.told, Told::Tunnel(_)) { early.as_bytes() } else { b"" };
    if carried != expected {
        return Err(format!("the tunnel carried {:?}", String::from_utf8_lossy(carried)));
    }
    if as_expected { Ok(()) } else { Err(format!("{told}, expected {:?}", exchange.told)) }
}

fn header(headers: &HeaderMap, fact: Header) -> Result<(), String> {
    let all = |name: &str| headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>();
    let holds = match fact {
        Header::Is(name, value) => all(name) == [value.as_bytes()],
        Header::Once(name) => all(name).len() == 1,
        Header::None(name) => all(name).is_empty(),
    };
    if holds { Ok(()) } else { Err(format!("not so in the answer: {fact:?}: {headers:?}")) }
}

fn head(method: &str, target: &str, host: &str, lines: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n{lines}\r\n")
}

async fn http2(io: TlsStream<TcpStream>, method: &str, host: &str) -> Answer {
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.handshake::<_, Empty<Bytes>>(TokioIo::new(io)).await.unwrap();
    let driving = tokio_util::task::TaskTracker::new().spawn(connection);
    let request = http::Request::builder().method(method).uri(format!("https://{host}{PODS}"));
    let request = request.header("authorization", format!("Bearer {TOKEN}")).body(Empty::new()).unwrap();
    let Ok(response) = sender.send_request(request).await else { return Answer::default() };
    let (head, mut body) = response.into_parts();
    let mut answer = Answer { status: head.status.as_u16(), headers: head.headers, whole: true, ..Answer::default() };
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            answer.whole = false;
            break;
        };
        answer.body.extend(frame.into_data().unwrap_or_default());
    }
    driving.abort();
    answer
}

async fn plain(mut io: TlsStream<TcpStream>, method: &str, host: &str) -> Answer {
    let _ = io.write_all(head(method, PODS, host, "Connection: close\r\n").as_bytes()).await;
    let mut read = Vec::new();
    let _ = io.read_to_end(&mut read).await;
    parse(&read, method)
}

/// Sends the head and at once what follows it. What a tunnel carries is awaited on both sides.
async fn upgrade(mut io: TlsStream<TcpStream>, head: &str, early: &str, tunnelled: Option<(&Cluster, &str)>) -> Answer {
    let _ = io.write_all(format!("{head}{early}").as_bytes()).await;
    let mut read = Vec::new();
    while !read.windows(4).any(|window| window == b"\r\n\r\n") {
        if io.read_buf(&mut read).await.unwrap_or(0) == 0 {
            return parse(&read, "GET");
        }
    }
    if let Some((cluster, early)) = tunnelled {
        while cluster.carried().len() < early.len() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    let _ = io.shutdown().await;
    let _ = io.read_to_end(&mut read).await;
    parse(&read, "GET")
}

/// Reads an HTTP/1.1 answer as its framing says.
fn parse(read: &[u8], method: &str) -> Answer {
    let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else { return Answer::default() };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status: u16 =
        lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).unwrap_or(0);
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        headers.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.trim().parse().unwrap());
    }
    let rest = &read[end + 4..];
    let length = headers.get("content-length").map(|value| value.to_str().unwrap().parse::<usize>().unwrap());
    let bodiless = method == "HEAD" || matches!(status, 101 | 204 | 304);
    let (body, whole) = match length {
        _ if bodiless => (rest.to_vec(), status == 101 || rest.is_empty()),
        _ if headers.contains_key("transfer-encoding") => dechunked(rest),
        Some(length) => (rest.to_vec(), rest.len() == length),
        None => (rest.to_vec(), true),
    };
    Answer { status, headers, body, whole }
}

/// The content of chunks, and whether the last one came.
fn dechunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(&String::from_utf8_lossy(&rest[..at]), 16).unwrap_or(0);
        rest = &rest[at + 2..];
        if size == 0 {
            return (body, rest == b"\r\n");
        }
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        rest = rest.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}
