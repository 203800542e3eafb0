//! The only way that the gateway calls a provider: with a deadline, a net under it, and its answers checked.
//!
//! Provider code may be written by a site and speaks to systems that may be hostile. So every call runs as a task
//! of its own on [`Tasks`](crate::Tasks), away from whoever waits for it: when it hangs, blocks its thread or
//! panics, the caller gets an error in time. What comes back is measured and must speak of this instance alone.
//! (Memory without end, and a panic inside the `Drop` of a value that another panic unwinds, cannot be contained
//! within one process.)

mod call;
mod gauge;
mod input;
mod limiter;

pub use gauge::OutputLimits;
pub use limiter::AttemptLimits;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::{
    Access, AuthError, AuthProvider, BearerVerdict, Begun, Context, Fault, InstanceId, Leaving, Login, LoginForm,
    LoginInput, LogoutNotice, LogoutVerdict, PolicyDecision, PolicyStep, Ports, Principal, PrincipalId, PrincipalPage,
    ProviderSecret, PublicProvider, Refetch, Report, Search, Trial,
};
use call::Calls;
use gauge::Gauge;
use limiter::Limiter;

/// How far a provider is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainLimits {
    /// How long a call may take at most; a context may ask for less.
    pub deadline: Duration,
    /// How many calls may be under way; as many again about people who are in. A call that was given up counts until
    /// it has really ended.
    pub calls: usize,
    /// How much an answer may hold.
    pub output: OutputLimits,
    /// How often a password may be guessed.
    pub attempts: AttemptLimits,
}

impl Default for ContainLimits {
    /// Ten seconds, 64 calls.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            calls: 64,
            output: OutputLimits::default(),
            attempts: AttemptLimits::default(),
        }
    }
}

/// A provider, contained. It has the provider's methods under the same names.
///
/// The example of [`AuthProvider`] builds one and logs in through it.
pub struct Contained {
    provider: Arc<dyn AuthProvider>,
    public: PublicProvider,
    bears: Option<String>,
    hears_logouts: bool,
    gauge: Arc<Gauge>,
    calls: Calls,
    /// About people whom it has let in: however many knock, these are asked about.
    known: Calls,
    /// Notices of logouts come from whoever sends them: they hold up no login, and no login holds them up.
    notices: Calls,
    limiter: Limiter,
}

impl Contained {
    /// Takes a provider in. Its name and public face are read once, here.
    ///
    /// # Errors
    /// When the provider panics, or describes itself under a name which is not its own.
    pub fn new(provider: Arc<dyn AuthProvider>, ports: &Ports, limits: ContainLimits) -> Result<Self, Fault> {
        let described = catch_unwind(AssertUnwindSafe(|| {
            let bears = provider.bearer().map(|bearer| bearer.issuer().to_owned());
            let logouts = provider.logout().is_some();
            (provider.name().clone(), provider.transform_to_auth_provider(), bears, logouts)
        }));
        let Ok((instance, public, bears, hears_logouts)) = described else {
            return Err(Fault::new("", "the provider panicked while it described itself; mend the provider"));
        };
        if public.id != instance {
            let message = format!("the provider `{instance}` describes itself as `{}`; mend the provider", public.id);
            return Err(Fault::new("", message));
        }
        Ok(Self {
            provider,
            public,
            bears,
            hears_logouts,
            gauge: Arc::new(Gauge::new(instance, limits.output)),
            calls: Calls::new(ports, limits.deadline, limits.calls),
            known: Calls::new(ports, limits.deadline, limits.calls),
            notices: Calls::new(ports, limits.deadline, limits.calls),
            limiter: Limiter::new(Arc::clone(&ports.clock), limits.attempts),
        })
    }

    /// Gives the instance the name that login pages show, in place of the provider's own.
    #[must_use]
    pub fn called(mut self, display_name: impl Into<String>) -> Self {
        self.public.display_name = display_name.into();
        self
    }

    /// Counts guesses on from where `old` is. It is the same instance in an earlier configuration: a reload must not
    /// give everybody who guesses a new start.
    #[must_use]
    pub fn continuing(self, old: &Self) -> Self {
        Self { limiter: self.limiter.continuing(&old.limiter), ..self }
    }

    /// Whether the two are one instance, in this configuration or another, with no gap in between: what one of them
    /// vouched for may be kept under the other. An equal id does not say so; it may have come back as another directory.
    #[must_use]
    pub fn continues(&self, other: &Self) -> bool {
        self.limiter.continues(&other.limiter)
    }

    /// The instance id.
    #[must_use]
    pub const fn name(&self) -> &InstanceId {
        &self.public.id
    }

    /// What people may know before they log in.
    #[must_use]
    pub const fn transform_to_auth_provider(&self) -> &PublicProvider {
        &self.public
    }

    /// Logs somebody in.
    ///
    /// The attempt is charged to the account and to the source before the provider is asked, so that attempts in
    /// parallel do not all get through, and given back when it turns out not to be a wrong guess. An answer was charged
    /// to its source when its trip began, and is once more when it was made up.
    ///
    /// # Errors
    /// As the provider; [`AuthError::Throttled`] after too many failures; [`AuthError::BadCredentials`] for an input
    /// that no account can have; [`AuthError::Protocol`] when the answer is not acceptable.
    pub async fn authenticate_user(&self, ctx: &Context, input: LoginInput) -> Result<Login, AuthError> {
        let attempt = match &input {
            LoginInput::Password { login, password } => {
                self.offers(LoginForm::Password)?;
                input::vet(login, password)?;
                Some(self.limiter.charge(login, ctx.client)?)
            }
            // Nothing to guess: an answer without the memo of its trip, which is good for one, never comes here.
            LoginInput::Redirect { answer } => {
                self.offers(LoginForm::Redirect)?;
                input::vet_answer(answer)?;
                None
            }
        };
        let gauge = Arc::clone(&self.gauge);
        let ask = move |provider: Arc<dyn AuthProvider>, ctx: Context| async move {
            gauge.login(provider.authenticate_user(&ctx, input).await?)
        };
        let result = self.calls.run(ctx, &self.provider, ask).await;
        match attempt {
            Some(attempt) => attempt.settle(&result),
            None => self.limiter.end_trip(ctx.client, &result),
        }
        let mut login = result?;
        // Somebody who logged in tomorrow would pass every "logged in recently" check until then.
        login.auth_time = login.auth_time.min(self.calls.now());
        Ok(login)
    }

    /// Begins a trip of a browser to the identity system; it is to come back to `callback`, an address of ours.
    ///
    /// Whoever calls keeps the memo for ten minutes, under the state, for the one browser that was sent, and hands it
    /// over once.
    ///
    /// # Errors
    /// As the provider; [`AuthError::UnsupportedInput`] when it sends nobody anywhere; [`AuthError::Throttled`] after too
    /// many trips that led to no login; [`AuthError::Protocol`] when the address is none that a browser may be sent to.
    pub async fn begin(&self, ctx: &Context, callback: &str) -> Result<Begun, AuthError> {
        self.offers(LoginForm::Redirect)?;
        self.limiter.begin_trip(ctx.client)?;
        let (gauge, callback) = (Arc::clone(&self.gauge), callback.to_owned());
        let ask = move |provider: Arc<dyn AuthProvider>, ctx: Context| async move {
            let redirect = provider.redirect().ok_or(AuthError::UnsupportedInput)?;
            gauge.begun(redirect.begin(&ctx, &callback).await?)
        };
        self.calls.run(ctx, &self.provider, ask).await
    }

    /// Whose tokens it believes: their `iss`.
    #[must_use]
    pub fn bears(&self) -> Option<&str> {
        self.bears.as_deref()
    }

    /// Decides what a token of the outside issuer is worth.
    ///
    /// # Errors
    /// As the provider; [`AuthError::UnsupportedInput`] when it believes no tokens; [`AuthError::Protocol`] when the
    /// answer is not acceptable. None of them says that the token is at fault.
    pub async fn authenticate_bearer(&self, ctx: &Context, token: ProviderSecret) -> Result<BearerVerdict, AuthError> {
        if self.bears.is_none() {
            return Err(AuthError::UnsupportedInput);
        }
        let gauge = Arc::clone(&self.gauge);
        let ask = move |provider: Arc<dyn AuthProvider>, ctx: Context| async move {
            let bearer = provider.bearer().ok_or(AuthError::UnsupportedInput)?;
            gauge.bearer(bearer.authenticate_bearer(&ctx, &token).await?)
        };
        self.calls.run(ctx, &self.provider, ask).await
    }

    /// Whether its identity system tells of logouts.
    #[must_use]
    pub const fn hears_logouts(&self) -> bool {
        self.hears_logouts
    }

    /// Decides what a notice of a logout is worth. Whoever calls believes it once, by its name.
    ///
    /// # Errors
    /// As the provider; [`AuthError::UnsupportedInput`] when it hears of no logouts, and for a notice that is too large;
    /// [`AuthError::Protocol`] when the answer is not acceptable.
    pub async fn read_logout(&self, ctx: &Context, notice: LogoutNotice) -> Result<LogoutVerdict, AuthError> {
        if !self.hears_logouts {
            return Err(AuthError::UnsupportedInput);
        }
        input::vet_notice(&notice)?;
        let gauge = Arc::clone(&self.gauge);
        let ask = move |provider: Arc<dyn AuthProvider>, ctx: Context| async move {
            let logout = provider.logout().ok_or(AuthError::UnsupportedInput)?;
            gauge.logout(logout.read_logout(&ctx, &notice).await?)
        };
        self.notices.run(ctx, &self.provider, ask).await
    }

    /// Where a browser goes to log out at the identity system, too; `None`: nowhere.
    ///
    /// # Errors
    /// As the provider; [`AuthError::Protocol`] when the address is none that a browser may be sent to.
    pub async fn leave(&self, ctx: &Context, leaving: Leaving) -> Result<Option<String>, AuthError> {
        if !self.hears_logouts {
            return Ok(None);
        }
        let gauge = Arc::clone(&self.gauge);
        let ask = move |provider: Arc<dyn AuthProvider>, ctx: Context| async move {
            let logout = provider.logout().ok_or(AuthError::UnsupportedInput)?;
            gauge.leaves(logout.leave(&ctx, &leaving).await?)
        };
        self.known.run(ctx, &self.provider, ask).await
    }

    fn offers(&self, form: LoginForm) -> Result<(), AuthError> {
        if self.public.login.contains(&form) { Ok(()) } else { Err(AuthError::UnsupportedInput) }
    }

    /// Searches. The limit is bounded first.
    ///
    /// # Errors
    /// As the provider; [`AuthError::Protocol`] when the answer is not acceptable.
    pub async fn search_principals(&self, ctx: &Context, mut search: Search) -> Result<PrincipalPage, AuthError> {
        search.limit = self.gauge.page_limit(search.limit);
        let Some(search) = input::vet_search(search) else {
            return Ok(PrincipalPage::new(Vec::new()));
        };
        let gauge = Arc::clone(&self.gauge);
        let limit = search.limit;
        let ask = move |provider: Arc<dyn AuthProvider>, ctx: Context| async move {
            gauge.page(provider.search_principals(&ctx, search).await?, limit)
        };
        self.calls.run(ctx, &self.provider, ask).await
    }

    /// Looks a principal up. An id of another instance is nobody here, and the provider is not asked.
    ///
    /// # Errors
    /// As the provider; [`AuthError::Protocol`] when the answer is about somebody else.
    pub async fn get_principal(&self, ctx: &Context, id: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        if id.instance() != self.name() {
            return Ok(None);
        }
        let (gauge, id) = (Arc::clone(&self.gauge), id.clone());
        let ask = move |provider: Arc<dyn AuthProvider>, ctx: Context| async move {
            gauge.found(provider.get_principal(&ctx, &id).await?, &id)
        };
        self.calls.run(ctx, &self.provider, ask).await
    }

    /// Asks for the present state of a user.
    ///
    /// # Errors
    /// As the provider; [`AuthError::Protocol`] when the answer is about somebody else or not acceptable, and when
    /// the id is no user of this instance. Whoever calls keeps what they knew.
    pub async fn refetch_group_principals(
        &self,
        ctx: &Context,
        id: &PrincipalId,
        secret: Option<ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        self.gauge.own_user(id)?;
        let (gauge, id) = (Arc::clone(&self.gauge), id.clone());
        let ask = move |provider: Arc<dyn AuthProvider>, ctx: Context| async move {
            gauge.refetch(provider.refetch_group_principals(&ctx, &id, secret.as_ref()).await?, &id)
        };
        self.known.run(ctx, &self.provider, ask).await
    }

    /// Decides who may enter: the policy, and then the provider's own narrowing. Never wider than the policy.
    ///
    /// # Errors
    /// As the provider. An error is not a yes.
    pub async fn can_access_with_group_providers(
        &self,
        ctx: &Context,
        policy: PolicyDecision,
        user: &PrincipalId,
        groups: &[PrincipalId],
    ) -> Result<PolicyDecision, AuthError> {
        if !policy.allowed {
            return Ok(policy);
        }
        let (user, groups, gauge) = (user.clone(), groups.to_vec(), Arc::clone(&self.gauge));
        let ask = move |provider: Arc<dyn AuthProvider>, ctx: Context| async move {
            Ok(gauge.access(provider.can_access_with_group_providers(&ctx, &user, &groups).await?))
        };
        let Access::Denied(reason) = self.known.run(ctx, &self.provider, ask).await? else {
            return Ok(policy);
        };
        let mut steps = policy.steps;
        steps.push(PolicyStep::Provider(reason));
        Ok(PolicyDecision { allowed: false, steps })
    }

    /// Whether the provider can show its steps.
    #[must_use]
    pub fn can_diagnose(&self) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.provider.diagnose().is_some())).unwrap_or_default()
    }

    /// Has the provider try each step of a login by itself, for an operator.
    ///
    /// A directory of several servers that hang takes longer than a login may, so this has a deadline of its own. The
    /// attempt is not counted as a guess: who may run this may read the store.
    ///
    /// # Errors
    /// When the provider cannot, panics, or does not end. What it noted before stays in the report.
    pub async fn diagnose(&self, ctx: &Context, trial: Trial, report: &Report) -> Result<(), AuthError> {
        let report = report.clone();
        let ask = move |provider: Arc<dyn AuthProvider>, ctx: Context| async move {
            let diagnose = provider.diagnose().ok_or(AuthError::UnsupportedInput)?;
            diagnose.run(&ctx, &trial, &report).await;
            Ok(())
        };
        self.calls.within(DIAGNOSIS).run(ctx, &self.provider, ask).await
    }
}

/// How long trying all steps may take.
const DIAGNOSIS: Duration = Duration::from_secs(60);

impl fmt::Debug for Contained {
    /// Without the provider: its own `Debug` is code of a site.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contained").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
