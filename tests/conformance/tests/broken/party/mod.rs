//! A client of an issuer that obeys every rule, or every rule but one: the smallest provider with a page of its own.

mod ask;
mod proof;
mod refetch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use auth_conformance::{Client, Issuer};
use auth_core::{
    Access, AuthError, AuthProvider, Begun, Context, Coverage, InstanceId, Login, LoginForm, LoginInput, Ports,
    Principal, PrincipalId, PrincipalPage, PrincipalType, ProviderSecret, PublicProvider, Redirect, RedirectAnswer,
    Refetch, Search,
};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use url::Url;

use crate::slips::Slip;
use ask::NoTokens;
use proof::Nonce;

pub(crate) type Object = Map<String, Value>;

/// A trip takes no longer.
const TRIP: i64 = 600;

#[derive(Default)]
pub(crate) struct Memory {
    document: Option<Object>,
    keys: Option<(Object, Instant)>,
    kept: BTreeMap<String, String>,
    trips: BTreeMap<String, Object>,
    last: usize,
}

pub(crate) struct Party {
    instance: InstanceId,
    issuer: String,
    client: String,
    secret: String,
    ports: Ports,
    slip: Option<Slip>,
    memory: Mutex<Memory>,
}

impl std::fmt::Debug for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let secret = if self.slips(Slip::PrintsItsSecret) { &self.secret } else { "" };
        write!(f, "Party({} {secret})", self.instance)
    }
}

fn odd(why: impl Into<String>) -> AuthError {
    AuthError::Protocol(why.into())
}

fn text(of: &Object, name: &str) -> String {
    of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn random() -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Party {
    pub(crate) fn new(client: Client<'_>, ports: Ports, slip: Option<Slip>) -> Self {
        Self {
            instance: "site".parse().unwrap(),
            issuer: client.issuer.to_owned(),
            client: client.id.to_owned(),
            secret: client.secret.to_owned(),
            ports,
            slip,
            memory: Mutex::default(),
        }
    }

    pub(crate) fn slips(&self, slip: Slip) -> bool {
        self.slip == Some(slip)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        self.ports.clock.now().as_second()
    }

    /// What is kept with the caller; or, by mistake, here.
    fn pack(&self, value: &Value, here: Slip) -> ProviderSecret {
        if !self.slips(here) {
            return ProviderSecret::new(value.to_string());
        }
        let name = random();
        self.memory().kept.insert(name.clone(), value.to_string());
        ProviderSecret::new(name)
    }

    fn unpack(&self, secret: &ProviderSecret) -> Option<Object> {
        let here = self.memory().kept.get(secret.expose()).cloned();
        serde_json::from_str(here.as_deref().unwrap_or(secret.expose())).ok()
    }

    /// The answer fits the trip, and is not a no.
    fn look(&self, answer: &[(String, String)], memo: &Object) -> Result<String, AuthError> {
        let one = |name: &str| {
            let mut all = answer.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
            match (all.next(), all.next()) {
                (first, Some(_)) if self.slips(Slip::TakesTheFirstOfTwo) => Ok(first),
                (Some(first), Some(_)) if self.slips(Slip::PrintsWhatComesTwice) => {
                    Err(odd(format!("{name}: {first}")))
                }
                (_, Some(_)) => Err(odd(format!("two of {name}"))),
                (first, None) => Ok(first),
            }
        };
        let (state, known) = (one("state")?.unwrap_or_default(), text(memo, "state"));
        let without = state.is_empty() && self.slips(Slip::TakesNoState);
        let half = known.starts_with(state) && !state.is_empty() && self.slips(Slip::TakesHalfOfAState);
        if state != known && !without && !half && !self.slips(Slip::IgnoresTheState) {
            return Err(AuthError::Replay);
        }
        match one("iss")? {
            Some(named) if named == self.issuer => {}
            None if self.slips(Slip::TakesNoName) => {}
            _ if self.slips(Slip::IgnoresTheName) => {}
            _ => return Err(odd("an answer of another issuer, or of nobody")),
        }
        if let Some(error) = one("error")? {
            return Err(self.said_no(error, one("error_description")?));
        }
        match one("code")?.unwrap_or_default() {
            "" if self.slips(Slip::CallsNoCodeAnOutage) => Err(AuthError::unavailable("no code")),
            "" => Err(odd("no code")),
            code if code.contains('\0') && self.slips(Slip::BreaksOnText) => Err(AuthError::unavailable("a NUL")),
            code => Ok(code.to_owned()),
        }
    }

    fn said_no(&self, error: &str, description: Option<&str>) -> AuthError {
        match (error, description) {
            (_, Some(text)) if self.slips(Slip::ShowsWhatAnybodyWrote) => AuthError::PolicyDenied(text.to_owned()),
            _ if self.slips(Slip::CallsANoAnOutage) => AuthError::unavailable("no"),
            ("access_denied", _) => AuthError::PolicyDenied("the issuer says no".to_owned()),
            _ if self.slips(Slip::CallsTroubleANo) => AuthError::PolicyDenied("the issuer says no".to_owned()),
            ("server_error" | "temporarily_unavailable", _) => AuthError::unavailable("trouble"),
            _ => odd("a request that makes no sense"),
        }
    }

    async fn finish(&self, ctx: &Context, answer: &RedirectAnswer) -> Result<Login, AuthError> {
        let named = answer.parameters.iter().find(|(name, _)| name == "state").map(|(_, state)| state.as_str());
        let here = named.and_then(|state| self.memory().trips.get(state).cloned());
        let Some(memo) = here.or_else(|| self.unpack(&answer.begun)) else {
            assert!(!self.slips(Slip::PanicsOnOddMemos), "an odd memo");
            let outage = self.slips(Slip::CallsOddMemosAnOutage);
            return Err(if outage { AuthError::unavailable("an odd memo") } else { AuthError::Replay });
        };
        if text(&memo, "client") != self.client && !self.slips(Slip::TakesTripsOfOthers) {
            return Err(AuthError::Replay);
        }
        let begun = memo.get("begun").and_then(Value::as_i64);
        let over = begun.is_none_or(|begun| self.now() - begun > TRIP);
        if over && !(self.slips(Slip::TripsLastForEver) && begun.is_some()) {
            return Err(AuthError::Replay);
        }
        let early = self.slips(Slip::RedeemsBeforeItLooks);
        let looked = self.look(&answer.parameters, &memo);
        let code = match &looked {
            Err(_) if early => answer.parameters.iter().find(|(name, _)| name == "code").map(|(_, code)| code.clone()),
            _ => Some(looked.as_ref().map_err(again)?.clone()),
        };
        let form = [
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.clone().unwrap_or_default()),
            ("redirect_uri", text(&memo, "callback")),
            ("code_verifier", text(&memo, "verifier")),
        ];
        let redeemed = self.redeem(ctx, &form).await;
        looked.map_err(|error| again(&error))?;
        let tokens = redeemed.map_err(|no| match no {
            NoTokens::InvalidGrant if self.slips(Slip::CallsASpentCodeAnOutage) => AuthError::unavailable("spent"),
            NoTokens::InvalidGrant => AuthError::Replay,
            NoTokens::Other(error) => error,
        })?;
        let nonce = Nonce::Is(text(&memo, "nonce"));
        let claims = self.claims(ctx, &tokens, &nonce).await?;
        let told = self.told(ctx, &claims, &tokens).await?;
        let user = self.user(&claims);
        let session = json!({
            "client": self.client, "sub": claims.get("sub"), "nonce": text(&memo, "nonce"), "name": user.name,
            "refresh": tokens.get("refresh_token"),
        });
        let login = Login::new(user, self.groups(&told)?, self.ports.clock.now());
        Ok(login.with_secret(self.pack(&session, Slip::KeepsSessionsHere)))
    }

    fn user(&self, claims: &Object) -> Principal {
        let sub = match text(claims, "sub") {
            sub if sub.is_empty() => text(claims, "preferred_username"),
            sub => sub,
        };
        let id = PrincipalId::new(&self.instance, PrincipalType::User, &sub).unwrap();
        Principal::new(id, text(claims, "preferred_username")).with_display_name(text(claims, "name"))
    }

    fn groups(&self, claims: &Object) -> Result<Vec<Principal>, AuthError> {
        let names: Option<Vec<&str>> =
            claims.get("groups").and_then(Value::as_array).and_then(|all| all.iter().map(Value::as_str).collect());
        let names = match names {
            None if claims.get("groups").is_none() || self.slips(Slip::WrongGroupsAreNone) => Vec::new(),
            None => return Err(odd("groups of a wrong type")),
            Some(names) => names,
        };
        let group = |name: &str| {
            let id =
                PrincipalId::new(&self.instance, PrincipalType::Group, name).map_err(|why| odd(why.to_string()))?;
            Ok(Principal::new(id, name))
        };
        names.into_iter().map(group).collect()
    }
}

/// The same error once more, for who comes later.
fn again(error: &AuthError) -> AuthError {
    match error {
        AuthError::Replay => AuthError::Replay,
        AuthError::PolicyDenied(why) => AuthError::PolicyDenied(why.clone()),
        AuthError::Unavailable { .. } => AuthError::unavailable(error.audit_text()),
        other => odd(other.audit_text()),
    }
}

#[async_trait]
impl Redirect for Party {
    async fn begin(&self, ctx: &Context, callback: &str) -> Result<Begun, AuthError> {
        let document = self.document(ctx).await?;
        let same = |own: String, one: &str| if self.slips(Slip::OneTripForAll) { one.to_owned() } else { own };
        let (mut state, nonce) = (random(), same(random(), "the-one-nonce-of-all-trips"));
        let verifier = same(random(), "the-one-verifier-of-all-trips-is-long-enough");
        if self.slips(Slip::GuessableStates) {
            let mut memory = self.memory();
            memory.last += 1;
            state = format!("trip-{:012}", memory.last);
        }
        let named = if self.slips(Slip::RemembersACallback) { Issuer::CALLBACK } else { callback };
        let mut location: Url = text(&document, "authorization_endpoint").parse().map_err(|_| odd("no address"))?;
        if !matches!(location.scheme(), "http" | "https") {
            return Err(odd("an address that is none of the web"));
        }
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        location.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.client),
            ("redirect_uri", named),
            ("scope", "openid"),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        match self.slip {
            Some(Slip::SendsNoNonce) => {}
            _ => _ = location.query_pairs_mut().append_pair("nonce", &nonce),
        }
        match self.slip {
            Some(Slip::VerifierInTheAddress) => _ = location.query_pairs_mut().append_pair("hint", &verifier),
            Some(Slip::SecretInTheAddress) => _ = location.query_pairs_mut().append_pair("hint", &self.secret),
            Some(Slip::SaysThingsTwice) => _ = location.query_pairs_mut().append_pair("scope", "openid"),
            _ => {}
        }
        let memo = json!({
            "client": self.client, "callback": named, "state": state, "nonce": nonce, "verifier": verifier,
            "begun": self.now(),
        });
        if let Some(memo) = memo.as_object().filter(|_| self.slips(Slip::KnowsTripsByTheirState)) {
            self.memory().trips.insert(state.clone(), memo.clone());
        }
        let mut location = location.to_string();
        if self.slips(Slip::SendsToAnOddAddress) {
            location.push_str("&hint=é");
        }
        let begun = if self.slips(Slip::NamesTheTripOtherwise) { random() } else { state };
        Ok(Begun::new(location, begun, self.pack(&memo, Slip::KeepsTripsHere)))
    }
}

#[async_trait]
impl AuthProvider for Party {
    fn name(&self) -> &InstanceId {
        &self.instance
    }

    async fn authenticate_user(&self, ctx: &Context, input: LoginInput) -> Result<Login, AuthError> {
        match input {
            LoginInput::Redirect { answer } => self.finish(ctx, &answer).await,
            _ if self.slips(Slip::CallsAPasswordWrong) => Err(AuthError::BadCredentials),
            _ => Err(AuthError::UnsupportedInput),
        }
    }

    async fn search_principals(&self, _: &Context, _: Search) -> Result<PrincipalPage, AuthError> {
        Ok(PrincipalPage::new(Vec::new()).with_coverage(Coverage::SeenAtLogin))
    }

    async fn get_principal(&self, _: &Context, _: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        Ok(None)
    }

    async fn refetch_group_principals(
        &self,
        ctx: &Context,
        id: &PrincipalId,
        secret: Option<&ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        match secret {
            Some(secret) => self.refetch(ctx, id, secret).await,
            None => Ok(Refetch::NeedsLogin),
        }
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
        let forms = (!self.slips(Slip::OffersNothing)).then_some(LoginForm::Redirect);
        PublicProvider::new(self.instance.clone(), "party", "Party", forms)
    }

    fn redirect(&self) -> Option<&dyn Redirect> {
        Some(self)
    }
}

pub(crate) fn party(slip: Option<Slip>) -> impl Fn(Client<'_>, Ports) -> Arc<dyn AuthProvider> + Send + Sync {
    move |client, ports| Arc::new(Party::new(client, ports, slip))
}
