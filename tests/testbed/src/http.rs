//! The smallest HTTP/1.1 client: one request, one connection, everything read to the end.
//!
//! Tests ask a gateway things that no well-behaved client would send, so nothing is added, checked or
//! normalized here beyond what a message needs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(30);

/// An HTTPS client that trusts one CA.
#[derive(Debug, Clone)]
pub struct Client {
    tls: Arc<ClientConfig>,
    headers: Vec<(String, String)>,
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
}

/// Asks a plain-HTTP address.
///
/// # Errors
/// When nobody answers there.
pub fn get(url: &str) -> Result<Response> {
    let url = Url::parse(url)?;
    exchange(connect(&url)?, &render(&url, "GET", &[], None))
}

/// Any request to a plain-HTTP address, with a JSON body or without.
///
/// # Errors
/// When nobody answers there.
pub fn send(method: &str, url: &str, body: Option<&Value>) -> Result<Response> {
    let url = Url::parse(url)?;
    exchange(connect(&url)?, &render(&url, method, &[], body.map(Value::to_string).as_deref()))
}

impl Client {
    /// Trusts the CA in a PEM file and nobody else.
    ///
    /// # Errors
    /// When the file holds no certificate.
    pub fn trusting(ca_file: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca_file)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = Arc::new(tls.with_root_certificates(roots).with_no_client_auth());
        Ok(Self { tls, headers: Vec::new() })
    }

    /// Sends a header with every request.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Presents a bearer token with every request.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        self.with_header("Authorization", &format!("Bearer {token}"))
    }

    /// One GET.
    ///
    /// # Errors
    /// When there is no connection or no answer.
    pub fn get(&self, url: &str) -> Result<Response> {
        self.send("GET", url, None)
    }

    /// One POST of JSON.
    ///
    /// # Errors
    /// When there is no connection or no answer.
    pub fn post(&self, url: &str, body: &Value) -> Result<Response> {
        self.send("POST", url, Some(&body.to_string()))
    }

    /// One request of any method; a body is sent as JSON.
    ///
    /// # Errors
    /// When there is no connection or no answer.
    pub fn send(&self, method: &str, url: &str, body: Option<&str>) -> Result<Response> {
        let url = Url::parse(url)?;
        let name = ServerName::try_from(host(&url)?.to_owned())?;
        let connection = ClientConnection::new(self.tls.clone(), name)?;
        let stream = StreamOwned::new(connection, connect(&url)?);
        exchange(stream, &render(&url, method, &self.headers, body))
    }

    /// One POST of a form.
    ///
    /// # Errors
    /// When there is no connection or no answer.
    pub fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Result<Response> {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.clone().with_header("Content-Type", "application/x-www-form-urlencoded").send("POST", url, Some(&form))
    }
}

impl Response {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("status {}, body {:?}", self.status, self.body))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let split = bytes.windows(4).position(|window| window == b"\r\n\r\n").context("no end of the header block")?;
        let (head, body) = bytes.split_at(split);
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status line")?.parse()?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let body = body.get(4..).unwrap_or_default();
        let mut response = Self { status, headers, body: String::new() };
        let chunked = response.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
        let body = if chunked { join_chunks(body)? } else { body.to_vec() };
        response.body = String::from_utf8_lossy(&body).into_owned();
        Ok(response)
    }
}

fn host(url: &Url) -> Result<&str> {
    url.host_str().with_context(|| format!("{url} names no host"))
}

fn connect(url: &Url) -> Result<TcpStream> {
    let port = url.port_or_known_default().context("no port")?;
    let stream = TcpStream::connect((host(url)?, port)).with_context(|| format!("connect to {url}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn render(url: &Url, method: &str, headers: &[(String, String)], body: Option<&str>) -> String {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut message = format!("{method} {}{query} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n", url.path());
    for (name, value) in headers {
        message.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        if !headers.iter().any(|(name, _)| name == "Content-Type") {
            message.push_str("Content-Type: application/json\r\n");
        }
        message.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    message + "\r\n" + body.unwrap_or_default()
}

fn exchange(mut stream: impl Read + Write, message: &str) -> Result<Response> {
    stream.write_all(message.as_bytes())?;
    stream.flush()?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    // Not every server closes when it is asked to.
    while !is_whole(&bytes) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            // A peer that closes without TLS' goodbye has still said all it had to say.
            Err(error) => {
                ensure!(!bytes.is_empty(), "no answer: {error}");
                break;
            }
        }
    }
    Response::parse(&bytes)
}

/// Whether all of an answer is there that says its length.
fn is_whole(bytes: &[u8]) -> bool {
    let Ok(response) = Response::parse(bytes) else { return false };
    let length = response.header("content-length").and_then(|length| length.parse::<usize>().ok());
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_default() + 4;
    length.is_some_and(|length| bytes.len() >= head + length)
}

fn join_chunks(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n").context("a chunk without its size")?;
        let (size, after) = rest.split_at(end);
        let size = String::from_utf8_lossy(size);
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
        let data = after.get(2..2 + size).context("a chunk that is cut off")?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(data);
        rest = after.get(2 + size + 2..).context("a chunk that is cut off")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined() {
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        let response = Response::parse(answer).unwrap();
        assert_eq!((response.status, response.body.as_str()), (200, "abcde"));
    }

    #[test]
    fn an_answer_cut_off_is_an_error() {
        assert!(Response::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc").is_err());
        assert!(Response::parse(b"HTTP/1.1 200 OK\r\n").is_err());
    }

    #[test]
    fn an_answer_is_whole_when_its_length_is_there() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert!(is_whole(answer));
        assert!(!is_whole(&answer[..answer.len() - 1]));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\n\r\nok"), "only its end tells");
    }

    #[test]
    fn path_and_query_are_sent_as_given() {
        let url = Url::parse("https://127.0.0.1:8443/k8s/clusters/a/api?watch=1").unwrap();
        let message = render(&url, "GET", &[("X".into(), "y".into())], None);
        let head = "GET /k8s/clusters/a/api?watch=1 HTTP/1.1\r\nHost: 127.0.0.1:8443\r\n";
        assert!(message.starts_with(head), "{message}");
        assert!(message.ends_with("\r\nX: y\r\n\r\n"), "{message}");
    }
}
