//! How names that stand in addresses look.

/// Whether this is a DNS label that begins with a letter: `[a-z]([-a-z0-9]{0,61}[a-z0-9])?` (RFC 1035 §2.3.1, the
/// `IsDNS1035Label` of Kubernetes). So look the ids of clusters: they are labels of host names and segments of paths.
pub fn is_dns1035_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.last().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_what_a_path_and_a_host_can_carry() {
        for good in ["a", "east", "a-1", "a1", &"a".repeat(63)] {
            assert!(is_dns1035_label(good), "{good}");
        }
        for bad in ["", "1a", "-a", "a-", "A", "a.b", "a/b", "..", "a%2fb", "ä", &"a".repeat(64)] {
            assert!(!is_dns1035_label(bad), "{bad}");
        }
    }
}
