//! A bearer token inside `Sec-WebSocket-Protocol`, for browsers that cannot set `Authorization`.
//!
//! The protocol `base64url.bearer.authorization.k8s.io.<token, base64url without padding>` stands among the real
//! ones. It must be removed before the request goes on: the next server could log it, and would echo it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderValue};

const BEARER_PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

/// A token taken out of the offered protocols, and what is left of them.
pub struct BearerProtocol {
    token: String,
    protocols: HeaderValue,
}

/// Why the offered protocols are refused. The gateway answers 401 and says no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerProtocolFault {
    /// Two tokens: two readers could pick different ones.
    #[error("more than one bearer token among the WebSocket protocols")]
    Repeated,
    /// Not base64url without padding, not UTF-8, or empty.
    #[error("malformed bearer token among the WebSocket protocols")]
    Malformed,
    /// No other protocol: there would be nothing to answer the client with.
    #[error("a bearer token without another WebSocket protocol")]
    Alone,
}

impl BearerProtocol {
    /// Reads the offered protocols; `None` when no token is among them.
    ///
    /// ```
    /// # use http::{HeaderMap, HeaderValue};
    /// use kube_wire::header::websocket::{self, BearerProtocol};
    ///
    /// let mut headers = HeaderMap::new();
    /// let offered = format!("{}, v5.channel.k8s.io", websocket::bearer_protocol("secret"));
    /// headers.insert("sec-websocket-protocol", HeaderValue::from_str(&offered).unwrap());
    /// let found = BearerProtocol::find(&headers)?.unwrap();
    /// assert_eq!(found.protocols(), "v5.channel.k8s.io");
    /// assert_eq!(found.into_token(), "secret");
    /// # Ok::<(), websocket::BearerProtocolFault>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When there are two tokens, one that is malformed, or one alone.
    pub fn find(headers: &HeaderMap) -> Result<Option<Self>, BearerProtocolFault> {
        let mut token = None;
        let mut others: Vec<&[u8]> = Vec::new();
        for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
            for protocol in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                match protocol.strip_prefix(BEARER_PREFIX.as_bytes()) {
                    Some(_) if token.is_some() => return Err(BearerProtocolFault::Repeated),
                    Some(encoded) => token = Some(decode(encoded)?),
                    None if protocol.is_empty() => {}
                    None => others.push(protocol),
                }
            }
        }
        let Some(token) = token else { return Ok(None) };
        if others.is_empty() {
            return Err(BearerProtocolFault::Alone);
        }
        let protocols =
            HeaderValue::from_bytes(&others.join(&b", "[..])).map_err(|_| BearerProtocolFault::Malformed)?;
        Ok(Some(Self { token, protocols }))
    }

    /// The protocols to send on in one `Sec-WebSocket-Protocol` header, without the token.
    pub fn protocols(&self) -> &HeaderValue {
        &self.protocols
    }

    /// Hands the token to the one call that needs it.
    pub fn into_token(self) -> String {
        self.token
    }
}

impl fmt::Debug for BearerProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerProtocol").field("protocols", &self.protocols).finish_non_exhaustive()
    }
}

/// Writes a token as a protocol, as a browser client does.
pub fn bearer_protocol(token: &str) -> String {
    format!("{BEARER_PREFIX}{}", URL_SAFE_NO_PAD.encode(token))
}

fn decode(encoded: &[u8]) -> Result<String, BearerProtocolFault> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| BearerProtocolFault::Malformed)?;
    String::from_utf8(bytes).ok().filter(|token| !token.is_empty()).ok_or(BearerProtocolFault::Malformed)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::{BearerProtocol, BearerProtocolFault as Fault, bearer_protocol};

    /// The protocols that are left, and the token.
    type Found = (String, String);

    fn find(lines: &[&str]) -> Result<Option<Found>, Fault> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("sec-websocket-protocol", HeaderValue::from_str(line).unwrap());
        }
        BearerProtocol::find(&headers)
            .map(|found| found.map(|found| (found.protocols().to_str().unwrap().to_owned(), found.into_token())))
    }

    #[test]
    fn the_token_is_taken_out_of_any_place() {
        let token = bearer_protocol("s3cret");
        for lines in [
            vec![format!("{token}, v5.channel.k8s.io, v4.channel.k8s.io")],
            vec![format!("v5.channel.k8s.io,{token} ,v4.channel.k8s.io")],
            vec!["v5.channel.k8s.io".to_owned(), format!("v4.channel.k8s.io,, {token}")],
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let expected = ("v5.channel.k8s.io, v4.channel.k8s.io".to_owned(), "s3cret".to_owned());
            assert_eq!(find(&lines), Ok(Some(expected)));
        }
    }

    #[test]
    fn protocols_without_a_token_are_nobody() {
        assert_eq!(find(&[]), Ok(None));
        assert_eq!(find(&["v5.channel.k8s.io, base64url.bearer.authorization.example.org.eA"]), Ok(None));
    }

    #[test]
    fn two_tokens_are_refused_even_when_equal() {
        let token = bearer_protocol("x");
        assert_eq!(find(&[&format!("{token}, v5.channel.k8s.io, {token}")]), Err(Fault::Repeated));
        assert_eq!(find(&[&token, "v5.channel.k8s.io", &token]), Err(Fault::Repeated));
    }

    #[test]
    fn a_token_alone_is_refused() {
        assert_eq!(find(&[&bearer_protocol("x")]), Err(Fault::Alone));
        assert_eq!(find(&[&format!("{}, ,", bearer_protocol("x"))]), Err(Fault::Alone));
    }

    #[test]
    fn what_is_not_clean_base64url_is_refused() {
        for encoded in ["", "eA==", "e", "e+/=", "_w", "e A", "eB"] {
            let line = format!("base64url.bearer.authorization.k8s.io.{encoded}, v5.channel.k8s.io");
            assert_eq!(find(&[&line]), Err(Fault::Malformed), "{encoded:?}");
        }
    }

    #[test]
    fn debug_hides_the_token() {
        let mut headers = HeaderMap::new();
        let line = format!("{}, v5.channel.k8s.io", bearer_protocol("s3cret"));
        headers.insert("sec-websocket-protocol", HeaderValue::from_str(&line).unwrap());
        let shown = format!("{:?}", BearerProtocol::find(&headers).unwrap().unwrap());
        assert!(!shown.contains("s3cret") && !shown.contains("czNjcmV0"), "{shown}");
    }

    proptest! {
        #[test]
        fn every_token_survives(token in ".{1,64}") {
            let line = format!("{}, v5.channel.k8s.io", bearer_protocol(&token));
            prop_assert_eq!(find(&[&line]).unwrap().unwrap().1, token);
        }

        #[test]
        fn no_offer_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert("sec-websocket-protocol", value);
                let _ = BearerProtocol::find(&headers);
            }
        }
    }
}
