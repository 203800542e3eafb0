//! The token of now: from the file, by a refresh, or by a login.

use std::time::Duration;

use jiff::Timestamp;

use crate::cache::{Access, Folder, Gateway, Held, Refresh};
use crate::environment;
use crate::failure::Failure;
use crate::http::Http;
use crate::issuer::{Issuer, Refreshed, Tokens};

/// How a login happens when one is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Nobody is there: a login is an error.
    Never,
    /// By a browser where there is one, else by a code.
    AsItFits,
    /// By a code.
    ByDevice,
}

impl How {
    /// As it fits, where somebody sits at a terminal.
    pub(crate) fn here() -> Self {
        if environment::is_terminal() { Self::AsItFits } else { Self::Never }
    }
}

/// A token is renewed this long before its end, each process a little earlier or later than another.
const EARLY: Duration = Duration::from_secs(60);
const JITTER: Duration = Duration::from_secs(60);

/// One gateway, as this person meets it.
#[derive(Debug)]
pub(crate) struct Session {
    folder: Folder,
    gateway: Gateway,
}

impl Session {
    pub(crate) fn of(gateway: Gateway) -> Result<Self, Failure> {
        Ok(Self { folder: Folder::of(&gateway.url)?, gateway })
    }

    pub(crate) fn url(&self) -> &str {
        &self.gateway.url
    }

    pub(crate) const fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) const fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Remembers by which host names the gateway is reached, until the next login.
    pub(crate) fn keep_names(&mut self, names: Vec<String>) -> Result<(), Failure> {
        let _held = self.folder.lock()?.take()?;
        self.gateway.names = names;
        self.folder.keep_gateway(&self.gateway)
    }

    pub(crate) fn http(&self) -> Result<Http, Failure> {
        Http::new(self.gateway.ca.as_deref())
    }

    /// A token that is good for now.
    pub(crate) fn token(&self, how: How) -> Result<Access, Failure> {
        let now = environment::now();
        let known = self.folder.access()?;
        match known.filter(|access| access.expires_at > now) {
            Some(access) if !is_due(&access, now) => Ok(access),
            // It still is good: one of many renews it, and the others need not wait.
            Some(access) => match self.folder.lock()?.try_take()? {
                Ok(held) => self.renew_early(&held).or(Ok(access)),
                Err(_busy) => Ok(access),
            },
            None => {
                let held = self.folder.lock()?.take()?;
                self.folder.put_aside(&held)?;
                // Whoever waited shares what it came to: twenty processes must not fail one after the other.
                if let Some(failure) = self.folder.failure_since(now)? {
                    return Err(failure);
                }
                let renewed = self.renew(&held, how);
                self.folder.keep_failure(renewed.as_ref().err())?;
                renewed
            }
        }
    }

    /// Logs in, whatever is known.
    pub(crate) fn log_in(&self, how: How) -> Result<Access, Failure> {
        let held = self.folder.lock()?.take()?;
        self.folder.put_aside(&held)?;
        self.anew(&held, how)
    }

    /// Keeps a token that came in another way.
    pub(crate) fn keep_token(&self, access: &Access) -> Result<(), Failure> {
        let held = self.folder.lock()?.take()?;
        self.folder.put_aside(&held)?;
        self.folder.keep_gateway(&self.gateway)?;
        self.folder.forget_tokens()?;
        self.folder.keep_access(access)
    }

    /// Renews a token that is good for a while yet. Nobody is asked to log in for that.
    fn renew_early(&self, _: &Held) -> Result<Access, Failure> {
        let Some(Refresh { token }) = self.folder.refresh()? else { return Err(Failure::other("nothing to renew by")) };
        let http = self.http()?;
        match Issuer::find(&http, &self.gateway.url)?.refresh(&http, &token)? {
            Refreshed::Tokens(tokens) => self.keep_next(tokens),
            Refreshed::Over => Err(Failure::other("the login is over")),
        }
    }

    /// What happens once for all who wait: the first finds it done.
    fn renew(&self, held: &Held, how: How) -> Result<Access, Failure> {
        let now = environment::now();
        if let Some(access) = self.folder.access()?.filter(|access| !is_due(access, now)) {
            return Ok(access);
        }
        let Refresh { token } = match self.folder.refresh() {
            Ok(Some(refresh)) => refresh,
            Ok(None) => return self.anew(held, how),
            // Whoever is there can log in instead.
            Err(Failure::LoginNeeded(_)) if how != How::Never => return self.anew(held, how),
            Err(failure) => return Err(failure),
        };
        let http = self.http()?;
        match Issuer::find(&http, &self.gateway.url)?.refresh(&http, &token)? {
            Refreshed::Tokens(tokens) => self.keep_next(tokens),
            Refreshed::Over => {
                self.folder.forget_refresh()?;
                self.anew(held, how)
            }
        }
    }

    fn anew(&self, held: &Held, how: How) -> Result<Access, Failure> {
        if how == How::Never {
            let command = format!("kubectl gatewarden login --gateway {}", self.gateway.url);
            return Err(Failure::LoginNeeded(format!("you are not logged in: run `{command}`")));
        }
        let http = self.http()?;
        let issuer = Issuer::find(&http, &self.gateway.url)?;
        let by_browser = how == How::AsItFits && environment::has_browser();
        let tokens = if by_browser { issuer.by_browser(&http, held)? } else { issuer.by_device(&http, held)? };
        self.keep(tokens)
    }

    /// What a login brought.
    fn keep(&self, tokens: Tokens) -> Result<Access, Failure> {
        self.folder.keep_gateway(&Gateway { names: Vec::new(), ..self.gateway.clone() })?;
        if let Some(token) = tokens.refresh {
            self.folder.keep_refresh(&Refresh { token })?;
        }
        self.keep_access(tokens.access, tokens.expires_at)
    }

    /// What a refresh brought. The refresh token first: the old one is spent, and must not be used again after a power cut.
    fn keep_next(&self, tokens: Tokens) -> Result<Access, Failure> {
        self.folder.keep_gateway(&self.gateway)?;
        if let Some(token) = tokens.refresh {
            self.folder.keep_next_refresh(&Refresh { token })?;
        }
        self.keep_access(tokens.access, tokens.expires_at)
    }

    fn keep_access(&self, token: String, expires_at: Timestamp) -> Result<Access, Failure> {
        let access = Access { token, expires_at };
        self.folder.keep_access(&access)?;
        Ok(access)
    }

    /// Ends the login, at the gateway as far as it answers, and here in any case.
    pub(crate) fn log_out(&self) -> Result<(), Failure> {
        let held = self.folder.lock()?.take()?;
        let unfit = self.folder.put_aside(&held)?;
        let refresh = self.folder.refresh();
        // What a keyring does not hand out now is as unreadable as a file that was spoilt.
        let lost = refresh.is_err() || (unfit && matches!(refresh, Ok(None)));
        let ended = self.end_at_gateway(refresh.ok().flatten());
        self.folder.forget_tokens()?;
        match ended {
            Ok(()) if lost => Err(Failure::other(
                "a login could not be read, and may go on at the gateway: log in, and end it by `kubectl gatewarden sessions`",
            )),
            ended => ended,
        }
    }

    fn end_at_gateway(&self, refresh: Option<Refresh>) -> Result<(), Failure> {
        let http = self.http()?;
        match (refresh, self.folder.access()?) {
            (Some(refresh), _) => Issuer::find(&http, &self.gateway.url)?.revoke(&http, &refresh.token),
            (None, Some(access)) => {
                let answer = http.delete(&format!("{}/api/v1/tokens/current", self.gateway.url), &access.token)?;
                // One that is over needs no end.
                if answer.status == 401 { Ok(()) } else { answer.ok("the login cannot be ended").map(drop) }
            }
            (None, None) => Ok(()),
        }
    }
}

fn is_due(access: &Access, now: Timestamp) -> bool {
    // Processes that start together must not come back together.
    let jitter = JITTER.mul_f64(f64::from(std::process::id() % 61) / 60.0);
    access.expires_at <= now.saturating_add(EARLY + jitter).unwrap_or(Timestamp::MAX)
}
