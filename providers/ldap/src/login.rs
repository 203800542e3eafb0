//! A login name and a password become a person with groups.
//!
//! The person is searched for by what was typed, and the password is checked against the DN that
//! the search *found*, never against one made from the typed name: what was searched for and what
//! was checked can then not be two different people.

use std::time::Instant;

use auth_core::{AuthError, Login, Password};

use crate::account;
use crate::config::{Access, DnTemplate};
use crate::connection::{Connection, Credential};
use crate::directory::once_more;
use crate::entry::Entry;
use crate::failure::Failure;
use crate::filter::Filter;
use crate::groups::Membership;
use crate::people::{self, Found};
use crate::provider::LdapProvider;

const MAX_LOGIN: usize = 256;

impl LdapProvider {
    /// Checks a password and reads who it belongs to.
    pub(crate) async fn log_in(&self, login: &str, password: &Password, deadline: Instant) -> Result<Login, AuthError> {
        if login.is_empty() || login.len() > MAX_LOGIN || login.chars().any(char::is_control) {
            return Err(AuthError::BadCredentials);
        }
        match &*self.settings.access {
            Access::Service { .. } => self.search_then_bind(login, password, deadline).await,
            Access::Direct(template) => self.bind_then_read(template, login, password, deadline).await,
        }
    }

    async fn search_then_bind(&self, login: &str, password: &Password, deadline: Instant) -> Result<Login, AuthError> {
        // Made first, so that a password that must not be sent costs no question either.
        Credential::new("x", password.expose()).ok_or(AuthError::BadCredentials)?;
        let entry = match once_more(|| self.find_by_login(login, deadline)).await? {
            Found::One(entry) => *entry,
            Found::Nobody => return Err(self.as_slow_as_a_person(password, AuthError::BadCredentials, deadline).await),
            Found::Several => return Err(self.as_slow_as_a_person(password, AuthError::Ambiguous, deadline).await),
        };
        self.check_password(&entry.dn, password, deadline).await?;
        self.state(&entry)?.after_right_password()?;
        let user = self.person(&entry)?;
        let membership = once_more(|| self.memberships(&entry, &user.name, self.scan(deadline))).await?;
        Ok(self.login(user, membership))
    }

    async fn find_by_login(&self, login: &str, deadline: Instant) -> Result<Found, Failure> {
        let Some(filter) = self.filter_of_login(login) else { return Ok(Found::Nobody) };
        let mut reader = self.directory.reader(deadline).await?;
        people::find(reader.connection()?, &self.settings.users, filter, &self.attributes, deadline).await
    }

    /// The filter that finds whoever logs in so; `None` when nobody of this instance does.
    pub(crate) fn filter_of_login(&self, login: &str) -> Option<Filter> {
        let users = &self.settings.users;
        Some(users.filter.with_input(users.account(login)?))
    }

    /// One attempt on one server, whatever comes of it: each attempt counts towards a lock.
    async fn check_password(&self, dn: &str, password: &Password, deadline: Instant) -> Result<Connection, AuthError> {
        let who = Credential::new(dn, password.expose()).ok_or(AuthError::BadCredentials)?;
        let mut binder = self.directory.binder(deadline).await?;
        let reply = binder.bind(who, deadline).await?;
        account::judge(&reply, self.settings.preset)?;
        Ok(binder.into_connection())
    }

    /// Does for an unknown name what is done for a known one. How long the directory itself takes to
    /// say no to a name that it does not have is beyond us.
    async fn as_slow_as_a_person(&self, password: &Password, error: AuthError, deadline: Instant) -> AuthError {
        let nobody = format!("cn=nobody-has-this-name,{}", self.settings.users.base);
        match self.check_password(&nobody, password, deadline).await {
            Err(outage) if outage.http_status() >= 500 => outage,
            _ => error,
        }
    }

    async fn bind_then_read(
        &self,
        template: &DnTemplate,
        login: &str,
        password: &Password,
        deadline: Instant,
    ) -> Result<Login, AuthError> {
        let dn = template.dn(login);
        let mut connection = self.check_password(&dn, password, deadline).await?;
        let users = &self.settings.users;
        let found = people::read(&mut connection, users, &dn, &self.attributes, deadline).await?;
        let Found::One(entry) = found else {
            // The password was right, but the entry is none that may log in here.
            return Err(AuthError::BadCredentials);
        };
        self.finish_direct(&mut connection, &entry, deadline).await
    }

    async fn finish_direct(
        &self,
        connection: &mut Connection,
        entry: &Entry,
        deadline: Instant,
    ) -> Result<Login, AuthError> {
        self.state(entry)?.after_right_password()?;
        let user = self.person(entry)?;
        let membership = self.groups(connection, entry, &user.name, self.scan(deadline)).await?;
        Ok(self.login(user, membership))
    }

    fn login(&self, user: auth_core::Principal, membership: Membership) -> Login {
        Login::new(user, membership.groups, self.clock.now())
            .with_completeness(membership.completeness)
            .with_amr(["pwd"])
    }
}
