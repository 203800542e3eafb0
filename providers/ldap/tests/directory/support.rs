//! A provider over a real directory, with real time and tasks of the test's runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use auth_core::testing::MemoryUsers;
use auth_core::{
    AuthError, AuthProvider, BoxFuture, Busy, Clock, Completeness, Context, Login, LoginInput, Password, Ports,
    PrincipalId, ProviderKind, Refetch, Tasks,
};
use auth_ldap::LdapKind;
use jiff::Timestamp;
use serde_json::{Value, json};
use testbed::Slapd;

/// A directory in a folder of its own.
pub(crate) struct Directory {
    pub(crate) slapd: Slapd,
    _dir: tempfile::TempDir,
}

impl Directory {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let slapd = Slapd::start(dir.path()).unwrap();
        Self { slapd, _dir: dir }
    }

    /// LDAPS, the service account, nested groups.
    pub(crate) fn config(&self) -> Value {
        json!({
            "servers": [self.slapd.ldaps_url()],
            "tls": { "mode": "ldaps", "caFile": self.slapd.ca_file() },
            "bind": { "dn": Slapd::SERVICE_DN, "password": Slapd::SERVICE_PASSWORD },
            "users": { "base": "ou=people,dc=example,dc=org", "attributes": ["mail"] },
            "groups": { "base": "ou=groups,dc=example,dc=org" },
        })
    }

    pub(crate) fn config_with(&self, change: impl FnOnce(&mut Value)) -> Value {
        let mut config = self.config();
        change(&mut config);
        config
    }

    pub(crate) fn provider(&self) -> Client {
        Client::new(self.config())
    }

    pub(crate) fn provider_with(&self, change: impl FnOnce(&mut Value)) -> Client {
        Client::new(self.config_with(change))
    }

    pub(crate) fn modify(&self, ldif: &str) {
        self.slapd.modify(ldif).unwrap();
    }
}

/// The provider, and what a test asks it.
pub(crate) struct Client {
    pub(crate) provider: Arc<dyn AuthProvider>,
}

impl Client {
    pub(crate) fn new(config: Value) -> Self {
        let ports =
            Ports::new(Arc::new(RealClock), Arc::new(RuntimeTasks::default()), Arc::new(MemoryUsers::default()));
        Self::with_ports(config, &ports)
    }

    pub(crate) fn with_ports(config: Value, ports: &Ports) -> Self {
        Self { provider: LdapKind.build("corp".parse().unwrap(), config, ports).unwrap() }
    }

    pub(crate) async fn login(&self, login: &str, password: &str) -> Result<Login, AuthError> {
        let input = LoginInput::Password { login: login.to_owned(), password: Password::new(password) };
        self.provider.authenticate_user(&context(), input).await
    }

    /// What a refused login is called.
    pub(crate) async fn refusal(&self, login: &str, password: &str) -> &'static str {
        self.login(login, password).await.map_or_else(|error| error.audit_code(), |_| "logged in")
    }

    pub(crate) async fn refetch(&self, id: &PrincipalId) -> Refetch {
        self.provider.refetch_group_principals(&context(), id, None).await.unwrap()
    }
}

/// A context with a generous deadline.
pub(crate) fn context() -> Context {
    Context::new(RealClock.monotonic() + Duration::from_secs(30), "test")
}

/// The names of the groups, sorted; all of them must be known.
pub(crate) fn group_names(login: &Login) -> Vec<&str> {
    assert_eq!(login.completeness, Completeness::Complete);
    sorted(login.groups.iter().map(|group| group.name.as_str()))
}

pub(crate) fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names
}

#[derive(Debug)]
pub(crate) struct RealClock;

#[expect(clippy::disallowed_methods, reason = "the clock of these tests")]
impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Tasks on the test's runtime, counted.
#[derive(Debug, Default)]
pub(crate) struct RuntimeTasks {
    running: Arc<AtomicUsize>,
}

impl RuntimeTasks {
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Waits until so many tasks run.
    pub(crate) async fn settle(&self, count: usize) {
        for _ in 0..3_000 {
            if self.running() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(self.running(), count, "tasks");
    }
}

#[async_trait]
impl Tasks for RuntimeTasks {
    #[expect(clippy::disallowed_methods, reason = "the test's runtime ends with the test")]
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        let running = Arc::clone(&self.running);
        running.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            task.await;
            running.fetch_sub(1, Ordering::SeqCst);
        });
    }

    async fn blocking(&self, _job: Box<dyn FnOnce() + Send>) -> Result<(), Busy> {
        Err(Busy)
    }
}
