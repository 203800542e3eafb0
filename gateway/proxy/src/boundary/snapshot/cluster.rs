//! A cluster as requests meet it.

use http::HeaderName;

use crate::boundary::session::{extra_name, is_reserved};
use crate::boundary::snapshot::SnapshotFault;
use crate::boundary::{ClusterConfig, Session};

/// One cluster of a [`Snapshot`].
#[derive(Debug)]
pub struct Cluster {
    config: ClusterConfig,
    extra: ExtraNames,
}

/// The header names of the extra keys that we add for this cluster.
#[derive(Debug)]
pub(crate) struct ExtraNames {
    pub(crate) session_id: HeaderName,
    pub(crate) provider: HeaderName,
    pub(crate) principal: HeaderName,
    pub(crate) original_user: HeaderName,
}

const SESSION_ID: &str = "session-id";
const PROVIDER: &str = "provider";
const PRINCIPAL: &str = "principal";
const ORIGINAL_USER: &str = "original-user";

fn extra_key(config: &ClusterConfig, name: &str) -> String {
    format!("{}/{name}", config.extra_prefix)
}

impl ExtraNames {
    /// The extra keys that requests to this cluster may carry: our account needs a right to each of them. Where there is
    /// no account of ours, nobody acts in another's place.
    pub(crate) fn keys(config: &ClusterConfig) -> Vec<String> {
        let session = config.send_session_extra.then_some(SESSION_ID);
        let original = config.carrier.mint().is_none().then_some(ORIGINAL_USER);
        [PROVIDER, PRINCIPAL].into_iter().chain(original).chain(session).map(|name| extra_key(config, name)).collect()
    }
}

impl Cluster {
    pub(super) fn new(config: ClusterConfig) -> Result<Self, Vec<SnapshotFault>> {
        config.check().map_err(|faults| {
            faults.into_iter().map(|fault| SnapshotFault::Cluster(config.id.clone(), fault)).collect::<Vec<_>>()
        })?;
        let key = |name: &str| {
            extra_name(&extra_key(&config, name)).map_err(|fault| vec![SnapshotFault::Extra(config.id.clone(), fault)])
        };
        let extra = ExtraNames {
            session_id: key(SESSION_ID)?,
            provider: key(PROVIDER)?,
            principal: key(PRINCIPAL)?,
            original_user: key(ORIGINAL_USER)?,
        };
        Ok(Self { config, extra })
    }

    /// The cluster's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.config.id
    }

    /// How to reach it, and as whom.
    #[must_use]
    pub fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// Whether nobody may have this name here: the cluster may keep more to itself than every cluster does.
    pub(crate) fn reserves(&self, name: &str) -> bool {
        is_reserved(name) || self.keeps(name)
    }

    /// Whether this cluster's own configuration keeps the name from everybody.
    pub(crate) fn keeps(&self, name: &str) -> bool {
        self.config.reserved.iter().any(|pattern| matches_pattern(pattern, name))
    }

    /// A name of this session's that the cluster keeps to itself. A service account has names that only Kubernetes may
    /// give, and Kubernetes gave them.
    pub(super) fn reserved_among<'a>(&self, session: &'a Session) -> Option<&'a str> {
        let identity = session.identity();
        let native = session.home().is_some();
        let kept = |name: &&String| if native { self.keeps(name) } else { self.reserves(name) };
        std::iter::once(&identity.username).chain(&identity.groups).find(kept).map(String::as_str)
    }

    /// The extra keys that requests to this cluster may carry, such as `gatewarden/provider`.
    #[must_use]
    pub fn extra_keys(&self) -> Vec<String> {
        ExtraNames::keys(&self.config)
    }

    pub(crate) fn extra(&self) -> &ExtraNames {
        &self.extra
    }
}

/// Whether a name is the pattern, or begins with it when it ends in `*`; in whatever case.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
        None => name.eq_ignore_ascii_case(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_or_its_beginning() {
        assert!(matches_pattern("a:*", "a:b") && matches_pattern("a", "a") && matches_pattern("*", "x"));
        assert!(matches_pattern("Corp:*", "cORP:x") && matches_pattern("root", "Root"));
        assert!(!matches_pattern("a", "ab") && !matches_pattern("a:*", "b:a:"));
    }
}
