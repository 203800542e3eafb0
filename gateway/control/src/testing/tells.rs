//! The scripted providers as identity systems that tell of logouts.

use std::time::Duration;

use async_trait::async_trait;
use auth_core::{
    AuthError, Context, Leaving, LoginsOver, Logout, LogoutNotice, LogoutVerdict, ProviderSecret, UpstreamLogins,
};
use jiff::Timestamp;

use super::away::Away;
use super::{Mood, Scripted, Site};

/// How long a notice is believed.
pub(crate) const BELIEVED: Duration = Duration::from_mins(5);

/// The fields of a notice that is made now: of all logins of a subject, of one, or of one that is theirs.
pub(crate) fn fields(
    site: &Site,
    name: &str,
    (subject, session): (Option<&str>, Option<&str>),
) -> Vec<(&'static str, String)> {
    let made_at = site.control.store().now().as_second().to_string();
    let given = [("name", Some(name)), ("subject", subject), ("session", session), ("made_at", Some(&made_at))];
    given.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))).collect()
}

pub(crate) fn notice(fields: &[(&str, String)]) -> LogoutNotice {
    LogoutNotice { parameters: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect() }
}

fn read(notice: &LogoutNotice) -> LogoutVerdict {
    let text = |name: &str| notice.one(name).map(str::to_owned);
    let which = match (text("subject"), text("session")) {
        (Some(subject), Some(session)) => UpstreamLogins::SessionOf { subject, session },
        (Some(subject), None) => UpstreamLogins::OfSubject(subject),
        (None, Some(session)) => UpstreamLogins::Session(session),
        (None, None) => return LogoutVerdict::Refused("it is about nobody".to_owned()),
    };
    let made_at = text("made_at").expect("a time").parse().expect("a number");
    let made_at = Timestamp::from_second(made_at).expect("a moment");
    let notice = text("name").expect("a name");
    LogoutVerdict::Over(LoginsOver { which, notice, made_at, expires_at: made_at + BELIEVED })
}

#[async_trait]
impl Logout for Away {
    async fn read_logout(&self, _: &Context, notice: &LogoutNotice) -> Result<LogoutVerdict, AuthError> {
        Ok(read(notice))
    }

    /// Its page is told who leaves.
    async fn leave(&self, _: &Context, leaving: &Leaving) -> Result<Option<String>, AuthError> {
        let secret = leaving.secret.as_ref().map_or("nobody", ProviderSecret::expose);
        let (back, state) = (&leaving.back, &leaving.state);
        Ok(Some(format!("https://idp.test/logout?who={secret}&state={state}&back={back}")))
    }
}

#[async_trait]
impl Logout for Scripted {
    async fn read_logout(&self, _: &Context, notice: &LogoutNotice) -> Result<LogoutVerdict, AuthError> {
        if *self.mood() == Mood::Down {
            return Err(AuthError::unavailable("the issuer is down"));
        }
        Ok(read(notice))
    }

    async fn leave(&self, _: &Context, _: &Leaving) -> Result<Option<String>, AuthError> {
        if *self.mood() == Mood::Down { Err(AuthError::unavailable("the issuer is down")) } else { Ok(None) }
    }
}
