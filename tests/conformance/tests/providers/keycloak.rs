//! The OpenID Connect provider on Keycloak.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_conformance::{
    Browser, Change, Ending, Fixture, Known, Newcomer, Parameters, Person, Trips, Unable, Visitor, Web, context, ports,
};
use auth_core::{AuthProvider, Context, Ports};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::Keycloak;

use crate::openid::provider;

const CALLBACK: &str = "https://console.localhost/callback/sso";

pub(crate) struct Realm {
    keycloak: Keycloak,
    ca: String,
    /// Cut in place of stopping: Keycloak takes long to start.
    web: Arc<Web>,
    provider: Arc<dyn AuthProvider>,
    _dir: TempDir,
}

impl Realm {
    pub(crate) const NAME: &'static str = "oidc on Keycloak";

    pub(crate) fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let keycloak = Keycloak::start(dir.path())?;
        let (ca, web) = (std::fs::read_to_string(keycloak.ca_file())?, Arc::new(Web::default()));
        let ports = ports(Duration::ZERO).with_http(Arc::clone(&web) as _);
        let provider = provider(config(&keycloak, &ca, Keycloak::CLIENT), &ports);
        Ok(Self { keycloak, ca, web, provider, _dir: dir })
    }

    fn ports(&self, ahead: Duration) -> Ports {
        ports(ahead).with_http(Arc::clone(&self.web) as _)
    }
}

fn config(keycloak: &Keycloak, ca: &str, client: &str) -> Value {
    json!({
        "preset": "keycloak", "issuer": keycloak.url(), "clientId": client, "clientSecret": Keycloak::SECRET,
        "certificateAuthority": ca,
    })
}

#[async_trait]
impl Fixture for Realm {
    fn name(&self) -> String {
        Self::NAME.to_owned()
    }

    fn provider(&self) -> Arc<dyn AuthProvider> {
        Arc::clone(&self.provider)
    }

    fn context(&self) -> Context {
        context()
    }

    fn known(&self) -> Known {
        let person = |login: &str| Person::new(login, format!("Password of {login}"));
        Known {
            person: person("alice").also("ALICE").also("alice@example.org"),
            other: person("bob"),
            groups: vec!["dev".to_owned(), "ops".to_owned()],
            joinable: Some("guests".to_owned()),
            everybody: Vec::new(),
            states: Vec::new(),
            secrets: vec![Keycloak::SECRET.to_owned()],
        }
    }

    async fn change(&self, change: Change<'_>) -> Result<(), Unable> {
        let changed = match change {
            Change::Create(Newcomer { login, password }) => self.keycloak.add(login, password, &[]),
            Change::Delete(login) => self.keycloak.remove(login),
            Change::Rename(from, to) => self.keycloak.edit(from, json!({ "username": to })),
            Change::Move(_) => return Err(Unable::because("people have no place to move from")),
            Change::Disable(login) => self.keycloak.edit(login, json!({ "enabled": false })),
            Change::Join(login, group) => self.keycloak.join(login, group),
            Change::Leave(login, group) => self.keycloak.leave(login, group),
            Change::Stop | Change::Start => {
                self.web.cut(matches!(change, Change::Stop));
                Ok(())
            }
        };
        changed.expect("a change");
        Ok(())
    }

    fn trips(&self) -> Option<&dyn Trips> {
        Some(self)
    }
}

#[async_trait]
impl Trips for Realm {
    fn callback(&self) -> String {
        CALLBACK.to_owned()
    }

    async fn travel(&self, location: &str, visitor: Visitor<'_>) -> Result<Parameters, Unable> {
        let Visitor::Enters(person) = visitor else {
            return Err(Unable::because("its login page has no way to turn back"));
        };
        let mut browser = Browser::new(CALLBACK, Some(&self.ca))?;
        let page = browser.open(location).await?;
        let Some(form) = Keycloak::login_form(&page.text) else {
            return page.parameters();
        };
        browser.submit(&form, &[("username", &person.login), ("password", &person.password)]).await?.parameters()
    }

    fn replica(&self, ahead: Duration) -> Arc<dyn AuthProvider> {
        provider(config(&self.keycloak, &self.ca, Keycloak::CLIENT), &self.ports(ahead))
    }

    fn elsewhere(&self) -> Arc<dyn AuthProvider> {
        provider(config(&self.keycloak, &self.ca, "another"), &self.ports(Duration::ZERO))
    }

    fn tells(&self, ending: Ending) -> bool {
        ending == Ending::Disabled
    }
}
