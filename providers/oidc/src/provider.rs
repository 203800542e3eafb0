//! The methods of the contract over an issuer.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::{
    Access, AuthError, AuthProvider, Bearer, Context, Coverage, InstanceId, Login, LoginForm, LoginInput, Logout,
    Ports, Principal, PrincipalId, PrincipalPage, ProviderSecret, PublicProvider, Redirect, Refetch, Search,
};

use crate::config::Settings;
use crate::issuer::Issuer;
use crate::kind::KIND;

/// An instance: one issuer.
#[derive(Debug)]
pub(crate) struct OidcProvider {
    pub(crate) instance: InstanceId,
    pub(crate) issuer: Arc<Issuer>,
}

impl OidcProvider {
    pub(crate) fn new(instance: InstanceId, settings: Settings, ports: &Ports) -> Self {
        Self { instance, issuer: Arc::new(Issuer::new(settings, ports)) }
    }
}

#[async_trait]
impl AuthProvider for OidcProvider {
    fn name(&self) -> &InstanceId {
        &self.instance
    }

    async fn authenticate_user(&self, ctx: &Context, input: LoginInput) -> Result<Login, AuthError> {
        match input {
            LoginInput::Redirect { answer } => self.finish(ctx, &answer).await,
            _ => Err(AuthError::UnsupportedInput),
        }
    }

    /// An issuer tells of a person when they are there, and has no list. Whether it answers at all is another question:
    /// an outage finds nobody by an error.
    async fn search_principals(&self, ctx: &Context, _: Search) -> Result<PrincipalPage, AuthError> {
        if self.issuer.settings.asks() {
            self.issuer.metadata(ctx).await?;
        }
        Ok(PrincipalPage::new(Vec::new()).with_coverage(Coverage::SeenAtLogin))
    }

    /// As a search: nobody can be looked up.
    async fn get_principal(&self, _: &Context, _: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        Ok(None)
    }

    async fn refetch_group_principals(
        &self,
        ctx: &Context,
        id: &PrincipalId,
        secret: Option<&ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        self.refetch(ctx, id, secret).await
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
        let forms = self.issuer.settings.logs_people_in().then_some(LoginForm::Redirect);
        PublicProvider::new(self.instance.clone(), KIND, self.instance.as_str(), forms)
    }

    fn redirect(&self) -> Option<&dyn Redirect> {
        self.issuer.settings.logs_people_in().then_some(self as &dyn Redirect)
    }

    fn logout(&self) -> Option<&dyn Logout> {
        self.issuer.settings.logs_people_in().then_some(self as &dyn Logout)
    }

    fn bearer(&self) -> Option<&dyn Bearer> {
        self.issuer.settings.bearers.as_ref().map(|_| self as &dyn Bearer)
    }
}
