//! One account at one cluster: how it proves itself, renewed while requests go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use secrecy::ExposeSecret;

use crate::boundary::Account;
use crate::tls::{ClientTls, Identity, PemFault};

/// A credential is larger than this only by mistake.
const MAX_TOKEN: usize = 64 * 1024;

/// The account, ready to be used on a request.
#[derive(Debug)]
pub(super) struct Credentials {
    tls: ClientTls,
    bearer: Bearer,
}

#[derive(Debug)]
enum Bearer {
    /// The client certificate speaks for the account.
    None,
    Fixed(HeaderValue),
    File {
        path: PathBuf,
        value: ArcSwapOption<HeaderValue>,
    },
}

/// A token that cannot be used now. The operator must mend the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("token file {}: {why}", path.display())]
pub(crate) struct TokenFault {
    path: PathBuf,
    why: String,
}

impl Credentials {
    /// Prepares an account. A token file that cannot be read yet is no fault here: it may appear.
    pub(super) fn new(account: &Account, ca_pem: &[u8]) -> Result<Self, PemFault> {
        let plain = |bearer| Ok(Self { tls: ClientTls::new(ca_pem, None)?, bearer });
        match account {
            Account::ClientCertificate { cert_pem, key_pem } => {
                let identity = Identity { chain: cert_pem, key: key_pem.expose_secret().as_bytes() };
                Ok(Self { tls: ClientTls::new(ca_pem, Some(identity))?, bearer: Bearer::None })
            }
            Account::Token(token) => {
                let value = bearer(token.expose_secret()).ok_or(PemFault::Missing("token"))?;
                plain(Bearer::Fixed(value))
            }
            Account::TokenFile(path) => {
                let value = ArcSwapOption::from(read(path).ok().map(Arc::new));
                plain(Bearer::File { path: path.clone(), value })
            }
        }
    }

    pub(super) fn tls(&self) -> &ClientTls {
        &self.tls
    }

    /// The `Authorization` header; none where a client certificate speaks.
    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, TokenFault> {
        match &self.bearer {
            Bearer::None => Ok(None),
            Bearer::Fixed(value) => Ok(Some(value.clone())),
            Bearer::File { path, value } => match value.load().as_deref() {
                Some(value) => Ok(Some(value.clone())),
                None => Err(TokenFault { path: path.clone(), why: "could not be read".into() }),
            },
        }
    }

    /// Reads a token file again. It blocks for the length of a small read, so it runs apart from requests. What was
    /// read before stays when the file is gone: a token outlives the moment in which its file is replaced.
    pub(super) fn renew(&self) -> Result<(), TokenFault> {
        if let Bearer::File { path, value } = &self.bearer {
            let read = read(path)?;
            if value.load().as_deref() != Some(&read) {
                value.store(Some(Arc::new(read)));
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<HeaderValue, TokenFault> {
    let fault = |why: String| TokenFault { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|found| fault(found.to_string()))?;
    bearer(&text).ok_or_else(|| fault("holds no token".into()))
}

/// Sensitive: HTTP/2 must not put it into a compression table, and `Debug` must not show it.
fn bearer(token: &str) -> Option<HeaderValue> {
    let token = token.trim();
    if token.is_empty() || token.len() > MAX_TOKEN || token.contains(char::is_whitespace) {
        return None;
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_trimmed_and_never_shown() {
        let value = bearer("  abc\n").unwrap();
        assert_eq!(value.as_bytes(), b"Bearer abc");
        assert!(!format!("{value:?}").contains("abc"));
    }

    #[test]
    fn a_token_that_is_replaced_is_used_and_one_that_is_gone_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "one").unwrap();
        let ca = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap().cert.pem();
        let account = Credentials::new(&Account::TokenFile(path.clone()), ca.as_bytes()).unwrap();
        let used = || account.authorization().unwrap().unwrap();
        assert_eq!(used(), "Bearer one");
        std::fs::write(&path, "two").unwrap();
        account.renew().unwrap();
        assert_eq!(used(), "Bearer two");
        std::fs::remove_file(&path).unwrap();
        assert!(account.renew().is_err());
        assert_eq!(used(), "Bearer two");
    }

    #[test]
    fn a_token_file_that_was_never_there_is_a_fault_of_the_request() {
        let ca = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap().cert.pem();
        let account = Credentials::new(&Account::TokenFile("/nowhere/token".into()), ca.as_bytes()).unwrap();
        assert!(account.authorization().is_err());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for bad in ["", " \n", "a b", "a\nb", &"a".repeat(MAX_TOKEN + 1)] {
            assert!(bearer(bad).is_none(), "{bad:?}");
        }
    }
}
