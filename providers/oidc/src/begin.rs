//! The first half of a login: where the browser goes.

use async_trait::async_trait;
use auth_core::{AuthError, Begun, Context, Redirect};

use crate::kept::{Memo, pack};
use crate::provider::OidcProvider;
use crate::push;
use crate::random::{challenge, token};

#[async_trait]
impl Redirect for OidcProvider {
    /// State, nonce and verifier are there always, whatever the issuer promises: each stops what the others do not.
    async fn begin(&self, ctx: &Context, callback: &str) -> Result<Begun, AuthError> {
        let issuer = &self.issuer;
        let settings = &issuer.settings;
        let metadata = issuer.metadata(ctx).await?;
        let (state, nonce, verifier) = (token()?, token()?, token()?);
        let own = [
            ("response_type", "code"),
            ("client_id", &settings.client_id),
            ("redirect_uri", callback),
            ("scope", &settings.scopes.join(" ")),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge(&verifier)),
            ("code_challenge_method", "S256"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let further = settings.parameters.iter().map(|(name, value)| (name.clone(), value.clone()));
        let request: Vec<_> = own.into_iter().chain(further).collect();
        let mut location = metadata.authorization.clone();
        let carried = match push::endpoint(issuer, &metadata)? {
            None => request,
            Some(endpoint) => {
                let name = push::push(issuer, &metadata, endpoint, &request, issuer.time(ctx)).await?;
                vec![("client_id".to_owned(), settings.client_id.clone()), ("request_uri".to_owned(), name)]
            }
        };
        location.query_pairs_mut().extend_pairs(&carried);
        let memo = Memo {
            issuer: settings.issuer.clone(),
            client: settings.client_id.clone(),
            callback: callback.to_owned(),
            state: state.clone(),
            nonce,
            verifier,
            begun: issuer.clock.now().as_second(),
        };
        Ok(Begun::new(location, state, pack(&memo)?))
    }
}
