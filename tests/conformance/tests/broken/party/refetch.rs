//! Asking again.

use auth_core::{
    AuthError, Completeness, Context, Current, Principal, PrincipalId, PrincipalType, ProviderSecret, Refetch,
    SecretUpdate,
};
use serde_json::Value;

use super::ask::NoTokens;
use super::proof::{self, Nonce};
use super::{Object, Party, odd, text};
use crate::slips::Slip;

impl Party {
    pub(super) async fn refetch(
        &self,
        ctx: &Context,
        id: &PrincipalId,
        secret: &ProviderSecret,
    ) -> Result<Refetch, AuthError> {
        let Some(mut session) = self.unpack(secret) else {
            let outage = self.slips(Slip::CallsOddSecretsAnOutage);
            return if outage { Err(AuthError::unavailable("an odd secret")) } else { Ok(Refetch::NeedsLogin) };
        };
        let left_for = PrincipalId::new(&self.instance, PrincipalType::User, &text(&session, "sub")).ok();
        let own = left_for.as_ref() == Some(id) || self.slips(Slip::TakesAnybodysSecret);
        if !own || (text(&session, "client") != self.client && !self.slips(Slip::TakesSecretsOfOthers)) {
            return Ok(Refetch::NeedsLogin);
        }
        let form = [("grant_type", "refresh_token".to_owned()), ("refresh_token", text(&session, "refresh"))];
        let mut answer = self.redeem(ctx, &form).await;
        if answer.is_err() && self.slips(Slip::ShowsASecretTwice) {
            answer = self.redeem(ctx, &form).await;
        }
        let tokens = match answer {
            Ok(tokens) => tokens,
            Err(NoTokens::InvalidGrant) if self.slips(Slip::CallsASpentSecretAnOutage) => {
                return Err(AuthError::unavailable("spent"));
            }
            Err(NoTokens::InvalidGrant) => return Ok(Refetch::NeedsLogin),
            Err(NoTokens::Other(AuthError::Unavailable { .. })) if self.slips(Slip::AnOutageNeedsALogin) => {
                return Ok(Refetch::NeedsLogin);
            }
            Err(NoTokens::Other(AuthError::Protocol(_))) if self.slips(Slip::NonsenseEndsSessions) => {
                return Ok(Refetch::UserGone);
            }
            Err(NoTokens::Other(error)) => return Err(error),
        };
        if !self.slips(Slip::KeepsTheFirstSecret) {
            session.insert("refresh".to_owned(), text(&tokens, "refresh_token").into());
        }
        let kept = self.pack(&Value::Object(session.clone()), Slip::KeepsSessionsHere);
        let user = Principal::new(id.clone(), text(&session, "name"));
        Ok(Refetch::Current(Box::new(match self.present(ctx, &session, &tokens).await {
            Ok(current) => current.with_secret(SecretUpdate::Replace(kept)),
            Err(error) if self.slips(Slip::LosesTheSecretInTrouble) => return Err(error),
            Err(error) => Current::new(user, Vec::new())
                .with_completeness(Completeness::Incomplete(error.audit_text()))
                .with_secret(SecretUpdate::Replace(kept)),
        })))
    }

    /// The person of new tokens.
    async fn present(&self, ctx: &Context, session: &Object, tokens: &Object) -> Result<Current, AuthError> {
        let nonce = Nonce::NoneOr(text(session, "nonce"));
        let claims = match self.slips(Slip::ChecksNothingOnRefetch) {
            true => proof::unverified(&text(tokens, "id_token"))?,
            false => self.claims(ctx, tokens, &nonce).await?,
        };
        if claims.get("sub") != session.get("sub") && !self.slips(Slip::TakesAnybodyOnRefetch) {
            return Err(odd("about somebody else"));
        }
        let told = self.told(ctx, &claims, tokens).await?;
        let mut user = self.user(&claims);
        if self.slips(Slip::ForgetsTheNameOnRefetch) {
            user.display_name = None;
        }
        Ok(Current::new(user, self.groups(&told)?))
    }
}
