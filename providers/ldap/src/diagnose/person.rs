//! One person: found, known by an id, with an account in use, a right password and all groups.

use std::time::Duration;

use auth_core::{AuthError, Completeness, Password, Step, Tried, with_causes};

use super::origins::Looked;
use super::{Trying, hint};
use crate::account::{self, AccountState};
use crate::config::Access;
use crate::connection::{Asked, Connection, Credential, PageRequest, Question, Scope, Trace};
use crate::entry::Entry;
use crate::failure::Failure;
use crate::filter::Filter;
use crate::people::{self, Found};

/// What was done, and how long it took.
type Timed<T> = (T, Duration);

/// How many names a step lists.
const TOLD: usize = 20;

impl Trying<'_> {
    /// Takes the steps of a login on this connection, as far as they go.
    pub(super) async fn person(&self, mut connection: Connection, who: &Tried, password: Option<&Password>) {
        let trace = Trace::default();
        connection.traced(&trace);
        let Some(entry) = self.find(&mut connection, &trace, who, password).await else { return };
        let Ok(user) = self.provider.person(&entry).map_err(|error| {
            self.report.add(Step::bad("user id", error.audit_text()));
        }) else {
            return;
        };
        let step = Step::good("user id", user.id.to_string()).fact("attribute", self.provider.settings.users.id.name());
        self.report.add(step.fact("login name", &user.name));
        self.account(&entry);
        if let (Some(password), Access::Service { .. }) = (password, &*self.provider.settings.access) {
            self.password(&entry.dn, password).await;
        }
        self.groups(&mut connection, &trace, &entry, &user.name).await;
    }

    async fn find(
        &self,
        connection: &mut Connection,
        trace: &Trace,
        who: &Tried,
        password: Option<&Password>,
    ) -> Option<Entry> {
        let provider = self.provider;
        let users = &provider.settings.users;
        let deadline = self.deadline;
        let found = match (&*provider.settings.access, who) {
            (Access::Direct(template), Tried::Login(login)) => {
                let dn = template.dn(login);
                let Some(password) = password else {
                    let step = Step::skipped("user", "directBind: only with the person's own password can it be read");
                    self.report.add(step.fact("dn", dn).hint("add --password-stdin"));
                    return None;
                };
                if !self.bind_as(connection, &dn, password).await {
                    return None;
                }
                self.timed(people::read(connection, users, &dn, &provider.attributes, deadline)).await
            }
            (Access::Direct(_), Tried::Principal(_)) => {
                self.report.add(Step::skipped("user", "directBind: nobody is found by id, only by login name"));
                return None;
            }
            (Access::Service { .. }, who) => {
                let filter = match who {
                    Tried::Login(login) => provider.filter_of_login(login),
                    Tried::Principal(id) => provider.filter_of(id),
                };
                let Some(filter) = filter else {
                    let step = Step::bad("user", "nobody of this instance is called so, whatever the directory holds");
                    self.report
                        .add(step.hint("a login of another domain, or an id that this directory cannot have made"));
                    return None;
                };
                self.timed(people::find(connection, users, filter, &provider.attributes, deadline)).await
            }
        };
        self.found(connection, found, trace.take(), who).await
    }

    async fn found(
        &self,
        connection: &mut Connection,
        (found, took): Timed<Result<Found, Failure>>,
        asked: Vec<Asked>,
        who: &Tried,
    ) -> Option<Entry> {
        let step = |step: Step| asked.iter().fold(step.took(took), told);
        match found {
            Ok(Found::One(entry)) => {
                self.report.add(step(Step::good("user", entry.dn.clone())));
                return Some(*entry);
            }
            Ok(Found::Several) => {
                let said = Step::bad("user", "more than one entry fits, and nobody may choose among them");
                self.report.add(step(said).hint("make users.filter or users.base narrower"));
            }
            Ok(Found::Nobody) => {
                let hint = self.near(connection, who).await;
                self.report.add(step(Step::bad("user", "no entry fits")).hint(hint));
            }
            Err(failure) => self.report.add(step(Step::bad("user", AuthError::from(failure).audit_text()))),
        }
        None
    }

    /// Whether somebody of that name is there whom the filter leaves out.
    async fn near(&self, connection: &mut Connection, who: &Tried) -> String {
        let users = &self.provider.settings.users;
        let Tried::Login(login) = who else { return "they are gone, or users.filter leaves them out".to_owned() };
        let names = users.search.iter().chain([&users.login]).map(|name| Filter::equal(name, login.as_str()));
        let question = Question {
            field: "users.base",
            base: &users.base,
            scope: Scope::Subtree,
            filter: Filter::Or(names.collect()),
            attributes: &["1.1".to_owned()],
        };
        let page = connection.page(&question, PageRequest::Most(2), 2, self.deadline).await;
        match page.ok().and_then(|page| page.entries.into_iter().next()) {
            Some(entry) => format!("{} has that name, and users.filter leaves it out", entry.dn),
            None => "nobody below users.base has that name, or bind.dn may not see them".to_owned(),
        }
    }

    fn account(&self, entry: &Entry) {
        self.report.add(match self.provider.state(entry) {
            Ok(AccountState::Active) => Step::good("account", "in use"),
            Ok(AccountState::Locked) => Step::odd("account", "locked for a time: a login fails, a session goes on"),
            Ok(AccountState::PasswordExpired) => Step::odd("account", "the password has expired: a login fails"),
            Ok(AccountState::Disabled) => Step::bad("account", "disabled"),
            Ok(AccountState::Expired) => Step::bad("account", "its time is over"),
            Ok(AccountState::MustChangePassword) => Step::bad("account", "the password must be changed first"),
            Err(failure) => Step::bad("account", with_causes(&failure)),
        });
    }

    /// On a connection of its own, as a login does.
    async fn password(&self, dn: &str, password: &Password) {
        let dialer = self.provider.directory.binder(self.deadline).await;
        match dialer {
            Ok(binder) => {
                self.bind_as(&mut binder.into_connection(), dn, password).await;
            }
            Err(failure) => self.report.add(Step::bad("password", with_causes(&failure))),
        }
    }

    async fn bind_as(&self, connection: &mut Connection, dn: &str, password: &Password) -> bool {
        let Some(who) = Credential::new(dn, password.expose()) else {
            self.report.add(Step::bad("password", "empty, too long, or holds a NUL: it is never sent"));
            return false;
        };
        let (reply, took) = self.timed(connection.bind(who, self.deadline)).await;
        let (step, right) = match reply {
            Err(failure) => (Step::bad("password", with_causes(&failure)), false),
            Ok(reply) => match account::judge(&reply, self.provider.settings.preset) {
                Ok(()) => (Step::good("password", "right"), true),
                Err(error) => {
                    let said = format!("{}; the directory answered {} {}", error, reply.code, reply.text);
                    (Step::bad("password", said.trim_end()).hint(hint::password(&reply)), false)
                }
            },
        };
        self.report.add(step.took(took).fact("dn", dn));
        right
    }

    async fn groups(&self, connection: &mut Connection, trace: &Trace, entry: &Entry, login: &str) {
        let Some(groups) = &self.provider.settings.groups else {
            self.report.add(Step::odd("groups", "none: this instance has no `groups`"));
            return;
        };
        let (membership, took) =
            self.timed(self.provider.groups(connection, entry, login, self.provider.scan(self.deadline))).await;
        let asked = trace.take();
        for (at, one) in asked.iter().enumerate() {
            let found = one.answer.as_ref().map_or(0, Vec::len);
            let step = match &one.answer {
                Ok(_) => Step::good(format!("groups query {}", at + 1), format!("added {found}")),
                Err(why) => Step::bad(format!("groups query {}", at + 1), why.clone()),
            };
            self.report.add(told(step.took(one.took), one));
        }
        let strategy = format!("{:?}", groups.strategy);
        let step = match membership {
            Err(failure) => Step::bad("groups", AuthError::from(failure).audit_text()),
            Ok(membership) => {
                let looked = Looked { groups, person: entry, membership: &membership, asked: &asked };
                self.origins(connection, looked).await;
                let count = membership.groups.len();
                match membership.completeness {
                    Completeness::Incomplete(why) => {
                        let step = Step::bad("groups", format!("{count}, and not all: {why}"));
                        step.hint("a login is refused: part of the groups is never taken for all of them")
                    }
                    Completeness::Complete if count == 0 => {
                        let step = Step::odd("groups", "none, and that is all");
                        step.hint(format!(
                            "if there should be some: is {} what groups list in {}, and are they below groups.base?",
                            entry.dn, groups.member
                        ))
                    }
                    Completeness::Complete => Step::good("groups", format!("{count}, and that is all")),
                }
            }
        };
        self.report.add(step.took(took).fact("strategy", strategy));
    }
}

/// Adds a question and its answer to a step.
fn told(step: Step, asked: &Asked) -> Step {
    let scope = match asked.scope {
        Scope::Base => "the entry itself",
        Scope::Subtree => "everything below",
    };
    let step = step.fact("base", format!("{} ({scope})", asked.base)).fact("filter", &asked.filter);
    let Ok(found) = &asked.answer else { return step };
    let step = found.iter().take(TOLD).fold(step, |step, dn| step.fact("found", dn));
    match found.len().checked_sub(TOLD) {
        Some(more) if more > 0 => step.fact("found", format!("and {more} more")),
        _ => step,
    }
}
