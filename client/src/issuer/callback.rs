//! The port on this machine to which the browser brings the answer (RFC 8252 §7.3).
//!
//! Any program here, and any page in the browser, can ask this port something. So only what was asked for counts: at our
//! path, with our state, from our issuer, and by the name that we gave it. A page whose own name was made to lead here
//! says that name, and is refused. Nothing of that sort ends the wait, and nobody who is slow holds up the answer.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use url::Url;

use crate::environment::{Deadline, pause};
use crate::failure::Failure;

/// A browser sends its request at once; whoever only connects is let go.
const SLOW: Duration = Duration::from_secs(5);
/// Far more than a browser sends.
const LONGEST_HEAD: usize = 32 * 1024;
/// Far more connections than a browser makes.
const MOST: usize = 32;
const PATH: &str = "/callback";

/// A port that only we listen on.
#[derive(Debug)]
pub(super) struct Callback {
    listener: TcpListener,
    authority: String,
}

/// What the answer must carry.
#[derive(Debug)]
struct Expected {
    authority: String,
    state: String,
    issuer: String,
}

impl Callback {
    /// Any free port: one that is always the same is taken sooner or later.
    pub(super) fn open() -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let authority = format!("127.0.0.1:{}", listener.local_addr()?.port());
        Ok(Self { listener, authority })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}{PATH}", self.authority)
    }

    /// The code that comes back, with this state and from this issuer.
    pub(super) fn wait(self, state: &str, issuer: &str, patience: Duration) -> Result<String, Failure> {
        let expected = Expected { authority: self.authority, state: state.to_owned(), issuer: issuer.to_owned() };
        let (listener, (tell, told)) = (self.listener, channel());
        thread::spawn(move || accept(&listener, &Arc::new(expected), &tell));
        match told.recv_timeout(patience) {
            Ok(Answer::Code(code)) => Ok(code),
            Ok(Answer::Refused(why)) => Err(Failure::Denied(format!("the login was refused: {why}"))),
            Err(_) => Err(Failure::LoginNeeded("nobody logged in in time; run it again".to_owned())),
        }
    }
}

/// The answer to our request.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Code(String),
    Refused(String),
}

fn accept(listener: &TcpListener, expected: &Arc<Expected>, tell: &Sender<Answer>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            pause(SLOW); // No file is free: it would fail again at once.
            continue;
        };
        // Each visitor holds one.
        if Arc::strong_count(expected) > MOST {
            continue;
        }
        let (expected, tell) = (Arc::clone(expected), tell.clone());
        // One that cannot be served comes again.
        let _ = thread::Builder::new().spawn(move || serve(stream, &expected, &tell));
    }
}

fn serve(mut stream: TcpStream, expected: &Expected, tell: &Sender<Answer>) {
    let Ok(head) = head_of(&mut stream) else { return };
    let read = expected.read(&head);
    // Before the word goes on: the program may end with it. Whether the browser shows it changes nothing.
    let _ = stream.write_all(page(read.as_ref()).as_bytes());
    if let Ok(answer) = read {
        // Nobody waits any more: the first answer was enough.
        let _ = tell.send(answer);
    }
}

/// A request without its body.
fn head_of(stream: &mut TcpStream) -> io::Result<String> {
    let until = Deadline::after(SLOW);
    stream.set_read_timeout(Some(SLOW))?;
    let (mut head, mut part) = (Vec::new(), [0; 4096]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut part)?;
        if count == 0 || head.len() > LONGEST_HEAD || until.is_over() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(part.get(..count).unwrap_or_default());
    }
    String::from_utf8(head).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Why a request is no answer to ours.
#[derive(Debug, PartialEq, Eq)]
enum Stranger {
    /// It looks for something else.
    Lost,
    /// It comes to the right place and is not what we wait for, such as the page of an older login.
    Unasked,
}

impl Expected {
    fn read(&self, head: &str) -> Result<Answer, Stranger> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some("GET"), Some(target)) = (words.next(), words.next()) else { return Err(Stranger::Lost) };
        let headers = lines.filter_map(|line| line.split_once(':'));
        let mut hosts = headers.filter(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, value)| value.trim());
        if hosts.next() != Some(&self.authority) || hosts.next().is_some() || !target.starts_with('/') {
            return Err(Stranger::Lost);
        }
        let url = Url::parse("http://127.0.0.1").and_then(|base| base.join(target)).map_err(|_| Stranger::Lost)?;
        if url.path() != PATH {
            return Err(Stranger::Lost);
        }
        self.answer(&url).ok_or(Stranger::Unasked)
    }

    /// With our state, and from our issuer (RFC 9207).
    fn answer(&self, url: &Url) -> Option<Answer> {
        let one = |name: &str| {
            let mut found = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
            found.next().filter(|_| found.next().is_none())
        };
        if one("state")? != self.state || one("iss")? != self.issuer {
            return None;
        }
        match (one("code"), one("error")) {
            (Some(code), None) => Some(Answer::Code(code)),
            (None, Some(error)) => Some(Answer::Refused(error)),
            _ => None,
        }
    }
}

/// A whole response. Nothing of the request is in it.
fn page(read: Result<&Answer, &Stranger>) -> String {
    let (status, text) = match read {
        Ok(Answer::Code(_)) => ("200 OK", "You are logged in. Go back to the terminal; you may close this window."),
        Ok(Answer::Refused(_)) => {
            ("200 OK", "The login was stopped. Go back to the terminal; you may close this window.")
        }
        Err(Stranger::Unasked) => ("400 Bad Request", "This is not the login that your terminal waits for."),
        Err(Stranger::Lost) => ("404 Not Found", "There is nothing here."),
    };
    let body = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>kubectl gatewarden</title><p>{text}</p></html>\n"
    );
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\n\
         Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "127.0.0.1:40000";
    const ISSUER: &str = "iss=https%3A%2F%2Fconsole.test%2Foidc";

    fn read(request: &str, headers: &str) -> Result<Answer, Stranger> {
        let text = |text: &str| text.to_owned();
        let expected =
            Expected { authority: text(HOST), state: text("ours"), issuer: text("https://console.test/oidc") };
        expected.read(&format!("{request} HTTP/1.1\r\n{headers}\r\n\r\n"))
    }

    #[test]
    fn only_the_answer_to_our_own_request_is_one() {
        let said = |target: &str| read(&format!("GET {target}"), &format!("Host: {HOST}"));
        assert_eq!(said(&format!("/callback?code=c&state=ours&{ISSUER}")), Ok(Answer::Code("c".to_owned())));
        let denied = said(&format!("/callback?error=access_denied&state=ours&{ISSUER}"));
        assert_eq!(denied, Ok(Answer::Refused("access_denied".to_owned())));
        for other in [
            format!("/callback?code=c&state=theirs&{ISSUER}"),
            format!("/callback?code=c&{ISSUER}"),
            format!("/callback?code=c&state=ours&state=ours&{ISSUER}"),
            format!("/callback?code=c&code=d&state=ours&{ISSUER}"),
            format!("/callback?code=c&error=x&state=ours&{ISSUER}"),
            "/callback?code=c&state=ours&iss=https%3A%2F%2Fevil.test".to_owned(),
            "/callback?code=c&state=ours".to_owned(),
        ] {
            assert_eq!(said(&other), Err(Stranger::Unasked), "{other}");
        }
        for other in [&format!("/other?code=c&state=ours&{ISSUER}"), "/favicon.ico", "http://127.0.0.1/callback"] {
            assert_eq!(said(other), Err(Stranger::Lost), "{other}");
        }
    }

    #[test]
    fn a_page_under_another_name_is_refused_even_with_our_state() {
        let good = format!("GET /callback?code=c&state=ours&{ISSUER}");
        assert!(read(&good, &format!("Accept: */*\r\nhost: {HOST}")).is_ok());
        for headers in [
            "Host: evil.test:40000",
            "Host: localhost:40000",
            "Host: 127.0.0.1",
            "Host: 127.0.0.1:40001",
            "Accept: */*",
            &format!("Host: {HOST}\r\nHost: {HOST}"),
        ] {
            assert_eq!(read(&good, headers), Err(Stranger::Lost), "{headers}");
        }
        assert_eq!(read(&good.replace("GET", "POST"), &format!("Host: {HOST}")), Err(Stranger::Lost));
    }
}
