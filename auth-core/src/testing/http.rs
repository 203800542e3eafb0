//! HTTP that a test answers.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use http::{Request, Response};

use crate::{Http, HttpError, HttpLimits};

type Answer = dyn FnMut(&Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> + Send;

/// An [`Http`] whose answers come from a function of the test. It keeps the limit of bytes and the ban on plain `http`
/// as a real one does, and remembers what was asked.
///
/// ```
/// use std::time::Duration;
/// use auth_core::{Http, HttpLimits, testing::{ScriptedHttp, block_on}};
///
/// let http = ScriptedHttp::new(|request| Ok(http::Response::new(request.uri().path().into())));
/// let request = http::Request::get("https://id.example.org/keys").body(Vec::new()).unwrap();
/// let answer = block_on(http.send(request, HttpLimits::new(Duration::from_secs(1), 100))).unwrap();
/// assert_eq!(answer.body(), b"/keys");
/// assert_eq!(http.asked(), ["GET https://id.example.org/keys"]);
/// ```
pub struct ScriptedHttp {
    answer: Mutex<Box<Answer>>,
    asked: Mutex<Vec<String>>,
    with_certificate: Mutex<Vec<String>>,
}

impl ScriptedHttp {
    /// Answers with what the function returns.
    pub fn new(answer: impl FnMut(&Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> + Send + 'static) -> Self {
        Self { answer: Mutex::new(Box::new(answer)), asked: Mutex::default(), with_certificate: Mutex::default() }
    }

    /// What was asked so far: method and address.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }

    /// The same, of the requests that would have shown a certificate.
    #[must_use]
    pub fn asked_with_certificate(&self) -> Vec<String> {
        lock(&self.with_certificate).clone()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Http for ScriptedHttp {
    async fn send(&self, request: Request<Vec<u8>>, limits: HttpLimits) -> Result<Response<Vec<u8>>, HttpError> {
        let asked = format!("{} {}", request.method(), request.uri());
        if limits.identity.is_some() {
            lock(&self.with_certificate).push(asked.clone());
        }
        lock(&self.asked).push(asked);
        if request.uri().scheme_str() != Some("https") && !limits.dangerous_plain {
            return Err(HttpError::Refused("plain http"));
        }
        let answer = lock(&self.answer)(&request)?;
        if answer.body().len() > limits.bytes { Err(HttpError::TooLarge) } else { Ok(answer) }
    }
}

impl fmt::Debug for ScriptedHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedHttp").finish_non_exhaustive()
    }
}
