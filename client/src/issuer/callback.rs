//! The port on this machine to which the browser brings the answer (RFC 8252 §7.3).
//!
//! Any program here, and any page in the browser, can ask this port something. So only what was asked for counts: at our
//! path, with our state, from our issuer, and by the name that we gave it. A page whose own name was made to lead here
//! says that name, and is refused. Nothing of that sort ends the wait, and nobody who is slow holds up the answer.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{SendError, Sender, channel};
use std::thread;
use std::time::Duration;

use url::Url;

use super::landing::{self, Language, Outcome};
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

    /// The answer that comes back with this state and from this issuer, and the browser that brought it.
    pub(super) fn wait(self, state: &str, issuer: &str, patience: Duration) -> Result<(String, Visitor), Failure> {
        let expected = Expected { authority: self.authority, state: state.to_owned(), issuer: issuer.to_owned() };
        let (listener, (tell, told)) = (self.listener, channel());
        thread::spawn(move || accept(&listener, &Arc::new(expected), &tell));
        match told.recv_timeout(patience) {
            Ok((Answer::Code(code), visitor)) => Ok((code, visitor)),
            Ok((Answer::Refused(why), visitor)) => {
                visitor.show(Outcome::Stopped);
                Err(Failure::Denied(format!("the login was refused: {why}")))
            }
            Err(_) => Err(Failure::LoginNeeded("nobody logged in in time; run it again".to_owned())),
        }
    }
}

/// A browser that waits for a page.
#[derive(Debug)]
pub(super) struct Visitor {
    stream: TcpStream,
    language: Language,
}

impl Visitor {
    /// Shows it what became of the login. Whether it arrives changes nothing.
    pub(super) fn show(mut self, outcome: Outcome) {
        let _ = self.stream.set_write_timeout(Some(SLOW));
        let _ = self.stream.write_all(landing::response(outcome, self.language).as_bytes());
    }
}

/// The answer to our request.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Code(String),
    Refused(String),
}

type Tell = Sender<(Answer, Visitor)>;

fn accept(listener: &TcpListener, expected: &Arc<Expected>, tell: &Tell) {
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

fn serve(mut stream: TcpStream, expected: &Expected, tell: &Tell) {
    let Ok(head) = head_of(&mut stream) else { return };
    let language = Language::wanted(header(&head, "accept-language").next().unwrap_or_default());
    let visitor = Visitor { stream, language };
    match expected.read(&head) {
        // Only who asks the gateway knows what to show.
        Ok(answer) => {
            if let Err(SendError((_, visitor))) = tell.send((answer, visitor)) {
                visitor.show(Outcome::Unasked); // The first answer was enough.
            }
        }
        Err(outcome) => visitor.show(outcome),
    }
}

/// What a header says, each time that it stands there.
fn header<'a>(head: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let headers = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    headers.filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
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

impl Expected {
    /// The answer to our request, or what else it is.
    fn read(&self, head: &str) -> Result<Answer, Outcome> {
        let mut words = head.split("\r\n").next().unwrap_or_default().split(' ');
        let (Some("GET"), Some(target)) = (words.next(), words.next()) else { return Err(Outcome::Lost) };
        let mut hosts = header(head, "host");
        if hosts.next() != Some(&self.authority) || hosts.next().is_some() || !target.starts_with('/') {
            return Err(Outcome::Lost);
        }
        let url = Url::parse("http://127.0.0.1").and_then(|base| base.join(target)).map_err(|_| Outcome::Lost)?;
        if url.path() != PATH {
            return Err(Outcome::Lost);
        }
        self.answer(&url).ok_or(Outcome::Unasked)
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "127.0.0.1:40000";
    const ISSUER: &str = "iss=https%3A%2F%2Fconsole.test%2Foidc";

    fn read(request: &str, headers: &str) -> Result<Answer, Outcome> {
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
            assert_eq!(said(&other), Err(Outcome::Unasked), "{other}");
        }
        for other in [&format!("/other?code=c&state=ours&{ISSUER}"), "/favicon.ico", "http://127.0.0.1/callback"] {
            assert_eq!(said(other), Err(Outcome::Lost), "{other}");
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
            assert_eq!(read(&good, headers), Err(Outcome::Lost), "{headers}");
        }
        assert_eq!(read(&good.replace("GET", "POST"), &format!("Host: {HOST}")), Err(Outcome::Lost));
    }
}
