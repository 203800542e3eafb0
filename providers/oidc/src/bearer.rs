//! ID tokens and workload tokens that open clusters by themselves.
//!
//! They are judged as kube-apiserver judges them under structured authentication: signature, issuer, audience, times. No
//! trip of ours came before, so there is no nonce to compare and no code that a token could be bound to.

use std::time::Duration;

use async_trait::async_trait;
use auth_core::{
    AuthError, Bearer, BearerProof, BearerVerdict, Completeness, Context, Fault, Login, ProviderSecret, UpstreamLogin,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::{auth_time, methods};
use crate::claims::{Audience, Expected, Nonce, seconds, text};
use crate::json::{self, Object};
use crate::jws::Use;
use crate::keys::KeySet;
use crate::logout::upstream;
use crate::person::{self, Person, Said};
use crate::provider::OidcProvider;

/// Longer than any that people or jobs need, and no longer than a revocation is remembered.
const AGE_MAX: u64 = 7 * 24 * 3600;

/// `bearer:` as an operator writes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct File {
    /// Whom the tokens are for, one of these; `clientId` when left out.
    audiences: Vec<String>,
    /// How long after it was made a token is taken, whatever it says itself.
    max_age_seconds: u64,
}

impl Default for File {
    fn default() -> Self {
        Self { audiences: Vec::new(), max_age_seconds: 24 * 3600 }
    }
}

/// `bearer:` as it is used.
#[derive(Debug)]
pub(crate) struct Bearers {
    pub(crate) audiences: Vec<String>,
    pub(crate) max_age: Duration,
}

impl File {
    pub(crate) fn faults(&self, client_id: Option<&str>) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.audiences.is_empty() && client_id.is_none() {
            let message = "is missing; write whom the tokens are for: without it one that was made for another service \
                           would open clusters";
            faults.push(Fault::new("bearer.audiences", message));
        }
        if self.audiences.iter().any(String::is_empty) {
            faults.push(Fault::new("bearer.audiences", "holds an empty text; write what `aud` says in the tokens"));
        }
        if !(60..=AGE_MAX).contains(&self.max_age_seconds) {
            faults.push(Fault::new("bearer.maxAgeSeconds", "is not between 60 (a minute) and 604800 (a week)"));
        }
        faults
    }

    pub(crate) fn used(self, client_id: &str) -> Bearers {
        let audiences = if self.audiences.is_empty() { vec![client_id.to_owned()] } else { self.audiences };
        Bearers { audiences, max_age: Duration::from_secs(self.max_age_seconds) }
    }
}

/// The keys of an issuer, as an operator gives them.
pub(crate) fn given_keys(text: &str) -> Result<KeySet, Fault> {
    let document = json::object(text.as_bytes()).map_err(|why| format!("{why}; write a JWK set: {{\"keys\": […]}}"));
    document.and_then(|document| KeySet::read(&document)).map_err(|why| Fault::new("jwks", why))
}

/// RFC 8417 §2.2: news about somebody, such as that they logged out, is no proof that they are here.
fn no_event(claims: &Object) -> Result<(), String> {
    if claims.contains_key("events") { Err("it tells of an event".to_owned()) } else { Ok(()) }
}

#[async_trait]
impl Bearer for OidcProvider {
    fn issuer(&self) -> &str {
        &self.issuer.settings.issuer
    }

    async fn authenticate_bearer(&self, ctx: &Context, token: &ProviderSecret) -> Result<BearerVerdict, AuthError> {
        let Some(bearers) = &self.issuer.settings.bearers else { return Err(AuthError::UnsupportedInput) };
        let (claims, _) = match self.issuer.signed(ctx, token, Use::Identity).await? {
            Ok(signed) => signed,
            Err(why) => return Ok(BearerVerdict::Refused(why)),
        };
        let checked = self.expected(bearers).check(&claims).and_then(|()| no_event(&claims));
        let person = match checked {
            Ok(()) => self.bearer(ctx, &claims).await,
            Err(why) => return Ok(BearerVerdict::Refused(why)),
        };
        let proof = match person {
            Ok(person) => self.proof(bearers, &claims, person),
            // Somebody had to be asked, and cannot say: that is no fault of the token.
            Err(error) if error.http_status() >= 500 && error.retry_after().is_some() => return Err(error),
            Err(error) => Err(error.audit_text()),
        };
        Ok(proof.map_or_else(BearerVerdict::Refused, |proof| BearerVerdict::Proven(Box::new(proof))))
    }
}

impl OidcProvider {
    fn expected<'a>(&'a self, bearers: &'a Bearers) -> Expected<'a> {
        let settings = &self.issuer.settings;
        Expected {
            issuer: &settings.issuer,
            audience: Audience::OneOf(&bearers.audiences),
            nonce: Nonce::Any,
            oldest: bearers.max_age,
            now: self.issuer.clock.now(),
            skew: settings.clock_skew,
        }
    }

    /// Whose it is.
    async fn bearer(&self, ctx: &Context, claims: &Object) -> Result<Person, AuthError> {
        let id = person::id(claims, &self.issuer.settings)?;
        self.person(ctx, id, &Said { token: Some(claims), userinfo: None }).await
    }

    fn proof(&self, bearers: &Bearers, claims: &Object, person: Person) -> Result<BearerProof, String> {
        let (issued, ends) = (seconds(claims, "iat")?, seconds(claims, "exp")?);
        let last = issued.saturating_add(i64::try_from(bearers.max_age.as_secs()).unwrap_or(i64::MAX));
        let moment = |at: i64| Timestamp::from_second(at).map_err(|_| "it has a time beyond the calendar".to_owned());
        let settings = &self.issuer.settings;
        if let Completeness::Incomplete(why) = person.completeness {
            return Err(format!("its groups are incomplete: {why}"));
        }
        let login = Login::new(person.user, person.groups, auth_time(claims).unwrap_or(moment(issued)?));
        // One of many that name this person: which login at the issuer it came of says nothing of the others.
        let login = login.with_upstream(UpstreamLogin { session: None, ..upstream(claims, text(claims, "sub")?) });
        let skew = i64::try_from(settings.clock_skew.as_secs()).unwrap_or_default();
        let issued_at = moment(issued.saturating_sub(skew))?;
        Ok(BearerProof { login: login.with_amr(methods(claims)), issued_at, expires_at: moment(ends.min(last))? })
    }
}
