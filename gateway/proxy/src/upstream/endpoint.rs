//! One address of a cluster, and how it has been doing.

use http::Uri;
use http::uri::Authority;
use rustls_pki_types::ServerName;

use super::breaker::Breaker;

/// Shared by all workers; the connections to it are each worker's own.
#[derive(Debug)]
pub(crate) struct Endpoint {
    host: String,
    port: u16,
    authority: Authority,
    server_name: ServerName<'static>,
    pub(super) breaker: Breaker,
}

impl Endpoint {
    /// Takes `https://host:port`; `server_name` is what its certificate must name, where that is not the host.
    pub(crate) fn new(uri: &Uri, server_name: Option<&str>) -> Result<Self, String> {
        let fault = |what: &str| format!("endpoint {uri}: {what}; expected https://host:port");
        let authority = uri.authority().cloned().ok_or_else(|| fault("no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = server_name.unwrap_or(&host).to_owned();
        let server_name = ServerName::try_from(name).map_err(|_| fault("not a host name or an IP address"))?;
        Ok(Self {
            port: authority.port_u16().unwrap_or(443),
            host,
            authority,
            server_name,
            breaker: Breaker::default(),
        })
    }

    /// Whether it failed lately and is left alone.
    pub(crate) fn is_resting(&self) -> bool {
        self.breaker.is_resting()
    }

    /// Host and port, as a request names it.
    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Where to dial.
    pub(super) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// What the certificate must name.
    pub(super) fn server_name(&self) -> ServerName<'static> {
        self.server_name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_endpoint_dials_without_brackets_and_names_itself_with_them() {
        let endpoint = Endpoint::new(&Uri::from_static("https://[2001:db8::1]:6443"), None).unwrap();
        assert_eq!(endpoint.address(), ("2001:db8::1", 6443));
        assert_eq!(endpoint.authority().as_str(), "[2001:db8::1]:6443");
    }
}
