//! Samba as an Active Directory domain controller.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_conformance::{Change, Fixture, Known, Newcomer, Person, State, Unable};
use auth_core::testing::MemoryUsers;
use auth_core::{AuthProvider, Context, ProviderKind as _};
use auth_ldap::LdapKind;
use serde_json::json;
use tempfile::TempDir;
use testbed::Samba;

use crate::ports::{context, ports};

/// How a provider finds groups there, and what the report calls it.
pub(crate) type Strategy = (&'static str, &'static str);

pub(crate) const STRATEGIES: [Strategy; 2] = [("nested", "ldap on Samba"), ("inChain", "ldap on Samba, in chain")];

pub(crate) struct Domain {
    samba: Arc<Mutex<Samba>>,
    _dir: Arc<TempDir>,
    name: &'static str,
    provider: Arc<dyn AuthProvider>,
    /// Where each newcomer stands.
    places: Mutex<BTreeMap<String, String>>,
}

/// One domain controller for all strategies; it ends with the last domain.
pub(crate) struct Controller {
    samba: Arc<Mutex<Samba>>,
    dir: Arc<TempDir>,
}

impl Controller {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        Ok(Self { samba: Arc::new(Mutex::new(Samba::start(dir.path())?)), dir: Arc::new(dir) })
    }

    pub(crate) fn domain(&self, (strategy, name): Strategy) -> Domain {
        let samba = self.samba.lock().unwrap_or_else(PoisonError::into_inner);
        let config = json!({
            "preset": "activeDirectory",
            "servers": [samba.ldaps_url()],
            "tls": { "mode": "ldaps", "caFile": samba.ca_file() },
            "bind": { "dn": Samba::SERVICE_DN, "password": Samba::PASSWORD },
            "users": { "base": Samba::BASE, "domain": Samba::DOMAIN },
            "groups": { "base": Samba::BASE, "strategy": strategy },
        });
        let instance = "ad".parse().expect("an id");
        let provider = LdapKind.build(instance, config, &ports(&Arc::new(MemoryUsers::default())));
        let provider = provider.expect("a configuration");
        drop(samba);
        Domain { samba: Arc::clone(&self.samba), _dir: Arc::clone(&self.dir), name, provider, places: Mutex::default() }
    }
}

impl Domain {
    fn modify(&self, ldif: &str) {
        self.samba.lock().unwrap_or_else(PoisonError::into_inner).modify(ldif).expect("a change");
    }

    fn place(&self, login: &str) -> String {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).get(login).cloned().expect("a newcomer")
    }

    fn stands(&self, login: &str, dn: String) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(login.to_owned(), dn);
    }

    fn member(&self, change: &str, login: &str, group: &str) {
        let (group, person) = (format!("CN={group},CN=Users,{}", Samba::BASE), self.place(login));
        self.modify(&format!("dn: {group}\nchangetype: modify\n{change}: member\nmember: {person}\n"));
    }

    fn set(&self, login: &str, attribute: &str, value: &str) {
        let dn = self.place(login);
        self.modify(&format!("dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n"));
    }
}

#[async_trait]
impl Fixture for Domain {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn provider(&self) -> Arc<dyn AuthProvider> {
        Arc::clone(&self.provider)
    }

    fn context(&self) -> Context {
        context()
    }

    fn known(&self) -> Known {
        let person = |login: &str| Person::new(login, Samba::PASSWORD);
        let spelt = |person: Person| {
            let upn = format!("alice@{}", Samba::SUFFIX);
            person.also("ALICE").also(upn).also(format!("{}\\alice", Samba::DOMAIN)).also("adtest\\Alice")
        };
        Known {
            person: spelt(person("alice")),
            other: person("bob"),
            groups: ["dev", "eng", "all", "loop", "Domain Users", "Users"].map(str::to_owned).to_vec(),
            joinable: Some("visitors".to_owned()),
            everybody: ["Domain Users", "Users"].map(str::to_owned).to_vec(),
            states: vec![
                (State::Disabled, person("off")),
                (State::Expired, person("over")),
                (State::MustChangePassword, person("newhere")),
                (State::PasswordExpired, person("aged")),
            ],
            secrets: vec![Samba::PASSWORD.to_owned()],
        }
    }

    async fn change(&self, change: Change<'_>) -> Result<(), Unable> {
        match change {
            Change::Create(Newcomer { login, password }) => {
                self.modify(&Samba::person(login, password, "userAccountControl: 512"));
                self.stands(login, format!("CN={login},CN=Users,{}", Samba::BASE));
            }
            Change::Delete(login) => self.modify(&format!("dn: {}\nchangetype: delete\n", self.place(login))),
            Change::Rename(from, to) => {
                self.set(from, "sAMAccountName", to);
                self.stands(to, self.place(from));
            }
            Change::Move(login) => {
                let to = format!("OU=Elsewhere,{}", Samba::BASE);
                let moved = format!("changetype: modrdn\nnewrdn: CN={login}\ndeleteoldrdn: 1\nnewsuperior: {to}\n");
                self.modify(&format!("dn: {}\n{moved}", self.place(login)));
                self.stands(login, format!("CN={login},{to}"));
            }
            Change::Disable(login) => self.set(login, "userAccountControl", "514"),
            Change::Join(login, group) => self.member("add", login, group),
            Change::Leave(login, group) => self.member("delete", login, group),
            Change::Stop => self.samba.lock().unwrap_or_else(PoisonError::into_inner).stop().expect("an end"),
            Change::Start => self.samba.lock().unwrap_or_else(PoisonError::into_inner).resume().expect("a start"),
        }
        Ok(())
    }
}
