//! Who may ask the issuer for tokens, and where answers may go.

use std::net::IpAddr;

use url::{Host, Url};

use super::{Alg, ClientSecret};

/// A program that logs people in through the issuer (RFC 6749 §2), or asks what others' tokens are worth. All prove by
/// PKCE (RFC 7636) that an answer is theirs; those that run on a server hold a secret besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// What it calls itself: `client_id`.
    pub id: String,
    /// What login pages call it.
    pub name: String,
    /// Where answers may go, compared byte for byte; of one on a loopback address the port is free (RFC 8252 §7.3).
    pub redirect_uris: Vec<String>,
    /// Whether its tokens are credentials for clusters and the API. Those of others say who somebody is, and open nothing.
    pub kubectl: bool,
    /// Where browsers may go when somebody logged out, byte for byte.
    pub post_logout_redirect_uris: Vec<String>,
    /// Whether it is the site's own. For others people are asked whether they agree to what it learns.
    pub first_party: bool,
    /// How its ID tokens are signed.
    pub id_token_alg: Alg,
    /// What it proves itself by, where it can keep a secret.
    pub secret: Option<ClientSecret>,
    /// Whether people's access tokens are presented to it, so that it may ask what those of any client are worth.
    pub resource_server: bool,
}

impl Client {
    /// The id of the shipped kubectl plugin, which needs no configuration.
    pub const PLUGIN: &'static str = "kubectl-gatewarden";

    /// The shipped kubectl plugin.
    #[must_use]
    pub fn plugin() -> Self {
        Self {
            id: Self::PLUGIN.to_owned(),
            name: "kubectl".to_owned(),
            redirect_uris: ["http://127.0.0.1/callback", "http://[::1]/callback"].map(str::to_owned).into(),
            kubectl: true,
            post_logout_redirect_uris: Vec::new(),
            first_party: true,
            id_token_alg: Alg::Es256,
            secret: None,
            resource_server: false,
        }
    }

    /// One that may do nothing: tests say what theirs may.
    #[cfg(test)]
    pub(crate) fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            redirect_uris: Vec::new(),
            kubectl: false,
            post_logout_redirect_uris: Vec::new(),
            first_party: false,
            id_token_alg: Alg::Es256,
            secret: None,
            resource_server: false,
        }
    }

    /// Whether answers may go there.
    pub(crate) fn may_be_sent_to(&self, asked: &str) -> bool {
        self.redirect_uris.iter().any(|known| known == asked || is_same_but_for_the_port(known, asked))
    }
}

fn is_same_but_for_the_port(known: &str, asked: &str) -> bool {
    let Some(free) = Url::parse(known).ok().filter(is_loopback) else { return false };
    let Some(port) = Url::parse(asked).ok().filter(is_loopback).and_then(|url| url.port()) else { return false };
    let mut expected = free;
    if expected.set_port(Some(port)).is_err() {
        return false;
    }
    // An address without a path is parsed to one with a slash; kubelogin and others send it without.
    let bare = expected.path() == "/" && expected.query().is_none() && !known.ends_with('/');
    let expected = if bare { expected.as_str().trim_end_matches('/') } else { expected.as_str() };
    // Byte for byte: what only parses to the same (a user name, an escape, a dot segment) is another address.
    expected == asked
}

/// Whether only this machine is reached by it. `localhost` counts: old clients can do no other.
fn is_loopback(url: &Url) -> bool {
    let ours = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        None => false,
    };
    url.scheme() == "http" && ours
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_a_loopback_address_is_free() {
        let client = Client {
            redirect_uris: ["https://app.example.org/cb", "http://localhost:8000/"].map(str::to_owned).into(),
            ..Client::named("app")
        };
        for good in ["https://app.example.org/cb", "http://localhost:8000/", "http://localhost:18000/"] {
            assert!(client.may_be_sent_to(good), "{good}");
        }
        for bad in [
            "https://app.example.org/cb/",
            "https://app.example.org/cb?x=1",
            "https://app.example.org:8443/cb",
            "http://app.example.org/cb",
            "https://app.example.org.evil.example/cb",
            "https://app.example.org@evil.example/cb",
            "http://localhost/",
            "http://localhost:8000",
            "http://localhost:8000/x",
            "http://localhost:8000/?code=1",
            "http://localhost:8000/#",
            "http://user@localhost:8000/",
            "http://localhost:8000/./",
            "http://LOCALHOST:8000/",
            "http://localhost:08000/",
            "http://127.0.0.1:8000/",
            "http://localhost.evil.example:8000/",
            "https://localhost:8000/",
            "",
        ] {
            assert!(!client.may_be_sent_to(bad), "{bad}");
        }
        let bare = Client { redirect_uris: vec!["http://localhost:8000".to_owned()], ..Client::named("bare") };
        assert!(bare.may_be_sent_to("http://localhost:8000") && bare.may_be_sent_to("http://localhost:18000"));
        for bad in
            ["http://localhost:18000/", "http://localhost:18000//", "http://localhost", "http://localhost:18000?x"]
        {
            assert!(!bare.may_be_sent_to(bad), "{bad}");
        }
        assert!(Client::plugin().may_be_sent_to("http://127.0.0.1:40123/callback"));
        assert!(Client::plugin().may_be_sent_to("http://[::1]:40123/callback"));
        assert!(!Client::plugin().may_be_sent_to("http://127.0.0.2:40123/callback"), "another address");
    }
}
