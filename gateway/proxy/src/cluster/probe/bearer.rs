//! Does a cluster that is said to trust our issuer read from a token exactly what was written?
//!
//! A mapping with a prefix of its own, or without the uid, would give people other names than their bindings have. So a
//! token of somebody to whom no cluster gives rights is shown, and what the API server makes of it is compared.

use http::StatusCode;
use kube_wire::UserInfo;
use secrecy::ExposeSecret;

use super::asking::{Asking, SELF, VERSION, brief, self_review, user};
use super::report::{Check, Mend, ProbeReport, Weight};
use crate::boundary::{Mint, Session, SessionParts};
use crate::cluster::Role;
use crate::cluster::own::Own;
use crate::impersonate::bearer_header;

/// What stands for the session, the provider and the principal in the probe's token.
const PROBE: &str = "probe";
/// The API server adds it to whomever it knows.
const AUTHENTICATED: &str = "system:authenticated";
const NAME: &str = "a token arrives with user, uid, groups and extra";

impl Asking<'_> {
    /// Asks what our tokens come to.
    pub(super) async fn trust(&self, mint: &dyn Mint) -> ProbeReport {
        let cluster = self.runtime.cluster();
        let mut report = ProbeReport::of(cluster.id());
        let sent = self.somebody();
        match self.trusted(mint, &sent, &mut report).await {
            Ok(check) => report.checks.push(check),
            Err(why) => report.unanswered = Some(why),
        }
        report
    }

    async fn trusted(&self, mint: &dyn Mint, sent: &UserInfo, report: &mut ProbeReport) -> Result<Check, String> {
        let session = session(sent).map_err(|fault| fault.to_string())?;
        let minted = mint.mint(&session, self.runtime.cluster().id()).map_err(|fault| fault.to_string())?;
        let header = bearer_header(minted.token.expose_secret()).ok_or("a token of ours is no header")?;
        let own = Own::post(Role::Impersonator, SELF, self_review()).bearing(header.clone());
        let (status, body) = self.ask(own).await?;
        let found = match status {
            StatusCode::CREATED => user(&body)?,
            status => return Ok(check(sent, status.to_string(), false)),
        };
        let (version, mode) = self.version(Own::get(Role::Impersonator, VERSION).bearing(header)).await?;
        report.version = Some(version);
        report.mode = Some(mode);
        let found = without_its_own(found);
        let ok = found == *sent;
        Ok(check(sent, brief(&found), ok))
    }
}

fn session(sent: &UserInfo) -> Result<Session, crate::boundary::RenderFault> {
    let identity = UserInfo { extra: Default::default(), ..sent.clone() };
    Session::new(SessionParts {
        id: PROBE.to_owned(),
        user: sent.uid.clone().unwrap_or_default(),
        provider: PROBE.to_owned(),
        principal: PROBE.to_owned(),
        identity,
        subjects: Vec::new(),
    })
}

/// Takes out what an API server adds by itself.
fn without_its_own(mut user: UserInfo) -> UserInfo {
    user.groups.retain(|group| group != AUTHENTICATED);
    user.extra.retain(|key, _| !key.starts_with("authentication.kubernetes.io/"));
    user
}

fn check(sent: &UserInfo, found: String, ok: bool) -> Check {
    Check { name: NAME.to_owned(), expected: brief(sent), found, ok, mend: Mend::Trust, weight: Weight::Needed }
}
