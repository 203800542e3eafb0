//! How somebody is now, without their being there: by their refresh token, else by userinfo.

use auth_core::{
    AuthError, Completeness, Context, Current, PrincipalId, PrincipalType, ProviderSecret, Refetch, SecretUpdate,
};

use crate::claims::{Nonce, text};
use crate::issuer::Userinfo;
use crate::kept::{Session, pack, unpack};
use crate::person::{self, Said, is_silent};
use crate::presets::Account;
use crate::provider::OidcProvider;
use crate::token_endpoint::{Grant, NoTokens, Tokens};

impl OidcProvider {
    pub(crate) async fn refetch(
        &self,
        ctx: &Context,
        id: &PrincipalId,
        secret: Option<&ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        let Some(session) = secret.and_then(unpack::<Session>) else { return Ok(Refetch::NeedsLogin) };
        // Another issuer under the same name: what the old one said counts no more. Nor does it of a group, or of another
        // instance, whose ids may rest on the same text.
        let left_for = PrincipalId::new(&self.instance, PrincipalType::User, &session.id);
        if !session.is_of(&self.issuer.settings) || left_for.as_ref() != Ok(id) {
            return Ok(Refetch::NeedsLogin);
        }
        match &session.refresh {
            Some(refresh) => {
                let refresh = ProviderSecret::new(refresh.as_str());
                self.by_refresh_token(ctx, session, &refresh).await
            }
            None => self.by_access_token(ctx, session).await,
        }
    }

    async fn by_refresh_token(
        &self,
        ctx: &Context,
        mut session: Session,
        refresh: &ProviderSecret,
    ) -> Result<Refetch, AuthError> {
        let whole = self.issuer.time(ctx);
        self.issuer.metadata(ctx).await?;
        // Sent late, it may be spent when nobody waits for the next one any more.
        if self.issuer.time(ctx) < whole / 2 {
            return Err(AuthError::unavailable("too little time is left to show a refresh token"));
        }
        let tokens = match self.issuer.redeem(ctx, Grant::Refresh(refresh)).await {
            Ok(tokens) => tokens,
            Err(NoTokens::Other(error)) => return Err(error),
            Err(NoTokens::InvalidGrant(answer)) => {
                return Ok(match self.issuer.settings.preset.account(&answer) {
                    Account::Disabled => Refetch::UserDisabled,
                    Account::Gone => Refetch::UserGone,
                    Account::Unknown => Refetch::NeedsLogin,
                });
            }
        };
        session.take(&tokens, &self.issuer.settings, self.issuer.clock.now());
        match self.look(ctx, &mut session, &tokens).await {
            // The sessions end, and with them what they keep.
            Err(error @ AuthError::PolicyDenied(_)) => Err(error),
            // The old token may be spent: whatever goes wrong now must not lose the new one.
            Err(error) if tokens.refresh.is_some() => {
                let user = person::user(&self.instance, &session.id, &session.login, session.name.as_deref())?;
                let current = Current::new(user, Vec::new())
                    .with_completeness(Completeness::Incomplete(error.audit_text()))
                    .with_secret(SecretUpdate::Replace(pack(&session)?));
                Ok(Refetch::Current(Box::new(current)))
            }
            other => other,
        }
    }

    /// Reads the person of new tokens, who is the one that logged in.
    async fn look(&self, ctx: &Context, session: &mut Session, tokens: &Tokens) -> Result<Refetch, AuthError> {
        let settings = &self.issuer.settings;
        let claims = match &tokens.id {
            Some(token) => Some(self.issuer.verified(ctx, token, &tokens.access, Nonce::NoneOr(&session.nonce)).await?),
            None => None,
        };
        if let Some(claims) = &claims {
            let same = text(claims, "sub") == Ok(&session.sub) && person::id(claims, settings)? == session.id;
            if !same {
                return Err(AuthError::Protocol("the new ID token is about another person".to_owned()));
            }
        }
        let userinfo = match claims.as_ref().is_none_or(|claims| is_silent(claims, settings)) {
            true => self.issuer.userinfo(ctx, &tokens.access, &session.sub).await?,
            false => None,
        };
        let userinfo = match userinfo {
            Some(Userinfo::Unauthorized) => return Ok(Refetch::NeedsLogin),
            Some(Userinfo::Claims(claims)) => Some(claims),
            None if claims.is_none() => return Ok(Refetch::NeedsLogin),
            None => None,
        };
        let said = Said { token: claims.as_ref(), userinfo: userinfo.as_ref() };
        let person = self.person(ctx, &session.id, &said).await?;
        session.remember(&person.user);
        let heard = session.hear(settings, &said);
        let current = Current::new(person.user, person.groups)
            .with_completeness(if person.completeness.is_complete() { heard } else { person.completeness })
            .with_secret(SecretUpdate::Replace(pack(session)?));
        Ok(Refetch::Current(Box::new(current)))
    }

    async fn by_access_token(&self, ctx: &Context, mut session: Session) -> Result<Refetch, AuthError> {
        let now = self.issuer.clock.now().as_second();
        let Some(access) = session.access.as_deref().map(ProviderSecret::new) else { return Ok(Refetch::NeedsLogin) };
        // Asked with one whose time is over, some answer still (CVE-2022-31677).
        if session.access_until.is_none_or(|until| until <= now) {
            return Ok(Refetch::NeedsLogin);
        }
        let tokens = Tokens { id: None, access, refresh: None, lasts: None };
        let looked = self.look(ctx, &mut session, &tokens).await?;
        Ok(match looked {
            Refetch::Current(current) => Refetch::Current(Box::new(current.with_secret(SecretUpdate::Keep))),
            other => other,
        })
    }
}
