//! Trips of browsers, and what may be done to what they bring back.

use std::time::Duration;

use auth_core::{AuthError, AuthProvider, Begun, Context, Login, LoginInput, ProviderSecret, RedirectAnswer};

use super::Bench;
use crate::run::{Verdict, broken};
use crate::{Issuer, Parameters, Person, Protocol, Trips, Visitor};

/// A browser that was sent to the identity system and is back.
#[derive(Debug, Clone)]
pub(crate) struct Journey {
    pub(crate) location: String,
    pub(crate) state: String,
    pub(crate) memo: String,
    pub(crate) answer: Parameters,
}

/// What a login came to.
pub(crate) type Told = Result<Login, AuthError>;

impl Journey {
    /// Of what a trip began with, before anybody went.
    pub(crate) fn of(begun: &Begun) -> Self {
        let memo = begun.memo.expose().to_owned();
        Self { location: begun.location.clone(), state: begun.state.clone(), memo, answer: Vec::new() }
    }

    pub(crate) fn says(&self, name: &str) -> Option<&str> {
        self.answer.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The answer without a parameter.
    pub(crate) fn without(&self, name: &str) -> Parameters {
        self.answer.iter().filter(|(key, _)| key != name).cloned().collect()
    }

    /// The answer with another value for a parameter.
    pub(crate) fn with(&self, name: &str, value: &str) -> Parameters {
        let mut answer = self.without(name);
        answer.push((name.to_owned(), value.to_owned()));
        answer
    }

    /// The answer with a parameter more.
    pub(crate) fn and(&self, name: &str, value: &str) -> Parameters {
        let mut answer = self.answer.clone();
        answer.push((name.to_owned(), value.to_owned()));
        answer
    }

    /// An answer that says no in these words, as the identity system would have sent it.
    pub(crate) fn refusal(&self, error: &str) -> Parameters {
        let mut answer = self.without("code");
        answer.push(("error".to_owned(), error.to_owned()));
        answer
    }
}

impl Bench<'_> {
    /// The trips, where there are any.
    pub(crate) fn travels(&self) -> Result<&dyn Trips, Verdict> {
        self.trips().ok_or_else(|| Verdict::Skipped("it sends nobody anywhere".to_owned()))
    }

    /// Facts about authorization requests are for those who send them.
    pub(crate) fn openid(&self) -> Result<(), Verdict> {
        match self.travels()?.protocol() {
            Protocol::OpenId => Ok(()),
            Protocol::Other => Err(Verdict::Skipped("it does not speak OpenID Connect".to_owned())),
        }
    }

    /// The issuer that lies, where it is one.
    pub(crate) fn liar(&self) -> Result<&Issuer, Verdict> {
        let liar = self.travels()?.liar();
        liar.ok_or_else(|| Verdict::Skipped("the issuer does not lie on request".to_owned()))
    }

    /// Begins a trip.
    pub(crate) async fn begun_by(&self, provider: &dyn AuthProvider, callback: &str) -> Result<Begun, AuthError> {
        let redirect = provider.redirect().ok_or(AuthError::UnsupportedInput)?;
        redirect.begin(&self.context(), callback).await
    }

    /// Begins a trip that must begin.
    pub(crate) async fn begun(&self) -> Result<Journey, Verdict> {
        let begun = self.begun_by(self.provider(), &self.travels()?.callback()).await;
        let begun = begun.map_err(|fault| broken(format!("no trip begins: {}", fault.audit_text())))?;
        Ok(Journey::of(&begun))
    }

    /// Sends a person's browser on a trip that must lead back.
    pub(crate) async fn journey(&self, person: &Person) -> Result<Journey, Verdict> {
        let begun = self.begun().await?;
        let answer = self.travels()?.travel(&begun.location, Visitor::Enters(person)).await;
        Ok(Journey { answer: answer.map_err(|lost| broken(lost.0))?, ..begun })
    }

    /// The same by any provider.
    pub(crate) async fn journey_by(&self, provider: &dyn AuthProvider, person: &Person) -> Result<Journey, AuthError> {
        let trips = self.trips().ok_or(AuthError::UnsupportedInput)?;
        let begun = Journey::of(&self.begun_by(provider, &trips.callback()).await?);
        let answer = trips.travel(&begun.location, Visitor::Enters(person)).await;
        let answer = answer.map_err(|lost| AuthError::Protocol(format!("the kit's browser was lost: {}", lost.0)))?;
        Ok(Journey { answer, ..begun })
    }

    /// Hands an answer to the provider of the fixture, with the memo of a trip.
    pub(crate) async fn finish(&self, memo: &str, answer: Parameters) -> Told {
        self.finish_by(self.provider(), memo, answer).await
    }

    /// The same to any provider.
    pub(crate) async fn finish_by(&self, provider: &dyn AuthProvider, memo: &str, answer: Parameters) -> Told {
        finish(provider, &self.context(), memo, answer).await
    }

    /// The same with two seconds left. What takes much longer never ends.
    pub(crate) async fn finish_in_haste(&self, journey: &Journey) -> Result<Told, Verdict> {
        let context = self.in_haste();
        let finished = finish(self.provider(), &context, &journey.memo, journey.answer.clone());
        tokio::time::timeout(GIVEN_UP, finished).await.map_err(|_| never())
    }

    /// Two seconds, out of the thirty that a context has.
    pub(crate) fn in_haste(&self) -> Context {
        const SPENT: Duration = Duration::from_secs(28);
        let mut context = self.context();
        context.deadline -= SPENT;
        context
    }

    /// A whole login by trip.
    pub(super) async fn by_trip(&self, person: &Person) -> Told {
        self.by_trip_of(self.provider(), person).await
    }

    /// The same by any provider.
    pub(crate) async fn by_trip_of(&self, provider: &dyn AuthProvider, person: &Person) -> Told {
        let journey = self.journey_by(provider, person).await?;
        self.finish_by(provider, &journey.memo, journey.answer).await
    }
}

/// Far longer than a call may take whose deadline is two seconds away.
pub(crate) const GIVEN_UP: Duration = Duration::from_secs(12);

pub(crate) fn never() -> Verdict {
    broken("it waits on, long after its deadline")
}

async fn finish(provider: &dyn AuthProvider, context: &Context, memo: &str, answer: Parameters) -> Told {
    let answer = RedirectAnswer { parameters: answer, begun: ProviderSecret::new(memo) };
    provider.authenticate_user(context, LoginInput::Redirect { answer }).await
}

/// Every way to say no that blames neither an outage nor the configuration.
pub(crate) const REFUSED: &[&str] = &["replay", "protocol", "policy-denied", "bad-credentials", "unsupported-input"];
/// What makes no sense.
pub(crate) const NONSENSE: &[&str] = &["protocol", "unsupported-input"];
/// What was good once, or for somebody else's trip: the person begins again.
pub(crate) const BEGIN_AGAIN: &[&str] = &["replay"];
/// What says nothing of anybody.
pub(crate) const OUTAGE: &[&str] = &["unavailable"];

/// Must not be let in, and be told one of these.
pub(crate) fn refused(told: &Told, what: &str, codes: &[&str]) -> Result<(), Verdict> {
    match told {
        Ok(login) => Err(broken(format!("{what} logs in as {}", login.user.id))),
        Err(fault) if codes.contains(&fault.audit_code()) => Ok(()),
        Err(fault) => {
            let told = fault.audit_text();
            Err(broken(format!("{what} is called {}, and not {}: {told}", fault.audit_code(), codes.join(" or "))))
        }
    }
}
