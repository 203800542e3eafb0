//! From what a provider said to what a session carries.

mod subject;

pub use subject::{InvalidSubject, Subject};

use std::collections::{BTreeMap, BTreeSet, HashMap};

use auth_core::{Current, Identity, Login, Principal, PrincipalId, ProviderSecret, SecretUpdate, UpstreamLogin};
use jiff::Timestamp;
use kube_wire::UserInfo;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::names::{self, NameKind};
use crate::store::{StoreFault, Write};

/// A person as their provider described them, at a login or later.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) user: Principal,
    pub(crate) groups: Vec<Principal>,
    pub(crate) extra: BTreeMap<String, Vec<String>>,
    /// What the provider wants back at the next refetch.
    pub(crate) secret: Option<ProviderSecret>,
    /// How it made sure of them at a login.
    pub(crate) amr: Vec<String>,
    /// When they proved who they are, at a login.
    pub(crate) auth_time: Option<Timestamp>,
    /// The login at the identity system that theirs rests on.
    pub(crate) upstream: Option<UpstreamLogin>,
}

impl From<Login> for Person {
    fn from(login: Login) -> Self {
        let Login { user, groups, extra, secret, auth_time, amr, upstream, .. } = login;
        Self { user, groups, extra, secret, amr, auth_time: Some(auth_time), upstream }
    }
}

impl From<Current> for Person {
    fn from(current: Current) -> Self {
        let secret = match current.secret {
            SecretUpdate::Keep => None,
            SecretUpdate::Replace(secret) => Some(secret),
        };
        let Current { user, groups, extra, .. } = current;
        Self { user, groups, extra, secret, amr: Vec::new(), auth_time: None, upstream: None }
    }
}

impl Person {
    pub(crate) fn group_ids(&self) -> Vec<PrincipalId> {
        self.groups.iter().map(|group| group.id.clone()).collect()
    }
}

/// What a session gives: the identity towards clusters, and all that a grant may name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionIdentity {
    /// User name, uid, groups and mapped extra.
    pub user: UserInfo,
    /// Everything that a grant may name them by: each a [`Subject`] as text.
    pub subjects: Vec<String>,
    /// Groups whose name belongs to another group. Clusters do not see them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<WithheldGroup>,
}

/// A group that is not shown to clusters, because its name is another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WithheldGroup {
    /// The name that it would have.
    pub name: String,
    /// The group.
    pub principal: PrincipalId,
    /// The principal whose name it is.
    pub owner: String,
}

impl SessionIdentity {
    pub(crate) fn read(json: &str) -> Result<Self, StoreFault> {
        serde_json::from_str(json).map_err(|error| StoreFault::unreadable("identity", error))
    }

    /// Whether something that this identity gave is no longer in `new`, so that a grant or a binding may be gone.
    pub(crate) fn loses_by(&self, new: &Self) -> bool {
        let kept: BTreeSet<&String> = new.subjects.iter().collect();
        self.subjects.iter().any(|subject| !kept.contains(subject))
    }
}

/// The user name is another principal's, until an administrator releases it.
#[derive(Debug)]
pub(crate) struct NameTaken {
    pub(crate) name: String,
    pub(crate) owner: String,
}

/// Claims every name of the identity, and leaves out the groups whose name is another's.
pub(crate) async fn own(
    write: &mut Write,
    identity: Identity,
    person: &Person,
) -> Result<Result<SessionIdentity, NameTaken>, StoreFault> {
    let users = names::claim(write, NameKind::User, &user_of(&identity, person)).await?;
    if let Err(taken) = is_theirs(&users, &identity, person) {
        return Ok(Err(taken));
    }
    let groups = names::claim(write, NameKind::Group, &groups_of(&identity)).await?;
    Ok(Ok(settle(identity, person, &groups)))
}

/// What [`own`] would come to, without claiming anything: a name that nobody has would become theirs.
pub(crate) async fn would_own(
    connection: &mut SqliteConnection,
    identity: Identity,
    person: &Person,
) -> Result<Result<SessionIdentity, NameTaken>, StoreFault> {
    let wanted = user_of(&identity, person);
    let mut users = names::owners(connection, NameKind::User, &wanted).await?;
    take_free(&mut users, &wanted);
    if let Err(taken) = is_theirs(&users, &identity, person) {
        return Ok(Err(taken));
    }
    let wanted = groups_of(&identity);
    let mut groups = names::owners(connection, NameKind::Group, &wanted).await?;
    take_free(&mut groups, &wanted);
    Ok(Ok(settle(identity, person, &groups)))
}

type Wanted<'a> = (&'a str, &'a PrincipalId);
type Owners = HashMap<String, String>;

fn user_of<'a>(identity: &'a Identity, person: &'a Person) -> [Wanted<'a>; 1] {
    [(identity.username.as_str(), &person.user.id)]
}

fn groups_of(identity: &Identity) -> Vec<Wanted<'_>> {
    identity.groups.iter().map(|group| (group.name.as_str(), &group.principal)).collect()
}

/// As a claim does: the first who asks for a free name has it.
fn take_free(owners: &mut Owners, wanted: &[Wanted<'_>]) {
    for (name, principal) in wanted {
        owners.entry((*name).to_owned()).or_insert_with(|| principal.to_string());
    }
}

fn is_theirs(owners: &Owners, identity: &Identity, person: &Person) -> Result<(), NameTaken> {
    let owner = owners.get(&identity.username).cloned().unwrap_or_default();
    if owner == person.user.id.to_string() {
        return Ok(());
    }
    Err(NameTaken { name: identity.username.clone(), owner })
}

fn settle(identity: Identity, person: &Person, owners: &Owners) -> SessionIdentity {
    let mut groups = Vec::with_capacity(identity.groups.len());
    let mut withheld = Vec::new();
    for group in identity.groups {
        let owner = owners.get(&group.name).cloned().unwrap_or_default();
        if owner == group.principal.to_string() {
            groups.push(group.name);
        } else {
            withheld.push(WithheldGroup { name: group.name, principal: group.principal, owner });
        }
    }
    let ids = std::iter::once(&person.user).chain(&person.groups).map(|one| Subject::Principal(one.id.clone()));
    let subjects = ids
        .chain([Subject::User(identity.username.clone())])
        .chain(groups.iter().cloned().map(Subject::Group))
        .map(|subject| subject.to_string())
        .collect();
    let user = UserInfo { username: identity.username, uid: Some(identity.uid), groups, extra: identity.extra };
    SessionIdentity { user, subjects, withheld }
}
