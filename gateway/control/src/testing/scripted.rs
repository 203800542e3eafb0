//! A directory that says what it is told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use auth_core::{
    Access, AuthError, AuthProvider, Completeness, Context, Current, InstanceId, Login, LoginForm, LoginInput, Logout,
    Principal, PrincipalId, PrincipalPage, ProviderSecret, PublicProvider, Refetch, Search, UpstreamLogin,
};
use jiff::Timestamp;

/// What the scripted directory knows of one person.
#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    /// External id and plain name of each group.
    pub(crate) groups: Vec<(&'static str, &'static str)>,
    pub(crate) incomplete: bool,
    /// What they type to log in, where it is not their external id.
    pub(crate) name: Option<&'static str>,
}

/// How the directory answers about everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mood {
    #[default]
    Well,
    Down,
    Gone,
    Disabled,
    NeedsLogin,
    Refuses,
    Narrow,
}

/// What is said in place of a login.
type Refusal = fn() -> AuthError;

#[derive(Debug)]
pub(crate) struct Scripted {
    pub(super) id: InstanceId,
    kind: &'static str,
    people: Mutex<HashMap<String, Person>>,
    mood: Mutex<Mood>,
    /// What is said of an account after the right password.
    state: Mutex<Option<Refusal>>,
    asked: AtomicUsize,
    questions: AtomicUsize,
    most_at_once: AtomicUsize,
}

/// One that is given up is under way no more.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Scripted {
    pub(super) fn new(kind: &'static str, people: HashMap<String, Person>) -> Self {
        Self {
            id: "corp".parse().expect("an id"),
            kind,
            people: Mutex::new(people),
            mood: Mutex::default(),
            state: Mutex::default(),
            asked: AtomicUsize::new(0),
            questions: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        }
    }

    /// How many refetches were under way at once, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }

    /// Whether no refetch is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.asked.load(Ordering::SeqCst) == 0
    }

    /// How many refetches there were.
    pub(crate) fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, login: &str, person: Person) {
        self.people.lock().expect("lock").insert(login.to_owned(), person);
    }

    pub(crate) fn mood(&self) -> MutexGuard<'_, Mood> {
        self.mood.lock().expect("lock")
    }

    pub(crate) fn set_state(&self, state: fn() -> AuthError) {
        *self.state.lock().expect("lock") = Some(state);
    }

    pub(super) fn describe(&self, login: &str) -> Option<Login> {
        let person = self.people.lock().expect("lock").get(login)?.clone();
        let id = format!("{}_user://{login}", self.id).parse().expect("an id");
        let user = Principal::new(id, person.name.unwrap_or(login));
        let group = |(id, name): &(&str, &str)| {
            Principal::new(format!("{}_group://{id}", self.id).parse().expect("an id"), *name)
        };
        let why = Completeness::Incomplete("the page limit was reached".to_owned());
        let completeness = if person.incomplete { why } else { Completeness::Complete };
        let groups = person.groups.iter().map(group).collect();
        let upstream = UpstreamLogin { subject: login.to_owned(), session: None };
        let login = Login::new(user, groups, Timestamp::UNIX_EPOCH).with_completeness(completeness);
        Some(login.with_amr(["pwd"]).with_upstream(upstream))
    }
}

#[async_trait]
impl AuthProvider for Scripted {
    fn name(&self) -> &InstanceId {
        &self.id
    }

    async fn authenticate_user(&self, _: &Context, input: LoginInput) -> Result<Login, AuthError> {
        if *self.mood() == Mood::Down {
            return Err(AuthError::unavailable("the directory is down"));
        }
        let LoginInput::Password { login, password } = input else { return Err(AuthError::UnsupportedInput) };
        let found = self.describe(&login).filter(|_| password.expose() == "right");
        let found = found.ok_or(AuthError::BadCredentials)?;
        match *self.state.lock().expect("lock") {
            Some(state) => Err(state()),
            None => Ok(found),
        }
    }

    async fn search_principals(&self, _: &Context, search: Search) -> Result<PrincipalPage, AuthError> {
        if *self.mood() == Mood::Down {
            return Err(AuthError::unavailable("the directory is down"));
        }
        Ok(PrincipalPage::new(self.describe(&search.text).map(|login| login.user).into_iter().collect()))
    }

    async fn get_principal(&self, _: &Context, id: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        Ok(self.describe(id.external_id()).map(|login| login.user))
    }

    async fn refetch_group_principals(
        &self,
        _: &Context,
        id: &PrincipalId,
        _: Option<&ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        let now = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let under_way = UnderWay(&self.asked);
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        // Long enough for everybody else who may ask to ask too.
        for _ in 0..5_000 {
            tokio::task::yield_now().await;
        }
        drop(under_way);
        let login = match *self.mood() {
            Mood::Down => return Err(AuthError::unavailable("the directory is down")),
            Mood::Gone => return Ok(Refetch::UserGone),
            Mood::Disabled => return Ok(Refetch::UserDisabled),
            Mood::NeedsLogin => return Ok(Refetch::NeedsLogin),
            Mood::Refuses => return Err(AuthError::PolicyDenied("the mail address is not verified".to_owned())),
            Mood::Well | Mood::Narrow => self.describe(id.external_id()).ok_or(AuthError::BadCredentials)?,
        };
        Ok(Refetch::Current(Box::new(Current::new(login.user, login.groups).with_completeness(login.completeness))))
    }

    async fn can_access_with_group_providers(
        &self,
        _: &Context,
        _: &PrincipalId,
        _: &[PrincipalId],
    ) -> Result<Access, AuthError> {
        match *self.mood() {
            Mood::Narrow => Ok(Access::Denied("outside office hours".to_owned())),
            _ => Ok(Access::Allowed),
        }
    }

    fn transform_to_auth_provider(&self) -> PublicProvider {
        PublicProvider::new(self.id.clone(), self.kind, "Corporate directory", [LoginForm::Password])
    }

    fn logout(&self) -> Option<&dyn Logout> {
        Some(self)
    }

    fn bearer(&self) -> Option<&dyn auth_core::Bearer> {
        Some(self)
    }
}
