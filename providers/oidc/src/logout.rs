//! Logouts both ways: the issuer tells of one by a signed token (OpenID Connect Back-Channel Logout 1.0), and a browser
//! that logs out here goes there (RP-Initiated Logout 1.0).

use async_trait::async_trait;
use auth_core::{
    AuthError, Context, Leaving, LoginsOver, Logout, LogoutNotice, LogoutVerdict, ProviderSecret, UpstreamLogin,
    UpstreamLogins,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::claims::{Audience, Expected, FRESH, Nonce, check_subject, seconds, text};
use crate::config::AfterLogout;
use crate::json::Object;
use crate::jws::Use;
use crate::kept::{Session, unpack};
use crate::provider::OidcProvider;

/// §2.4: what an event of this kind is called.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const NAME_MAX: usize = 255;

#[async_trait]
impl Logout for OidcProvider {
    async fn read_logout(&self, ctx: &Context, notice: &LogoutNotice) -> Result<LogoutVerdict, AuthError> {
        let Some(token) = notice.one("logout_token") else {
            return Ok(LogoutVerdict::Refused("there is no logout_token, or more than one".to_owned()));
        };
        let (claims, _) = match self.issuer.signed(ctx, &ProviderSecret::new(token), Use::Logout).await? {
            Ok(signed) => signed,
            Err(why) => return Ok(LogoutVerdict::Refused(why)),
        };
        let over = self.expected_of_logout().check(&claims).and_then(|()| self.over(&claims));
        Ok(over.map_or_else(LogoutVerdict::Refused, LogoutVerdict::Over))
    }

    /// RP-Initiated Logout 1.0 §2: the token says whose login is meant. Without one the issuer asks the person, and the name
    /// helps it to.
    async fn leave(&self, ctx: &Context, leaving: &Leaving) -> Result<Option<String>, AuthError> {
        let settings = &self.issuer.settings;
        if settings.after_logout == AfterLogout::Stay {
            return Ok(None);
        }
        let metadata = self.issuer.metadata(ctx).await?;
        let Some(mut way) = metadata.end_session.clone() else { return Ok(None) };
        let session = leaving.secret.as_ref().and_then(unpack::<Session>).filter(|session| session.is_of(settings));
        let hint = session.map(|session| match session.id_token {
            Some(token) => ("id_token_hint", token),
            None => ("logout_hint", session.login),
        });
        way.query_pairs_mut()
            .append_pair("client_id", &settings.client_id)
            .append_pair("post_logout_redirect_uri", &leaving.back)
            .append_pair("state", &leaving.state)
            .extend_pairs(hint);
        Ok(Some(way.into()))
    }
}

impl OidcProvider {
    /// §2.6 steps 3 and 4: issuer, audience and times as those of an ID token.
    fn expected_of_logout(&self) -> Expected<'_> {
        let settings = &self.issuer.settings;
        Expected {
            issuer: &settings.issuer,
            audience: Audience::Told { id: &settings.client_id, trusted: &settings.trusted_audiences },
            nonce: Nonce::Never,
            oldest: FRESH,
            now: self.issuer.clock.now(),
            skew: settings.clock_skew,
        }
    }

    /// §2.6 steps 5 and 6, and §2.4 for the rest.
    fn over(&self, claims: &Object) -> Result<LoginsOver, String> {
        let event = claims.get("events").and_then(|events| events.get(EVENT));
        if !event.is_some_and(Value::is_object) {
            return Err("events does not say that a login is over".to_owned());
        }
        let subject = claims.contains_key("sub").then(|| check_subject(claims)).transpose()?;
        let session = claims.contains_key("sid").then(|| name(claims, "sid")).transpose()?;
        let which = match (subject.map(str::to_owned), session.map(str::to_owned)) {
            (Some(subject), Some(session)) => UpstreamLogins::SessionOf { subject, session },
            (Some(subject), None) => UpstreamLogins::OfSubject(subject),
            (None, Some(session)) => UpstreamLogins::Session(session),
            (None, None) => return Err("there is neither sub nor sid".to_owned()),
        };
        let notice = name(claims, "jti")?.to_owned();
        let (issued, ends) = (seconds(claims, "iat")?, seconds(claims, "exp")?);
        let span = |span: std::time::Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        let skew = span(self.issuer.settings.clock_skew);
        let last = issued.saturating_add(span(FRESH)).min(ends).saturating_add(skew).saturating_add(1);
        let moment = |at: i64| Timestamp::from_second(at).map_err(|_| "it has a time beyond the calendar".to_owned());
        Ok(LoginsOver { which, notice, made_at: moment(issued)?, expires_at: moment(last)? })
    }
}

fn name<'a>(claims: &'a Object, claim: &str) -> Result<&'a str, String> {
    let name = text(claims, claim)?;
    let fits = (1..=NAME_MAX).contains(&name.len());
    if fits { Ok(name) } else { Err(format!("{claim} is empty or longer than {NAME_MAX}")) }
}

/// The login at the issuer that a token tells of. One without a `sid` that could be named later is known by its subject.
pub(crate) fn upstream(claims: &Object, subject: &str) -> UpstreamLogin {
    UpstreamLogin { subject: subject.to_owned(), session: name(claims, "sid").ok().map(str::to_owned) }
}
