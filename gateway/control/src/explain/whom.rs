//! Whom an operator asks about: somebody the store knows, or somebody a provider does.

use auth_core::{Context, PrincipalId, PrincipalType, Search};

use crate::admin::{Admin, AdminError, KnownUser};
use crate::registry::Registry;
use crate::users::{self, UserId};

/// The person meant.
pub(super) struct Whom {
    pub(super) user: Option<KnownUser>,
    pub(super) principal: PrincipalId,
    pub(super) others: Vec<PrincipalId>,
}

/// How many of those whose name begins alike are looked through.
const ALIKE: usize = 50;

impl Admin {
    pub(super) async fn whom(&self, registry: &Registry, who: &str, ctx: &Context) -> Result<Whom, AdminError> {
        let named: Option<PrincipalId> = who.parse().ok();
        match self.find(who).await {
            Ok(user) => self.known(user, named).await,
            Err(AdminError::NotFound { .. }) => {
                let principal = match named {
                    Some(principal) => principal,
                    None => search(registry, who, ctx).await?,
                };
                // A login name may have changed since they came.
                let known = users::by_principal(&mut *self.store.read().await?, &principal).await?;
                match known {
                    Some(owner) => self.known(owner.id, Some(principal)).await,
                    None => Ok(Whom { user: None, principal, others: Vec::new() }),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Of several principals, the one of the newest session counts unless one was named.
    async fn known(&self, id: UserId, named: Option<PrincipalId>) -> Result<Whom, AdminError> {
        let mut others = users::principals(&mut *self.store.read().await?, &id).await?;
        let newest = self.sessions(Some(id.as_str())).await?.into_iter().next().map(|session| session.principal);
        let not_found = || AdminError::NotFound { what: "principal of user", name: id.to_string() };
        let principal = named.or(newest).or_else(|| others.first().cloned()).ok_or_else(not_found)?;
        others.retain(|other| *other != principal);
        let user = self.users().await?.into_iter().find(|user| user.id == id);
        Ok(Whom { user, principal, others })
    }
}

/// The one person with this login name at any provider.
async fn search(registry: &Registry, login: &str, ctx: &Context) -> Result<PrincipalId, AdminError> {
    let mut found = Vec::new();
    let mut silent = Vec::new();
    for entry in registry.entries() {
        let search = Search::new(login, ALIKE).of_kind(PrincipalType::User);
        match entry.provider.search_principals(ctx, search).await {
            Ok(page) => {
                found.extend(page.principals.into_iter().filter(|one| one.goes_by(login)).map(|one| one.id));
            }
            Err(error) => silent.push(format!("{} did not answer: {}", entry.provider.name(), error.audit_text())),
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(one), false) => {
            let ids = found.iter().chain([&one]).map(ToString::to_string).collect();
            Err(AdminError::Ambiguous { name: login.to_owned(), ids })
        }
        (None, _) if silent.is_empty() => Err(AdminError::NotFound { what: "user", name: login.to_owned() }),
        (None, _) => Err(AdminError::Silent { name: login.to_owned(), why: silent.join("; ") }),
    }
}
