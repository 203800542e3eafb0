//! The pages: rendered here, without a script, and nothing in them comes from elsewhere.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use url::{Host, Url};

use super::texts::Texts;
use crate::api::Arrival;

/// What a page may load and where its forms go (CSP Level 3).
pub(super) const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The page where somebody says who they are.
#[derive(Debug, Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage<'a> {
    pub(super) texts: &'a Texts,
    pub(super) client: &'a str,
    pub(super) flow: &'a str,
    pub(super) form_code: &'a str,
    pub(super) device: Option<Device<'a>>,
    pub(super) passwords: Vec<Choice>,
    /// Providers with a page of their own.
    pub(super) trips: Vec<Choice>,
    /// What was typed before, and why it did not work.
    pub(super) username: &'a str,
    pub(super) problem: Option<&'a str>,
    /// The provider whose problem it is.
    pub(super) problem_of: &'a str,
    pub(super) audit_id: &'a str,
}

/// A provider to log in with.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) id: String,
    pub(super) display_name: String,
    pub(super) is_chosen: bool,
}

/// What is known of the device that somebody logs in for.
#[derive(Debug)]
pub(super) struct Device<'a> {
    pub(super) user_code: &'a str,
    pub(super) address: &'a str,
    pub(super) agent: &'a str,
    pub(super) started: String,
}

/// The page where somebody types what a device shows.
#[derive(Debug, Template)]
#[template(path = "device.html")]
pub(super) struct DevicePage<'a> {
    pub(super) texts: &'a Texts,
    pub(super) form_code: &'a str,
    pub(super) user_code: &'a str,
    pub(super) problem: Option<&'a str>,
}

/// The page that asks whether somebody lets a program know them.
#[derive(Debug, Template)]
#[template(path = "consent.html")]
pub(super) struct ConsentPage<'a> {
    pub(super) texts: &'a Texts,
    pub(super) client: &'a str,
    /// What it will know or may do, in words.
    pub(super) wants: Vec<&'a str>,
    /// The address that is told, or the code of the device.
    pub(super) goes_to: &'a str,
    pub(super) flow: &'a str,
    pub(super) form_code: &'a str,
}

/// The page that asks whether somebody wants to log out.
#[derive(Debug, Template)]
#[template(path = "logout.html")]
pub(super) struct LogoutPage<'a> {
    pub(super) texts: &'a Texts,
    pub(super) form_code: &'a str,
    /// Who is logged in, and for which client.
    pub(super) logins: Vec<(&'a str, String)>,
    /// What the form carries along: name and value.
    pub(super) carried: Vec<(&'a str, &'a str)>,
}

/// The last page: all is well, or was stopped.
#[derive(Debug, Template)]
#[template(path = "message.html")]
pub(super) struct MessagePage<'a> {
    pub(super) texts: &'a Texts,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    pub(super) audit_id: Option<&'a str>,
}

/// A page as an answer.
pub(super) fn shown(page: &impl Template, status: StatusCode) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Lets the page's form lead to where its answer leads: browsers hold each redirect against `form-action`, too. An address
/// in brackets cannot be written there, so that one opens all plain addresses of it.
pub(super) fn leading_to<'a>(mut response: Response, addresses: impl IntoIterator<Item = &'a str>) -> Response {
    let sources = addresses.into_iter().filter_map(|address| Url::parse(address).ok()).map(|url| match url.host() {
        Some(Host::Ipv6(_)) => format!("{}:", url.scheme()),
        _ => url.origin().ascii_serialization(),
    });
    let allowed = sources.fold("form-action 'self'".to_owned(), |allowed, source| format!("{allowed} {source}"));
    let policy = POLICY.replace("form-action 'self'", &allowed);
    if policy != POLICY
        && let Ok(policy) = HeaderValue::try_from(policy)
    {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A page that says what went wrong, with an id to quote.
#[derive(Debug)]
pub(super) struct Failed<'a> {
    texts: &'a Texts,
    text: &'a str,
    audit_id: &'a str,
}

impl<'a> Failed<'a> {
    pub(super) fn new(texts: &'a Texts, text: &'a str, arrival: &'a Arrival) -> Self {
        Self { texts, text, audit_id: &arrival.trace_id }
    }

    pub(super) fn with(&self, status: StatusCode) -> Response {
        let (texts, text) = (self.texts, self.text);
        shown(&MessagePage { texts, title: texts.failed_title, text, audit_id: Some(self.audit_id) }, status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_may_lead_to_the_client_and_nowhere_else() {
        let policy = |uri: &str| {
            let response = leading_to(StatusCode::OK.into_response(), uri.split(' '));
            response
                .headers()
                .get(header::CONTENT_SECURITY_POLICY)
                .map(|value| value.to_str().expect("text").to_owned())
        };
        let of = |uri: &str| policy(uri).expect("a policy");
        assert!(of("http://127.0.0.1:40123/callback").contains("form-action 'self' http://127.0.0.1:40123;"));
        assert!(of("https://app.example.org/cb?x=1").contains("form-action 'self' https://app.example.org;"));
        assert!(of("http://[::1]:40123/callback").contains("form-action 'self' http:;"));
        let both = of("https://id.example.org/out https://app.example.org/bye");
        assert!(both.contains("form-action 'self' https://id.example.org https://app.example.org;"), "{both}");
        assert_eq!(policy("x"), None, "what is no address keeps the usual policy");
    }
}
