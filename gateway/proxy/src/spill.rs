//! A token that stands where no token belongs: in a path, a query, a user agent, a message.
//!
//! People paste. What was pasted into a URL must neither be kept in a log nor, when it is ours, be told to a cluster. Signed
//! tokens of others are a pod's business: they go through, and are hidden from the log all the same.

use std::borrow::Cow;

/// Why a request that spills a token is refused.
pub(crate) const WHERE_IT_BELONGS: &str = "a token belongs in the Authorization header";

/// How long `gwt-`, `gwr-` and `.eyJ` are, by which one is found.
const MARK: usize = 4;
const NAME: usize = 12;
/// A shorter rest opens nothing; a whole secret has 66 characters.
const LEAST_SECRET: usize = 8;
/// How the header of a signed token of ours begins: `{"alg":"ES256","typ":`.
const OURS: &[u8] = b"eyJhbGciOiJFUzI1NiIsInR5cCI6";

/// The part of a token that must not be seen.
#[derive(Clone, Copy)]
struct Secret {
    begin: usize,
    end: usize,
    ours: bool,
}

/// Whether a whole token of ours stands somewhere in it, the colon escaped or not.
pub(crate) fn holds_token(bytes: &[u8]) -> bool {
    let mut found = next(bytes, 0);
    while let Some(secret) = found {
        if secret.ours {
            return true;
        }
        found = next(bytes, secret.end);
    }
    false
}

/// The text with the secret of every token taken out. The name stays: it is no secret, and tells what to revoke.
pub(crate) fn redacted(text: &str) -> Cow<'_, str> {
    let Some(first) = next(text.as_bytes(), 0) else { return Cow::Borrowed(text) };
    let (mut clean, mut kept, mut found) = (String::with_capacity(text.len()), 0, Some(first));
    while let Some(Secret { begin, end, .. }) = found {
        clean.push_str(text.get(kept..begin).unwrap_or_default());
        clean.push_str("hidden");
        kept = end;
        found = next(text.as_bytes(), end);
    }
    clean.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(clean)
}

/// Where the next secret begins and ends, from a place on.
fn next(bytes: &[u8], from: usize) -> Option<Secret> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        let mark = at + rest.windows(MARK).position(is_mark)?;
        at = mark + MARK;
        let found = match bytes.get(mark) {
            Some(b'.') => signed(bytes, mark),
            _ => secret_of(bytes, at).and_then(|begin| Some(Secret { begin, end: end_of(bytes, begin)?, ours: true })),
        };
        if found.is_some() {
            return found;
        }
    }
}

fn is_mark(window: &[u8]) -> bool {
    matches!(window, [b'g', b'w', b't' | b'r', b'-'] | [b'.', b'e', b'y', b'J'])
}

/// Where a secret ends that is long enough to be one.
fn end_of(bytes: &[u8], begin: usize) -> Option<usize> {
    let length = bytes.get(begin..)?.iter().take_while(|byte| is_secret(**byte)).count();
    (length >= LEAST_SECRET).then_some(begin + length)
}

/// A signed token around the dot before its claims: both parts begin a JSON object, and a signature follows. All behind
/// the header is hidden.
fn signed(bytes: &[u8], dot: usize) -> Option<Secret> {
    let before = bytes.get(..dot)?;
    let length = before.iter().rev().take_while(|byte| is_secret(**byte)).count();
    let header = before.get(dot - length..)?;
    if !header.starts_with(b"eyJ") {
        return None;
    }
    let claims = bytes.get(dot + 1..)?.iter().take_while(|byte| is_secret(**byte)).count();
    let behind = dot + 1 + claims;
    if bytes.get(behind) != Some(&b'.') {
        return None;
    }
    Some(Secret { begin: dot + 1, end: end_of(bytes, behind + 1)?, ours: header.starts_with(OURS) })
}

/// Behind twelve characters of base32 and a colon.
fn secret_of(bytes: &[u8], name: usize) -> Option<usize> {
    let colon = name + NAME;
    let named = bytes.get(name..colon)?.iter().all(u8::is_ascii_alphanumeric);
    let rest = bytes.get(colon..)?;
    match rest {
        [b':', ..] if named => Some(colon + 1),
        [b'%', b'3', b'A' | b'a', ..] if named => Some(colon + 3),
        _ => None,
    }
}

fn is_secret(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME_AND: &str = "gwt-abcdefghijk2";

    #[test]
    fn a_token_keeps_its_name_and_loses_its_secret() {
        for colon in [":", "%3A", "%3a"] {
            let token = format!("{NAME_AND}{colon}{}", "Se-cret_".repeat(8));
            let text = format!("gwt-x gwt-/a/{token}?b={token}&c");
            assert!(holds_token(text.as_bytes()), "{text}");
            assert_eq!(redacted(&text), format!("gwt-x gwt-/a/{NAME_AND}{colon}hidden?b={NAME_AND}{colon}hidden&c"));
        }
    }

    #[test]
    fn a_signed_token_and_one_that_refreshes_others_are_secrets_too() {
        let refresh = format!("gwr-abcdefghijk2:{}", "Se-cret_".repeat(8));
        assert_eq!(redacted(&refresh), "gwr-abcdefghijk2:hidden");
        let text = "/x/eyJhbGci.eyJpc3Mi.c2lnbmF0dXJl/y?a=eyJh.eyJi.c2lnbmF0dXJl";
        assert_eq!(redacted(text), "/x/eyJhbGci.hidden/y?a=eyJh.hidden");
        assert!(!holds_token(text.as_bytes()), "a pod may have tokens of its own in its paths");
        let ours = format!("{text}&b=eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJi.c2lnbmF0dXJl");
        assert!(holds_token(ours.as_bytes()), "ours behind others");
        for other in
            ["eyJh.eyJi", "eyJh.eyJi.", "eyJh.eyJi.short", "x.eyJi.c2lnbmF0dXJl", ".eyJi.c2lnbmF0dXJl", "eyJh.x.eyJi"]
        {
            assert_eq!(redacted(other), other);
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for text in ["", "gwt-", "gwt-a:b", "a gwt-abcdefghijk2 b", "gwt-abcdefghijk2:", "gwt-abcdefghijk2:short", "é"]
        {
            assert!(!holds_token(text.as_bytes()), "{text}");
            assert_eq!(redacted(text), text);
        }
    }
}
