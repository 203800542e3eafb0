//! A wide token in, one for a single cluster out (RFC 8693).
//!
//! For what should not hold a whole login: a tool, a script, a cluster that one looks at with somebody else's program.
//! It is the same person, the same session and no more time, and reaches that cluster alone.

use std::time::Duration;

use jiff::Timestamp;
use kube_wire::is_dns1035_label;

use super::cluster::CLUSTERS_PATH;
use super::exchange::GrantError;
use super::jwt::{self, Claims, Kind};
use super::{Client, Issuer, TOKEN_LIFE};
use crate::control::Control;
use crate::store::moment;

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct Narrows<'a> {
    pub(crate) subject_token: &'a str,
    /// The id of a cluster, or its address below the resource.
    pub(crate) target: &'a str,
}

/// What it gets.
#[derive(Debug)]
pub(crate) struct Narrowed {
    pub(crate) access_token: String,
    pub(crate) expires_in: Duration,
}

impl Issuer {
    /// The cluster that an audience stands for.
    pub(crate) fn cluster_of<'a>(&self, audience: &'a str) -> Option<&'a str> {
        audience
            .strip_prefix(self.resource())?
            .strip_prefix(CLUSTERS_PATH)
            .filter(|id| !id.is_empty() && !id.contains('/'))
    }
}

impl Control {
    /// A token for one cluster, for one that opens them all.
    ///
    /// # Errors
    /// [`GrantError::Invalid`] when the subject token is not the client's, or not good now; [`GrantError::Target`] when
    /// there is no such cluster, or the subject token is for another one.
    pub(crate) async fn narrow(
        &self,
        issuer: &Issuer,
        client: &Client,
        asked: Narrows<'_>,
    ) -> Result<Narrowed, GrantError> {
        if !client.kubectl {
            return Err(GrantError::NotForClient);
        }
        let (claims, standing) = self.session_of(issuer, asked.subject_token).await?;
        if claims.client_id != client.id {
            return Err(GrantError::Invalid("the subject token is another client's"));
        }
        let cluster = issuer.cluster_of(asked.target).unwrap_or(asked.target);
        // Whether there is such a cluster is for whoever may enter it to know: one that is not there, and one without a
        // grant, get a token alike, and it opens neither.
        if !is_dns1035_label(cluster) {
            return Err(GrantError::Target("that is no cluster's id"));
        }
        let audience = issuer.config.audience_of(cluster);
        if claims.aud != issuer.resource() && claims.aud != audience {
            return Err(GrantError::Target("the subject token is for something else"));
        }
        let now = self.store().now();
        let ends = now.saturating_add(TOKEN_LIFE).unwrap_or(Timestamp::MAX).min(moment(standing.session_expires_at));
        let ends = ends.min(Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MIN));
        let narrow = Claims {
            aud: audience,
            exp: ends.as_second(),
            iat: now.as_second(),
            jti: format!("jwt-{}", uuid::Uuid::now_v7().simple()),
            // What the client may learn at the issuer is not the cluster's business.
            scope: None,
            ..claims
        };
        Ok(Narrowed {
            access_token: jwt::sign(&issuer.keys().all(), now, Kind::Access, &narrow)?,
            expires_in: ends.duration_since(now).try_into().unwrap_or_default(),
        })
    }
}
