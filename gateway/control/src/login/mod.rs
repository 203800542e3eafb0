//! From what somebody presents to a session and its token.
//!
//! ```text
//! provider ─► complete? ─► policy ∧ provider's narrowing ─► mapping ─► names ─► session + what it gives
//!                                                                   └───── one transaction ─────┘
//! ```
//! A login at the API gives a token; one on the issuer's pages approves what a client asked the issuer for.
//! Completeness comes before the policy: groups that could not be read must neither admit nor refuse anybody.

use std::net::IpAddr;

use auth_core::{AuthError, Completeness, InstanceId, LoginInput, MappingError, PrincipalId};
use jiff::Timestamp;

use crate::control::Control;
use crate::identity::{self, NameTaken, Person, SessionIdentity};
use crate::issuer::Random;
use crate::issuer::authorization::{self, Authorization, Flow};
use crate::keys::KeyFault;
use crate::logouts;
use crate::registry::{Proven, ProviderEntry, Refused};
use crate::sessions::{self, LoginFlow, NewSession, Origin, SessionId};
use crate::store::{Change, Changes, StoreFault, Write};
use crate::tokens::{self, Minted, PlainToken, TokenName};
use crate::users::{self, UserId};

/// One attempt to log in.
#[derive(Debug)]
pub struct LoginRequest {
    /// The instance that is asked; no other one ever sees the input.
    pub provider: String,
    /// What was presented.
    pub input: LoginInput,
    /// Where the request came from.
    pub client: Option<IpAddr>,
    /// What the program there called itself.
    pub agent: Option<String>,
    /// Joins the log lines of one request.
    pub trace_id: String,
}

/// A login that succeeded.
#[derive(Debug)]
pub struct LoginDone {
    /// Shown to its owner, once.
    pub token: PlainToken,
    /// The token's public half.
    pub name: TokenName,
    /// When token and session end.
    pub expires_at: Timestamp,
    /// The session.
    pub session: SessionId,
    /// Who it is.
    pub user: UserId,
    /// As whom their provider knows them.
    pub principal: PrincipalId,
    /// What clusters see.
    pub identity: SessionIdentity,
}

/// What a session gives to whoever logged in, kept in the same transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Gives<'a> {
    /// An API token.
    ApiToken(&'a Minted),
    /// The approval of what a client asked the issuer for, and the code that it redeems.
    Approval { authorization: &'a Authorization, code: Option<&'a Random> },
}

impl Gives<'_> {
    /// Where the session comes from. A device that shows a code is elsewhere than the browser in which it is typed.
    fn origin(self, (address, agent): (Option<IpAddr>, Option<String>), person: &Person) -> Origin {
        let amr = person.amr.clone();
        let origin = |flow| Origin { flow: Some(flow), address, agent, approved_from: None, amr };
        match self {
            Self::ApiToken(_) => origin(LoginFlow::Api),
            Self::Approval { authorization, .. } => match &authorization.flow {
                Flow::Code { .. } => origin(LoginFlow::Browser),
                Flow::Device { .. } => Origin {
                    address: authorization.address.as_deref().and_then(|address| address.parse().ok()),
                    agent: authorization.agent.clone(),
                    approved_from: address,
                    ..origin(LoginFlow::Device)
                },
            },
        }
    }
}

/// A session just begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    pub(crate) principal: PrincipalId,
    pub(crate) identity: SessionIdentity,
    pub(crate) expires_at: Timestamp,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No instance has this id: 404. The list of instances is public, so this tells nothing new.
    #[error("no such provider instance")]
    UnknownProvider,
    /// The provider, its policy or its outage: the error knows its own answer.
    #[error("{provider}: {error}")]
    Refused {
        /// Which instance.
        provider: InstanceId,
        /// What it said.
        error: AuthError,
    },
    /// No identity comes of the person: 403. The operator changes the mapping.
    #[error("{provider}: {error}")]
    Mapping {
        /// Which instance.
        provider: InstanceId,
        /// What does not fit.
        error: MappingError,
    },
    /// Their user name in clusters is another principal's: 403. An administrator releases it, or changes the mapping.
    #[error("{provider}: the user name {name:?} belongs to {owner}")]
    NameTaken {
        /// Which instance.
        provider: InstanceId,
        /// The name.
        name: String,
        /// Whose it is.
        owner: String,
    },
    /// What it was for has ended while somebody typed: 410. They start anew.
    #[error("the login that this was for is over")]
    Over,
    /// The store did not answer: 503.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The machine gave no randomness: 500.
    #[error(transparent)]
    Keys(#[from] KeyFault),
}

impl Control {
    /// Logs somebody in, and gives them a token.
    ///
    /// # Errors
    /// As [`LoginError`] says. An unknown user and a wrong password are one and the same error.
    pub async fn login(&self, request: LoginRequest) -> Result<LoginDone, LoginError> {
        let minted = self.tokens().mint()?;
        let Begun { session, user, principal, identity, expires_at } =
            self.begin(request, Gives::ApiToken(&minted)).await?;
        Ok(LoginDone { token: minted.plain, name: minted.name, expires_at, session, user, principal, identity })
    }

    /// Logs somebody in, for what they are given.
    pub(crate) async fn begin(&self, request: LoginRequest, gives: Gives<'_>) -> Result<Begun, LoginError> {
        let attempt = Attempt::of(&request);
        let result = self.try_login(request, gives).await;
        self.meters().login(&attempt.provider, &result);
        match &result {
            Ok(begun) => attempt.log_done(begun, gives),
            Err(error) => attempt.log_refused(error),
        }
        result
    }

    async fn try_login(&self, request: LoginRequest, gives: Gives<'_>) -> Result<Begun, LoginError> {
        let registry = self.registry();
        let entry = registry.entry(&request.provider).ok_or(LoginError::UnknownProvider)?;
        let ctx = self.context(request.trace_id).with_client(request.client);
        let refused = |error| LoginError::Refused { provider: entry.provider.name().clone(), error };
        let asked = entry.provider.authenticate_user(&ctx, request.input);
        let login = self.meters().ask(entry.provider.name(), "login", asked).await.map_err(refused)?;
        if let Completeness::Incomplete(why) = &login.completeness {
            return Err(refused(AuthError::GroupsIncomplete(why.clone())));
        }
        let person = Person::from(login);
        let origin = gives.origin((request.client, request.agent), &person);
        let known = users::by_principal(&mut *self.store().read().await?, &person.user.id).await?;
        let uid = known.map_or_else(|| UserId::of(&person.user.id), |owner| owner.id);
        let proven = Proven { ctx: &ctx, uid: &uid, person: &person, store: self.store() };
        let identity = registry.admit(entry, proven).await.map_err(|error| match error {
            Refused::Provider(error) => refused(error),
            Refused::Store(fault) => LoginError::Store(fault),
            Refused::Mapping(error) => LoginError::Mapping { provider: entry.provider.name().clone(), error },
        })?;
        self.keep(entry, (&person, &origin), identity, gives).await
    }

    async fn keep(
        &self,
        entry: &ProviderEntry,
        (person, origin): (&Person, &Origin),
        identity: auth_core::Identity,
        gives: Gives<'_>,
    ) -> Result<Begun, LoginError> {
        let provider = || entry.provider.name().clone();
        let session = SessionId::random();
        let sealed = person.secret.as_ref().map(|secret| self.seal_secret(&session, secret)).transpose()?;
        let mut write = self.store().write().await?;
        // Asked while nobody else writes: a reload that takes the instance away from here on ends this session, too.
        if !self.registry().has(entry) {
            return Err(LoginError::UnknownProvider);
        }
        if let Some(upstream) = &person.upstream
            && logouts::is_over(&mut write, entry.provider.name(), (upstream, person.auth_time)).await?
        {
            return Err(LoginError::Over);
        }
        let user = users::seen(&mut write, &person.user).await?;
        if user.disabled {
            return Err(LoginError::Refused { provider: provider(), error: AuthError::Disabled });
        }
        let identity = match identity::own(&mut write, identity, person).await? {
            Ok(identity) => identity,
            Err(NameTaken { name, owner }) => return Err(LoginError::NameTaken { provider: provider(), name, owner }),
        };
        let expires_at = self.end_of_session(&identity, write.at());
        let new = NewSession {
            id: &session,
            user: &user.id,
            principal: &person.user.id,
            identity: &identity,
            groups: &person.groups,
            secret: sealed.as_deref(),
            origin,
            auth_time: person.auth_time,
            expires_at,
            upstream: person.upstream.as_ref(),
        };
        sessions::insert(&mut write, new).await?;
        let given = give(&mut write, gives, &session, expires_at).await?;
        let ended = sessions::end_oldest(&mut write, &user.id, self.settings().sessions_per_user).await?;
        let changes =
            Changes::from(Change::UserSaved(user.id.clone())).and(Change::SessionStarted(session.clone())).and(given);
        write.commit(ended.iter().flat_map(Changes::iter).cloned().fold(changes, Changes::and)).await?;
        log_withheld(&session, &identity);
        Ok(Begun { session, user: user.id, principal: person.user.id.clone(), identity, expires_at })
    }
}

async fn give(
    write: &mut Write,
    gives: Gives<'_>,
    session: &SessionId,
    expires_at: Timestamp,
) -> Result<Change, LoginError> {
    match gives {
        Gives::ApiToken(minted) => {
            tokens::rows::insert(write, minted, session, expires_at).await?;
            Ok(Change::TokenMinted(minted.name.clone()))
        }
        Gives::Approval { authorization: Authorization { id, .. }, code } => {
            let approved = authorization::approve(write, id, session, code).await?;
            approved.then(|| Change::AuthorizationSeen(id.clone())).ok_or(LoginError::Over)
        }
    }
}

impl LoginError {
    /// The word for the cause in audit records: each has its own, whatever a client is told.
    #[must_use]
    pub const fn audit_code(&self) -> &'static str {
        match self {
            Self::UnknownProvider => "unknown-provider",
            Self::Refused { error, .. } => error.audit_code(),
            Self::Mapping { .. } => "not-mappable",
            Self::NameTaken { .. } => "name-taken",
            Self::Over => "over",
            Self::Store(_) => "store",
            Self::Keys(_) => "keys",
        }
    }

    /// The error for an operator, with its sources, on one line.
    #[must_use]
    pub fn audit_text(&self) -> String {
        match self {
            Self::Refused { provider, error } => format!("{provider}: {}", error.audit_text()),
            Self::Store(fault) => auth_core::with_causes(fault),
            other => other.to_string(),
        }
    }
}

/// What the log says of every attempt. Not the login name: people type passwords into that field.
struct Attempt {
    audit_id: String,
    provider: String,
    client: Option<String>,
}

impl Attempt {
    fn of(request: &LoginRequest) -> Self {
        Self {
            audit_id: request.trace_id.clone(),
            provider: request.provider.clone(),
            client: request.client.map(|client| client.to_string()),
        }
    }

    fn log_done(&self, begun: &Begun, gives: Gives<'_>) {
        let Self { audit_id, provider, client } = self;
        let given = match gives {
            Gives::ApiToken(minted) => minted.name.as_str(),
            Gives::Approval { authorization, .. } => &authorization.id,
        };
        tracing::info!(
            audit_id, provider, client, user = %begun.user, username = begun.identity.user.username,
            session = %begun.session, given, "logged in"
        );
    }

    fn log_refused(&self, error: &LoginError) {
        let Self { audit_id, provider, client } = self;
        tracing::warn!(audit_id, provider, client, why = error.audit_text(), "login refused");
    }
}

/// Tells the operator of groups that clusters do not see, since the person cannot know why a right is missing.
pub(crate) fn log_withheld(session: &SessionId, identity: &SessionIdentity) {
    for group in &identity.withheld {
        tracing::warn!(
            %session, name = %group.name, principal = %group.principal, owner = %group.owner,
            "a group is withheld: its name belongs to another"
        );
    }
}

#[cfg(test)]
mod tests;
