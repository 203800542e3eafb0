//! Asking one cluster the whole table.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http::StatusCode;
use kube_wire::{UserInfo, header};
use serde_json::{Value, json};

use super::issuer;
use super::report::{Account, Check, Mend, Mode, ProbeReport, Weight};
use super::rules::{self, NAMESPACES};
use super::table::{Right, rights};
use crate::boundary::ExtraNames;
use crate::cluster::own::Own;
use crate::cluster::review::reviewed;
use crate::cluster::{Role, Runtime};
use crate::upstream::{self, Pool};

const SELF_ACCESS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const SELF_RULES: &str = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
pub(super) const VERSION: &str = "/version";
pub(super) const SELF: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// Questions at once: a burst of all would look like an attack to the API server's own limits.
const AT_ONCE: usize = 6;

/// Unanswered questions after which no more are asked.
const MOST_UNANSWERED: usize = 3;

/// Rights too many that are told of one namespace.
const TOLD: usize = 5;

/// Since this minor version of 1.x constrained impersonation is there without a switch.
const CONSTRAINED_SINCE: u64 = 36;

/// One cluster, being asked.
pub(super) struct Asking<'a> {
    pub(super) pool: &'a Pool,
    pub(super) runtime: &'a Arc<Runtime>,
}

impl Asking<'_> {
    /// Asks everything.
    pub(super) async fn report(&self) -> ProbeReport {
        let mut report = ProbeReport::of(self.runtime.cluster().id());
        match self.version(Own::get(Role::Impersonator, VERSION)).await {
            Ok((version, mode)) => {
                report.version = Some(version);
                report.mode = Some(mode);
                report.impersonator = self.account(Role::Impersonator).await;
                report.reviewer = self.account(Role::Reviewer).await;
                self.fill(&mut report, mode).await;
            }
            Err(why) => report.unanswered = Some(why),
        }
        report
    }

    /// One question that goes unanswered is no reason to leave out the next, which may find a right too many. Several
    /// are: each may take as long as an answer may.
    async fn fill(&self, report: &mut ProbeReport, mode: Mode) {
        let mut answers = std::pin::pin!(self.answers(mode));
        let mut unanswered = 0;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(check) => report.checks.push(check),
                Err(why) => {
                    report.unanswered.get_or_insert(why);
                    unanswered += 1;
                }
            }
            if unanswered == MOST_UNANSWERED {
                return;
            }
        }
    }

    /// Every question's answer, in the order of the report.
    fn answers(&self, mode: Mode) -> impl Stream<Item = Result<Check, String>> {
        let rights = rights(self.runtime.cluster().config(), mode);
        let rights = stream::iter(rights).map(move |right| self.right(right, mode)).buffered(AT_ONCE);
        let places =
            [Role::Impersonator, Role::Reviewer].into_iter().flat_map(|role| NAMESPACES.map(|name| (role, name)));
        let rules = stream::iter(places).then(move |(role, namespace)| self.rules(role, namespace, mode));
        let issuer = self.runtime.cluster().config().service_accounts.as_ref().map(|on| on.issuer.clone());
        let issuer = stream::iter(issuer).then(move |issuer| async move { self.issuer(&issuer).await });
        let issuer = issuer.flat_map(|checks| match checks {
            Ok(checks) => stream::iter(checks.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(why) => stream::iter(vec![Err(why)]),
        });
        let identity = stream::once(self.identity(mode));
        let masters = stream::iter((mode == Mode::Constrained).then_some(())).then(|()| self.masters());
        rights.chain(rules).chain(issuer).chain(identity).chain(masters)
    }

    pub(super) async fn version(&self, own: Own) -> Result<(String, Mode), String> {
        let (status, body) = self.ask(own).await?;
        if status != StatusCode::OK {
            return Err(format!("/version answered {status}; is the gateway's credential valid there?"));
        }
        let found: Value = serde_json::from_slice(&body).map_err(|_| "/version answered no JSON".to_owned())?;
        let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mode = mode(&text("major"), &text("minor")).ok_or("/version tells no version")?;
        Ok((text("gitVersion"), mode))
    }

    /// Whom the API server takes an account for. It may be too old to say, and nothing rests on it.
    async fn account(&self, role: Role) -> Option<String> {
        let (status, body) = self.ask(Own::post(role, SELF, self_review())).await.ok()?;
        (status == StatusCode::CREATED).then(|| user(&body).ok()).flatten().map(|user| user.username)
    }

    async fn right(&self, right: Right, mode: Mode) -> Result<Check, String> {
        let review = Bytes::from(right.review().to_string());
        let (status, body) = self.ask(Own::post(right.role, SELF_ACCESS, review)).await?;
        let found = match status {
            StatusCode::CREATED => reviewed(&body)?.allowed,
            // A reviewer that cannot be asked is one that may do nothing: callers' requests do not suffer.
            _ if right.role == Role::Reviewer => false,
            status => return Err(format!("a self review of access answered {status}")),
        };
        let word = |allowed| if allowed { "allowed" } else { "denied" };
        Ok(Check {
            name: right.name(),
            expected: word(right.allowed).to_owned(),
            found: word(found).to_owned(),
            ok: found == right.allowed,
            mend: match right.weight {
                Weight::OwnTokens => Mend::Apply(issuer::MANIFEST),
                _ if right.allowed => apply(right.role, mode),
                _ => Mend::Unbind(right.role.into()),
            },
            weight: right.weight,
        })
    }

    /// Is there a right in this namespace that nobody meant to give?
    async fn rules(&self, role: Role, namespace: &str, mode: Mode) -> Result<Check, String> {
        let review = Bytes::from(rules::review(namespace).to_string());
        let (status, body) = self.ask(Own::post(role, SELF_RULES, review)).await?;
        let found = match status {
            StatusCode::CREATED => rules::too_much(&body, role, mode).ok_or("a self review of rules lists none")?,
            _ if role == Role::Reviewer => Vec::new(),
            status => return Err(format!("a self review of rules answered {status}")),
        };
        let few = found.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
        let account = role.word();
        Ok(Check {
            name: format!("{account} may do in namespace {namespace} only what it is for"),
            expected: "nothing else".to_owned(),
            found: if found.is_empty() { "nothing else".to_owned() } else { few },
            ok: found.is_empty(),
            mend: Mend::Unbind(role.into()),
            weight: Weight::Forbidden,
        })
    }

    /// Does the identity arrive as it was sent?
    async fn identity(&self, mode: Mode) -> Result<Check, String> {
        let sent = self.somebody();
        let (status, body) = self.ask(self.as_somebody(&sent)).await?;
        let found = match status {
            StatusCode::CREATED => user(&body)?,
            status => return Ok(identity_check(mode, &sent, format!("{status}"), false)),
        };
        let groups = sent.groups.iter().all(|group| found.groups.contains(group));
        let ok = groups && found.username == sent.username && found.uid == sent.uid && found.extra == sent.extra;
        Ok(identity_check(mode, &sent, brief(&found), ok))
    }

    /// Does the API server itself refuse the group that may do everything?
    async fn masters(&self) -> Result<Check, String> {
        let request = self.as_somebody(&self.somebody()).with(header::IMPERSONATE_GROUP, "system:masters");
        let (status, _) = self.ask(request).await?;
        Ok(Check {
            name: "impersonating the group system:masters is refused".to_owned(),
            expected: StatusCode::FORBIDDEN.to_string(),
            found: status.to_string(),
            ok: status == StatusCode::FORBIDDEN,
            mend: Mend::Unbind(Account::Impersonator),
            weight: Weight::Forbidden,
        })
    }

    /// An identity of the shape that callers have, and that no cluster gives rights to.
    pub(super) fn somebody(&self) -> UserInfo {
        let keys = ExtraNames::keys(self.runtime.cluster().config());
        UserInfo {
            username: "gatewarden:probe".to_owned(),
            uid: Some("u-gatewardenprobe".to_owned()),
            groups: vec!["gatewarden:probe-one".to_owned(), "gatewarden:probe-two".to_owned()],
            extra: keys.into_iter().map(|key| (key, vec!["probe".to_owned()])).collect::<BTreeMap<_, _>>(),
        }
    }

    fn as_somebody(&self, sent: &UserInfo) -> Own {
        let mut own = Own::post(Role::Impersonator, SELF, self_review())
            .with(header::IMPERSONATE_USER, &sent.username)
            .with(header::IMPERSONATE_UID, sent.uid.as_deref().unwrap_or_default());
        for group in &sent.groups {
            own = own.with(header::IMPERSONATE_GROUP, group);
        }
        for (key, values) in &sent.extra {
            let Some(name) = header::extra_header(key) else { continue };
            for value in values {
                own = own.with(name.clone(), value);
            }
        }
        own
    }

    pub(super) async fn ask(&self, own: Own) -> Result<(StatusCode, Bytes), String> {
        let (status, body) = upstream::ask(self.pool, self.runtime, own).await.map_err(|fault| fault.chain())?;
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(format!("the API server answered {status}"));
        }
        Ok((status, body))
    }
}

fn identity_check(mode: Mode, sent: &UserInfo, found: String, ok: bool) -> Check {
    Check {
        name: "an impersonated user arrives with uid, groups and extra".to_owned(),
        expected: brief(sent),
        found,
        ok,
        mend: apply(Role::Impersonator, mode),
        weight: Weight::Needed,
    }
}

pub(super) fn self_review() -> Bytes {
    Bytes::from(json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).to_string())
}

pub(super) fn user(body: &[u8]) -> Result<UserInfo, String> {
    let mut found: Value = serde_json::from_slice(body).map_err(|_| "a self review answered no JSON".to_owned())?;
    let user = found.pointer_mut("/status/userInfo").map(Value::take).ok_or("a self review names no user")?;
    serde_json::from_value(user).map_err(|_| "a self review names no user".to_owned())
}

pub(super) fn brief(user: &UserInfo) -> String {
    let keys: Vec<&str> = user.extra.keys().map(String::as_str).collect();
    let uid = user.uid.as_deref().unwrap_or("none");
    format!("user {}, uid {uid}, groups {}, extra {}", user.username, user.groups.join(" "), keys.join(" "))
}

/// Distributions write minor versions such as `36+`.
fn mode(major: &str, minor: &str) -> Option<Mode> {
    let digits: String = minor.chars().take_while(char::is_ascii_digit).collect();
    let (major, minor): (u64, u64) = (major.parse().ok()?, digits.parse().ok()?);
    let constrained = major > 1 || (major == 1 && minor >= CONSTRAINED_SINCE);
    Some(if constrained { Mode::Constrained } else { Mode::Legacy })
}

fn apply(role: Role, mode: Mode) -> Mend {
    Mend::Apply(match (role, mode) {
        (Role::Reviewer, _) => "reviewer",
        (Role::Impersonator, Mode::Constrained) => "constrained",
        (Role::Impersonator, Mode::Legacy) => "legacy",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_tells_the_mode_as_distributions_write_it() {
        assert_eq!(mode("1", "36"), Some(Mode::Constrained));
        assert_eq!(mode("1", "36+"), Some(Mode::Constrained));
        assert_eq!(mode("1", "35"), Some(Mode::Legacy));
        assert_eq!(mode("2", "0"), Some(Mode::Constrained));
        assert_eq!(mode("", ""), None);
    }
}
