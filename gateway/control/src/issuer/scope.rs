//! What a client may ask for (RFC 6749 §3.3). The pages that ask for consent have a text for each.

/// To know who somebody is. Nothing is asked without it (OpenID Connect Core §3.1.2.1).
pub(crate) const OPENID: &str = "openid";
/// What clusters call them.
pub(crate) const PROFILE: &str = "profile";
/// Their groups, from the address for them (`userinfo`).
pub(crate) const GROUPS: &str = "groups";
/// A refresh token.
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

/// All that are known, in the order in which tokens name them.
pub(crate) const ALL: [&str; 4] = [OPENID, PROFILE, GROUPS, OFFLINE_ACCESS];

/// The known part of what is asked, which must hold `openid`.
pub(crate) fn known(asked: Option<&str>) -> Option<String> {
    let asked = asked?;
    holds(asked, OPENID).then(|| ALL.into_iter().filter(|one| holds(asked, one)).collect::<Vec<_>>().join(" "))
}

/// Whether this one is among them.
pub(crate) fn holds(scope: &str, one: &str) -> bool {
    scope.split(' ').any(|word| word == one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_given_and_nothing_without_openid() {
        assert_eq!(known(Some("groups email openid")).as_deref(), Some("openid groups"));
        assert_eq!(known(Some("openid  openid")).as_deref(), Some("openid"));
        for none in [None, Some(""), Some("groups"), Some("openidx"), Some("OPENID")] {
            assert_eq!(known(none), None, "{none:?}");
        }
    }
}
