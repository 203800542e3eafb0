//! OpenLDAP's slapd with the directory of the testbed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_conformance::{Change, Fixture, Known, Newcomer, Person, State, Unable};
use auth_core::testing::MemoryUsers;
use auth_core::{AuthProvider, Context, ProviderKind as _};
use auth_ldap::LdapKind;
use serde_json::json;
use tempfile::TempDir;
use testbed::Slapd;

use crate::ports::{context, ports};

pub(crate) struct Directory {
    slapd: Mutex<Slapd>,
    provider: Arc<dyn AuthProvider>,
    /// Where each newcomer stands.
    places: Mutex<BTreeMap<String, String>>,
    _dir: TempDir,
}

impl Directory {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let slapd = Slapd::start(dir.path())?;
        slapd.modify(
            "dn: ou=elsewhere,ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: elsewhere\n\n\
             dn: cn=guests,ou=groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: guests\nmember: uid=dave,ou=people,dc=example,dc=org\n",
        )?;
        let config = json!({
            "servers": [slapd.ldaps_url()],
            "tls": { "mode": "ldaps", "caFile": slapd.ca_file() },
            "bind": { "dn": Slapd::SERVICE_DN, "password": Slapd::SERVICE_PASSWORD },
            "users": { "base": "ou=people,dc=example,dc=org" },
            "groups": { "base": "ou=groups,dc=example,dc=org" },
        });
        let instance = "corp".parse()?;
        let provider = LdapKind.build(instance, config, &ports(&Arc::new(MemoryUsers::default())));
        let provider = provider.expect("a configuration");
        Ok(Self { slapd: Mutex::new(slapd), provider, places: Mutex::default(), _dir: dir })
    }

    fn modify(&self, ldif: &str) {
        self.slapd.lock().unwrap_or_else(PoisonError::into_inner).modify(ldif).expect("a change");
    }

    fn place(&self, login: &str) -> String {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).get(login).cloned().expect("a newcomer")
    }

    fn stands(&self, login: &str, dn: String) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(login.to_owned(), dn);
    }

    fn member(&self, change: &str, login: &str, group: &str) {
        self.modify(&format!(
            "dn: cn={group},ou=groups,dc=example,dc=org\nchangetype: modify\n{change}: member\nmember: {}\n",
            self.place(login)
        ));
    }
}

#[async_trait]
impl Fixture for Directory {
    fn name(&self) -> String {
        "ldap on slapd".to_owned()
    }

    fn provider(&self) -> Arc<dyn AuthProvider> {
        Arc::clone(&self.provider)
    }

    fn context(&self) -> Context {
        context()
    }

    fn known(&self) -> Known {
        let person = |login: &str| Person::new(login, format!("{login}-secret"));
        Known {
            person: person("alice").also("ALICE").also("Alice"),
            other: person("dave"),
            groups: ["dev", "backend", "payments"].map(str::to_owned).to_vec(),
            joinable: Some("guests".to_owned()),
            everybody: Vec::new(),
            states: vec![(State::Locked, person("locked")), (State::MustChangePassword, person("newcomer"))],
            secrets: vec![Slapd::SERVICE_PASSWORD.to_owned()],
        }
    }

    async fn change(&self, change: Change<'_>) -> Result<(), Unable> {
        match change {
            Change::Create(Newcomer { login, password }) => {
                let dn = format!("uid={login},ou=people,dc=example,dc=org");
                self.modify(&format!(
                    "dn: {dn}\nobjectClass: inetOrgPerson\nuid: {login}\ncn: {login}\nsn: {login}\nuserPassword: {password}\n"
                ));
                self.stands(login, dn);
            }
            Change::Delete(login) => self.modify(&format!("dn: {}\nchangetype: delete\n", self.place(login))),
            Change::Rename(from, to) => {
                self.modify(&format!(
                    "dn: {}\nchangetype: modrdn\nnewrdn: uid={to}\ndeleteoldrdn: 1\n",
                    self.place(from)
                ));
                self.stands(to, format!("uid={to},ou=people,dc=example,dc=org"));
            }
            Change::Move(login) => {
                let to = "ou=elsewhere,ou=people,dc=example,dc=org";
                let moved = format!("changetype: modrdn\nnewrdn: uid={login}\ndeleteoldrdn: 0\nnewsuperior: {to}\n");
                self.modify(&format!("dn: {}\n{moved}", self.place(login)));
                self.stands(login, format!("uid={login},{to}"));
            }
            Change::Disable(login) => self.modify(&format!(
                "dn: {}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n",
                self.place(login)
            )),
            Change::Join(login, group) => self.member("add", login, group),
            Change::Leave(login, group) => self.member("delete", login, group),
            Change::Stop => self.slapd.lock().unwrap_or_else(PoisonError::into_inner).stop().expect("an end"),
            Change::Start => self.slapd.lock().unwrap_or_else(PoisonError::into_inner).resume().expect("a start"),
        }
        Ok(())
    }
}
