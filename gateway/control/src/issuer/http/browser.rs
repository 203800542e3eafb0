//! Which browser a request comes from, and whether it comes from a page of ours.
//!
//! A page belongs to the browser that opened it, by a cookie that only this host can set (`__Host-`, RFC 6265bis
//! §4.1.3.2). A form carries a code over the cookie and the login that it is for: another site knows neither, and the
//! form of one login does nothing in another.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::issuer::{Issuer, Random};
use crate::keys::KeyFault;

const COOKIE: &str = "__Host-gatewarden";

/// The browser behind a request, if it has been here before.
pub(super) fn of(headers: &HeaderMap) -> Option<Random> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    // Two of them: somebody tries to pass one off.
    match (found.next(), found.next()) {
        (Some(value), None) => Random::presented(value),
        _ => None,
    }
}

/// The header that makes a browser one that has been here. It lives as long as the browser runs.
pub(super) fn cookie(browser: &Random) -> String {
    format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax", browser.expose())
}

/// The code in a form: only the browser that it was shown to can send it, for this alone.
pub(super) fn form_code(issuer: &Issuer, browser: &Random, about: &str) -> Result<String, KeyFault> {
    let mac = issuer.forms().make(&[browser.expose().as_bytes(), about.as_bytes()]).ok_or(KeyFault::Crypto)?;
    Ok(URL_SAFE_NO_PAD.encode([&[mac.key][..], &mac.code].concat()))
}

/// Whether a form comes from a page of ours in this browser.
pub(super) fn is_ours(issuer: &Issuer, headers: &HeaderMap, (browser, about): (&Random, &str), code: &str) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    // Every browser of today says where a form was sent from; `null` is what a sandboxed frame says.
    if origin.is_some_and(|origin| origin != issuer.origin()) {
        return false;
    }
    let Ok(code) = URL_SAFE_NO_PAD.decode(code) else { return false };
    let Some((key, mac)) = code.split_first() else { return false };
    issuer.forms().verify(*key, &[browser.expose().as_bytes(), about.as_bytes()], mac)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_browser_is_known_by_one_cookie_of_this_host() {
        let browser = Random::new().expect("random");
        let sent = |lines: &[String]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, HeaderValue::from_str(line).expect("a value"));
            }
            of(&headers).map(|found| found.expose().to_owned())
        };
        let ours = cookie(&browser);
        let pair = ours.split(';').next().expect("a pair").to_owned();
        assert_eq!(sent(&[format!("a=b; {pair}; c=d")]).as_deref(), Some(browser.expose()));
        assert_eq!(sent(&[format!("{pair}; {pair}")]), None, "twice in one line");
        assert_eq!(sent(&[pair.clone(), pair.clone()]), None, "in two lines");
        assert_eq!(sent(&[pair.replace("__Host-", "")]), None, "one that another host could set");
        assert_eq!(sent(&[format!("{pair}x")]), None);
        for word in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
            assert!(ours.contains(word), "{ours}");
        }
        assert!(!ours.contains("Domain"));
    }
}
