//! A provider with a page of its own, to which browsers are sent.

use std::sync::Mutex;
use std::time::Instant;

use async_trait::async_trait;
use auth_core::{
    Access, AuthError, AuthProvider, Begun, Context, Current, InstanceId, Login, LoginForm, LoginInput, Logout,
    Principal, PrincipalId, PrincipalPage, ProviderSecret, PublicProvider, Redirect, Refetch, Search, SecretUpdate,
    UpstreamLogin,
};
use jiff::Timestamp;

/// When she proved to the provider who she is, long before she came here.
pub(crate) const AUTH_TIME: i64 = 1_700_000_000;

/// Knows alice by the code `good`, and wants its secrets back one after the other: `secret-1`, `secret-2`, ….
#[derive(Debug)]
pub(crate) struct Away {
    id: InstanceId,
    trips: Mutex<usize>,
    secrets: Mutex<usize>,
    asked_until: Mutex<Option<Instant>>,
}

impl Away {
    pub(crate) fn new() -> Self {
        Self {
            id: "away".parse().expect("an id"),
            trips: Mutex::default(),
            secrets: Mutex::new(1),
            asked_until: Mutex::default(),
        }
    }

    /// The deadline of the last refetch.
    pub(crate) fn asked_until(&self) -> Option<Instant> {
        *self.asked_until.lock().expect("lock")
    }

    fn alice(&self) -> Principal {
        Principal::new(format!("{}_user://1", self.id).parse().expect("an id"), "alice")
    }

    fn groups(&self) -> Vec<Principal> {
        vec![Principal::new(format!("{}_group://dev", self.id).parse().expect("an id"), "dev")]
    }
}

#[async_trait]
impl Redirect for Away {
    async fn begin(&self, _: &Context, callback: &str) -> Result<Begun, AuthError> {
        let mut trips = self.trips.lock().expect("lock");
        *trips += 1;
        let state = format!("state-of-the-trip-with-the-number-{trips}");
        let location = format!("https://idp.test/authorize?state={state}&redirect_uri={callback}");
        Ok(Begun::new(location, state.clone(), ProviderSecret::new(format!("memo of {state}"))))
    }
}

#[async_trait]
impl AuthProvider for Away {
    fn name(&self) -> &InstanceId {
        &self.id
    }

    async fn authenticate_user(&self, _: &Context, input: LoginInput) -> Result<Login, AuthError> {
        let LoginInput::Redirect { answer } = input else { return Err(AuthError::UnsupportedInput) };
        let one = |name: &str| answer.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let state = one("state").expect("a state");
        assert_eq!(answer.begun.expose(), format!("memo of {state}"), "the memo of another trip");
        if one("code").as_deref() != Some("good") {
            return Err(AuthError::BadCredentials);
        }
        let secret = ProviderSecret::new("secret-1");
        let auth_time = one("auth_time").map_or(AUTH_TIME, |at| at.parse().expect("a number"));
        let auth_time = Timestamp::from_second(auth_time).expect("a time");
        let upstream = UpstreamLogin { subject: "1".to_owned(), session: Some(state) };
        Ok(Login::new(self.alice(), self.groups(), auth_time).with_secret(secret).with_upstream(upstream))
    }

    async fn search_principals(&self, _: &Context, _: Search) -> Result<PrincipalPage, AuthError> {
        Ok(PrincipalPage::new(Vec::new()))
    }

    async fn get_principal(&self, _: &Context, _: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        Ok(None)
    }

    async fn refetch_group_principals(
        &self,
        ctx: &Context,
        _: &PrincipalId,
        secret: Option<&ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        *self.asked_until.lock().expect("lock") = Some(ctx.deadline);
        let mut number = self.secrets.lock().expect("lock");
        if secret.map(ProviderSecret::expose) != Some(format!("secret-{number}").as_str()) {
            return Ok(Refetch::NeedsLogin);
        }
        *number += 1;
        let next = SecretUpdate::Replace(ProviderSecret::new(format!("secret-{number}")));
        Ok(Refetch::Current(Box::new(Current::new(self.alice(), self.groups()).with_secret(next))))
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
        PublicProvider::new(self.id.clone(), "away", "Away", [LoginForm::Redirect])
    }

    fn logout(&self) -> Option<&dyn Logout> {
        Some(self)
    }

    fn redirect(&self) -> Option<&dyn Redirect> {
        Some(self)
    }
}
