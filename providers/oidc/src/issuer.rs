//! An issuer and what is known of it: its document, its keys, and what it says in tokens and about a person.

use std::sync::Arc;
use std::time::Duration;

use auth_core::{AuthError, BoxFuture, Clock, Context, Ports, ProviderSecret, Tasks};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{Request, Response};
use url::Url;

use crate::algorithm::Algorithm;
use crate::claims::{Audience, Expected, FRESH, Nonce, check_at_hash, text};
use crate::client;
use crate::config::Settings;
use crate::discovery::{self, Metadata};
use crate::fetch::{self, Fetch, no_address};
use crate::json::Object;
use crate::jws::{Jws, Use};
use crate::keys::KeySet;
use crate::slot::{Look, Slot};
use crate::token_endpoint::{Grant, NoTokens, Tokens, redeem};

/// The keys are asked for no more often than this because a token names one that is not there: anybody's forged `kid`
/// would make us a flood.
const UNKNOWN_KEY: Duration = Duration::from_secs(10);
const TIME_MAX: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    tasks: Arc<dyn Tasks>,
    pub(crate) fetch: Fetch,
    metadata: Slot<Metadata>,
    keys: Slot<KeySet>,
    /// The token that Microsoft Graph is asked with.
    pub(crate) graph: Slot<ProviderSecret>,
}

type SlotOf<T> = fn(&Issuer) -> &Slot<T>;
type FetchOf<T> = fn(Arc<Issuer>, Duration) -> Fetched<T>;
pub(crate) type Fetched<T> = BoxFuture<'static, Result<(T, Duration), AuthError>>;

impl Issuer {
    pub(crate) fn new(settings: Settings, ports: &Ports) -> Self {
        let fetch = Fetch {
            http: Arc::clone(&ports.http),
            roots: settings.certificate_authority.clone(),
            dangerous_plain: settings.dangerous_plain_http,
        };
        let (clock, tasks) = (Arc::clone(&ports.clock), Arc::clone(&ports.tasks));
        Self { settings, clock, tasks, fetch, metadata: Slot::new(), keys: Slot::new(), graph: Slot::new() }
    }

    /// What the issuer says of itself.
    pub(crate) async fn metadata(self: &Arc<Self>, ctx: &Context) -> Result<Arc<Metadata>, AuthError> {
        self.current(|issuer| &issuer.metadata, Self::fetch_metadata, self.time(ctx)).await
    }

    /// The same, within this time.
    pub(crate) async fn known_metadata(self: &Arc<Self>, time: Duration) -> Result<Arc<Metadata>, AuthError> {
        self.current(|issuer| &issuer.metadata, Self::fetch_metadata, time).await
    }

    async fn keys(self: &Arc<Self>, ctx: &Context) -> Result<Arc<KeySet>, AuthError> {
        self.current(|issuer| &issuer.keys, Self::fetch_keys, self.time(ctx)).await
    }

    /// What is kept while it lasts, and another from then on.
    pub(crate) async fn current<T: Send + Sync + 'static>(
        self: &Arc<Self>,
        slot: SlotOf<T>,
        fetch: FetchOf<T>,
        time: Duration,
    ) -> Result<Arc<T>, AuthError> {
        let now = self.clock.monotonic();
        match slot(self).look(now) {
            Look::Fresh(value) => Ok(value),
            Look::Aging(value) => {
                let this = Arc::clone(self);
                let renew = async move {
                    if let Err(error) = slot(&this).renew(now, fetch(Arc::clone(&this), TIME_MAX)).await {
                        tracing::warn!(error = error.audit_text(), "an issuer's document could not be renewed yet");
                    }
                };
                self.tasks.spawn("renewal of an issuer's document", Box::pin(renew));
                Ok(value)
            }
            Look::Due(old) => {
                let renewed = slot(self).renew(now, fetch(Arc::clone(self), time)).await;
                renewed.or_else(|error| old.ok_or(error))
            }
        }
    }

    fn fetch_metadata(self: Arc<Self>, time: Duration) -> Fetched<Metadata> {
        Box::pin(async move {
            let issuer = &self.settings.issuer;
            let (document, lasts) = self.fetch.document(&discovery::address(issuer), time).await?;
            let metadata = Metadata::read(&document, &self.settings)
                .map_err(|why| AuthError::Protocol(format!("the discovery document: {why}")))?;
            Ok((metadata, lasts))
        })
    }

    fn fetch_keys(self: Arc<Self>, time: Duration) -> Fetched<KeySet> {
        Box::pin(async move {
            let metadata = self.known_metadata(time).await?;
            let (document, lasts) = self.fetch.document(metadata.keys.as_str(), time).await?;
            Ok((KeySet::read(&document).map_err(AuthError::Protocol)?, lasts))
        })
    }

    /// The keys among which there is one for this token, if there is one at all.
    async fn keys_for(self: &Arc<Self>, ctx: &Context, jws: &Jws<'_>) -> Result<Arc<KeySet>, AuthError> {
        if let Some(keys) = &self.settings.keys {
            return Ok(Arc::clone(keys));
        }
        let keys = self.keys(ctx).await?;
        let now = self.clock.monotonic();
        if keys.knows(jws) || self.keys.tried_within(UNKNOWN_KEY, now) {
            return Ok(keys);
        }
        // The issuer has a new key: it may sign with it before our copy is old.
        self.keys.renew(now, Self::fetch_keys(Arc::clone(self), self.time(ctx))).await
    }

    /// Redeems a code or a refresh token.
    pub(crate) async fn redeem(self: &Arc<Self>, ctx: &Context, grant: Grant<'_>) -> Result<Tokens, NoTokens> {
        let metadata = self.metadata(ctx).await?;
        redeem(self, &metadata, grant, self.time(ctx)).await
    }

    /// Hands a form in as this client.
    pub(crate) async fn post(
        &self,
        metadata: &Metadata,
        endpoint: &Url,
        form: &[(&str, &str)],
        time: Duration,
    ) -> Result<Response<Vec<u8>>, AuthError> {
        let request = client::request(&self.settings, metadata, endpoint, form, self.clock.now())?;
        self.fetch.send_as(self.settings.client_auth.identity(), request, time).await
    }

    /// The claims of an ID token that proves what it has to.
    pub(crate) async fn verified(
        self: &Arc<Self>,
        ctx: &Context,
        id_token: &ProviderSecret,
        access: &ProviderSecret,
        nonce: Nonce<'_>,
    ) -> Result<Object, AuthError> {
        let refused = |why: String| AuthError::Protocol(format!("the ID token was refused: {why}"));
        let (claims, algorithm) = self.signed(ctx, id_token, Use::Identity).await?.map_err(refused)?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            audience: Audience::Client { id: &self.settings.client_id, trusted: &self.settings.trusted_audiences },
            nonce,
            oldest: FRESH,
            now: self.clock.now(),
            skew: self.settings.clock_skew,
        };
        expected.check(&claims).map_err(refused)?;
        check_at_hash(&claims, algorithm, access.expose()).map_err(refused)?;
        Ok(claims)
    }

    /// The claims of a token that the issuer signed, whatever they say; or why it did not.
    ///
    /// # Errors
    /// When that cannot be decided: the keys cannot be read.
    pub(crate) async fn signed(
        self: &Arc<Self>,
        ctx: &Context,
        token: &ProviderSecret,
        purpose: Use,
    ) -> Result<Result<(Object, Algorithm), String>, AuthError> {
        let jws = match Jws::parse(token.expose(), &self.settings.algorithms, purpose) {
            Ok(jws) => jws,
            Err(why) => return Ok(Err(why)),
        };
        let keys = self.keys_for(ctx, &jws).await?;
        if !keys.knows(&jws) {
            return Ok(Err("the issuer publishes no such key".to_owned()));
        }
        if !keys.verify(&jws) {
            return Ok(Err("the signature is not that of the issuer".to_owned()));
        }
        Ok(jws.claims().map(|claims| (claims, jws.algorithm)))
    }

    /// What the issuer says about the person of an access token. `None`: it has no such endpoint.
    pub(crate) async fn userinfo(
        self: &Arc<Self>,
        ctx: &Context,
        access: &ProviderSecret,
        sub: &str,
    ) -> Result<Option<Userinfo>, AuthError> {
        let metadata = self.metadata(ctx).await?;
        let Some(url) = &metadata.userinfo else { return Ok(None) };
        let request = Request::get(url.as_str())
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", access.expose()))
            .body(Vec::new());
        let request = request.map_err(|_| no_address(url.as_str()))?;
        // RFC 8705 §3: an access token may be bound to the certificate that it was fetched with.
        let response = self.fetch.send_as(self.settings.client_auth.identity(), request, self.time(ctx)).await?;
        match response.status().as_u16() {
            200 => {}
            401 => return Ok(Some(Userinfo::Unauthorized)),
            _ => return Err(fetch::refused(url.as_str(), response.status())),
        }
        let odd = |why: String| AuthError::Protocol(format!("userinfo: {why}"));
        let claims = fetch::object(&response).map_err(odd)?;
        // OIDC Core §5.3.2: of another subject it must not be used.
        if text(&claims, "sub").map_err(odd)? != sub {
            return Err(odd("it is about another person than the ID token".to_owned()));
        }
        Ok(Some(Userinfo::Claims(claims)))
    }

    pub(crate) fn time(&self, ctx: &Context) -> Duration {
        ctx.remaining(self.clock.as_ref()).min(TIME_MAX)
    }
}

/// What userinfo says.
pub(crate) enum Userinfo {
    Claims(Object),
    /// The access token is good for nothing any more.
    Unauthorized,
}
