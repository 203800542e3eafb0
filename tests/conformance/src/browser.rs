//! A browser without a window: it keeps cookies, goes where it is sent, and fills in forms.

use std::collections::BTreeMap;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, Response};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::{Parameters, Unable, real};

/// More than any login takes.
const MOST_REDIRECTS: usize = 20;

type Cookies = BTreeMap<String, BTreeMap<String, String>>;

/// A browser of one visitor. Where it is sent to the callback it stops: that page is the gateway's.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    callback: Url,
    /// By host and port.
    cookies: Cookies,
}

/// Where a browser is.
#[derive(Debug)]
pub struct Page {
    /// Its address.
    pub url: Url,
    /// What the server answered; 0 at the callback, where nobody is asked.
    pub status: u16,
    /// What is there.
    pub text: String,
}

impl Page {
    /// What the browser brings back, when this is the callback.
    ///
    /// # Errors
    /// When it is still at the identity system, with what that shows.
    pub fn parameters(self) -> Result<Parameters, Unable> {
        if self.status != 0 {
            let shown: String = self.text.chars().take(400).collect();
            return Err(Unable(format!("the browser is still at {}: {} {shown}", self.url.path(), self.status)));
        }
        Ok(self.url.query_pairs().into_owned().collect())
    }
}

impl Browser {
    /// A fresh one, which trusts these certificates (PEM) and no others; without any it goes to plain `http` alone.
    ///
    /// # Errors
    /// When the certificates or the callback are none.
    pub fn new(callback: &str, roots: Option<&str>) -> Result<Self, Unable> {
        let client = real::client(Some(roots.unwrap_or_default())).map_err(|error| failed("a browser", &error))?;
        let callback = callback.parse().map_err(|_| Unable::because("the callback is no address"))?;
        Ok(Self { client, callback, cookies: BTreeMap::new() })
    }

    /// Goes to an address, and on to where that sends it.
    ///
    /// # Errors
    /// When a server does not answer, or sends it around in circles.
    pub async fn open(&mut self, url: &str) -> Result<Page, Unable> {
        let url = url.parse().map_err(|_| Unable(format!("{url} is no address")))?;
        self.go(url, None).await
    }

    /// Sends a form to an address, and goes on to where that sends it.
    ///
    /// # Errors
    /// As [`Browser::open`].
    pub async fn submit(&mut self, url: &Url, fields: &[(&str, &str)]) -> Result<Page, Unable> {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        self.go(url.clone(), Some(body)).await
    }

    async fn go(&mut self, mut url: Url, mut form: Option<String>) -> Result<Page, Unable> {
        for _ in 0..MOST_REDIRECTS {
            if url.origin() == self.callback.origin() && url.path() == self.callback.path() {
                return Ok(Page { url, status: 0, text: String::new() });
            }
            let answer = self.ask(&url, form.take()).await?;
            let status = answer.status().as_u16();
            let Some(next) = answer.headers().get(LOCATION).filter(|_| answer.status().is_redirection()) else {
                let text = answer.text().await.map_err(|error| failed(url.path(), &error))?;
                return Ok(Page { url, status, text });
            };
            let next = next.to_str().ok().and_then(|next| url.join(next).ok());
            url = next.ok_or_else(|| Unable::because("the browser is sent to no address"))?;
        }
        Err(Unable(format!("the browser is sent around in circles, last to {}", url.path())))
    }

    async fn ask(&mut self, url: &Url, form: Option<String>) -> Result<Response, Unable> {
        let cookies = self.cookies.entry(url.authority().to_owned()).or_default();
        let method = if form.is_some() { Method::POST } else { Method::GET };
        let mut request = self.client.request(method, url.clone());
        if !cookies.is_empty() {
            let all: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, all.join("; "));
        }
        if let Some(form) = form {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        }
        let answer = request.send().await.map_err(|error| failed(url.path(), &error))?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().ok().and_then(|cookie| cookie.split(';').next()?.split_once('='));
            match pair {
                Some((name, "")) => _ = cookies.remove(name),
                Some((name, value)) => _ = cookies.insert(name.to_owned(), value.to_owned()),
                None => {}
            }
        }
        Ok(answer)
    }
}

fn failed(what: &str, error: &reqwest::Error) -> Unable {
    Unable(format!("{what}: {}", auth_core::with_causes(error)))
}
