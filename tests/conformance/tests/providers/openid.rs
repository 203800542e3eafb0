//! The OpenID Connect provider: on panva's `oidc-provider`, and on an issuer that lies.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_conformance::{
    Browser, Change, Client, Fixture, Known, Newcomer, Parameters, Person, Site, Trips, Unable, Visitor, context, ports,
};
use auth_core::{AuthProvider, Context, Ports, ProviderKind as _};
use auth_oidc::OidcKind;
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::SiteIssuer;

/// A provider of this configuration.
pub(crate) fn provider(config: Value, ports: &Ports) -> Arc<dyn AuthProvider> {
    OidcKind.build("sso".parse().expect("an id"), config, ports).expect("a configuration")
}

/// Before an issuer that lies on request.
pub(crate) async fn lying() -> std::io::Result<Site> {
    let build = |client: Client<'_>, ports: Ports| {
        let config = json!({
            "issuer": client.issuer, "clientId": client.id, "clientSecret": client.secret, "dangerousPlainHttp": true,
        });
        provider(config, &ports)
    };
    Site::start("oidc on an issuer that lies", build).await
}

pub(crate) struct Panva {
    issuer: Mutex<SiteIssuer>,
    url: String,
    ca: String,
    provider: Arc<dyn AuthProvider>,
    last: Mutex<usize>,
    _dir: TempDir,
}

impl Panva {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let issuer = SiteIssuer::start(dir.path())?;
        issuer.add("alice", "Password of alice", &["dev", "ops"])?;
        issuer.add("bob", "Password of bob", &[])?;
        let (url, ca) = (issuer.url(), std::fs::read_to_string(issuer.ca_file())?);
        let provider = provider(config(&url, &ca, Some(SiteIssuer::SECRET)), &ports(Duration::ZERO));
        Ok(Self { issuer: Mutex::new(issuer), url, ca, provider, last: Mutex::new(0), _dir: dir })
    }

    fn change_person(&self, login: &str, change: impl FnOnce(&mut Value)) {
        let changed = self.issuer.lock().unwrap_or_else(PoisonError::into_inner).change(|people| {
            change(people.values_mut().find(|person| person["login"] == login).expect("somebody"));
        });
        changed.expect("a change");
    }
}

fn config(issuer: &str, ca: &str, secret: Option<&str>) -> Value {
    let client = if secret.is_some() { SiteIssuer::CLIENT } else { "kubelogin" };
    // The request stands in the address, where it can be looked at.
    json!({
        "issuer": issuer, "clientId": client, "clientSecret": secret, "certificateAuthority": ca,
        "pushAuthorizationRequests": false,
    })
}

#[async_trait]
impl Fixture for Panva {
    fn name(&self) -> String {
        "oidc on oidc-provider".to_owned()
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
            person: person("alice"),
            other: person("bob"),
            groups: vec!["dev".to_owned(), "ops".to_owned()],
            joinable: Some("guests".to_owned()),
            everybody: Vec::new(),
            states: Vec::new(),
            secrets: vec![SiteIssuer::SECRET.to_owned()],
        }
    }

    async fn change(&self, change: Change<'_>) -> Result<(), Unable> {
        let groups = |person: &mut Value| person["groups"].as_array().cloned().unwrap_or_default();
        match change {
            Change::Create(Newcomer { login, password }) => {
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                *last += 1;
                let person = json!({"login": login, "password": password, "groups": []});
                let issuer = self.issuer.lock().unwrap_or_else(PoisonError::into_inner);
                issuer.change(|people| _ = people.insert(format!("person-{last}"), person)).expect("a change");
            }
            Change::Delete(login) => {
                let issuer = self.issuer.lock().unwrap_or_else(PoisonError::into_inner);
                issuer.change(|people| people.retain(|_, person| person["login"] != login)).expect("a change");
            }
            Change::Rename(from, to) => self.change_person(from, |person| person["login"] = json!(to)),
            Change::Move(_) => return Err(Unable::because("people have no place to move from")),
            Change::Disable(login) => self.change_person(login, |person| person["disabled"] = json!(true)),
            Change::Join(login, group) => self.change_person(login, |person| {
                let joined = groups(person).into_iter().chain([json!(group)]);
                person["groups"] = joined.collect();
            }),
            Change::Leave(login, group) => self.change_person(login, |person| {
                person["groups"] = groups(person).into_iter().filter(|known| known != group).collect();
            }),
            Change::Stop => self.issuer.lock().unwrap_or_else(PoisonError::into_inner).stop().expect("an end"),
            Change::Start => self.issuer.lock().unwrap_or_else(PoisonError::into_inner).resume().expect("a start"),
        }
        Ok(())
    }

    fn trips(&self) -> Option<&dyn Trips> {
        Some(self)
    }
}

#[async_trait]
impl Trips for Panva {
    fn callback(&self) -> String {
        "https://console.localhost/callback/sso".to_owned()
    }

    async fn travel(&self, location: &str, visitor: Visitor<'_>) -> Result<Parameters, Unable> {
        let mut browser = Browser::new(&self.callback(), Some(&self.ca))?;
        let page = browser.open(location).await?;
        let fields = match visitor {
            Visitor::Enters(person) => {
                [("login", person.login.as_str()), ("password", person.password.as_str())].to_vec()
            }
            Visitor::SaysNo => [("deny", "yes")].to_vec(),
        };
        browser.submit(&page.url, &fields).await?.parameters()
    }

    fn replica(&self, ahead: Duration) -> Arc<dyn AuthProvider> {
        provider(config(&self.url, &self.ca, Some(SiteIssuer::SECRET)), &ports(ahead))
    }

    fn elsewhere(&self) -> Arc<dyn AuthProvider> {
        provider(config(&self.url, &self.ca, None), &ports(Duration::ZERO))
    }
}
