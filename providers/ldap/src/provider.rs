//! The eight methods of the contract over a directory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use auth_core::{
    Access as Admission, AuthError, AuthProvider, Clock, Context, Current, Diagnose, InstanceId, Login, LoginForm,
    LoginInput, Ports, Principal, PrincipalId, PrincipalPage, PrincipalType, ProviderSecret, PublicProvider, Refetch,
    Search,
};

use crate::account::{self, AccountState};
use crate::config::{Access, Groups, Settings};
use crate::connection::Connection;
use crate::directory::{Directory, once_more};
use crate::entry::Entry;
use crate::failure::Failure;
use crate::filter::Filter;
use crate::groups::{self, Known, Membership, Scan};
use crate::kind::KIND;
use crate::people::{self, Found};

/// An instance: one directory.
#[derive(Debug)]
pub(crate) struct LdapProvider {
    pub(crate) instance: InstanceId,
    pub(crate) settings: Settings,
    pub(crate) directory: Directory,
    pub(crate) clock: Arc<dyn Clock>,
    known: Known,
    /// What is asked for about a person.
    pub(crate) attributes: Vec<String>,
}

impl LdapProvider {
    pub(crate) fn new(instance: InstanceId, settings: Settings, ports: &Ports) -> Self {
        let directory = Directory::new(&settings, ports);
        let mut attributes = people::attributes(&settings.users);
        attributes.extend(account::attributes(settings.preset));
        attributes.extend(settings.groups.as_ref().map(groups::attributes_of_a_person).unwrap_or_default());
        // Who looks with their own eyes may see other groups than the next one.
        let shared = matches!(*settings.access, Access::Service { .. });
        let kept = settings.groups.as_ref().filter(|_| shared).map_or(Duration::ZERO, |groups| groups.kept);
        let known = Known::keeping(kept);
        Self { instance, settings, directory, clock: Arc::clone(&ports.clock), known, attributes }
    }

    pub(crate) fn scan(&self, deadline: Instant) -> Scan<'_> {
        let (now, page_size) = (self.clock.monotonic(), self.settings.page_size);
        Scan { instance: &self.instance, page_size, known: &self.known, afresh: false, now, deadline }
    }

    pub(crate) fn state(&self, entry: &Entry) -> Result<AccountState, Failure> {
        account::state(entry, self.settings.preset, self.clock.now())
    }

    pub(crate) fn person(&self, entry: &Entry) -> Result<Principal, AuthError> {
        people::principal(entry, &self.settings.users, &self.instance)
    }

    pub(crate) async fn groups(
        &self,
        connection: &mut Connection,
        entry: &Entry,
        login: &str,
        scan: Scan<'_>,
    ) -> Result<Membership, Failure> {
        people::groups_of(connection, self.settings.groups.as_ref(), entry, login, scan).await
    }

    /// The filter that finds a person by id; `None` when the text cannot be an id.
    pub(crate) fn filter_of(&self, id: &PrincipalId) -> Option<Filter> {
        let users = &self.settings.users;
        Some(Filter::And(vec![users.filter.for_anyone(), users.id.filter(id.external_id())?]))
    }

    /// The entry of a person with this id, wherever it was moved to.
    async fn find_person(&self, id: &PrincipalId, deadline: Instant) -> Result<Found, Failure> {
        let users = &self.settings.users;
        let Some(filter) = self.filter_of(id) else { return Ok(Found::Nobody) };
        let mut reader = self.directory.reader(deadline).await?;
        people::find(reader.connection()?, users, filter, &self.attributes, deadline).await
    }

    async fn person_with(&self, id: &PrincipalId, deadline: Instant) -> Result<Option<Entry>, AuthError> {
        match once_more(|| self.find_person(id, deadline)).await? {
            Found::Nobody => Ok(None),
            Found::One(entry) => Ok(Some(*entry)),
            Found::Several => Err(AuthError::Protocol("two entries have the same id".to_owned())),
        }
    }

    async fn find_group(&self, groups: &Groups, by_id: Filter, deadline: Instant) -> Result<Vec<Entry>, Failure> {
        let mut reader = self.directory.reader(deadline).await?;
        groups::find(reader.connection()?, groups, by_id, self.scan(deadline)).await
    }

    async fn group_with(&self, id: &PrincipalId, deadline: Instant) -> Result<Option<Principal>, AuthError> {
        let Some(groups) = &self.settings.groups else { return Ok(None) };
        let Some(by_id) = groups.id.filter(id.external_id()) else { return Ok(None) };
        let found = once_more(|| self.find_group(groups, by_id.clone(), deadline)).await?;
        match found.as_slice() {
            [] => Ok(None),
            [entry] => groups::principal(entry, groups, &self.instance).map(Some).map_err(AuthError::Protocol),
            _ => Err(AuthError::Protocol("two groups have the same id".to_owned())),
        }
    }

    /// The groups, read with the service account.
    pub(crate) async fn memberships(&self, entry: &Entry, login: &str, scan: Scan<'_>) -> Result<Membership, Failure> {
        let mut reader = self.directory.reader(scan.deadline).await?;
        self.groups(reader.connection()?, entry, login, scan).await
    }
}

#[async_trait]
impl AuthProvider for LdapProvider {
    fn name(&self) -> &InstanceId {
        &self.instance
    }

    async fn authenticate_user(&self, ctx: &Context, input: LoginInput) -> Result<Login, AuthError> {
        match input {
            LoginInput::Password { login, password } => self.log_in(&login, &password, ctx.deadline).await,
            _ => Err(AuthError::UnsupportedInput),
        }
    }

    async fn search_principals(&self, ctx: &Context, search: Search) -> Result<PrincipalPage, AuthError> {
        self.search(&search, ctx.deadline).await
    }

    async fn get_principal(&self, ctx: &Context, id: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        if id.instance() != &self.instance {
            return Ok(None);
        }
        match id.kind() {
            PrincipalType::User => {
                let entry = self.person_with(id, ctx.deadline).await?;
                entry.map(|entry| self.person(&entry)).transpose()
            }
            PrincipalType::Group => self.group_with(id, ctx.deadline).await,
            PrincipalType::Org | PrincipalType::Team => Ok(None),
        }
    }

    /// Found by id, so that somebody who was renamed or moved is still the same. Whether they may
    /// stay is read from the entry: a temporary lock does not end a session, because anybody who
    /// knows a login name can cause one.
    async fn refetch_group_principals(
        &self,
        ctx: &Context,
        id: &PrincipalId,
        _secret: Option<&ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        if matches!(*self.settings.access, Access::Direct(_)) {
            return Ok(Refetch::NeedsLogin);
        }
        if id.instance() != &self.instance || id.kind() != PrincipalType::User {
            return Ok(Refetch::UserGone);
        }
        let Some(entry) = self.person_with(id, ctx.deadline).await? else { return Ok(Refetch::UserGone) };
        match self.state(&entry)? {
            AccountState::Disabled | AccountState::Expired => return Ok(Refetch::UserDisabled),
            AccountState::MustChangePassword => return Ok(Refetch::NeedsLogin),
            AccountState::Active | AccountState::Locked | AccountState::PasswordExpired => {}
        }
        let user = self.person(&entry)?;
        let Membership { groups, completeness } =
            once_more(|| self.memberships(&entry, &user.name, self.scan(ctx.deadline).afresh())).await?;
        Ok(Refetch::Current(Box::new(Current::new(user, groups).with_completeness(completeness))))
    }

    async fn can_access_with_group_providers(
        &self,
        _ctx: &Context,
        _user: &PrincipalId,
        _groups: &[PrincipalId],
    ) -> Result<Admission, AuthError> {
        // Who may log in is said by users.filter; there is nothing to narrow beyond it.
        Ok(Admission::Allowed)
    }

    fn transform_to_auth_provider(&self) -> PublicProvider {
        PublicProvider::new(self.instance.clone(), KIND, self.instance.as_str(), [LoginForm::Password])
    }

    fn diagnose(&self) -> Option<&dyn Diagnose> {
        Some(self)
    }
}
