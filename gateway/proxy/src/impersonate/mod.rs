//! Fourth stage: the request that the cluster sees.
//!
//! Its header map starts empty. What the client sent is copied by rule, after everything that belongs to one hop is
//! gone; the identity comes last and is checked. A cluster therefore never reads an identity that the client wrote,
//! and nothing that the client wrote can make ours disappear.

mod bearer;
mod copy;
mod nested;
mod question;
mod reviews;

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONNECTION, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use kube_wire::UserInfo;
use kube_wire::header::{AUDIT_ID, IMPERSONATE_GROUP, IMPERSONATE_UID, IMPERSONATE_USER};

use crate::admit::{Asked, Peer, Protocol, Target, Upgrade};
use crate::audit::{Hold, Record};
use crate::authorize::{Authorized, Way};
use crate::body::Body;
use crate::boundary::{Cluster, Life, Mint, Session, header_value, service_account};
use crate::cluster::{Role, Speaker};
use crate::gate::Gate;
use crate::refusal::Refusal;
use crate::relay::WayBack;

pub(crate) use bearer::header as bearer_header;
pub(crate) use copy::is_identity_or_hop;
pub(crate) use nested::add_groups_of_the_cluster;
pub(crate) use question::access_review;
pub(crate) use reviews::Reviews;

/// Evidence that a request says who it is from, in words that its client had no hand in. Only this reaches a cluster.
#[derive(Debug)]
pub struct Outbound {
    cluster: Arc<Cluster>,
    request: Sending,
}

/// What goes to a cluster. The pool adds `Host` and the cluster's own credential, and nothing else.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) method: Method,
    /// The client's bytes after the prefix.
    pub(crate) path: PathAndQuery,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Whose credential it carries: that of an account, which the pool adds, or the caller's, which `headers` hold.
    pub(crate) speaker: Speaker,
    /// The wish to leave HTTP; `headers` carry it too.
    pub(crate) upgrade: Option<Upgrade>,
    /// A watch, a log, a tunnel: no deadline, and connections apart from short requests.
    pub(crate) long_running: bool,
    /// A server behind the API server answers, which may want a login of its own, and may break its connection.
    pub(crate) proxied: bool,
    /// How long the answer to a short request may take to begin.
    pub(crate) timeout: Duration,
    /// Ends with the session. A tunnel must end when it does.
    pub(crate) life: Life,
    /// A tunnel keeps it to its end: dropping it closes the request's record.
    pub(crate) hold: Hold,
}

impl Outbound {
    /// Whether it may change something, so that it must not be sent twice.
    pub(crate) fn changes(&self) -> bool {
        !matches!(self.request.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    /// What the answer needs on its way back.
    pub(crate) fn way_back(&self) -> WayBack {
        let (cluster, life) = (Arc::clone(&self.cluster), self.request.life.clone());
        WayBack { cluster, life, proxied: self.request.proxied }
    }

    /// Gives up the evidence for what is to be sent. Only the pool may do so.
    pub(crate) fn into_sending(self) -> (Arc<Cluster>, Sending) {
        (self.cluster, self.request)
    }
}

/// Renders who asks into a request for the cluster, after asking the cluster about `--as`.
pub(crate) async fn run(gate: &Gate, authorized: Authorized, record: &mut Record) -> Result<Outbound, Refusal> {
    copy::refuse_tokens(&authorized.admitted().head().headers)?;
    let carried = Carried::of(&authorized)?;
    let acting_as = match nested::Asking::read(&authorized)? {
        None => None,
        // The API server knows the caller there, and judges by itself.
        Some(asking) if carried.is_token() => Some(asking.into_target()),
        Some(asking) => Some(Box::pin(nested::run(gate, asking)).await?),
    };
    let (admitted, Way { caller, cluster }) = authorized.into_parts();
    let timeout = admitted.snapshot().limits().response_timeout;
    let long_running = admitted.info().is_long_running(admitted.upgrade().is_some());
    let proxied = admitted.info().is_proxied();
    let path = match admitted.target() {
        Target::Cluster { path, .. } | Target::Management { path } | Target::Console { path } => path.clone(),
    };
    let Asked { head, body, upgrade, peer } = admitted.into_request();
    let room = head.headers.len() + caller.session().identity().groups.len() + 16;
    let mut headers = HeaderMap::try_with_capacity(room).map_err(|_| too_large())?;
    copy::client_headers(&head.headers, &mut headers)?;
    add_hop(&mut headers, upgrade.as_ref().map(|upgrade| upgrade.protocol), &peer, record)?;
    let session = caller.session();
    match (&carried, &acting_as) {
        (Carried::Headers, None) => add_session(&mut headers, session, &cluster)?,
        (Carried::Headers, Some(target)) => add_nested(&mut headers, target, session, &cluster)?,
        (Carried::Minted(mint), target) => {
            put(&mut headers, &AUTHORIZATION, bearer::authorization(&gate.common, &**mint, session, &cluster)?)?;
            target.iter().try_for_each(|target| add_target(&mut headers, target))?;
        }
        (Carried::Presented(token), target) => {
            put(&mut headers, &AUTHORIZATION, token.clone())?;
            target.iter().try_for_each(|target| add_target(&mut headers, target))?;
        }
    }
    check(&headers, upgrade.is_some(), &Expected::of(&carried, acting_as.is_some()))?;
    let speaker = carried.speaker();
    record.acts_as(acting_as);
    let (life, hold) = (caller.life().clone(), record.hold());
    let method = head.method;
    let request = Sending { method, path, headers, body, speaker, upgrade, long_running, proxied, timeout, life, hold };
    Ok(Outbound { cluster, request })
}

/// What the next hop needs to know of this one.
fn add_hop(headers: &mut HeaderMap, upgrade: Option<Protocol>, client: &Peer, record: &Record) -> Result<(), Refusal> {
    if let Some(protocol) = upgrade {
        put(headers, &CONNECTION, HeaderValue::from_static("Upgrade"))?;
        put(headers, &UPGRADE, protocol.header())?;
    }
    put(headers, &X_FORWARDED_FOR, client.forwarded())?;
    put(headers, &AUDIT_ID, record.audit_header())
}

/// The caller as itself: bytes that were rendered at login.
fn add_session(headers: &mut HeaderMap, session: &Session, cluster: &Cluster) -> Result<(), Refusal> {
    let identity = session.rendered();
    for (name, value) in identity.lines {
        put(headers, name, value.clone())?;
    }
    let extra = cluster.extra();
    put_alone(headers, &extra.provider, identity.provider.clone())?;
    put_alone(headers, &extra.principal, identity.principal.clone())?;
    if cluster.config().send_session_extra {
        put_alone(headers, &extra.session_id, identity.session_id.clone())?;
    }
    Ok(())
}

/// The one whom the cluster lets the caller act as, and who that caller is: the request is our account's.
fn add_nested(headers: &mut HeaderMap, target: &UserInfo, session: &Session, cluster: &Cluster) -> Result<(), Refusal> {
    add_target(headers, target)?;
    if service_account(&target.username).is_some() {
        return Ok(());
    }
    let caller = header_value(&session.identity().username).ok_or_else(too_large)?;
    put_alone(headers, &cluster.extra().original_user, caller)
}

/// Whom the caller acts as. A service account is sent as its name alone: the API server knows its groups, and refuses to
/// be told.
fn add_target(headers: &mut HeaderMap, target: &UserInfo) -> Result<(), Refusal> {
    let value = |text: &str| header_value(text).ok_or_else(too_large);
    put(headers, &IMPERSONATE_USER, value(&target.username)?)?;
    if service_account(&target.username).is_some() {
        return Ok(());
    }
    if let Some(uid) = &target.uid {
        put(headers, &IMPERSONATE_UID, value(uid)?)?;
    }
    for group in target.groups.iter().filter(|group| *group != nested::AUTHENTICATED) {
        put(headers, &IMPERSONATE_GROUP, value(group)?)?;
    }
    for (key, values) in &target.extra {
        let name = kube_wire::header::extra_header(key).ok_or_else(too_large)?;
        for text in values {
            put(headers, &name, value(text)?)?;
        }
    }
    Ok(())
}

/// How often the headers that say who asks must be there.
struct Expected {
    users: usize,
    tokens: usize,
}

impl Expected {
    fn of(carried: &Carried, acting: bool) -> Self {
        match carried {
            Carried::Headers => Self { users: 1, tokens: 0 },
            Carried::Minted(_) | Carried::Presented(_) => Self { users: usize::from(acting), tokens: 1 },
        }
    }
}

/// By what the cluster learns who asks.
enum Carried {
    /// Impersonation headers, on a request of our account's.
    Headers,
    /// A token that we make for it.
    Minted(Arc<dyn Mint>),
    /// The caller's own, which this very cluster made.
    Presented(HeaderValue),
}

impl Carried {
    fn of(authorized: &Authorized) -> Result<Self, Refusal> {
        let (caller, cluster) = (authorized.caller(), authorized.cluster());
        match (caller.session().home(), caller.presented(), cluster.config().carrier.mint()) {
            (Some(home), Some(token), _) if home.cluster == cluster.id() => Ok(Self::Presented(token.header().clone())),
            // Neither is ever seen: a cluster's own account is known by its token, and goes nowhere else with it.
            (Some(_), _, _) | (None, Some(_), _) => Err(Refusal::Internal("a token is not at its own cluster")),
            (None, None, Some(mint)) => Ok(Self::Minted(Arc::clone(mint))),
            (None, None, None) => Ok(Self::Headers),
        }
    }

    const fn is_token(&self) -> bool {
        !matches!(self, Self::Headers)
    }

    const fn speaker(&self) -> Speaker {
        match self {
            Self::Presented(_) => Speaker::Caller,
            Self::Headers | Self::Minted(_) => Speaker::Account(Role::Impersonator),
        }
    }
}

/// The last look before anything can leave. It can only fail by a fault of ours, and then nothing leaves.
fn check(headers: &HeaderMap, upgrade: bool, expected: &Expected) -> Result<(), Refusal> {
    let count = |name: &HeaderName| headers.get_all(name).iter().count();
    let one_user = count(&IMPERSONATE_USER) == expected.users && count(&AUTHORIZATION) == expected.tokens;
    // hyper's HTTP/2 client deletes every header that `Connection` names: with one left over, the request could arrive
    // without its identity and run as the gateway's own account.
    let connections = headers.get_all(CONNECTION).iter().count();
    let hop = if upgrade { connections == 1 } else { connections == 0 };
    if one_user && hop { Ok(()) } else { Err(Refusal::Internal("the outgoing headers do not hold one identity")) }
}

// `append` panics when the map is full, `try_append` does not.
fn put(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) -> Result<(), Refusal> {
    headers.try_append(name, value).map(|_| ()).map_err(|_| too_large())
}

// In place of what a site's mapping may have put under a key of ours.
fn put_alone(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) -> Result<(), Refusal> {
    headers.try_insert(name, value).map(|_| ()).map_err(|_| too_large())
}

fn too_large() -> Refusal {
    Refusal::HeadersTooLarge
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests;
