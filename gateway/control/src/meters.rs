//! What operators see of logins, of providers and of sessions.
//!
//! Labels are configured ids and words of ours: an id that somebody types for a provider makes no time series. None of
//! this is on the way of a request whose session is known.

use std::sync::{Arc, Mutex, PoisonError};

use auth_core::{AuthError, Clock, InstanceId};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::login::LoginError;
use crate::store::StoreMeters;

/// Every number of the control plane.
#[derive(Debug)]
pub(crate) struct Meters {
    clock: Arc<dyn Clock>,
    registry: Mutex<Registry>,
    logins: Family<Attempt, Counter>,
    calls: Family<Answer, Counter>,
    durations: Family<Call, Histogram, Bounds>,
    sessions: Family<Provider, Gauge>,
}

/// Makes a histogram with its bounds.
type Bounds = fn() -> Histogram;
/// Open sessions, by provider.
type Sessions = Vec<(String, i64)>;

/// A directory answers within milliseconds; one that hangs is given up after ten seconds.
const DURATIONS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

impl Meters {
    pub(crate) fn new(clock: Arc<dyn Clock>, store: &StoreMeters) -> Self {
        let mut registry = Registry::with_prefix("gatewarden");
        let (logins, calls, sessions) = (Family::default(), Family::default(), Family::default());
        let durations: Family<_, _, Bounds> = Family::new_with_constructor(|| Histogram::new(DURATIONS));
        registry.register("logins", "Attempts to log in that are over", logins.clone());
        registry.register("provider_calls", "Questions to identity systems that are over", calls.clone());
        registry.register("provider_call_duration_seconds", "Time until a provider answered", durations.clone());
        registry.register("sessions_open", "Sessions that have not ended", sessions.clone());
        store.register(&mut registry);
        Self { clock, registry: Mutex::new(registry), logins, calls, durations, sessions }
    }

    /// Counts an attempt by its outcome.
    pub(crate) fn login<T>(&self, provider: &str, result: &Result<T, LoginError>) {
        let (provider, outcome) = match result {
            Ok(_) => (provider, "done"),
            Err(LoginError::UnknownProvider) => ("", "unknown-provider"),
            Err(LoginError::Refused { error, .. }) => (provider, error.audit_code()),
            Err(LoginError::Mapping { .. }) => (provider, "mapping"),
            Err(LoginError::NameTaken { .. }) => (provider, "name-taken"),
            Err(LoginError::Over) => (provider, "over"),
            Err(LoginError::Store(_)) => (provider, "store"),
            Err(LoginError::Keys(_)) => (provider, "keys"),
        };
        self.logins.get_or_create(&Attempt { provider: provider.to_owned(), outcome }).inc();
    }

    /// Asks a provider, and counts how long it took and what kind of answer came.
    pub(crate) async fn ask<T>(
        &self,
        provider: &InstanceId,
        call: &'static str,
        ask: impl Future<Output = Result<T, AuthError>>,
    ) -> Result<T, AuthError> {
        let started = self.clock.monotonic();
        let result = ask.await;
        let took = self.clock.monotonic().saturating_duration_since(started);
        let provider = || provider.as_str().to_owned();
        self.durations.get_or_create_owned(&Call { provider: provider(), call }).observe(took.as_secs_f64());
        let told = match &result {
            Ok(_) => "answered",
            Err(error) if error.http_status() < 500 => "refused",
            Err(_) => "failed",
        };
        // All of them exist from the first call on: a share of nothing is nothing, and no gap.
        for outcome in ["answered", "refused", "failed"] {
            let labels = Answer { provider: provider(), call, outcome };
            self.calls.get_or_create_owned(&labels).inc_by((outcome == told).into());
        }
        result
    }

    /// Adds all numbers to `text`; `sessions` are those of each provider, unless the store did not say.
    pub(crate) fn append_to(&self, text: &mut String, sessions: Option<Sessions>) {
        // Locked first: of two who ask at once, neither sees what the other has half counted.
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sessions) = sessions {
            self.sessions.clear();
            for (provider, count) in sessions {
                self.sessions.get_or_create(&Provider { provider }).set(count);
            }
        }
        // Writing to a String cannot fail.
        let _ = encode_registry(text, &registry);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    provider: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    provider: String,
    call: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    provider: String,
    call: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Provider {
    provider: String,
}

#[cfg(test)]
mod tests {
    use auth_core::{LoginInput, Password};

    use crate::LoginRequest;
    use crate::testing::{Mood, Site};

    async fn text(site: &Site) -> String {
        let mut text = String::new();
        site.control.append_metrics(&mut text).await;
        text
    }

    #[tokio::test]
    async fn logins_count_by_provider_and_outcome_and_what_a_client_invents_is_no_label() {
        let site = Site::open().await;
        site.login("alice").await.expect("logged in");
        site.login("bob").await.expect("logged in");
        site.login_with("alice", "wrong").await.expect_err("refused");
        for provider in ["invented", "CORP"] {
            let input = LoginInput::Password { login: "alice".to_owned(), password: Password::new("right") };
            let request = LoginRequest {
                provider: provider.to_owned(),
                input,
                client: None,
                agent: None,
                trace_id: String::new(),
            };
            site.control.login(request).await.expect_err("unknown");
        }
        let text = text(&site).await;
        for line in [
            r#"gatewarden_logins_total{provider="corp",outcome="done"} 2"#,
            r#"gatewarden_logins_total{provider="corp",outcome="bad-credentials"} 1"#,
            r#"gatewarden_logins_total{provider="",outcome="unknown-provider"} 2"#,
            r#"gatewarden_sessions_open{provider="corp"} 2"#,
            r#"gatewarden_provider_calls_total{provider="corp",call="login",outcome="refused"} 1"#,
            r#"gatewarden_provider_calls_total{provider="corp",call="login",outcome="failed"} 0"#,
            r#"gatewarden_provider_call_duration_seconds_count{provider="corp",call="login"} 3"#,
            "gatewarden_store_failures_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
        assert!(!text.contains("invented") && !text.contains("alice"), "{text}");
    }

    #[tokio::test]
    async fn a_provider_that_is_down_is_counted_as_one_that_failed() {
        let site = Site::open().await;
        *site.corp.mood() = Mood::Down;
        site.login("alice").await.expect_err("down");
        let text = text(&site).await;
        assert!(text.contains(r#"provider_calls_total{provider="corp",call="login",outcome="failed"} 1"#), "{text}");
        assert!(text.contains(r#"logins_total{provider="corp",outcome="unavailable"} 1"#), "{text}");
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_counted_and_hides_no_other_number() {
        let site = Site::open().await;
        site.login("alice").await.expect("logged in");
        site.control.store().close().await;
        site.login("alice").await.expect_err("closed");
        let text = text(&site).await;
        assert!(!text.contains("gatewarden_store_failures_total 0"), "{text}");
        assert!(text.contains(r#"logins_total{provider="corp",outcome="store"} 1"#), "{text}");
    }
}
