//! Tokens that carry their own proof: JSON Web Tokens (RFC 7519) that this gateway signed.
//!
//! Only our own are read here. So the header is not read but compared, byte for byte, with those that we write: there
//! is no algorithm to choose, no key to be led to, and one spelling for each token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::key_pair::Alg;
use super::signing::{SigningKey, signer};
use crate::keys::KeyFault;

/// What a token is for. It stands in the header (RFC 8725 §3.11), so that none passes for another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// For the gateway itself (RFC 9068).
    Access,
    /// For the client that asked who logged in (OpenID Connect Core §2).
    Id,
    /// For an API server that trusts this issuer. The gateway itself never takes one.
    Cluster,
}

impl Kind {
    /// The kinds that the gateway takes.
    const READ: [Self; 2] = [Self::Access, Self::Id];

    const fn typ(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Id => "JWT",
            Self::Cluster => "cluster+jwt",
        }
    }
}

/// What a token says. No groups: those are the session's, and change while tokens live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Who made it.
    pub(crate) iss: String,
    /// Whose it is: the user id.
    pub(crate) sub: String,
    /// Whom it is for.
    pub(crate) aud: String,
    /// The session.
    pub(crate) sid: String,
    /// The client that got it.
    pub(crate) client_id: String,
    /// From this second it is refused.
    pub(crate) exp: i64,
    /// When it was made, in seconds.
    pub(crate) iat: i64,
    /// Its own name.
    pub(crate) jti: String,
    /// What the client may learn, in an access token (RFC 9068 §2.2.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    /// What the client's request said, in an ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<String>,
    /// When the person proved to their provider who they are, in an ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) auth_time: Option<i64>,
    /// What clusters call them, in an ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) preferred_username: Option<String>,
}

/// Far longer than any that we make.
const LONGEST: usize = 4 * 1024;

/// Signs the claims with the key whose turn it is.
///
/// # Errors
/// When there is no key, and when the system gives no randomness.
pub(crate) fn sign(
    keys: &[SigningKey],
    now: Timestamp,
    kind: Kind,
    claims: &impl Serialize,
) -> Result<String, KeyFault> {
    sign_by(keys, now, (Alg::Es256, kind), claims)
}

/// The same by another algorithm.
///
/// # Errors
/// As [`sign`].
pub(crate) fn sign_by(
    keys: &[SigningKey],
    now: Timestamp,
    (alg, kind): (Alg, Kind),
    claims: &impl Serialize,
) -> Result<String, KeyFault> {
    let key = signer(keys, alg, now).ok_or(KeyFault::Crypto)?;
    let claims = serde_json::to_vec(claims).map_err(|_| KeyFault::Crypto)?;
    let mut text = format!("{}.{}", header(key, kind), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.pair().sign(text.as_bytes())?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    Ok(text)
}

/// Recognizes a token that these keys signed. Whether it is over, for whom it is and whether its session lives is for
/// the caller to say.
pub(crate) fn verify(keys: &[SigningKey], now: Timestamp, text: &str) -> Option<(Kind, Claims)> {
    if text.len() > LONGEST {
        return None;
    }
    let (signed, signature) = text.rsplit_once('.')?;
    let (head, claims) = signed.split_once('.')?;
    let known = keys.iter().filter(|key| key.retires_at() > now);
    let (key, kind) =
        known.flat_map(|key| Kind::READ.map(|kind| (key, kind))).find(|(key, kind)| header(key, *kind) == head)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    if !key.pair().verifies(signed.as_bytes(), &signature) {
        return None;
    }
    let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some((kind, claims))
}

/// Who says that they made it. Whether they did is for their verifier to find out.
pub(crate) fn issuer_of(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Unproven {
        iss: String,
    }

    let (_, rest) = text.split_once('.')?;
    let (claims, _) = rest.split_once('.')?;
    let Unproven { iss } = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some(iss)
}

fn header(key: &SigningKey, kind: Kind) -> String {
    let (alg, typ, kid) = (key.alg().name(), kind.typ(), key.kid());
    URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","typ":"{typ}","kid":"{kid}"}}"#))
}
