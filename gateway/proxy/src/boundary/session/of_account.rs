//! A service account that proved itself by a token of its own cluster.

use http::HeaderValue;
use kube_wire::UserInfo;

use super::{Carried, Session, SessionParts};
use crate::boundary::{ServiceAccount, Snapshot};

/// Which cluster made the token, and under which name it signs. Another cluster's account of the same name is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) cluster: String,
    pub(crate) issuer: String,
}

impl Home {
    /// Whether the cluster still takes its own tokens.
    pub(crate) fn stands_in(&self, snapshot: &Snapshot) -> bool {
        let on = snapshot.cluster(&self.cluster).and_then(|cluster| cluster.config().service_accounts.as_ref());
        on.is_some_and(|on| on.issuer == self.issuer)
    }
}

impl Session {
    /// What stands for a service account while it asks its own cluster.
    ///
    /// It holds no line of an identity: what says who it is goes to the cluster in the token itself, and a request that
    /// was rendered like a person's would name nobody and be refused. No grant reaches it but those for the account and
    /// its groups, by names that no provider may give.
    pub(crate) fn of_account(account: &ServiceAccount, uid: &str, home: Home) -> Self {
        let username = account.username();
        let groups = account.groups().to_vec();
        let user = std::iter::once(format!("user:{username}"));
        let subjects = user.chain(groups.iter().map(|group| format!("group:{group}"))).collect();
        // Neither is of a form that the gateway gives to a person or a login.
        let id = format!("cluster:{}:{}:{}", home.cluster, account.namespace(), account.name());
        let identity = UserInfo { uid: Some(uid.to_owned()), groups, ..UserInfo::named(username) };
        let none = HeaderValue::from_static("none");
        Self {
            parts: SessionParts {
                user: id.clone(),
                id,
                provider: format!("cluster:{}", home.cluster),
                principal: username.to_owned(),
                identity,
                subjects,
            },
            lines: Vec::new(),
            session_id: none.clone(),
            provider: none.clone(),
            principal: none,
            carried: Carried::default(),
            home: Some(home),
        }
    }

    /// The cluster whose own account this is; `None` for everybody who logged in.
    pub(crate) fn home(&self) -> Option<&Home> {
        self.home.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_known_by_its_names_and_renders_no_identity() {
        let account = ServiceAccount::parse("system:serviceaccount:ci:deployer").unwrap();
        let home = Home { cluster: "east".to_owned(), issuer: "https://east.example.org".to_owned() };
        let session = Session::of_account(&account, "u-1", home);
        assert_eq!(
            session.subjects(),
            [
                "user:system:serviceaccount:ci:deployer",
                "group:system:serviceaccounts",
                "group:system:serviceaccounts:ci"
            ]
        );
        assert_eq!((session.user(), session.provider()), ("cluster:east:ci:deployer", "cluster:east"));
        assert!(session.rendered().lines.is_empty());
    }
}
