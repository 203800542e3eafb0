//! Hostile requests.

use super::*;

/// A request, and what must come of it.
pub(super) struct Case {
    pub(super) id: &'static str,
    pub(super) what: &'static str,
    stimulus: Stimulus,
    pub(super) expected: Expected,
}

#[derive(Clone, Copy)]
enum Stimulus {
    /// The usual request for a login with one parameter changed.
    Authorize(&'static str, &'static str),
    /// A query at the address where browsers log out.
    LogOut(&'static str),
    /// A form at an address, with a header besides.
    Form(&'static str, &'static str, Option<(&'static str, &'static str)>),
    /// What belongs to the browser of somebody else.
    Foreign(Foreign),
}

#[derive(Clone, Copy)]
enum Foreign {
    /// The answer of a provider to which that browser was sent.
    Answer,
    /// The login page that was opened in it.
    Login,
}

#[derive(Clone, Copy)]
pub(super) enum Expected {
    /// A page that refuses, and nobody is sent anywhere.
    Page(u16),
    /// The word of an error, at the client's own address.
    Told(&'static str),
    /// The word of an error in JSON.
    Error(&'static str),
    /// Addresses of ours alone in the answer.
    OurAddress,
}

impl Expected {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Page(_) => "a page that refuses; nobody is sent anywhere",
            Self::Told(word) | Self::Error(word) => word,
            Self::OurAddress => "our own addresses, from the configuration",
        }
    }
}

const fn authorize(
    (id, what): (&'static str, &'static str),
    (name, value): (&'static str, &'static str),
    expected: Expected,
) -> Case {
    Case { id, what, stimulus: Stimulus::Authorize(name, value), expected }
}

const fn away((id, what): (&'static str, &'static str), uri: &'static str) -> Case {
    authorize((id, what), ("redirect_uri", uri), Expected::Page(400))
}

const fn out((id, what): (&'static str, &'static str), query: &'static str) -> Case {
    Case { id, what, stimulus: Stimulus::LogOut(query), expected: Expected::Page(400) }
}

const fn form(
    (id, what): (&'static str, &'static str),
    (path, text): (&'static str, &'static str),
    word: &'static str,
) -> Case {
    Case { id, what, stimulus: Stimulus::Form(path, text, None), expected: Expected::Error(word) }
}

pub(super) const CASES: &[Case] = &[
    away(("C46", "an answer to somebody else"), "https://evil.test/callback"),
    away(("G6", "an address without a scheme"), "//evil.test/callback"),
    away(("G6", "a backslash for a slash"), r"/\evil.test/callback"),
    away(("G6", "a scheme without slashes"), "https:evil.test/callback"),
    away(("G6", "a script for an address"), "javascript:alert(1)"),
    away(("G6", "our host as a user name"), "http://127.0.0.1:40123@evil.test/callback"),
    away(("G6", "loopback as a part of a name"), "http://127.0.0.1.evil.test:40123/callback"),
    away(("G6", "loopback as one number"), "http://2130706433:40123/callback"),
    away(("G6", "a line break behind the address"), "http://127.0.0.1:40123/callback\r\nX: y"),
    away(("G6", "a tab within"), "http://127.0.0.1:40123/call\tback"),
    away(("G6", "an escaped slash"), "http://127.0.0.1:40123/%2f/evil.test"),
    away(("G6", "a way out of the path"), "http://127.0.0.1:40123/callback/../x"),
    away(("G6", "a query behind the address"), "http://127.0.0.1:40123/callback?next=//evil.test"),
    away(("G6", "a fragment behind the address"), "http://127.0.0.1:40123/callback#x"),
    authorize(("C46", "no proof key"), ("code_challenge", ""), Expected::Told("invalid_request")),
    authorize(("C46", "a proof key in plain"), ("code_challenge_method", "plain"), Expected::Told("invalid_request")),
    authorize(
        ("C46", "tokens in the address"),
        ("response_type", "token"),
        Expected::Told("unsupported_response_type"),
    ),
    authorize(
        ("G4", "a request at an address"),
        ("request_uri", "http://169.254.169.254/"),
        Expected::Told("request_uri_not_supported"),
    ),
    authorize(
        ("G4", "a request in a token"),
        ("request", "eyJhbGciOiJub25lIn0.e30."),
        Expected::Told("request_not_supported"),
    ),
    out(("G6", "the way out to somebody else"), "client_id=page&post_logout_redirect_uri=https://evil.test/"),
    out(("G6", "the way out without a scheme"), "client_id=page&post_logout_redirect_uri=//page.test/bye"),
    out(("G6", "the way out of another client"), "client_id=wiki&post_logout_redirect_uri=https://page.test/bye"),
    out(("G6", "the way out of nobody"), "post_logout_redirect_uri=https://page.test/bye"),
    out(
        ("G6", "two ways out"),
        "client_id=page&post_logout_redirect_uri=https://page.test/bye&post_logout_redirect_uri=x",
    ),
    Case {
        id: "G7",
        what: "another host's name beside a device's request",
        stimulus: Stimulus::Form(
            "/oidc/device",
            "client_id=kubelogin&scope=openid",
            Some(("x-forwarded-host", "evil.test")),
        ),
        expected: Expected::OurAddress,
    },
    Case {
        id: "C46",
        what: "an answer of a provider in a browser that was not sent",
        stimulus: Stimulus::Foreign(Foreign::Answer),
        expected: Expected::Page(410),
    },
    Case {
        id: "CVE-2022-39222",
        what: "a login page in a browser that it was not opened in",
        stimulus: Stimulus::Foreign(Foreign::Login),
        expected: Expected::Page(410),
    },
    form(
        ("-", "a password for a token"),
        ("/oidc/token", "grant_type=password&client_id=kubelogin&username=alice&password=right"),
        "unsupported_grant_type",
    ),
    form(
        ("-", "a client for a person"),
        ("/oidc/token", "grant_type=client_credentials&client_id=wiki&client_secret=not-a-secret-0123456789abcdef012"),
        "unsupported_grant_type",
    ),
    form(
        ("-", "a client twice"),
        ("/oidc/token", "grant_type=refresh_token&client_id=page&client_id=wiki&refresh_token=x"),
        "invalid_request",
    ),
    form(
        ("-", "a public client that claims a secret"),
        ("/oidc/token", "grant_type=refresh_token&client_id=page&client_secret=x&refresh_token=x"),
        "invalid_client",
    ),
    form(("-", "a question about a token from nobody"), ("/oidc/introspect", "token=x"), "invalid_client"),
];

pub(super) async fn send(visitor: &mut Visitor<'_>, case: &Case) -> Seen {
    match case.stimulus {
        Stimulus::Authorize(name, value) => visitor.authorize(&[(name, value)]).await,
        Stimulus::LogOut(query) => visitor.get(&format!("/oidc/logout?{query}")).await,
        Stimulus::Foreign(what) => foreign(visitor, what).await,
        Stimulus::Form(path, text, header) => {
            let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let request = header.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            visitor.send(request, text.to_owned()).await
        }
    }
}

/// A browser with a login of its own presents another one's; then the other one does, for whom it is good.
async fn foreign(visitor: &mut Visitor<'_>, what: Foreign) -> Seen {
    visitor.site.add_away().await;
    visitor.authorize(&[]).await;
    let mut other = Visitor::new(visitor.site);
    let (path, good) = match what {
        Foreign::Answer => (format!("/callback/away?code=good&state={}", sent_away(&mut other).await), 303),
        Foreign::Login => (other.authorize(&[]).await.location, 200),
    };
    let seen = visitor.get(&path).await;
    assert_eq!(other.get(&path).await.status, good, "{path} is shut for everybody");
    seen
}

pub(super) fn judge(case: &Case, seen: &Seen) -> Result<(), String> {
    let right = match case.expected {
        Expected::Page(status) => {
            seen.status == status && seen.location.is_empty() && seen.text.contains("the-audit-id")
        }
        Expected::Told(word) => {
            seen.location.starts_with(CALLBACK)
                && seen.query("error").as_deref() == Some(word)
                && seen.query("code").is_none()
        }
        Expected::Error(word) => seen.status.is_client_error() && seen.json()["error"] == word,
        Expected::OurAddress => seen.text.contains("https://console.test/device") && !seen.text.contains("evil"),
    };
    if right { Ok(()) } else { Err(format!("{} {} {}", seen.status, seen.location, seen.text)) }
}
