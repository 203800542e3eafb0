//! The provider: eight methods over the user store.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::{
    Access, AuthError, AuthProvider, Context, Current, InstanceId, InvalidId, Login, LoginForm, LoginInput, Password,
    PasswordHash, Ports, Principal, PrincipalId, PrincipalPage, PrincipalType, ProviderSecret, PublicProvider, Refetch,
    Search, StoreError, StoredGroup, StoredUser,
};

use crate::hashing::Hashing;
use crate::kind::KIND;
use crate::password::Verdict;

/// The one instance of kind `local`.
#[derive(Debug)]
pub(crate) struct Local {
    instance: InstanceId,
    display_name: String,
    ports: Ports,
    hashing: Arc<Hashing>,
}

impl Local {
    pub(crate) fn new(instance: InstanceId, display_name: String, ports: Ports, hashing: Hashing) -> Self {
        Self { instance, display_name, ports, hashing: Arc::new(hashing) }
    }

    async fn user(&self, id: &PrincipalId) -> Result<Option<StoredUser>, AuthError> {
        match id.kind() {
            PrincipalType::User => self.ports.users.find(id.external_id()).await.map_err(unavailable),
            PrincipalType::Group | PrincipalType::Org | PrincipalType::Team => Ok(None),
        }
    }

    fn user_principal(&self, user: &StoredUser) -> Result<Principal, AuthError> {
        let id = PrincipalId::new(&self.instance, PrincipalType::User, &user.id).map_err(broken)?;
        let principal = Principal::new(id, &user.login).with_login(&user.login);
        Ok(match &user.display_name {
            Some(name) => principal.with_display_name(name),
            None => principal,
        })
    }

    fn group_principal(&self, group: &StoredGroup) -> Result<Principal, AuthError> {
        let id = PrincipalId::new(&self.instance, PrincipalType::Group, &group.id).map_err(broken)?;
        Ok(Principal::new(id, &group.name))
    }

    fn groups(&self, user: &StoredUser) -> Result<Vec<Principal>, AuthError> {
        user.groups.iter().map(|group| self.group_principal(group)).collect()
    }

    /// Stores the password at today's cost, beside the login that just succeeded: nobody waits for it, and a login
    /// does not fail because of it.
    fn renew(&self, user: &StoredUser, password: Password) {
        let Some(old) = user.password_hash.as_ref().map(|hash| PasswordHash::new(hash.expose())) else { return };
        let (id, hashing, users) = (user.id.clone(), Arc::clone(&self.hashing), Arc::clone(&self.ports.users));
        self.ports.tasks.spawn(
            "local-rehash",
            Box::pin(async move {
                if let Ok(Some(new)) = hashing.renew(password).await
                    && let Err(error) = users.rehash(&id, &old, &new).await
                {
                    tracing::warn!(user = %id, %error, "a password stays stored at a lower cost until the next login");
                }
            }),
        );
    }

    async fn search_users(&self, search: &Search, after: Option<&str>) -> Result<PrincipalPage, AuthError> {
        let page = self.ports.users.search_users(&search.text, search.limit, after).await.map_err(unavailable)?;
        let last = page.items.last().map(|user| cursor(PrincipalType::User, &user.id));
        let found: Result<Vec<_>, _> = page.items.iter().map(|user| self.user_principal(user)).collect();
        Ok(PrincipalPage::new(found?).with_next(last.filter(|_| page.more)))
    }

    async fn search_groups(&self, search: &Search, after: Option<&str>) -> Result<PrincipalPage, AuthError> {
        let page = self.ports.users.search_groups(&search.text, search.limit, after).await.map_err(unavailable)?;
        let last = page.items.last().map(|group| cursor(PrincipalType::Group, &group.id));
        let found: Result<Vec<_>, _> = page.items.iter().map(|group| self.group_principal(group)).collect();
        Ok(PrincipalPage::new(found?).with_next(last.filter(|_| page.more)))
    }
}

#[async_trait]
impl AuthProvider for Local {
    fn name(&self) -> &InstanceId {
        &self.instance
    }

    async fn authenticate_user(&self, _: &Context, input: LoginInput) -> Result<Login, AuthError> {
        let LoginInput::Password { login, password } = input else { return Err(AuthError::UnsupportedInput) };
        let user = self.ports.users.find_by_login(&login).await.map_err(unavailable)?;
        let stored = user.as_ref().and_then(|user| user.password_hash.as_ref());
        let (verdict, password) = self.hashing.check(password, stored).await?;
        let user = match (user, verdict) {
            (Some(user), Verdict::Right) => user,
            (Some(user), Verdict::RightButWeak) => {
                self.renew(&user, password);
                user
            }
            (Some(user), Verdict::Unreadable) => {
                tracing::error!(user = %user.id, "the stored password is unreadable; set a new one with `gatewarden user passwd`");
                return Err(AuthError::BadCredentials);
            }
            (Some(_), Verdict::Wrong) | (None, _) => return Err(AuthError::BadCredentials),
        };
        // From here on the password was right, and only from here on may its owner learn about the account.
        if user.disabled {
            return Err(AuthError::Disabled);
        }
        if user.must_change {
            return Err(AuthError::MustChangePassword);
        }
        let login = Login::new(self.user_principal(&user)?, self.groups(&user)?, self.ports.clock.now());
        Ok(login.with_amr(["pwd"]))
    }

    /// Users first, then groups; the cursor says which of the two it stands in.
    async fn search_principals(&self, _: &Context, search: Search) -> Result<PrincipalPage, AuthError> {
        let (kind, after) = match search.cursor.as_deref().map(|cursor| cursor.split_once(':')) {
            None => (search.kind.unwrap_or(PrincipalType::User), None),
            Some(Some(("user", after))) => (PrincipalType::User, Some(after)),
            Some(Some(("group", after))) => (PrincipalType::Group, Some(after)),
            // A cursor that is none of ours stands behind everything.
            Some(_) => return Ok(PrincipalPage::new(Vec::new())),
        };
        match kind {
            PrincipalType::User => {
                let page = self.search_users(&search, after.filter(|after| !after.is_empty())).await?;
                let groups_follow = page.next.is_none() && search.kind.is_none();
                let next = if groups_follow { Some(cursor(PrincipalType::Group, "")) } else { page.next.clone() };
                Ok(page.with_next(next))
            }
            PrincipalType::Group => self.search_groups(&search, after.filter(|after| !after.is_empty())).await,
            PrincipalType::Org | PrincipalType::Team => Ok(PrincipalPage::new(Vec::new())),
        }
    }

    async fn get_principal(&self, _: &Context, id: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        match id.kind() {
            PrincipalType::User => self.user(id).await?.map(|user| self.user_principal(&user)).transpose(),
            PrincipalType::Group => {
                let group = self.ports.users.find_group(id.external_id()).await.map_err(unavailable)?;
                group.map(|group| self.group_principal(&group)).transpose()
            }
            PrincipalType::Org | PrincipalType::Team => Ok(None),
        }
    }

    async fn refetch_group_principals(
        &self,
        _: &Context,
        id: &PrincipalId,
        _: Option<&ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        let Some(user) = self.user(id).await? else { return Ok(Refetch::UserGone) };
        if user.disabled {
            return Ok(Refetch::UserDisabled);
        }
        // An administrator has set the password anew: whoever logged in with the old one does so again.
        if user.must_change {
            return Ok(Refetch::NeedsLogin);
        }
        Ok(Refetch::Current(Box::new(Current::new(self.user_principal(&user)?, self.groups(&user)?))))
    }

    async fn can_access_with_group_providers(
        &self,
        _: &Context,
        _: &PrincipalId,
        _: &[PrincipalId],
    ) -> Result<Access, AuthError> {
        Ok(Access::Allowed)
    }

    fn transform_to_auth_provider(&self) -> PublicProvider {
        PublicProvider::new(self.instance.clone(), KIND, &self.display_name, [LoginForm::Password])
    }
}

fn cursor(kind: PrincipalType, after: &str) -> String {
    let kind = if kind == PrincipalType::User { "user" } else { "group" };
    format!("{kind}:{after}")
}

fn unavailable(error: StoreError) -> AuthError {
    AuthError::unavailable(error)
}

/// The store holds something that cannot be an id.
fn broken(error: InvalidId) -> AuthError {
    AuthError::Protocol(error.to_string())
}

#[cfg(test)]
mod tests;
