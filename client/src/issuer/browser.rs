//! The code flow with the browser of this machine (RFC 8252): the answer comes back to a port that only we listen on.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use url::Url;

use super::{CLIENT, Issuer, SCOPE, Tokens, challenge, random};
use crate::cache::{Held, eprint};
use crate::environment::{Deadline, pause};
use crate::failure::Failure;
use crate::http::{Http, TIMEOUT};

/// How long somebody may take.
const PATIENCE: Duration = Duration::from_mins(5);
const LOOK: Duration = Duration::from_millis(50);
/// A browser sends its request at once; whoever only connects is let go.
const SLOW: Duration = Duration::from_secs(5);
/// Longer than any address that we sent it.
const LONGEST_LINE: u64 = 8 * 1024;

pub(super) fn log_in(issuer: &Issuer, http: &Http, held: &Held) -> Result<Tokens, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let callback = format!("http://127.0.0.1:{}/callback", listener.local_addr()?.port());
    let (state, verifier) = (random()?, random()?);
    let page = page(issuer, &callback, &state, &verifier)?;
    held.promise("waits for somebody to log in in a browser", PATIENCE + TIMEOUT)?;
    // What a browser prints goes nowhere: standard output belongs to kubectl.
    match webbrowser::open(page.as_str()) {
        Ok(()) => eprint(&format!("Log in in the browser that opens. If none does: {page}")),
        Err(_) => eprint(&format!("Open this address in a browser on this machine: {page}")),
    }
    let code = wait(&listener, &state, &issuer.name)?;
    let fields = [
        ("client_id", CLIENT),
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", callback.as_str()),
        ("code_verifier", verifier.as_str()),
    ];
    issuer.tokens(http.post_form(&issuer.token, &fields)?, "the login does not work")
}

fn page(issuer: &Issuer, callback: &str, state: &str, verifier: &str) -> Result<Url, Failure> {
    let broken = |_| Failure::other(format!("{} is no address", issuer.authorization));
    let mut page = Url::parse(&issuer.authorization).map_err(broken)?;
    page.query_pairs_mut()
        .append_pair("client_id", CLIENT)
        .append_pair("response_type", "code")
        .append_pair("scope", SCOPE)
        .append_pair("redirect_uri", callback)
        .append_pair("state", state)
        .append_pair("code_challenge", &challenge(verifier))
        .append_pair("code_challenge_method", "S256");
    Ok(page)
}

fn wait(listener: &TcpListener, state: &str, issuer: &str) -> Result<String, Failure> {
    let until = Deadline::after(PATIENCE);
    while !until.is_over() {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                pause(LOOK);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let Ok(target) = target_of(&stream) else { continue };
        let said = read(&target, state, issuer);
        // Whether the browser shows it changes nothing.
        let _ = answer(&mut stream, &said);
        match said {
            Said::Code(code) => return Ok(code),
            Said::Refused(why) => return Err(Failure::Denied(format!("the login was refused: {why}"))),
            // Anybody on this machine may ask this port something.
            Said::Nothing => {}
        }
    }
    Err(Failure::LoginNeeded("nobody logged in in time; run it again".to_owned()))
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Code(String),
    Refused(String),
    Nothing,
}

/// The target in the first line of a request.
fn target_of(stream: &TcpStream) -> io::Result<String> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(SLOW))?;
    let mut line = String::new();
    BufReader::new(io::Read::take(stream, LONGEST_LINE)).read_line(&mut line)?;
    let mut parts = line.split(' ');
    match (parts.next(), parts.next()) {
        (Some("GET"), Some(target)) => Ok(target.to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
    }
}

/// What a request says, if it is the answer to ours: with our state, and from our issuer (RFC 9207).
fn read(target: &str, state: &str, issuer: &str) -> Said {
    let Ok(url) = Url::parse("http://127.0.0.1").and_then(|base| base.join(target)) else { return Said::Nothing };
    let one = |name: &str| {
        let mut found = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        match (found.next(), found.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    };
    if url.path() != "/callback" || one("state").as_deref() != Some(state) || one("iss").as_deref() != Some(issuer) {
        return Said::Nothing;
    }
    match (one("code"), one("error")) {
        (Some(code), None) => Said::Code(code),
        (None, Some(error)) => Said::Refused(error),
        _ => Said::Nothing,
    }
}

fn answer(stream: &mut TcpStream, said: &Said) -> io::Result<()> {
    let (status, text) = match said {
        Said::Code(_) => ("200 OK", "You are logged in. Go back to the terminal; you can close this page."),
        Said::Refused(_) => ("200 OK", "The login was stopped. Go back to the terminal; you can close this page."),
        Said::Nothing => ("404 Not Found", "There is nothing here."),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_to_our_own_request_is_one() {
        let said = |target: &str| read(target, "our-state", "https://console.test/oidc");
        let iss = "iss=https%3A%2F%2Fconsole.test%2Foidc";
        assert_eq!(said(&format!("/callback?code=c&state=our-state&{iss}")), Said::Code("c".to_owned()));
        let denied = said(&format!("/callback?error=access_denied&state=our-state&{iss}"));
        assert_eq!(denied, Said::Refused("access_denied".to_owned()));
        for other in [
            format!("/callback?code=c&state=theirs&{iss}"),
            format!("/callback?code=c&{iss}"),
            format!("/callback?code=c&state=our-state&state=our-state&{iss}"),
            format!("/callback?code=c&code=d&state=our-state&{iss}"),
            format!("/callback?code=c&error=x&state=our-state&{iss}"),
            "/callback?code=c&state=our-state&iss=https%3A%2F%2Fevil.test".to_owned(),
            "/callback?code=c&state=our-state".to_owned(),
            format!("/other?code=c&state=our-state&{iss}"),
            "/favicon.ico".to_owned(),
        ] {
            assert_eq!(said(&other), Said::Nothing, "{other}");
        }
    }
}
