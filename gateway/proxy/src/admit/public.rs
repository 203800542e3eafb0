//! The closed table of what may be asked without saying who one is.

use std::sync::Arc;
use std::time::Instant;

use http::Method;
use http::request::Parts;

use crate::admit::{Admitted, Asked, Peer, Target};
use crate::body::Body;
use crate::boundary::Front;
use crate::refusal::Refusal;

/// Evidence that a request asks for one of the few things that everybody may ask.
///
/// It names nobody, whatever the client sent along. Only the management API accepts it.
#[derive(Debug)]
pub struct Public {
    front: Front,
    head: Parts,
    body: Body,
    peer: Arc<Peer>,
    is_notice: bool,
}

/// Everything that is open to all. A line here is a door: it is decided in a review, never by configuration.
const TABLE: [Route; 5] = [
    Route { method: Method::GET, path: &[API, V1, Segment::Is("openapi.json")] },
    Route { method: Method::GET, path: &[API, V1, Segment::Is("health")] },
    Route { method: Method::GET, path: &[API, V1, Segment::Is("providers")] },
    Route { method: Method::POST, path: &[API, V1, Segment::Is("providers"), Segment::Any, Segment::Is("login")] },
    Route { method: Method::GET, path: &[Segment::Is(".well-known"), Segment::Is("oauth-protected-resource")] },
];
const API: Segment = Segment::Is("api");
const V1: Segment = Segment::Is("v1");

struct Route {
    method: Method,
    path: &'static [Segment],
}

enum Segment {
    Is(&'static str),
    Any,
}

pub(super) fn is_public(admitted: &Admitted) -> bool {
    match &admitted.target {
        Target::Management { path } => TABLE.iter().any(|route| route.leads(&admitted.head.method, path.path())),
        // Nobody's credential for clusters is read there: what its requests carry is for the issuer to judge.
        Target::Console { .. } => true,
        Target::Cluster { .. } => false,
    }
}

/// Charges the address: a login counts as a guess, and what is only read as something else. A notice is charged by what
/// becomes of it: an identity system that logs all of its people out comes from one address.
pub(super) fn pay(admitted: &Admitted, now: Instant) -> Result<(), Refusal> {
    let (source, limits) = (admitted.peer.source(), admitted.snapshot.limits());
    if is_notice(admitted) {
        return source.may_fail(now, limits);
    }
    if is_guess(admitted) { source.take_failure(now, limits) } else { source.take_open(now, limits) }
}

/// A password, or the short code of a device. What the issuer's clients send has 256 random bits.
fn is_guess(admitted: &Admitted) -> bool {
    admitted.head.method == Method::POST && !admitted.target.path().path().starts_with("/oidc/")
}

/// What an identity system tells of a logout, or somebody who says so.
fn is_notice(admitted: &Admitted) -> bool {
    matches!(admitted.target, Target::Console { .. })
        && admitted.head.method == Method::POST
        && admitted.target.path().path().starts_with("/backchannel-logout/")
}

impl Public {
    pub(super) fn of(admitted: Admitted) -> Self {
        let front = if matches!(admitted.target, Target::Console { .. }) { Front::Console } else { Front::Api };
        let is_notice = is_notice(&admitted);
        Self { front, head: admitted.head, body: admitted.body, peer: admitted.peer, is_notice }
    }

    /// Who pays when it is refused, because nobody has paid yet.
    pub(crate) fn unpaid(&self) -> Option<Arc<Peer>> {
        self.is_notice.then(|| Arc::clone(&self.peer))
    }

    /// Gives up the evidence for the request in it, and for whom it is.
    pub(crate) fn into_request(self) -> (Front, Asked) {
        let asked = Asked { head: self.head, body: self.body, upgrade: None, peer: self.peer };
        (self.front, asked)
    }
}

impl Route {
    // On the raw path: an escape in it is another path.
    fn leads(&self, method: &Method, path: &str) -> bool {
        let Some(rest) = path.strip_prefix('/') else { return false };
        let mut found = rest.split('/');
        let fits = self.path.iter().all(|segment| match (segment, found.next()) {
            (Segment::Is(name), Some(text)) => *name == text,
            (Segment::Any, Some(text)) => !text.is_empty(),
            (_, None) => false,
        });
        *method == self.method && fits && found.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_public_by_its_exact_path() {
        let public = |method: Method, path: &str| TABLE.iter().any(|route| route.leads(&method, path));
        assert!(public(Method::GET, "/api/v1/health"));
        assert!(public(Method::GET, "/api/v1/providers"));
        assert!(public(Method::GET, "/api/v1/openapi.json"));
        assert!(public(Method::POST, "/api/v1/providers/corp/login"));
        assert!(public(Method::GET, "/.well-known/oauth-protected-resource"));
        assert!(!public(Method::GET, "/.well-known/oauth-protected-resource/x"));
        for path in ["/api/v1/providers//login", "/api/v1/providers/corp/login/", "/api/v1/providers/corp/login/x"] {
            assert!(!public(Method::POST, path), "{path}");
        }
        for path in ["/api/v1/me", "/api/v1/health/", "/api/v1/Health", "/api/v1/%68ealth", "/api/v1"] {
            assert!(!public(Method::GET, path), "{path}");
        }
        assert!(!public(Method::GET, "/api/v1/providers/corp/login"));
        assert!(!public(Method::POST, "/api/v1/providers"));
    }
}
