//! What each party is told.

use super::*;

#[derive(Debug, thiserror::Error)]
#[error("connection reset\nFAKE LOG LINE")]
struct Inner;

#[derive(Debug, thiserror::Error)]
#[error("search failed")]
struct Outer(#[source] Inner);

fn all() -> Vec<AuthError> {
    let wait = Duration::from_secs(7);
    vec![
        AuthError::BadCredentials,
        AuthError::Ambiguous,
        AuthError::Disabled,
        AuthError::Locked,
        AuthError::PasswordExpired,
        AuthError::MustChangePassword,
        AuthError::AccountExpired,
        AuthError::PolicyDenied("only from the office".into()),
        AuthError::NotInRequiredGroups,
        AuthError::GroupsIncomplete("INNER host ldap1".into()),
        AuthError::Throttled { retry_after: wait },
        AuthError::Unavailable { retry_after: wait, source: Some("INNER host ldap1".into()) },
        AuthError::Misconfigured { field: "INNER".into(), message: "INNER".into() },
        AuthError::Protocol("INNER bytes".into()),
        AuthError::Replay,
        AuthError::UnsupportedInput,
    ]
}

#[test]
fn a_person_cannot_tell_an_ambiguous_name_from_a_wrong_password() {
    let seen = |error: AuthError| (error.http_status(), error.code(), error.public_message(), error.retry_after());
    assert_eq!(seen(AuthError::Ambiguous), seen(AuthError::BadCredentials));
}

#[test]
fn an_operator_can_tell_every_variant_from_every_other() {
    let mut codes: Vec<_> = all().iter().map(AuthError::audit_code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all().len());
}

#[test]
fn nothing_of_the_inside_is_told_to_a_person() {
    for error in all() {
        assert!(!error.public_message().contains("INNER"), "{error:?}");
        assert!(!error.code().contains("INNER"), "{error:?}");
    }
}

#[test]
fn an_outage_is_never_a_401() {
    for error in all() {
        let is_outage = matches!(error, AuthError::Unavailable { .. } | AuthError::GroupsIncomplete(_));
        assert_eq!(is_outage, error.http_status() == 503, "{error:?}");
    }
}

#[test]
fn the_audit_text_has_the_sources_on_one_bounded_line() {
    let text = AuthError::unavailable(Outer(Inner)).audit_text();
    assert_eq!(text, "the identity system is unavailable: search failed: connection reset FAKE LOG LINE");
    let flood = AuthError::Protocol("x".repeat(1_000_000)).audit_text();
    assert!(flood.len() <= AUDIT_MAX + '…'.len_utf8(), "{}", flood.len());
}
