//! Tokens for API servers that trust this issuer (Kubernetes' structured authentication).
//!
//! They say what a cluster is to know of a person, groups included, so they are short-lived, and leave the way from the
//! gateway to that cluster only where its operator lets people go there by themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kube_wire::UserInfo;
use secrecy::SecretString;
use serde::Serialize;

use super::jwt::{self, Kind};
use super::{Issuer, IssuerConfig};
use crate::control::Control;
use crate::keys::KeyFile;
use crate::store::Store;

/// Long enough that an API server whose clock is minutes ahead takes what the gateway renews at half of it.
const LIFE: Duration = Duration::from_mins(10);
/// What names and extra may take. With the signature and base64 it stays within what servers read of one header.
const MOST: usize = 8 * 1024;
/// Where clusters are, below the address of the gateway.
pub(super) const CLUSTERS_PATH: &str = "/k8s/clusters/";

/// Whom a token is about.
#[derive(Debug, Clone, Copy)]
pub struct ClusterSubject<'a> {
    /// The user's id, `u-…`.
    pub user: &'a str,
    /// The session's id, `s-…`.
    pub session: &'a str,
    /// The provider instance.
    pub provider: &'a str,
    /// The principal.
    pub principal: &'a str,
    /// What the cluster is to see.
    pub identity: &'a UserInfo,
}

/// A signed token.
#[derive(Debug)] // SecretString prints nothing of itself
pub struct ClusterToken {
    /// The token.
    pub token: SecretString,
    /// How long it is good from now.
    pub lasts: Duration,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterTokenError {
    /// The identity is larger than a token may be.
    #[error("the identity takes {bytes} bytes, more than {limit}")]
    TooLarge {
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// There is no issuer, or no key of it that may sign now.
    #[error("the issuer has no key to sign with")]
    NoKey,
}

/// The claims. [`CLAIM`] holds all that structured authentication maps.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: String,
    iat: i64,
    exp: i64,
    gatewarden: Seen<'a>,
}

/// The claim with the person in it.
pub const CLAIM: &str = "gatewarden";

#[derive(Serialize)]
struct Seen<'a> {
    username: &'a str,
    uid: &'a str,
    groups: &'a [String],
    extra: &'a BTreeMap<String, Vec<String>>,
    session: &'a str,
    provider: &'a str,
    principal: &'a str,
}

impl IssuerConfig {
    /// The audience of tokens for one cluster: its address at the gateway.
    #[must_use]
    pub fn audience_of(&self, cluster: &str) -> String {
        format!("{}{CLUSTERS_PATH}{cluster}", self.resource)
    }
}

impl Issuer {
    fn cluster_token(
        &self,
        (now, ends): (Timestamp, Timestamp),
        about: ClusterSubject<'_>,
        cluster: &str,
    ) -> Result<ClusterToken, ClusterTokenError> {
        let ClusterSubject { user, session, provider, principal, identity } = about;
        let bytes = size(identity);
        if bytes > MOST {
            return Err(ClusterTokenError::TooLarge { bytes, limit: MOST });
        }
        let gatewarden = Seen {
            username: &identity.username,
            uid: identity.uid.as_deref().unwrap_or(user),
            groups: &identity.groups,
            extra: &identity.extra,
            session,
            provider,
            principal,
        };
        let iat = now.as_second();
        let exp = iat.saturating_add(LIFE.as_secs().cast_signed()).min(ends.as_second());
        let claims = Claims { iss: self.url(), sub: user, aud: self.config.audience_of(cluster), iat, exp, gatewarden };
        let token = jwt::sign(&self.keys().all(), now, Kind::Cluster, &claims).map_err(|_| ClusterTokenError::NoKey)?;
        let lasts = Duration::from_secs(exp.saturating_sub(iat).try_into().unwrap_or_default());
        Ok(ClusterToken { token: token.into(), lasts })
    }
}

fn size(identity: &UserInfo) -> usize {
    let extra = identity.extra.iter().map(|(key, values)| key.len() + values.iter().map(String::len).sum::<usize>());
    identity.username.len() + identity.groups.iter().map(String::len).sum::<usize>() + extra.sum::<usize>()
}

impl Control {
    /// Signs what one cluster is to know of a session. It waits for nothing.
    ///
    /// # Errors
    /// When the identity is too large, and when there is no key.
    pub fn cluster_token(&self, about: ClusterSubject<'_>, cluster: &str) -> Result<ClusterToken, ClusterTokenError> {
        self.cluster_token_until(Timestamp::MAX, about, cluster)
    }

    /// The same for a person to take along: it lasts no longer than their login.
    pub(crate) fn cluster_token_until(
        &self,
        ends: Timestamp,
        about: ClusterSubject<'_>,
        cluster: &str,
    ) -> Result<ClusterToken, ClusterTokenError> {
        let issuer = self.issuer().ok_or(ClusterTokenError::NoKey)?;
        issuer.cluster_token((self.store().now(), ends), about, cluster)
    }
}

/// The same beside a running server, for whoever asks a cluster what it makes of a token.
#[derive(Debug)]
pub struct ClusterTokens {
    issuer: Issuer,
    store: Store,
}

impl ClusterTokens {
    /// Reads the issuer's keys, and makes the first one where no server did yet.
    ///
    /// # Errors
    /// When the store or the keys in it cannot be read.
    pub async fn open(config: IssuerConfig, keys: &KeyFile, store: Store) -> Result<Self, auth_core::BoxError> {
        let issuer = Issuer::new(config, keys);
        issuer.keys().tend(&store).await?;
        Ok(Self { issuer, store })
    }

    /// As [`Control::cluster_token`].
    ///
    /// # Errors
    /// As there.
    pub fn make(&self, about: ClusterSubject<'_>, cluster: &str) -> Result<ClusterToken, ClusterTokenError> {
        self.issuer.cluster_token((self.store.now(), Timestamp::MAX), about, cluster)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use secrecy::ExposeSecret;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Site;

    fn alice(groups: Vec<String>) -> UserInfo {
        UserInfo {
            username: "corp:alice".to_owned(),
            uid: Some("u-1".to_owned()),
            groups,
            extra: BTreeMap::from([("example.org/floor".to_owned(), vec!["7".to_owned()])]),
        }
    }

    fn about(identity: &UserInfo) -> ClusterSubject<'_> {
        ClusterSubject { user: "u-1", session: "s-1", provider: "corp", principal: "corp_user://1", identity }
    }

    #[tokio::test]
    async fn a_token_for_a_cluster_tells_the_groups_there_and_opens_nothing_here() {
        let site = Site::open().await;
        let identity = alice(vec!["corp:dev".to_owned()]);
        let made = site.control.cluster_token(about(&identity), "east").expect("a token");
        let text = made.token.expose_secret();
        let part = |index: usize| {
            let part = text.split('.').nth(index).expect("three parts");
            serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
        };
        assert_eq!(part(0)["typ"], "cluster+jwt");
        let claims = part(1);
        let issuer = site.control.issuer().expect("an issuer");
        assert_eq!(claims["aud"], format!("{}/k8s/clusters/east", issuer.resource()));
        assert_eq!(claims["exp"].as_i64().expect("a time") - claims["iat"].as_i64().expect("a time"), 600);
        let seen = json!({
            "username": "corp:alice", "uid": "u-1", "groups": ["corp:dev"], "extra": {"example.org/floor": ["7"]},
            "session": "s-1", "provider": "corp", "principal": "corp_user://1",
        });
        assert_eq!(claims[CLAIM], seen);
        assert!(site.control.resolve_signed(text).await.is_err(), "not a credential of the gateway");
    }

    #[tokio::test]
    async fn an_identity_that_is_too_large_is_refused_and_never_cut() {
        let site = Site::open().await;
        let groups = |count: usize| alice((0..count).map(|number| format!("corp:group-{number:04}")).collect());
        let most = groups(540);
        assert!(site.control.cluster_token(about(&most), "east").is_ok());
        let more = groups(600);
        let fault = site.control.cluster_token(about(&more), "east").expect_err("too large");
        assert!(matches!(fault, ClusterTokenError::TooLarge { limit: MOST, .. }), "{fault:?}");
    }
}
