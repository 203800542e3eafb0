//! What an answer may hold: bounded, and about this instance alone.

use std::collections::{BTreeMap, HashSet};

use crate::error::one_line;
use crate::{
    Access, AuthError, BearerProof, BearerVerdict, Begun, Completeness, InstanceId, Login, LogoutVerdict, Principal,
    PrincipalId, PrincipalPage, PrincipalType, ProviderSecret, Refetch, SecretUpdate,
};

const REASON_MAX: usize = 512;
const CURSOR_MAX: usize = 4_096;
const SECRET_MAX: usize = 65_536;
const LOCATION_MAX: usize = 8_192;
/// What tells one login of an identity system, or one notice of its end, from all others.
const NAME: std::ops::RangeInclusive<usize> = 1..=1_024;
const STATE: std::ops::RangeInclusive<usize> = 16..=512;

/// How much an answer may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLimits {
    /// Principals in one answer.
    pub principals: usize,
    /// Bytes of all text in one answer.
    pub bytes: usize,
    /// Principals in one page of a search.
    pub page: usize,
}

impl Default for OutputLimits {
    /// 20,000 principals, 8 MiB, pages of 500.
    fn default() -> Self {
        Self { principals: 20_000, bytes: 8 << 20, page: 500 }
    }
}

/// Measures the answers of one instance.
pub(super) struct Gauge {
    instance: InstanceId,
    limits: OutputLimits,
}

impl Gauge {
    pub(super) const fn new(instance: InstanceId, limits: OutputLimits) -> Self {
        Self { instance, limits }
    }

    pub(super) fn page_limit(&self, asked: usize) -> usize {
        asked.clamp(1, self.limits.page)
    }

    pub(super) fn login(&self, mut login: Login) -> Result<Login, AuthError> {
        self.own_user(&login.user.id)?;
        self.own_groups(&login.groups)?;
        let amr = login.amr.iter().map(String::len);
        self.bytes(principals(&login.groups).chain(principal(&login.user)).chain(extra(&login.extra)).chain(amr))?;
        secret(login.secret.as_ref())?;
        let upstream = login.upstream.iter().flat_map(|upstream| [Some(&upstream.subject), upstream.session.as_ref()]);
        names(upstream.flatten().map(String::as_str))?;
        tame(&mut login.completeness);
        once(&mut login.groups);
        Ok(login)
    }

    pub(super) fn bearer(&self, verdict: BearerVerdict) -> Result<BearerVerdict, AuthError> {
        Ok(match verdict {
            BearerVerdict::Refused(why) => BearerVerdict::Refused(one_line(&why, REASON_MAX)),
            BearerVerdict::Proven(proof) => {
                let login = Login { secret: None, ..self.login(proof.login)? };
                BearerVerdict::Proven(Box::new(BearerProof { login, ..*proof }))
            }
        })
    }

    pub(super) fn logout(&self, verdict: LogoutVerdict) -> Result<LogoutVerdict, AuthError> {
        match &verdict {
            LogoutVerdict::Refused(why) => return Ok(LogoutVerdict::Refused(one_line(why, REASON_MAX))),
            LogoutVerdict::Over(over) => {
                let which = [over.which.subject(), over.which.session()].into_iter().flatten();
                names(which.chain([over.notice.as_str()]))?;
            }
        }
        Ok(verdict)
    }

    pub(super) fn leaves(&self, way: Option<String>) -> Result<Option<String>, AuthError> {
        way.as_deref().map(location).transpose()?;
        Ok(way)
    }

    /// A browser is sent to a web address and nowhere else (`javascript:`), and comes back with a state that names one
    /// trip.
    pub(super) fn begun(&self, begun: Begun) -> Result<Begun, AuthError> {
        location(&begun.location)?;
        if !STATE.contains(&begun.state.len()) || !begun.state.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refused("a state that names no trip");
        }
        secret(Some(&begun.memo))?;
        Ok(begun)
    }

    pub(super) fn refetch(&self, refetch: Refetch, asked: &PrincipalId) -> Result<Refetch, AuthError> {
        let Refetch::Current(mut current) = refetch else {
            return Ok(refetch);
        };
        same(&current.user.id, asked)?;
        self.own_groups(&current.groups)?;
        self.bytes(principals(&current.groups).chain(principal(&current.user)).chain(extra(&current.extra)))?;
        if let SecretUpdate::Replace(new) = &current.secret {
            secret(Some(new))?;
        }
        tame(&mut current.completeness);
        once(&mut current.groups);
        Ok(Refetch::Current(current))
    }

    pub(super) fn found(&self, found: Option<Principal>, asked: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        if let Some(found) = &found {
            same(&found.id, asked)?;
            self.bytes(principal(found))?;
        }
        Ok(found)
    }

    pub(super) fn page(&self, page: PrincipalPage, limit: usize) -> Result<PrincipalPage, AuthError> {
        if page.principals.len() > limit {
            return refused(&format!("a page of {} principals where {limit} were asked for", page.principals.len()));
        }
        if page.next.as_ref().is_some_and(|cursor| cursor.len() > CURSOR_MAX) {
            return refused("a cursor of more than 4 KiB");
        }
        page.principals.iter().try_for_each(|principal| self.own(&principal.id))?;
        self.bytes(principals(&page.principals))?;
        Ok(page)
    }

    pub(super) fn access(&self, access: Access) -> Access {
        match access {
            Access::Allowed => Access::Allowed,
            Access::Denied(reason) => Access::Denied(one_line(&reason, REASON_MAX)),
        }
    }

    /// A user of this instance.
    pub(super) fn own_user(&self, id: &PrincipalId) -> Result<(), AuthError> {
        self.own(id)?;
        if id.kind() != PrincipalType::User {
            return refused("a user whose id is that of a group");
        }
        Ok(())
    }

    fn own_groups(&self, groups: &[Principal]) -> Result<(), AuthError> {
        if groups.len() > self.limits.principals {
            return refused(&format!("{} groups, more than {}", groups.len(), self.limits.principals));
        }
        for group in groups {
            self.own(&group.id)?;
            if group.id.kind() == PrincipalType::User {
                return refused("a group whose id is that of a user");
            }
        }
        Ok(())
    }

    fn own(&self, id: &PrincipalId) -> Result<(), AuthError> {
        if id.instance() != &self.instance {
            return refused("a principal of another instance");
        }
        Ok(())
    }

    fn bytes(&self, mut lengths: impl Iterator<Item = usize>) -> Result<(), AuthError> {
        let limit = self.limits.bytes;
        let total = lengths.try_fold(0_usize, |sum, length| sum.checked_add(length).filter(|sum| *sum <= limit));
        total
            .map(drop)
            .ok_or_else(|| AuthError::Protocol(format!("refused its answer: more than {limit} bytes of text")))
    }
}

fn refused<T>(what: &str) -> Result<T, AuthError> {
    Err(AuthError::Protocol(format!("refused its answer: {what}")))
}

/// An answer about Bob to a question about Alice would make her session his.
fn same(found: &PrincipalId, asked: &PrincipalId) -> Result<(), AuthError> {
    if found == asked { Ok(()) } else { refused("it is about another principal than the one asked for") }
}

fn location(location: &str) -> Result<(), AuthError> {
    let web = location.starts_with("https://") || location.starts_with("http://");
    let plain = location.bytes().all(|byte| byte.is_ascii_graphic());
    if web && plain && location.len() <= LOCATION_MAX {
        return Ok(());
    }
    refused("a location that no browser may be sent to")
}

fn secret(secret: Option<&ProviderSecret>) -> Result<(), AuthError> {
    if secret.is_some_and(|secret| secret.expose().len() > SECRET_MAX) {
        return refused("a secret of more than 64 KiB");
    }
    Ok(())
}

fn names<'a>(mut all: impl Iterator<Item = &'a str>) -> Result<(), AuthError> {
    if all.all(|name| NAME.contains(&name.len())) {
        Ok(())
    } else {
        refused("a login without a name, or with one of more than 1 KiB")
    }
}

fn tame(completeness: &mut Completeness) {
    if let Completeness::Incomplete(reason) = completeness {
        *reason = one_line(reason, REASON_MAX);
    }
}

/// Directories name a group twice when two ways lead to it.
fn once(groups: &mut Vec<Principal>) {
    let mut seen = HashSet::with_capacity(groups.len());
    groups.retain(|group| seen.insert(group.id.clone()));
}

fn principals(all: &[Principal]) -> impl Iterator<Item = usize> {
    all.iter().flat_map(principal)
}

fn principal(one: &Principal) -> impl Iterator<Item = usize> {
    let texts = [Some(&one.name), one.login.as_ref(), one.display_name.as_ref()];
    let texts = texts.into_iter().flatten().map(String::len);
    texts.chain([one.id.external_id().len()]).chain(extra(&one.attributes))
}

/// Counts every list as well, so that a million empty values weigh something.
fn extra(map: &BTreeMap<String, Vec<String>>) -> impl Iterator<Item = usize> {
    map.iter().flat_map(|(key, values)| values.iter().map(|value| value.len() + 1).chain([key.len() + 1]))
}
