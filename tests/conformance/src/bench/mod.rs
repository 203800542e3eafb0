//! The questions that facts ask, each with a fresh context.

mod journey;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::{
    AuthError, AuthProvider, Context, Coverage, Current, Login, LoginForm, LoginInput, Password, Principal,
    PrincipalId, PrincipalPage, PrincipalType, ProviderSecret, Refetch, Search, SecretUpdate,
};

use crate::run::{Verdict, broken};
use crate::{Change, Ending, Fixture, Known, Newcomer, Person, Trips};

pub(crate) use journey::{BEGIN_AGAIN, GIVEN_UP, Journey, NONSENSE, OUTAGE, REFUSED, Told, never, refused};

/// Tries while a server comes back, with a pause between them: well beyond what any provider rests.
const TRIES: usize = 120;
const PAUSE: Duration = Duration::from_millis(500);

/// Counted over all fixtures of a process: two of them may stand before one server.
static NEWCOMERS: AtomicUsize = AtomicUsize::new(0);

/// A fixture at work.
#[expect(missing_debug_implementations, reason = "a fixture need not be printable")]
pub struct Bench<'a> {
    fixture: &'a dyn Fixture,
    provider: Arc<dyn AuthProvider>,
    known: Known,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(fixture: &'a dyn Fixture) -> Self {
        Self { fixture, provider: fixture.provider(), known: fixture.known() }
    }

    /// The provider itself.
    pub fn provider(&self) -> &dyn AuthProvider {
        &*self.provider
    }

    /// Who is there from the start.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Whether people type their passwords into a form of ours.
    pub(crate) fn takes_passwords(&self) -> bool {
        self.provider.transform_to_auth_provider().login.contains(&LoginForm::Password)
    }

    /// How browsers go to the page of the identity system.
    pub(crate) fn trips(&self) -> Option<&dyn Trips> {
        self.fixture.trips()
    }

    /// The circumstances of one call.
    pub(crate) fn context(&self) -> Context {
        self.fixture.context()
    }

    /// Logs somebody in, by their password or by a trip of their browser.
    ///
    /// # Errors
    /// As the provider.
    pub async fn login(&self, login: &str, password: &str) -> Result<Login, AuthError> {
        if !self.takes_passwords() {
            return self.by_trip(&Person::new(login, password)).await;
        }
        let input = LoginInput::Password { login: login.to_owned(), password: Password::new(password) };
        self.provider.authenticate_user(&self.context(), input).await
    }

    /// Logs in somebody who must be let in.
    pub(crate) async fn enters(&self, person: &Person) -> Result<Login, Verdict> {
        let login = self.login(&person.login, &person.password).await;
        login.map_err(|fault| {
            broken(format!("{} is refused with the right password: {}", person.login, fault.audit_text()))
        })
    }

    /// Must not be let in; what the refusal is called.
    pub(crate) async fn refusal(&self, login: &str, password: &str) -> Result<&'static str, Verdict> {
        match self.login(login, password).await {
            Ok(entered) => Err(broken(format!("{login:?} logs in as {}", entered.user.id))),
            Err(fault) => Ok(fault.audit_code()),
        }
    }

    /// Asks for the present state of somebody, and keeps what the provider hands back for the next time.
    ///
    /// # Errors
    /// As the provider.
    pub async fn refetch(&self, login: &mut Login) -> Result<Refetch, AuthError> {
        let answer = self.refetch_as(&*self.provider, &login.user.id, login.secret.as_ref()).await;
        if let Ok(Refetch::Current(current)) = &answer
            && let SecretUpdate::Replace(secret) = &current.secret
        {
            login.secret = Some(ProviderSecret::new(secret.expose()));
        }
        answer
    }

    /// The same of any provider, about any id, with anything.
    pub(crate) async fn refetch_as(
        &self,
        provider: &dyn AuthProvider,
        id: &PrincipalId,
        secret: Option<&ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        provider.refetch_group_principals(&self.context(), id, secret).await
    }

    /// The present state of somebody who must be there.
    pub(crate) async fn current(&self, login: &mut Login) -> Result<Current, Verdict> {
        match self.refetch(login).await {
            Ok(Refetch::Current(current)) => Ok(*current),
            other => Err(broken(format!("a refetch of {} says {other:?}", login.user.id))),
        }
    }

    /// Whether an answer says that somebody is in no more, as well as the identity system can tell.
    pub(crate) fn has_ended(&self, answer: &Result<Refetch, AuthError>, ending: Ending) -> bool {
        let tells = self.trips().is_none_or(|trips| trips.tells(ending));
        match (answer, ending) {
            (Ok(Refetch::UserGone), Ending::Gone) | (Ok(Refetch::UserDisabled), Ending::Disabled) => true,
            (Ok(Refetch::NeedsLogin), _) => !tells,
            _ => false,
        }
    }

    /// Skips a fact where a provider knows only who has logged in: it can list nobody and look nobody up.
    pub(crate) async fn whole_directory(&self) -> Result<(), Verdict> {
        let page = self.search(Search::new("nobody-of-this-name", 1)).await;
        match page.map_err(|fault| broken(fault.to_string()))?.coverage {
            Coverage::WholeDirectory => Ok(()),
            Coverage::SeenAtLogin => Err(Verdict::Skipped("it knows only those who have logged in".to_owned())),
        }
    }

    /// Looks a principal up.
    ///
    /// # Errors
    /// As the provider.
    pub async fn principal(&self, id: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        self.provider.get_principal(&self.context(), id).await
    }

    /// One page of a search.
    ///
    /// # Errors
    /// As the provider.
    pub async fn search(&self, search: Search) -> Result<PrincipalPage, AuthError> {
        self.provider.search_principals(&self.context(), search).await
    }

    /// Everybody whom a text finds, page by page.
    pub(crate) async fn everybody(
        &self,
        text: &str,
        kind: PrincipalType,
        limit: usize,
    ) -> Result<Vec<Principal>, Verdict> {
        const PAGES: usize = 1_000;
        let mut found = Vec::new();
        let mut search = Search::new(text, limit).of_kind(kind);
        for _ in 0..PAGES {
            let page = self.search(search.clone()).await.map_err(|fault| broken(format!("a search fails: {fault}")))?;
            if page.principals.len() > limit {
                return Err(broken(format!("{} principals on a page of {limit}", page.principals.len())));
            }
            found.extend(page.principals);
            let Some(next) = page.next else { return Ok(found) };
            search = search.after(next);
        }
        Err(broken(format!("a search for {text:?} has more than {PAGES} pages")))
    }

    /// Changes the server; skips the fact where that cannot be done.
    pub(crate) async fn change(&self, change: Change<'_>) -> Result<(), Verdict> {
        self.fixture.change(change).await.map_err(|unable| Verdict::Skipped(unable.0))
    }

    /// Brings in somebody new.
    pub(crate) async fn newcomer(&self) -> Result<Newcomer, Verdict> {
        let number = NEWCOMERS.fetch_add(1, Ordering::Relaxed);
        let newcomer = Newcomer { login: format!("newcomer{number}"), password: format!("Wool-{number}-River-fence") };
        self.change(Change::Create(&newcomer)).await?;
        Ok(newcomer)
    }

    /// The same, and logs them in.
    pub(crate) async fn entered_newcomer(&self) -> Result<(Person, Login), Verdict> {
        let newcomer = self.newcomer().await?;
        let person = Person::new(newcomer.login, newcomer.password);
        let login = self.enters(&person).await?;
        Ok((person, login))
    }

    /// Asks while the server is away, and waits until it is back.
    pub(crate) async fn during_an_outage<T>(&self, ask: impl AsyncFnOnce() -> T) -> Result<T, Verdict> {
        self.change(Change::Stop).await?;
        let answer = ask().await;
        self.change(Change::Start).await?;
        for _ in 0..TRIES {
            if self.login(&self.known.person.login, &self.known.person.password).await.is_ok() {
                return Ok(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(broken("the provider does not come back after an outage"))
    }

    /// After a fact, whatever came of it: no lie is left to the next.
    pub(crate) fn tidy_up(&self) {
        if let Some(liar) = self.trips().and_then(Trips::liar) {
            liar.tell_the_truth();
        }
    }
}
