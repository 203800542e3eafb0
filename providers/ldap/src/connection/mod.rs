//! One connection to one server: opened, guarded, asked one question at a time.
//!
//! The bytes run `server ⇄ our TLS ⇄ relay (guard) ⇄ socket pair ⇄ LDAP library`. Only the relay
//! touches the network, so nothing that a server sends reaches the library unchecked.

mod credential;
mod dial;
mod flow;
mod relay;
mod search;
mod starttls;
mod trace;
mod trust;

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_core::Clock;
use ldap3::controls::RawControl;
use ldap3::{Ldap, LdapError};
use tokio_util::sync::DropGuard;

use crate::deadline::{sooner, within};
use crate::failure::Failure;

pub(crate) use credential::Credential;
pub(crate) use dial::{Dialer, Protected, Security, Server};
pub(crate) use search::{Page, PageRequest, Question, Scope};
pub(crate) use starttls::StartTlsFault;
pub(crate) use trace::{Asked, Trace};
pub(crate) use trust::{Shown, Trust};

use flow::{Awaited, Flow};

const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";

/// An open connection. Dropping it closes the socket and ends its task.
#[derive(Debug)]
pub(crate) struct Connection {
    ldap: Ldap,
    flow: Arc<Flow>,
    clock: Arc<dyn Clock>,
    operation: Duration,
    opened: Instant,
    used: Instant,
    operations: u32,
    in_flight: bool,
    trace: Option<Trace>,
    _stop: DropGuard,
}

/// What a server said to a bind.
#[derive(Debug)]
pub(crate) struct BindReply {
    pub(crate) code: u32,
    /// The server's own words, which Active Directory uses for its sub-codes.
    pub(crate) text: String,
    /// The value of the password policy control, undecoded.
    pub(crate) policy: Option<Vec<u8>>,
}

impl Connection {
    fn new(ldap: Ldap, flow: Arc<Flow>, clock: Arc<dyn Clock>, operation: Duration, stop: DropGuard) -> Self {
        let now = clock.monotonic();
        let (operations, in_flight, trace) = (0, false, None);
        Self { ldap, flow, clock, operation, opened: now, used: now, operations, in_flight, trace, _stop: stop }
    }

    /// Notes every question from now on.
    pub(crate) fn traced(&mut self, trace: &Trace) {
        self.trace = Some(trace.clone());
    }

    /// Whether another question may be asked: the socket is open, and no answer to an old one is outstanding.
    pub(crate) fn is_usable(&self) -> bool {
        !self.in_flight && !self.flow.is_closed()
    }

    /// When it was opened.
    pub(crate) const fn opened(&self) -> Instant {
        self.opened
    }

    /// When the last answer came.
    pub(crate) const fn used(&self) -> Instant {
        self.used
    }

    /// How many questions it has answered: the library keeps a number for each and never frees it.
    pub(crate) const fn operations(&self) -> u32 {
        self.operations
    }

    /// Makes the whole connection speak as somebody. A failed bind leaves it speaking for nobody.
    pub(crate) async fn bind(&mut self, who: Credential<'_>, deadline: Instant) -> Result<BindReply, Failure> {
        const DOING: &str = "checking a password";
        self.begin(Awaited::Bind);
        let policy = RawControl { ctype: PASSWORD_POLICY.to_owned(), crit: false, val: None };
        let clock = Arc::clone(&self.clock);
        let deadline = sooner(&*clock, deadline, self.operation);
        let work = self.ldap.with_controls(vec![policy]).simple_bind(who.dn(), who.password());
        let answer = within(&*clock, deadline, work).await.ok_or(Failure::TimedOut(DOING))?;
        let result = answer.map_err(|error| self.failure(DOING, &error))?;
        self.end();
        let policy = result.ctrls.into_iter().find(|control| control.1.ctype == PASSWORD_POLICY);
        Ok(BindReply { code: result.rc, text: result.text, policy: policy.and_then(|control| control.1.val) })
    }

    fn begin(&mut self, awaited: Awaited) {
        self.in_flight = true;
        self.operations = self.operations.saturating_add(1);
        self.flow.begin(awaited);
    }

    fn end(&mut self) {
        self.in_flight = false;
        self.used = self.clock.monotonic();
        self.flow.begin(Awaited::Nothing);
    }

    /// The guard knows better than the library why a connection ended.
    fn failure(&self, doing: &'static str, error: &LdapError) -> Failure {
        tracing::debug!(%error, doing, "directory connection ended");
        self.flow.fault().map_or(Failure::Lost(doing), Failure::Guard)
    }
}
