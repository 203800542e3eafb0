//! The people whom the gateway keeps itself, over a store in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use auth_conformance::{Change, Fixture, Known, Person, State, Unable};
use auth_core::testing::MemoryUsers;
use auth_core::{AuthProvider, Context, Password, ProviderKind as _, StoredGroup, StoredUser};
use auth_local::{Cost, LocalKind, hash_password};
use serde_json::json;

use crate::ports::{context, ports};

/// What the store holds of one person.
#[derive(Clone, Default)]
struct Row {
    id: String,
    login: String,
    password: String,
    groups: Vec<String>,
    disabled: bool,
    must_change: bool,
}

pub(crate) struct People {
    users: Arc<MemoryUsers>,
    provider: Arc<dyn AuthProvider>,
    rows: Mutex<Vec<Row>>,
    last: AtomicU32,
}

impl People {
    pub(crate) fn new() -> Self {
        let users = Arc::new(MemoryUsers::default());
        let instance = "local".parse().expect("an id");
        let provider = LocalKind.build(instance, json!({}), &ports(&users)).expect("a configuration");
        let people = Self { users, provider, rows: Mutex::default(), last: AtomicU32::new(0) };
        people.put(Row { groups: vec!["dev".to_owned(), "ops".to_owned()], ..people.row("alice") });
        people.put(people.row("bob"));
        people.put(Row { disabled: true, ..people.row("off") });
        people.put(Row { must_change: true, ..people.row("newhere") });
        people
    }

    fn row(&self, login: &str) -> Row {
        let id = format!("u-{}", self.last.fetch_add(1, Ordering::Relaxed));
        Row { id, login: login.to_owned(), password: password(login), ..Row::default() }
    }

    fn put(&self, row: Row) {
        let mut user = StoredUser::new(&row.id, &row.login);
        user.password_hash =
            Some(hash_password(&Password::new(&row.password), Cost::default()).expect("a fit password"));
        user.groups =
            row.groups.iter().map(|name| StoredGroup { id: format!("g-{name}"), name: name.clone() }).collect();
        (user.disabled, user.must_change) = (row.disabled, row.must_change);
        self.users.put(user);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.retain(|known| known.id != row.id);
        rows.push(row);
    }

    fn change_row(&self, login: &str, change: impl FnOnce(&mut Row)) {
        let mut row = {
            let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows.iter().find(|row| row.login == login).cloned().expect("somebody")
        };
        change(&mut row);
        self.put(row);
    }
}

fn password(login: &str) -> String {
    format!("Password of {login}")
}

#[async_trait]
impl Fixture for People {
    fn name(&self) -> String {
        "local".to_owned()
    }

    fn provider(&self) -> Arc<dyn AuthProvider> {
        Arc::clone(&self.provider)
    }

    fn context(&self) -> Context {
        context()
    }

    fn known(&self) -> Known {
        let person = |login: &str| Person::new(login, password(login));
        Known {
            person: person("alice"),
            other: person("bob"),
            groups: vec!["dev".to_owned(), "ops".to_owned()],
            joinable: Some("guests".to_owned()),
            everybody: Vec::new(),
            states: vec![(State::Disabled, person("off")), (State::MustChangePassword, person("newhere"))],
            secrets: vec![password("bob")],
        }
    }

    async fn change(&self, change: Change<'_>) -> Result<(), Unable> {
        match change {
            Change::Create(newcomer) => {
                self.put(Row { password: newcomer.password.clone(), ..self.row(&newcomer.login) });
            }
            Change::Delete(login) => {
                let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
                let at = rows.iter().position(|row| row.login == login).expect("somebody");
                self.users.remove(&rows.remove(at).id);
            }
            Change::Rename(from, to) => self.change_row(from, |row| to.clone_into(&mut row.login)),
            Change::Move(_) => return Err(Unable::because("people have no place to move from")),
            Change::Disable(login) => self.change_row(login, |row| row.disabled = true),
            Change::Join(login, group) => self.change_row(login, |row| row.groups.push(group.to_owned())),
            Change::Leave(login, group) => self.change_row(login, |row| row.groups.retain(|known| known != group)),
            Change::Stop => self.users.fail(true),
            Change::Start => self.users.fail(false),
        }
        Ok(())
    }
}
