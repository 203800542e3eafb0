//! The questions that facts ask, each with a fresh context.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::{
    AuthError, AuthProvider, Current, Login, LoginInput, Password, Principal, PrincipalId, PrincipalPage,
    PrincipalType, Refetch, Search,
};

use crate::run::{Verdict, broken};
use crate::{Change, Fixture, Known, Newcomer, Person};

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

    /// Logs somebody in.
    ///
    /// # Errors
    /// As the provider.
    pub async fn login(&self, login: &str, password: &str) -> Result<Login, AuthError> {
        let input = LoginInput::Password { login: login.to_owned(), password: Password::new(password) };
        self.provider.authenticate_user(&self.fixture.context(), input).await
    }

    /// Logs in somebody who must be let in.
    pub(crate) async fn enters(&self, person: &Person) -> Result<Login, Verdict> {
        let login = self.login(&person.login, &person.password).await;
        login.map_err(|fault| broken(format!("{} is refused with the right password: {fault}", person.login)))
    }

    /// Must not be let in; what the refusal is called.
    pub(crate) async fn refusal(&self, login: &str, password: &str) -> Result<&'static str, Verdict> {
        match self.login(login, password).await {
            Ok(entered) => Err(broken(format!("{login:?} logs in as {}", entered.user.id))),
            Err(fault) => Ok(fault.audit_code()),
        }
    }

    /// Asks for the present state of somebody.
    ///
    /// # Errors
    /// As the provider.
    pub async fn refetch(&self, id: &PrincipalId) -> Result<Refetch, AuthError> {
        self.provider.refetch_group_principals(&self.fixture.context(), id, None).await
    }

    /// The present state of somebody who must be there.
    pub(crate) async fn current(&self, id: &PrincipalId) -> Result<Current, Verdict> {
        match self.refetch(id).await {
            Ok(Refetch::Current(current)) => Ok(*current),
            other => Err(broken(format!("a refetch of {id} says {other:?}"))),
        }
    }

    /// Looks a principal up.
    ///
    /// # Errors
    /// As the provider.
    pub async fn principal(&self, id: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        self.provider.get_principal(&self.fixture.context(), id).await
    }

    /// One page of a search.
    ///
    /// # Errors
    /// As the provider.
    pub async fn search(&self, search: Search) -> Result<PrincipalPage, AuthError> {
        self.provider.search_principals(&self.fixture.context(), search).await
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
}
