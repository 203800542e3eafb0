//! The second half of a login: what the browser brought back.

use auth_core::{AuthError, Context, Login, ProviderSecret, RedirectAnswer};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;
use serde_json::Value;

use crate::claims::{Nonce, seconds, text};
use crate::client::NO_SCOPE;
use crate::config::{AfterLogout, Settings};
use crate::discovery::Metadata;
use crate::issuer::Userinfo;
use crate::json::Object;
use crate::kept::{Memo, Session, pack, unpack};
use crate::logout::upstream;
use crate::person::{self, Said, is_silent};
use crate::provider::OidcProvider;
use crate::token_endpoint::{Grant, NoTokens, Tokens};

impl OidcProvider {
    /// Finishes a trip.
    pub(crate) async fn finish(&self, ctx: &Context, answer: &RedirectAnswer) -> Result<Login, AuthError> {
        let issuer = &self.issuer;
        let memo: Memo = unpack(&answer.begun).ok_or(AuthError::Replay)?;
        if !memo.is_current(&issuer.settings, issuer.clock.now()) {
            return Err(AuthError::Replay);
        }
        let metadata = issuer.metadata(ctx).await?;
        let code = code(&Parameters(&answer.parameters), &memo, &metadata)?;
        let grant = Grant::Code { code, verifier: &memo.verifier, callback: &memo.callback };
        let tokens = issuer.redeem(ctx, grant).await.map_err(|error| match error {
            // The code was redeemed before, or another browser's trip began it.
            NoTokens::InvalidGrant(_) => AuthError::Replay,
            NoTokens::Other(error) => error,
        })?;
        let id_token = tokens.id.as_ref().ok_or_else(|| AuthError::Protocol("there is no ID token".to_owned()))?;
        let claims = issuer.verified(ctx, id_token, &tokens.access, Nonce::Is(&memo.nonce)).await?;
        self.login(ctx, &claims, tokens, memo.nonce).await
    }

    async fn login(&self, ctx: &Context, claims: &Object, tokens: Tokens, nonce: String) -> Result<Login, AuthError> {
        let issuer = &self.issuer;
        let settings = &issuer.settings;
        let sub = text(claims, "sub").map_err(AuthError::Protocol)?;
        let id = person::id(claims, settings)?;
        let userinfo = match is_silent(claims, settings) {
            true => self.ask_userinfo(ctx, &tokens.access, sub).await?,
            false => None,
        };
        let said = Said { token: Some(claims), userinfo: userinfo.as_ref() };
        let person = self.person(ctx, id, &said).await?;
        let mut session = Session {
            issuer: settings.issuer.clone(),
            client: settings.client_id.clone(),
            sub: sub.to_owned(),
            nonce,
            id: id.to_owned(),
            login: String::new(),
            name: None,
            refresh: None,
            access: None,
            access_until: None,
            id_token: None,
            teller: said.teller(settings),
        };
        session.remember(&person.user);
        session.take(&tokens, settings, issuer.clock.now());
        let login = Login::new(person.user, person.groups, auth_time(claims).unwrap_or_else(|| issuer.clock.now()));
        let login = login.with_upstream(upstream(claims, sub));
        Ok(login.with_completeness(person.completeness).with_secret(pack(&session)?).with_amr(methods(claims)))
    }

    async fn ask_userinfo(
        &self,
        ctx: &Context,
        access: &ProviderSecret,
        sub: &str,
    ) -> Result<Option<Object>, AuthError> {
        match self.issuer.userinfo(ctx, access, sub).await? {
            None => Ok(None),
            Some(Userinfo::Claims(claims)) => Ok(Some(claims)),
            Some(Userinfo::Unauthorized) => {
                Err(AuthError::Protocol("userinfo refuses an access token that was just made".to_owned()))
            }
        }
    }
}

/// A token of many groups would make an address longer than servers read; without it the issuer asks the person.
const HINT_MAX: usize = 4_096;

impl Session {
    /// Keeps what the next refetch is asked with.
    pub(crate) fn take(&mut self, tokens: &Tokens, settings: &Settings, now: Timestamp) {
        if let Some(token) = tokens.id.as_ref().filter(|_| settings.after_logout == AfterLogout::Leave) {
            let token = token.expose();
            self.id_token = (token.len() <= HINT_MAX).then(|| token.to_owned());
        }
        if let Some(refresh) = &tokens.refresh {
            self.refresh = Some(refresh.expose().to_owned());
        }
        if self.refresh.is_some() {
            (self.access, self.access_until) = (None, None);
            return;
        }
        self.access = Some(tokens.access.expose().to_owned());
        self.access_until = tokens.lasts.map(|lasts| now.as_second().saturating_add(lasts));
    }
}

/// The query of the callback.
struct Parameters<'a>(&'a [(String, String)]);

impl<'a> Parameters<'a> {
    /// RFC 6749 §3.1: none comes twice. Of two, another reader might take the other.
    fn one(&self, name: &str) -> Result<Option<&'a str>, AuthError> {
        let mut all = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (all.next(), all.next()) {
            (one, None) => Ok(one),
            _ => Err(AuthError::Protocol(format!("the answer has {name} twice"))),
        }
    }
}

/// The code, of an answer to this trip by this issuer.
fn code<'a>(parameters: &Parameters<'a>, memo: &Memo, metadata: &Metadata) -> Result<&'a str, AuthError> {
    let state = parameters.one("state")?.unwrap_or_default();
    verify_slices_are_equal(state.as_bytes(), memo.state.as_bytes()).map_err(|_| AuthError::Replay)?;
    // RFC 9207 §2.4: else an answer of one issuer could be redeemed at another, who would get the code.
    match parameters.one("iss")? {
        Some(named) if named == memo.issuer => {}
        None if !metadata.promises_issuer => {}
        Some(_) => return Err(AuthError::Protocol("the answer is that of another issuer".to_owned())),
        None => return Err(AuthError::Protocol("the answer does not say whose it is".to_owned())),
    }
    if let Some(error) = parameters.one("error")? {
        return Err(said_no(error));
    }
    let code = parameters.one("code")?.filter(|code| !code.is_empty());
    code.ok_or_else(|| AuthError::Protocol("the answer has no code".to_owned()))
}

/// RFC 6749 §4.1.2.1. The issuer's own sentence may come from anybody who can write an address, and is left out.
fn said_no(error: &str) -> AuthError {
    match error {
        "server_error" | "temporarily_unavailable" => {
            AuthError::unavailable("the authorization endpoint is in trouble")
        }
        "access_denied" | "login_required" | "consent_required" | "interaction_required" => {
            AuthError::PolicyDenied("the identity system did not let you in".to_owned())
        }
        "invalid_scope" => AuthError::Misconfigured { field: "scopes".to_owned(), message: NO_SCOPE.to_owned() },
        "unauthorized_client" => AuthError::Misconfigured {
            field: "clientId".to_owned(),
            message: "the issuer lets this client not log people in by a code".to_owned(),
        },
        _ => AuthError::Protocol("the authorization endpoint refused the request".to_owned()),
    }
}

pub(crate) fn auth_time(claims: &Object) -> Option<Timestamp> {
    let at = seconds(claims, "auth_time").or_else(|_| seconds(claims, "iat")).ok()?;
    Timestamp::from_second(at).ok()
}

pub(crate) fn methods(claims: &Object) -> Vec<String> {
    let methods = claims.get("amr").and_then(Value::as_array);
    methods.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
