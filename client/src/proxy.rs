//! Which proxy stands between this machine and a host: what `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` mean to curl, so
//! that one setting fits both. What is on this machine is never asked for elsewhere, whatever the variables say.

use std::net::IpAddr;

use ureq::{Proxy, ProxyProtocol};

use crate::environment;
use crate::failure::Failure;

/// What the surroundings say of proxies.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    pub(crate) url: Option<String>,
    /// Names and networks that are reached without.
    pub(crate) except: String,
}

impl Proxies {
    /// The one to reach a host by. Its address may hold a password, so no error repeats it.
    pub(crate) fn of(&self, host: &str) -> Result<Option<Proxy>, Failure> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let Some(url) = self.url.as_ref().filter(|_| !is_local(host) && !self.excepts(host)) else { return Ok(None) };
        match Proxy::new(url).map(|proxy| (proxy.protocol(), proxy)) {
            Ok((ProxyProtocol::Http | ProxyProtocol::Https, proxy)) => Ok(Some(proxy)),
            _ => Err(Failure::Usage(
                "HTTPS_PROXY (or ALL_PROXY) is no address such as http://proxy.example.org:3128".to_owned(),
            )),
        }
    }

    fn excepts(&self, host: &str) -> bool {
        if self.except.trim() == "*" {
            return true;
        }
        let mut words = self.except.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        match host.parse::<IpAddr>() {
            Ok(address) => words.any(|word| is_within(address, word)),
            Err(_) => words.any(|word| is_below(host, word)),
        }
    }
}

/// Whether a host is this machine, by name (RFC 6761 §6.3) or by address.
pub(crate) fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Whether a name is that one or one of its own; a dot before or behind changes nothing.
fn is_below(host: &str, name: &str) -> bool {
    let plain = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
    let (host, name) = (plain(host), plain(name.strip_prefix('.').unwrap_or(name)));
    let rest = host.strip_suffix(&name);
    !name.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether an address is that one, or in that network.
fn is_within(address: IpAddr, network: &str) -> bool {
    let (network, bits) = network.split_once('/').map_or((network, None), |(network, bits)| (network, Some(bits)));
    let Ok(network) = network.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else { return false };
    let (address, network, most) = match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits()), u128::from(other.to_bits()), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    let Ok(bits) = bits.map_or(Ok(most), str::parse::<u32>) else { return false };
    // A network of no bits is not what anybody meant.
    (1..=most).contains(&bits) && (address ^ network) >> (most - bits) == 0
}

/// As the surroundings say it.
pub(crate) fn given() -> Proxies {
    let first = |names: [&str; 2]| names.into_iter().find_map(environment::given);
    let url = first(["https_proxy", "HTTPS_PROXY"]).or_else(|| first(["all_proxy", "ALL_PROXY"]));
    Proxies { url, except: first(["no_proxy", "NO_PROXY"]).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_used(host: &str, except: &str) -> bool {
        let proxies = Proxies { url: Some("http://proxy.test:3128".to_owned()), except: except.to_owned() };
        proxies.of(host).unwrap().is_some()
    }

    #[test]
    fn what_is_on_this_machine_is_asked_for_on_this_machine() {
        for host in ["localhost", "LOCALHOST", "localhost.", "console.localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(!is_used(host, ""), "{host}");
        }
        for host in ["gw.test", "notlocalhost", "localhost.evil.test", "192.0.2.1", "[2001:db8::1]"] {
            assert!(is_used(host, ""), "{host}");
        }
    }

    #[test]
    fn exceptions_are_names_and_what_is_below_them_and_networks() {
        for (host, except) in [
            ("gw.test", "gw.test"),
            ("GW.test", "other.test,gw.TEST"),
            ("gw.corp.test", "corp.test"),
            ("gw.corp.test", ".corp.test"),
            ("corp.test", ".corp.test"),
            ("gw.corp.test.", "a b corp.test."),
            ("anything", "*"),
            ("192.0.2.7", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7"),
            ("[2001:db8::7]", "2001:db8::/32"),
        ] {
            assert!(!is_used(host, except), "{host} {except}");
        }
        for (host, except) in [
            ("gwcorp.test", "corp.test"),
            ("corp.test.evil", "corp.test"),
            ("gw.test", "a,*,b"),
            ("gw.test", ","),
            ("192.0.3.7", "192.0.2.0/24"),
            ("192.0.2.7", "0.0.0.0/0"),
            ("192.0.2.7", "192.0.2.0/33"),
            ("192.0.2.7", "2.7"),
            ("[2001:db9::7]", "2001:db8::/32"),
        ] {
            assert!(is_used(host, except), "{host} {except}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_told_without_its_password() {
        for url in ["http://user:secret@", "socks5://user:secret@proxy.test:1080", "::secret::"] {
            let proxies = Proxies { url: Some(url.to_owned()), except: String::new() };
            let told = proxies.of("gw.test").unwrap_err().to_string();
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
