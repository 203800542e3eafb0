//! One call: on its own task, with an end.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use jiff::Timestamp;

use crate::error::one_line;
use crate::{AuthError, AuthProvider, Cancel, Context, Ports};

/// How much of an error's text is kept.
const TEXT_MAX: usize = 512;
/// The longest wait that a provider may ask people to make.
const RETRY_MAX: Duration = Duration::from_secs(3600);

/// Starts calls, and counts those that have not ended.
pub(super) struct Calls {
    ports: Ports,
    longest: Duration,
    most: usize,
    under_way: Arc<AtomicUsize>,
}

impl Calls {
    pub(super) fn new(ports: &Ports, longest: Duration, most: usize) -> Self {
        Self { ports: ports.clone(), longest, most, under_way: Arc::default() }
    }

    /// The same calls, counted together, which may take as long as this.
    pub(super) fn within(&self, longest: Duration) -> Self {
        Self { ports: self.ports.clone(), longest, most: self.most, under_way: Arc::clone(&self.under_way) }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// Runs one call and waits for it, but not past its deadline.
    pub(super) async fn run<T, A, F>(
        &self,
        ctx: &Context,
        provider: &Arc<dyn AuthProvider>,
        ask: A,
    ) -> Result<T, AuthError>
    where
        T: Send + 'static,
        A: FnOnce(Arc<dyn AuthProvider>, Context) -> F + Send + 'static,
        F: Future<Output = Result<T, AuthError>> + Send + 'static,
    {
        let counted = Counted::one_more(&self.under_way, self.most)?;
        let clock = &self.ports.clock;
        let deadline = ctx.deadline.min(clock.monotonic() + self.longest);
        // A signal of its own: it fires at the deadline, and when whoever waits is gone.
        let inner = Context { deadline, cancel: Cancel::new(), ..ctx.clone() };
        let _given_up = CancelOnDrop(inner.cancel.clone());
        let expired = clock.sleep(inner.remaining(clock.as_ref()));

        let (answer, result) = oneshot::channel();
        let provider = Arc::clone(provider);
        let task = async move {
            let outcome = caught(until_cancelled(inner.cancel.clone(), move || ask(provider, inner))).await;
            drop(counted);
            // Nobody waits any more when this fails.
            let _ = answer.send(outcome);
        };
        self.ports.tasks.spawn("provider call", Box::pin(task));

        match select(result, select(expired, ctx.cancel.cancelled())).await {
            Either::Left((Ok(outcome), _)) => outcome,
            Either::Left((Err(oneshot::Canceled), _)) => Err(AuthError::unavailable("the call was ended by shutdown")),
            Either::Right((Either::Left(_), _)) => Err(AuthError::unavailable("no answer before the deadline")),
            Either::Right((Either::Right(_), _)) => Err(AuthError::unavailable("the call was cancelled")),
        }
    }
}

/// Builds and runs a call, and drops it when nobody waits any more.
async fn until_cancelled<T, F>(cancel: Cancel, ask: impl FnOnce() -> F) -> Result<T, AuthError>
where
    F: Future<Output = Result<T, AuthError>>,
{
    // Caught here as well, so that a call which panicked is dropped outside of its own unwinding.
    let call = pin!(AssertUnwindSafe(async { ask().await.map_err(tame) }).catch_unwind());
    match select(call, cancel.cancelled()).await {
        Either::Left((Ok(outcome), _)) => outcome,
        Either::Left((Err(payload), _)) => Err(panicked(payload)),
        Either::Right(((), _)) => Err(AuthError::unavailable("the call was given up")),
    }
}

/// Turns a panic into an error, wherever it comes from: the call, or the drop of what is left of it.
async fn caught<T>(call: impl Future<Output = Result<T, AuthError>>) -> Result<T, AuthError> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|payload| Err(panicked(payload)))
}

fn panicked(payload: Box<dyn Any + Send>) -> AuthError {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
    // A payload may be anything, also something that panics when dropped; then it is left where it is.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        let _leaked = ManuallyDrop::new(second);
    }
    AuthError::Protocol(one_line(&format!("the provider panicked: {text}"), TEXT_MAX))
}

/// Makes an error of a provider safe to keep: its texts bounded and on one line, its sources turned into text here,
/// where a source that panics when printed does no harm.
fn tame(error: AuthError) -> AuthError {
    let text = |text: &str| one_line(text, TEXT_MAX);
    match error {
        AuthError::PolicyDenied(reason) => AuthError::PolicyDenied(text(&reason)),
        AuthError::GroupsIncomplete(reason) => AuthError::GroupsIncomplete(text(&reason)),
        AuthError::Protocol(reason) => AuthError::Protocol(text(&reason)),
        AuthError::Misconfigured { field, message } => {
            AuthError::Misconfigured { field: text(&field), message: text(&message) }
        }
        AuthError::Throttled { retry_after } => AuthError::Throttled { retry_after: retry_after.min(RETRY_MAX) },
        AuthError::Unavailable { retry_after, source } => AuthError::Unavailable {
            retry_after: retry_after.min(RETRY_MAX),
            source: source.map(|source| text(&crate::error::with_causes(source.as_ref())).into()),
        },
        plain => plain,
    }
}

/// One call under way, until it has really ended.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn one_more(count: &Arc<AtomicUsize>, most: usize) -> Result<Self, AuthError> {
        let counted = Self(Arc::clone(count));
        if count.fetch_add(1, Ordering::SeqCst) >= most {
            return Err(AuthError::unavailable("too many calls to this provider are under way"));
        }
        Ok(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
