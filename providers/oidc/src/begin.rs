//! The first half of a login: where the browser goes.

use async_trait::async_trait;
use auth_core::{AuthError, Begun, Context, Redirect};

use crate::kept::{Memo, pack};
use crate::provider::OidcProvider;
use crate::random::{challenge, token};

#[async_trait]
impl Redirect for OidcProvider {
    /// State, nonce and verifier are there always, whatever the issuer promises: each stops what the others do not.
    async fn begin(&self, ctx: &Context, callback: &str) -> Result<Begun, AuthError> {
        let issuer = &self.issuer;
        let settings = &issuer.settings;
        let metadata = issuer.metadata(ctx).await?;
        let (state, nonce, verifier) = (token()?, token()?, token()?);
        let mut location = metadata.authorization.clone();
        location
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &settings.client_id)
            .append_pair("redirect_uri", callback)
            .append_pair("scope", &settings.scopes.join(" "))
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &challenge(&verifier))
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(&settings.parameters);
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
