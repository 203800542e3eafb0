//! What a browser does of importance to a login: it keeps the cookies of each host, and goes where it is sent.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::{Answer, Https, Protocol};

/// More than any login takes.
const MOST_REDIRECTS: usize = 20;

/// A browser that knows some hosts.
#[derive(Debug, Default)]
pub struct Browser {
    hosts: BTreeMap<String, Host>,
}

#[derive(Debug)]
struct Host {
    https: Https,
    protocol: Protocol,
    cookies: BTreeMap<String, String>,
}

/// Where a browser is.
#[derive(Debug)]
pub struct Page {
    /// Its address.
    pub url: Url,
    /// What is there; `None` when it is on a host that the browser does not know, such as a client's.
    pub answer: Option<Answer>,
}

impl Page {
    /// What is there.
    ///
    /// # Errors
    /// When the host is not known.
    pub fn answer(&self) -> Result<&Answer> {
        self.answer.as_ref().with_context(|| format!("nobody knows the host of {}", self.url))
    }

    /// What stands in the address under this name.
    ///
    /// # Errors
    /// When nothing does.
    pub fn query(&self, name: &str) -> Result<String> {
        let found = self.url.query_pairs().find(|(key, _)| key == name);
        Ok(found.with_context(|| format!("{name} in {}", self.url))?.1.into_owned())
    }
}

impl Browser {
    /// Makes a host known.
    #[must_use]
    pub fn knowing(mut self, authority: &str, https: Https, protocol: Protocol) -> Self {
        self.hosts.insert(authority.to_owned(), Host { https, protocol, cookies: BTreeMap::new() });
        self
    }

    /// Goes to an address, and on to where that sends it.
    ///
    /// # Errors
    /// When a host does not answer, or sends it around in circles.
    pub fn open(&mut self, url: &Url) -> Result<Page> {
        let begun = Request::get("/").body(Bytes::new())?;
        self.go(url.clone(), begun)
    }

    /// Sends a form to an address, and goes on to where that sends it.
    ///
    /// # Errors
    /// As [`Browser::open`].
    pub fn submit(&mut self, url: &Url, fields: &[(&str, &str)]) -> Result<Page> {
        self.go(url.clone(), form(fields)?)
    }

    /// Asks once, and stays.
    ///
    /// # Errors
    /// When the host is not known or does not answer.
    pub fn get(&mut self, url: &Url) -> Result<Answer> {
        self.ask(url, Request::get("/").body(Bytes::new())?)
    }

    /// Sends a form once, and stays.
    ///
    /// # Errors
    /// As [`Browser::get`].
    pub fn post(&mut self, url: &Url, fields: &[(&str, &str)]) -> Result<Answer> {
        self.ask(url, form(fields)?)
    }

    fn go(&mut self, mut url: Url, mut request: Request<Bytes>) -> Result<Page> {
        for _ in 0..MOST_REDIRECTS {
            if !self.hosts.contains_key(url.authority()) {
                return Ok(Page { url, answer: None });
            }
            let answer = self.ask(&url, request)?;
            if !answer.status.is_redirection() {
                return Ok(Page { url, answer: Some(answer) });
            }
            url = url.join(answer.header("location"))?;
            request = Request::get("/").body(Bytes::new())?;
        }
        anyhow::bail!("sent around in circles, last to {url}")
    }

    fn ask(&mut self, url: &Url, mut request: Request<Bytes>) -> Result<Answer> {
        let host = self.hosts.get_mut(url.authority()).with_context(|| format!("no host for {url}"))?;
        *request.uri_mut() = url[url::Position::BeforePath..url::Position::AfterQuery].parse()?;
        if !host.cookies.is_empty() {
            let cookies: Vec<String> = host.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.headers_mut().insert(COOKIE, cookies.join("; ").parse()?);
        }
        let answer = host.https.send(host.protocol, request)?;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let (name, value) =
                cookie.to_str()?.split(';').next().and_then(|pair| pair.split_once('=')).context("=")?;
            ensure!(!name.is_empty(), "a cookie without a name");
            // Forgotten by an empty value, as both of ours do it.
            match value {
                "" => _ = host.cookies.remove(name),
                value => _ = host.cookies.insert(name.to_owned(), value.to_owned()),
            }
        }
        Ok(answer)
    }
}

fn form(fields: &[(&str, &str)]) -> Result<Request<Bytes>> {
    let body = Serializer::new(String::new()).extend_pairs(fields).finish();
    Ok(Request::post("/").header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(Bytes::from(body))?)
}
