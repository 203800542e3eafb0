//! A request as the listener got it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::UPGRADE;
use http::request::Parts;
use http::{HeaderValue, Request, Version};
use hyper::upgrade::OnUpgrade;

use crate::admit::Source;
use crate::body::Body;
use crate::gate::Common;

/// A request that nobody has looked at. Only the listener makes one that can be sent.
#[derive(Debug)]
pub struct Incoming {
    pub(super) head: Parts,
    pub(super) body: Body,
    pub(super) upgrade: Option<OnUpgrade>,
    pub(super) peer: Arc<Peer>,
}

impl Incoming {
    pub(crate) fn new(mut request: Request<hyper::body::Incoming>, peer: Arc<Peer>) -> Self {
        let wants = request.version() == Version::HTTP_11 && request.headers().contains_key(UPGRADE);
        let upgrade = wants.then(|| hyper::upgrade::on(&mut request));
        let (head, body) = request.into_parts();
        Self { head, body: body.into(), upgrade, peer }
    }

    pub(crate) fn head(&self) -> &Parts {
        &self.head
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// One that no client sent: it is played to the last door, for whoever asks what would happen, and never sent.
    pub(crate) fn rehearsed(request: Request<Body>, peer: Arc<Peer>) -> Self {
        let (head, body) = request.into_parts();
        Self { head, body, upgrade: None, peer }
    }
}

/// The other end of a connection. Made once per connection, shared by its requests.
#[derive(Debug)]
pub(crate) struct Peer {
    address: SocketAddr,
    server_name: Option<String>,
    source: Arc<Source>,
    /// The address as a header value, written once for all requests of the connection.
    forwarded: HeaderValue,
}

impl Peer {
    /// `server_name` is the one that the TLS handshake asked for.
    pub(crate) fn new(common: &Common, address: SocketAddr, server_name: Option<&str>) -> Self {
        let source = common.sources.of(address.ip());
        let forwarded = HeaderValue::try_from(address.ip().to_canonical().to_string());
        // An address is always a header value.
        let forwarded = forwarded.unwrap_or(HeaderValue::from_static("unknown"));
        Self { address, server_name: server_name.map(str::to_ascii_lowercase), source, forwarded }
    }

    /// Where the connection comes from, in the form that logs and allow lists expect.
    pub(crate) fn ip(&self) -> IpAddr {
        self.address.ip().to_canonical()
    }

    pub(crate) fn forwarded(&self) -> HeaderValue {
        self.forwarded.clone()
    }

    pub(crate) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }
}
