//! The id that joins the audit records of a gateway and of the servers behind it.

use http::HeaderValue;
use uuid::Uuid;

const LONGEST: usize = 64;

/// Makes an id: a UUID of version 7, which sorts by time.
pub fn audit_id() -> String {
    Uuid::now_v7().to_string()
}

/// Reads the id that a client proposes; `None` when it is not 1 to 64 letters, digits and hyphens.
///
/// kube-apiserver takes any string. An id goes into log lines and search boxes, so anything that could be more than
/// an id there is ignored, and the request goes on under an id of ours.
pub fn client_audit_id(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().filter(|id| {
        (1..=LONGEST).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::{audit_id, client_audit_id};

    #[test]
    fn an_id_of_ours_is_one_that_we_would_take() {
        let id = audit_id();
        assert_eq!(client_audit_id(&HeaderValue::from_str(&id).unwrap()), Some(id.as_str()));
        assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7);
        assert_ne!(audit_id(), id);
    }

    #[test]
    fn an_id_that_could_be_more_than_an_id_is_ignored() {
        for bytes in [&b""[..], b"a b", b"a\tb", b"a\"b", b"a%0ab", b"a/b", b"\xed\x95\x9c", &[b'a'; 65]] {
            assert_eq!(client_audit_id(&HeaderValue::from_bytes(bytes).unwrap()), None, "{bytes:?}");
        }
        assert!(client_audit_id(&HeaderValue::from_bytes(&[b'a'; 64]).unwrap()).is_some());
    }
}
