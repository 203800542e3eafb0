//! Identity as a bearer token, for a cluster that trusts the gateway's own issuer.
//!
//! No account of the gateway's exists there: the request is the caller's own, the API server reads who it is from the
//! token, and judges `--as` itself. A token is made when a session first comes to a cluster, and again at half its
//! time; every request between the two clones one header.

use std::time::Duration;

use http::HeaderValue;
use secrecy::ExposeSecret;

use crate::boundary::{Cluster, Mint, MintFault, Session};
use crate::gate::Common;
use crate::refusal::Refusal;

/// The `Authorization` header of this session at this cluster.
pub(super) fn authorization(
    common: &Common,
    mint: &dyn Mint,
    session: &Session,
    cluster: &Cluster,
) -> Result<HeaderValue, Refusal> {
    let now = common.time.monotonic();
    if let Some(header) = session.carried().get(cluster.id(), now) {
        return Ok(header);
    }
    let minted = mint.mint(session, cluster.id()).map_err(|fault| refusal(cluster, fault))?;
    let header = header(minted.token.expose_secret()).ok_or(Refusal::Internal("a token of ours is no header"))?;
    session.carried().keep(cluster.id(), &header, now + minted.lasts / 2);
    Ok(header)
}

/// Sensitive: HTTP/2 must not put it into a compression table, and `Debug` must not show it.
pub(crate) fn header(token: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn refusal(cluster: &Cluster, fault: MintFault) -> Refusal {
    match fault {
        MintFault::TooLarge { .. } => Refusal::IdentityTooLarge(fault.to_string().into()),
        MintFault::Unavailable(why) => {
            let retry_after = Duration::from_secs(5);
            Refusal::ClusterUnavailable { cluster: cluster.id().into(), why: why.into(), retry_after }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::HeaderMap;

    use super::*;
    use crate::boundary::{Carrier, Minted};
    use crate::impersonate::tests::outbound;
    use crate::testing::{World, request, snapshot_config};

    const LIFE: Duration = Duration::from_secs(600);

    /// Numbers its tokens.
    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl Mint for Counting {
        fn mint(&self, session: &Session, cluster: &str) -> Result<Minted, MintFault> {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            let token = format!("{}.{cluster}.{number}", session.id()).into();
            Ok(Minted { token, lasts: LIFE })
        }
    }

    #[derive(Debug)]
    struct Refusing(MintFault);

    impl Mint for Refusing {
        fn mint(&self, _: &Session, _: &str) -> Result<Minted, MintFault> {
            Err(self.0.clone())
        }
    }

    fn world(mint: Arc<dyn Mint>) -> World {
        let mut config = snapshot_config();
        for cluster in &mut config.clusters {
            cluster.carrier = Carrier::Bearer(Arc::clone(&mint));
        }
        World::with(config)
    }

    fn sent(world: &World, more: &[(&str, &str)]) -> Result<HeaderMap, Refusal> {
        let get = request("/k8s/clusters/east/api/v1/pods");
        outbound(world, more.iter().fold(get, |request, (name, value)| request.header(*name, *value)))
    }

    fn lines<'a>(headers: &'a HeaderMap, prefix: &str) -> Vec<&'a str> {
        let lines = headers.iter().filter(|(name, _)| name.as_str().starts_with(prefix));
        lines.map(|(_, value)| value.to_str().unwrap()).collect()
    }

    #[test]
    fn the_session_s_token_is_all_that_says_who_asks() {
        let world = world(Arc::new(Counting::default()));
        let headers = sent(&world, &[("x-remote-user", "admin"), ("x-gatewarden-user", "admin")]).unwrap();
        assert_eq!(lines(&headers, "authorization"), ["Bearer s-1.east.0"]);
        assert!(headers["authorization"].is_sensitive());
        assert_eq!(lines(&headers, "impersonate"), [""; 0]);
        assert_eq!(lines(&headers, "x-remote"), [""; 0]);
    }

    #[test]
    fn a_token_is_made_once_and_again_at_half_its_time() {
        let world = world(Arc::new(Counting::default()));
        let token = || lines(&sent(&world, &[]).unwrap(), "authorization")[0].to_owned();
        assert_eq!((token(), token()), ("Bearer s-1.east.0".to_owned(), "Bearer s-1.east.0".to_owned()));
        world.time.pass(LIFE / 2 - Duration::from_secs(1));
        world.revoke.heartbeat();
        assert_eq!(token(), "Bearer s-1.east.0");
        world.time.pass(Duration::from_secs(1));
        world.revoke.heartbeat();
        assert_eq!(token(), "Bearer s-1.east.1");
    }

    #[test]
    fn whom_the_caller_acts_as_is_for_the_cluster_to_judge_but_no_reserved_name() {
        let world = world(Arc::new(Counting::default()));
        let headers = sent(&world, &[("impersonate-user", "jane"), ("impersonate-group", "ops")]).unwrap();
        assert_eq!(lines(&headers, "impersonate"), ["jane", "ops"], "nobody's place is taken: no original-user");
        assert_eq!(lines(&headers, "authorization").len(), 1);
        let jane = ("impersonate-user", "jane");
        for reserved in [&[("impersonate-user", "system:admin")][..], &[jane, ("impersonate-group", "system:masters")]]
        {
            let refused = sent(&world, reserved);
            assert!(matches!(refused, Err(Refusal::MayNotActAs(_))), "{refused:?}");
        }
        let ours = sent(&world, &[("impersonate-user", "jane"), ("impersonate-extra-gatewarden%2fprincipal", "x")]);
        assert!(matches!(ours, Err(Refusal::MayNotActAs(_))), "{ours:?}");
    }

    #[test]
    fn an_identity_that_no_token_holds_is_refused_and_a_missing_key_is_an_outage() {
        let large = MintFault::TooLarge { groups: 700, bytes: 9_000, limit: 8_192 };
        let refused = sent(&world(Arc::new(Refusing(large))), &[]).unwrap_err();
        assert_eq!(refused.code_of_answer(), 403);
        assert!(refused.to_string().contains("700 groups"), "{refused}");
        let gone = sent(&world(Arc::new(Refusing(MintFault::Unavailable("no key".to_owned())))), &[]).unwrap_err();
        assert_eq!(gone.code_of_answer(), 503);
    }
}
