//! The way to a host, step by step: its name, a connection, and the certificate at its end.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use url::Url;

use super::{Check, Fault, certificate};
use crate::proxy::{self, is_local};

/// Longer than any connection takes that is of use.
const PATIENCE: Duration = Duration::from_secs(5);

/// Each step, up to the first that fails.
pub(super) fn way(url: &str, ca: Option<&str>) -> Vec<Check> {
    let parsed = Url::parse(url).ok();
    let Some((host, port)) = parsed.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)))
    else {
        return vec![Check::new("dns", Err(Fault::new(format!("{url} names no host"), "log in with another address")))];
    };
    let (mut checks, mut way) = (Vec::new(), (host.to_owned(), port));
    let proxy = match proxy::given().of(host) {
        Ok(proxy) => proxy,
        Err(error) => return vec![Check::new("proxy", Err(Fault::new(error, "correct or unset that variable")))],
    };
    if let Some(proxy) = &proxy {
        way = (proxy.host().to_owned(), proxy.port());
        let words = format!("{host} is reached through {}:{} (HTTPS_PROXY)", way.0, way.1);
        checks.push(Check::new("proxy", Ok(words)));
    }
    let addresses = resolve(&way.0, way.1);
    let tells = addresses.as_ref().map(|found| told(&way.0, found));
    checks.push(Check::new("dns", tells.map_err(|error| no_name(&way.0, error))));
    let Ok(addresses) = addresses else { return checks };
    let connected = connect(&addresses);
    let tells = connected.as_ref().map(|(address, _)| format!("{address} takes connections"));
    checks.push(Check::new("tcp", tells.map_err(|error| no_connection(&way.0, way.1, error))));
    // Behind a proxy the request itself tells.
    if let (Ok((_, stream)), None) = (connected, proxy) {
        checks.push(Check::new("tls", certificate::look(stream, host, ca)));
    }
    checks
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    // As requests find it: what is below `localhost` is here, whatever the system's resolver knows.
    let asked = if is_local(host) && host.parse::<std::net::IpAddr>().is_err() { "127.0.0.1" } else { host };
    match (asked, port).to_socket_addrs().map(Iterator::collect::<Vec<_>>) {
        Ok(found) if found.is_empty() => Err("it has no address".to_owned()),
        found => found.map_err(|error| error.to_string()),
    }
}

fn told(host: &str, addresses: &[SocketAddr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    format!("{host} is {}", addresses.join(", "))
}

fn connect(addresses: &[SocketAddr]) -> Result<(SocketAddr, TcpStream), String> {
    let mut last = "it has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(stream) => return Ok((*address, stream)),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(last)
}

fn no_name(host: &str, error: &String) -> Fault {
    let fix = "look at the spelling; does your VPN run? Or set HTTPS_PROXY, where a proxy leads out";
    Fault::new(format!("{host} is not found: {error}"), fix)
}

fn no_connection(host: &str, port: u16, error: &String) -> Fault {
    let fix = format!("does your VPN run, and does a firewall let you reach port {port}? Else tell your operators");
    Fault::new(format!("{host} takes no connection: {error}"), fix)
}
