//! A provider in memory that obeys every rule, or every rule but one.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_conformance::{Change, Fixture, Known, Newcomer, Person, State, Unable};
use auth_core::{
    Access, AuthError, AuthProvider, Context, Current, InstanceId, Login, LoginForm, LoginInput, Ports, Principal,
    PrincipalId, PrincipalPage, PrincipalType, ProviderSecret, PublicProvider, Refetch, Search, testing,
};

use crate::Flaw;

#[derive(Debug, Clone)]
pub(crate) struct Row {
    id: u32,
    login: String,
    password: String,
    groups: Vec<&'static str>,
    disabled: bool,
    must_change: bool,
}

#[derive(Debug)]
pub(crate) struct World {
    rows: Vec<Row>,
    last: u32,
    down: bool,
    deleted: Vec<Row>,
}

/// The groups, by the number that their ids rest on.
const GROUPS: [&str; 3] = ["dev", "ops", "guests"];

pub(crate) struct Memory {
    pub(crate) world: Arc<Mutex<World>>,
    ports: Ports,
    flaw: Option<Flaw>,
}

impl Memory {
    pub(crate) fn new(flaw: Option<Flaw>) -> Self {
        let row = |id, login: &str, groups: &[&'static str]| Row {
            id,
            login: login.to_owned(),
            password: format!("Secret-of-{login}"),
            groups: groups.to_vec(),
            disabled: login == "gone-home",
            must_change: login == "new-here",
        };
        let rows = vec![
            row(1, "alice", &["dev", "ops"]),
            row(2, "bob", &[]),
            row(3, "gone-home", &[]),
            row(4, "new-here", &[]),
        ];
        let world = Arc::new(Mutex::new(World { rows, last: 4, down: false, deleted: Vec::new() }));
        Self { world, ports: testing::ports(), flaw }
    }
}

#[async_trait]
impl Fixture for Memory {
    fn name(&self) -> String {
        self.flaw.map_or_else(|| "memory".to_owned(), |flaw| format!("{flaw:?}"))
    }

    fn provider(&self) -> Arc<dyn AuthProvider> {
        let instance = "site".parse().unwrap();
        Arc::new(Provider { instance, world: Arc::clone(&self.world), ports: self.ports.clone(), flaw: self.flaw })
    }

    fn context(&self) -> Context {
        testing::context(&self.ports)
    }

    fn known(&self) -> Known {
        let person = |login: &str| Person::new(login, format!("Secret-of-{login}"));
        Known {
            person: person("alice").also("ALICE"),
            other: person("bob"),
            groups: vec!["dev".to_owned(), "ops".to_owned()],
            joinable: Some("guests".to_owned()),
            everybody: Vec::new(),
            states: vec![(State::Disabled, person("gone-home")), (State::MustChangePassword, person("new-here"))],
            secrets: vec!["Secret-of-bob".to_owned()],
        }
    }

    async fn change(&self, change: Change<'_>) -> Result<(), Unable> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |world: &World, login: &str| world.rows.iter().position(|row| row.login == login).expect("somebody");
        match change {
            Change::Create(Newcomer { login, password }) => {
                world.last += 1;
                let (id, login, password) = (world.last, login.clone(), password.clone());
                world.rows.push(Row { id, login, password, groups: Vec::new(), disabled: false, must_change: false });
            }
            Change::Delete(login) => {
                let at = at(&world, login);
                let gone = world.rows.remove(at);
                world.deleted.push(gone);
            }
            Change::Rename(from, to) => {
                let at = at(&world, from);
                world.rows[at].login = to.to_owned();
            }
            Change::Move(_) => return Err(Unable::because("people stand in one list")),
            Change::Disable(login) => {
                let at = at(&world, login);
                world.rows[at].disabled = true;
            }
            Change::Join(login, group) => {
                let at = at(&world, login);
                world.rows[at].groups.push(GROUPS.iter().find(|known| **known == group).unwrap());
            }
            Change::Leave(login, group) => {
                let at = at(&world, login);
                world.rows[at].groups.retain(|known| *known != group);
            }
            Change::Stop => world.down = true,
            Change::Start => world.down = false,
        }
        Ok(())
    }
}

struct Provider {
    instance: InstanceId,
    world: Arc<Mutex<World>>,
    ports: Ports,
    flaw: Option<Flaw>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.flaw {
            Some(Flaw::PrintsSecrets) => write!(f, "{:?}", self.world),
            _ => write!(f, "Memory({})", self.instance),
        }
    }
}

impl Provider {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn rows(&self) -> Result<Vec<Row>, AuthError> {
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        if world.down {
            return Err(AuthError::unavailable("the server is down"));
        }
        Ok(world.rows.clone())
    }

    fn user(&self, row: &Row) -> Principal {
        let external = match self.flaw {
            Some(Flaw::TrustsTheLogin) => row.login.clone(),
            Some(Flaw::EverybodyIsOne) => "1".to_owned(),
            _ => format!("n{}", row.id),
        };
        let instance = if self.has(Flaw::SpeaksForAnother) { "other".parse().unwrap() } else { self.instance.clone() };
        let kind = if self.has(Flaw::PeopleAreGroups) { PrincipalType::Group } else { PrincipalType::User };
        let login = if self.has(Flaw::RemembersTheOldLogin) { format!("person{}", row.id) } else { row.login.clone() };
        Principal::new(PrincipalId::new(&instance, kind, &external).unwrap(), &login).with_login(login)
    }

    fn group(&self, name: &str) -> Principal {
        let number = GROUPS.iter().position(|known| *known == name).unwrap();
        let external = if self.has(Flaw::GroupsAreNames) { name.to_owned() } else { format!("g{number}") };
        Principal::new(PrincipalId::new(&self.instance, PrincipalType::Group, &external).unwrap(), name)
    }

    fn groups(&self, row: &Row) -> Vec<Principal> {
        let mut groups: Vec<_> = row.groups.iter().map(|name| self.group(name)).collect();
        if self.has(Flaw::ForgetsTheSecondPage) {
            groups.truncate(1);
        }
        if self.has(Flaw::TakesNoneForSome) && groups.is_empty() {
            groups.push(self.group("guests"));
        }
        if self.has(Flaw::SaysGroupsTwice) {
            groups.extend(groups.clone());
        }
        groups
    }

    fn find(&self, id: &PrincipalId) -> Result<Option<Row>, AuthError> {
        if id.kind() != PrincipalType::User && !self.has(Flaw::MixesUpKinds) {
            return Ok(None);
        }
        let same = |row: &Row| self.user(row).id.external_id() == id.external_id();
        Ok(self.rows()?.into_iter().find(same))
    }
}

#[async_trait]
impl AuthProvider for Provider {
    fn name(&self) -> &InstanceId {
        &self.instance
    }

    async fn authenticate_user(&self, _: &Context, input: LoginInput) -> Result<Login, AuthError> {
        let LoginInput::Password { login, password } = input else { return Err(AuthError::UnsupportedInput) };
        let password = password.expose();
        if self.has(Flaw::Panics) && login.contains('(') {
            panic!("a bracket");
        }
        if self.has(Flaw::BreaksOnText) && login.contains('\\') {
            return Err(AuthError::Protocol("an escape".to_owned()));
        }
        let rows = match self.rows() {
            Err(_) if self.has(Flaw::CallsAnOutageAWrongPassword) => return Err(AuthError::BadCredentials),
            rows => rows?,
        };
        let same = |row: &&Row| {
            let folded = login.to_lowercase();
            let whole = if self.has(Flaw::KnowsOneSpelling) { row.login == login } else { row.login == folded };
            whole || (self.has(Flaw::TakesPatterns) && login == "*")
        };
        let Some(row) = rows.iter().find(same) else {
            let told = if self.has(Flaw::TellsWhoIsThere) {
                AuthError::PolicyDenied("no such person".into())
            } else {
                AuthError::BadCredentials
            };
            return Err(told);
        };
        if self.has(Flaw::TellsTheStateToAnybody) && row.disabled {
            return Err(AuthError::Disabled);
        }
        let right = match self.flaw {
            Some(Flaw::TakesEmptyPasswords) => password == row.password || password.is_empty(),
            Some(Flaw::TakesHugePasswords) => password == row.password || password.len() > 1_000_000,
            Some(Flaw::StopsAtNul) => password.split('\0').next() == Some(&row.password),
            Some(Flaw::IgnoresCase) => password.eq_ignore_ascii_case(&row.password),
            Some(Flaw::TakesAnyPasswordOfAnybody) => rows.iter().any(|row| row.password == password),
            _ => password == row.password,
        };
        if !right {
            return Err(AuthError::BadCredentials);
        }
        if row.disabled && !self.has(Flaw::IgnoresTheState) {
            return Err(AuthError::Disabled);
        }
        if row.must_change {
            return Err(AuthError::MustChangePassword);
        }
        Ok(Login::new(self.user(row), self.groups(row), self.ports.clock.now()))
    }

    async fn search_principals(&self, _: &Context, search: Search) -> Result<PrincipalPage, AuthError> {
        let rows = match self.rows() {
            Err(_) if self.has(Flaw::AnOutageFindsNobody) => return Ok(PrincipalPage::new(Vec::new())),
            rows => rows?,
        };
        let fits = |name: &str| name.contains(&search.text) || (self.has(Flaw::SearchesPatterns) && search.text == "*");
        let mut rows = rows;
        if self.has(Flaw::FindsTheDeleted) {
            rows.extend(self.world.lock().unwrap_or_else(PoisonError::into_inner).deleted.clone());
        }
        let users = rows.iter().map(|row| self.user(row));
        let groups = GROUPS.iter().filter(|_| !self.has(Flaw::FindsNoGroups)).map(|name| self.group(name));
        let mut all: Vec<Principal> = users.chain(groups).collect();
        let asked = search.kind.filter(|_| !self.has(Flaw::FindsEveryKind));
        all.retain(|one| fits(&one.name) && asked.is_none_or(|kind| one.id.kind() == kind));
        if all.is_empty() && self.has(Flaw::FindsSomebodyAlways) {
            all.extend(rows.first().map(|row| self.user(row)).filter(|_| asked != Some(PrincipalType::Group)));
        }
        let start: usize = search.cursor.as_deref().and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let start = if self.has(Flaw::StartsOverOnEachPage) { start.saturating_sub(1) } else { start };
        let limit = if self.has(Flaw::IgnoresTheLimit) { usize::MAX } else { search.limit };
        let page: Vec<Principal> = all.iter().skip(start).take(limit).cloned().collect();
        let end = start + page.len();
        let more = end < all.len() && !self.has(Flaw::HasOnePage);
        Ok(PrincipalPage::new(page).with_next(more.then(|| end.to_string())))
    }

    async fn get_principal(&self, _: &Context, id: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        if self.has(Flaw::LooksNobodyUp) {
            return Ok(None);
        }
        if id.kind() == PrincipalType::Group {
            self.rows()?;
            let group = GROUPS.iter().map(|name| self.group(name)).find(|group| group.id == *id);
            return Ok(group.or(self.find(id)?.map(|row| self.user(&row))));
        }
        Ok(self.find(id)?.map(|row| self.user(&row)))
    }

    async fn refetch_group_principals(
        &self,
        _: &Context,
        id: &PrincipalId,
        _: Option<&ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        let found = match self.find(id) {
            Err(_) if self.has(Flaw::AnOutageEndsSessions) => return Ok(Refetch::UserGone),
            found => found?,
        };
        let Some(row) = found else {
            return if self.has(Flaw::CallsTheDeletedAnOutage) {
                Err(AuthError::unavailable("no such person"))
            } else {
                Ok(Refetch::UserGone)
            };
        };
        if row.disabled && !self.has(Flaw::RefetchesTheDisabled) {
            return Ok(Refetch::UserDisabled);
        }
        let groups = if self.has(Flaw::ForgetsGroupsOnRefetch) { Vec::new() } else { self.groups(&row) };
        Ok(Refetch::Current(Box::new(Current::new(self.user(&row), groups))))
    }

    async fn can_access_with_group_providers(
        &self,
        _: &Context,
        _: &PrincipalId,
        _: &[PrincipalId],
    ) -> Result<Access, AuthError> {
        Ok(Access::Allowed)
    }

    fn transform_to_auth_provider(&self) -> PublicProvider {
        PublicProvider::new(self.instance.clone(), "memory", "In memory", [LoginForm::Password])
    }
}
