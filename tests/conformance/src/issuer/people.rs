//! Who is in an issuer, and what becomes of them.

use crate::{Change, Known, Newcomer, Person, Unable};

/// What an issuer holds of one person.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) sub: String,
    pub(super) login: String,
    pub(super) password: String,
    pub(super) groups: Vec<String>,
    disabled: bool,
}

#[derive(Debug)]
pub(super) struct People {
    rows: Vec<Row>,
    last: usize,
}

impl People {
    /// Alice, who is in two groups, and Bob.
    pub(super) fn new() -> Self {
        let mut people = Self { rows: Vec::new(), last: 0 };
        people.add("alice", &password("alice"), &["dev", "ops"]);
        people.add("bob", &password("bob"), &[]);
        people
    }

    fn add(&mut self, login: &str, password: &str, groups: &[&str]) {
        self.last += 1;
        self.rows.push(Row {
            sub: format!("person-{}", self.last),
            login: login.to_owned(),
            password: password.to_owned(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            disabled: false,
        });
    }

    /// Who logs in so.
    pub(super) fn enters(&self, login: &str, password: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.login == login && row.password == password && !row.disabled)
    }

    /// Who may still be told about.
    pub(super) fn find(&self, sub: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.sub == sub && !row.disabled)
    }

    pub(super) fn change(&mut self, change: Change<'_>) -> Result<(), Unable> {
        if let Change::Create(Newcomer { login, password }) = change {
            self.add(login, password, &[]);
            return Ok(());
        }
        let (Change::Delete(who)
        | Change::Rename(who, _)
        | Change::Disable(who)
        | Change::Join(who, _)
        | Change::Leave(who, _)) = change
        else {
            return Err(Unable::because("people stand in one list"));
        };
        let Some(at) = self.rows.iter().position(|row| row.login == who) else {
            return Err(Unable(format!("nobody is called {who}")));
        };
        if matches!(change, Change::Delete(_)) {
            self.rows.remove(at);
            return Ok(());
        }
        let Some(row) = self.rows.get_mut(at) else { return Ok(()) };
        match change {
            Change::Rename(_, to) => to.clone_into(&mut row.login),
            Change::Join(_, group) => row.groups.push(group.to_owned()),
            Change::Leave(_, group) => row.groups.retain(|known| known != group),
            _ => row.disabled = true,
        }
        Ok(())
    }
}

fn password(login: &str) -> String {
    format!("Password of {login}")
}

/// Who is in it from the start.
pub(super) fn known(secrets: &[&str]) -> Known {
    let person = |login: &str| Person::new(login, password(login));
    Known {
        person: person("alice"),
        other: person("bob"),
        groups: vec!["dev".to_owned(), "ops".to_owned()],
        joinable: Some("guests".to_owned()),
        everybody: Vec::new(),
        states: Vec::new(),
        secrets: secrets.iter().map(|&secret| secret.to_owned()).collect(),
    }
}
