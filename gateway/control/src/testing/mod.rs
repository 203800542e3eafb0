//! A site for tests: a store in a temporary folder, a clock that stands still, and a provider that says what it is told.

mod away;
pub(crate) mod bears;
mod scripted;
pub(crate) mod tells;

pub(crate) use scripted::{Mood, Person, Scripted};

pub(crate) use away::AUTH_TIME;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::testing::ManualClock;
use auth_core::{
    AccessPolicy, AuthProvider, BoxFuture, Busy, ContainLimits, Contained, InstanceId, LoginInput, Mapping,
    MappingConfig, Password, Ports, ProviderKind, ProviderSecret, RedirectAnswer, Tasks,
};
use tokio_util::task::TaskTracker;

use self::away::Away;
use crate::{
    Admin, Alg, ChangeEvent, Client, ClientSecret, Control, ControlParts, Events, IssuerConfig, KeyFile, LoginDone,
    LoginError, LoginRequest, ProviderEntry, Registry, SessionRule, Settings, Store,
};

/// The secret of the scripted clients that hold one.
pub(crate) const SECRET: &str = "not-a-secret-0123456789abcdef012";

/// An issuer that the shipped plugin may ask, a page of somebody else that only wants to know who people are, a wiki
/// that holds a secret, and a service that gets other clients' tokens.
fn issuer() -> IssuerConfig {
    let guest = Client {
        name: "A guest".to_owned(),
        redirect_uris: vec!["https://guest.test/cb".to_owned()],
        ..Client::named("guest")
    };
    let kubelogin = Client {
        redirect_uris: vec!["http://localhost:8000".to_owned()],
        kubectl: true,
        first_party: true,
        ..Client::named("kubelogin")
    };
    let page = Client {
        name: "A page".to_owned(),
        redirect_uris: vec!["https://page.test/cb".to_owned()],
        post_logout_redirect_uris: vec!["https://page.test/bye".to_owned()],
        first_party: true,
        ..Client::named("page")
    };
    let wiki = Client {
        name: "The wiki".to_owned(),
        redirect_uris: vec!["https://wiki.test/cb".to_owned()],
        secret: ClientSecret::new(SECRET),
        first_party: true,
        ..Client::named("wiki")
    };
    let service = Client { id: "service".to_owned(), redirect_uris: Vec::new(), resource_server: true, ..wiki.clone() };
    IssuerConfig {
        url: "https://console.test/oidc".to_owned(),
        resource: "https://gw.test".to_owned(),
        clients: vec![Client::plugin(), guest, kubelogin, page, wiki, service],
        sessions: [("corp:night", 180, 60), ("corp:root", 120, 30)].map(rule).into(),
    }
}

/// An issuer with a client besides that knows RS256 alone. Its key takes a while to make.
fn issuer_for_an_old_client() -> IssuerConfig {
    let old = Client {
        redirect_uris: vec!["https://old.test/cb".to_owned()],
        id_token_alg: Alg::Rs256,
        secret: ClientSecret::new(SECRET),
        first_party: true,
        ..Client::named("old")
    };
    let mut issuer = issuer();
    issuer.clients.push(old);
    issuer
}

fn rule((group, age, idle): (&str, u64, u64)) -> SessionRule {
    SessionRule {
        groups: vec![group.to_owned()],
        max_age: Some(Duration::from_mins(age)),
        max_idle: Some(Duration::from_mins(idle)),
    }
}

/// Everything a test needs, on one temporary folder.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) corp: Arc<Scripted>,
    pub(crate) control: Arc<Control>,
    pub(crate) keys: PathBuf,
}

impl Site {
    /// With `alice` in `dev` and `ops`, and `bob` in nothing.
    pub(crate) async fn open() -> Self {
        Self::with(AccessPolicy::default(), Settings::default()).await
    }

    pub(crate) async fn with_an_old_client() -> Self {
        Self::of((AccessPolicy::default(), Settings::default(), issuer_for_an_old_client())).await
    }

    pub(crate) async fn with(policy: AccessPolicy, settings: Settings) -> Self {
        Self::of((policy, settings, issuer())).await
    }

    async fn of((policy, settings, issuer): (AccessPolicy, Settings, IssuerConfig)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Arc::new(ManualClock::new());
        let people = HashMap::from([
            ("alice".to_owned(), Person { groups: vec![("1", "dev"), ("2", "ops")], ..Person::default() }),
            ("bob".to_owned(), Person::default()),
        ]);
        let corp = Arc::new(Scripted::new("scripted", people));
        let store = Store::open(&folder.path().join("gatewarden.db"), Arc::<ManualClock>::clone(&clock))
            .await
            .expect("a store");
        let keys = folder.path().join("key");
        let parts = ControlParts {
            registry: Registry::new([entry(&corp, &clock, &store, policy)], []),
            keys: KeyFile::open_or_create(&keys).expect("keys"),
            store,
            clock: Arc::<ManualClock>::clone(&clock),
            issuer: Some(issuer),
            settings,
        };
        let control = Control::start(parts).await.expect("started");
        control.know_clusters([("east", true), ("west", false)].map(|(id, direct)| (id.to_owned(), direct)));
        Self { folder, clock, corp, control, keys }
    }

    /// The commands beside the server: another handle on the same file, as another process would have.
    pub(crate) async fn beside(&self) -> Admin {
        let path = self.folder.path().join("gatewarden.db");
        Admin::new(Store::open(&path, Arc::<ManualClock>::clone(&self.clock)).await.expect("a second handle"))
    }

    /// Another server on the same store, with the same directory.
    pub(crate) async fn another(&self) -> Arc<Control> {
        let path = self.folder.path().join("gatewarden.db");
        let store = Store::open(&path, Arc::<ManualClock>::clone(&self.clock)).await.expect("a second handle");
        let parts = ControlParts {
            registry: Registry::new([entry(&self.corp, &self.clock, &store, AccessPolicy::default())], []),
            keys: KeyFile::open_or_create(&self.keys).expect("keys"),
            store,
            clock: Arc::<ManualClock>::clone(&self.clock),
            issuer: Some(issuer()),
            settings: self.control.settings().clone(),
        };
        Control::start(parts).await.expect("started")
    }

    pub(crate) fn admin(&self) -> Admin {
        Admin::new(self.control.store().clone())
    }

    pub(crate) fn entry(&self, policy: AccessPolicy) -> ProviderEntry {
        entry(&self.corp, &self.clock, self.control.store(), policy)
    }

    /// Gives the instance this mapping.
    pub(crate) async fn map(&self, mapping: serde_json::Value) {
        let config = serde_json::from_value(mapping).expect("a mapping");
        let mapping = Arc::new(Mapping::compile(config, &self.corp.id).expect("compiled"));
        let entry = ProviderEntry { mapping, ..self.entry(AccessPolicy::default()) };
        self.control.replace_providers(Registry::new([entry], [])).await.expect("replaced");
    }

    /// An instance under the same id, of another kind, that knows nobody.
    pub(crate) fn entry_of_another_kind(&self) -> ProviderEntry {
        let other = Arc::new(Scripted::new("other", HashMap::new()));
        entry(&other, &self.clock, self.control.store(), AccessPolicy::default())
    }

    /// Puts the real local provider beside the scripted one.
    pub(crate) async fn add_local(&self) {
        let id: InstanceId = "local".parse().expect("an id");
        let ports = ports(&self.clock, self.control.store());
        let config = serde_json::json!({});
        let provider = auth_local::LocalKind.build(id.clone(), config, &ports).expect("built");
        let local = contained(provider, &ports, &id, AccessPolicy::default());
        let registry = Registry::new([self.entry(AccessPolicy::default()), local], []);
        self.control.replace_providers(registry).await.expect("replaced");
    }

    /// Puts a provider with a page of its own beside the scripted one.
    pub(crate) async fn add_away(&self) -> Arc<Away> {
        let ports = ports(&self.clock, self.control.store());
        let id: InstanceId = "away".parse().expect("an id");
        let away = Arc::new(Away::new());
        let entry = contained(Arc::<Away>::clone(&away), &ports, &id, AccessPolicy::default());
        let registry = Registry::new([self.entry(AccessPolicy::default()), entry], []);
        self.control.replace_providers(registry).await.expect("replaced");
        away
    }

    /// Logs alice in at the provider with a page of its own.
    pub(crate) async fn login_away(&self) -> LoginDone {
        self.login_away_by("s").await.expect("logged in")
    }

    /// The same by a login there of this name.
    pub(crate) async fn login_away_by(&self, name: &str) -> Result<LoginDone, LoginError> {
        self.login_away_at(name, AUTH_TIME).await
    }

    /// The same, proven there at this second.
    pub(crate) async fn login_away_at(&self, name: &str, auth_time: i64) -> Result<LoginDone, LoginError> {
        let auth_time = auth_time.to_string();
        let parameters = [("state", name), ("code", "good"), ("auth_time", &auth_time)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let begun = ProviderSecret::new(format!("memo of {name}"));
        let answer = RedirectAnswer { parameters: parameters.into(), begun };
        let input = LoginInput::Redirect { answer };
        let request =
            LoginRequest { provider: "away".to_owned(), input, client: None, agent: None, trace_id: "test".to_owned() };
        self.control.login(request).await
    }

    pub(crate) async fn login(&self, login: &str) -> Result<LoginDone, LoginError> {
        self.login_with(login, "right").await
    }

    pub(crate) async fn login_with(&self, login: &str, password: &str) -> Result<LoginDone, LoginError> {
        let input = LoginInput::Password { login: login.to_owned(), password: Password::new(password) };
        let request =
            LoginRequest { provider: "corp".to_owned(), input, client: None, agent: None, trace_id: "test".to_owned() };
        self.control.login(request).await
    }

    /// Moves the clock by small steps until the event comes. Everything in between is returned too.
    pub(crate) async fn until(&self, events: &mut Events, wanted: &ChangeEvent) -> Vec<ChangeEvent> {
        let guard = std::time::Duration::from_secs(30);
        let mut seen = Vec::new();
        let wait = async {
            loop {
                let step = std::time::Duration::from_millis(100);
                let Ok(event) = tokio::time::timeout(std::time::Duration::from_millis(10), events.next()).await else {
                    self.clock.advance(step);
                    continue;
                };
                let event = event.expect("the gateway runs");
                seen.push(event.clone());
                if event == *wanted {
                    return;
                }
            }
        };
        let done = tokio::time::timeout(guard, wait).await;
        assert!(done.is_ok(), "{wanted:?} never came; there were {seen:?}");
        seen
    }
}

fn entry(corp: &Arc<Scripted>, clock: &Arc<ManualClock>, store: &Store, policy: AccessPolicy) -> ProviderEntry {
    contained(Arc::<Scripted>::clone(corp), &ports(clock, store), &corp.id, policy)
}

fn ports(clock: &Arc<ManualClock>, store: &Store) -> Ports {
    Ports::new(Arc::<ManualClock>::clone(clock), Arc::new(RuntimeTasks::default()), Arc::new(store.clone()))
}

fn contained(provider: Arc<dyn AuthProvider>, ports: &Ports, id: &InstanceId, policy: AccessPolicy) -> ProviderEntry {
    ProviderEntry {
        provider: Contained::new(provider, ports, ContainLimits::default()).expect("contained"),
        mapping: Arc::new(Mapping::compile(MappingConfig::default(), id).expect("compiled")),
        policy,
        digest: Vec::new(),
    }
}

/// Providers on the runtime of the test: the store that the local provider reads needs one.
#[derive(Debug, Default)]
struct RuntimeTasks(TaskTracker);

#[async_trait]
impl Tasks for RuntimeTasks {
    fn spawn(&self, _: &'static str, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    async fn blocking(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Busy> {
        self.0.spawn_blocking(job);
        Ok(())
    }
}
