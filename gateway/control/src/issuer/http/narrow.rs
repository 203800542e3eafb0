//! Token exchange (RFC 8693) at the token endpoint: what may be asked, and how it is answered.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::params::Params;
use super::wrong::{Wrong, refused};
use crate::api::Entered;
use crate::control::Control;
use crate::issuer::exchange::GrantError;
use crate::issuer::narrow::{Narrowed, Narrows};
use crate::issuer::{Client, Issuer};

pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

pub(super) async fn exchange(
    control: &Control,
    (issuer, client): (&Issuer, &Client),
    params: &Params,
    entered: &Entered,
) -> Result<Response, Wrong> {
    let asked = check(params)?;
    match control.narrow(issuer, client, asked).await {
        Ok(Narrowed { access_token, expires_in }) => {
            let body = json!({
                "access_token": access_token,
                "issued_token_type": ACCESS_TOKEN,
                "token_type": "Bearer",
                "expires_in": expires_in.as_secs(),
            });
            Ok(Json(body).into_response())
        }
        // §2.2.2: a subject token that is no good for any reason is an invalid request.
        Err(error @ GrantError::Invalid(_)) => Err(refused(&error, client, entered).called("invalid_request")),
        Err(error) => Err(refused(&error, client, entered)),
    }
}

fn check(params: &Params) -> Result<Narrows<'_>, Wrong> {
    let wrong = |why: &'static str| Wrong::new("invalid_request", why);
    if params.get("actor_token").is_some() || params.get("actor_token_type").is_some() {
        return Err(wrong("nobody acts for somebody else here: there is no actor token"));
    }
    if params.get("subject_token_type") != Some(ACCESS_TOKEN) {
        return Err(wrong("subject_token_type must be an access token's"));
    }
    if params.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
        return Err(wrong("requested_token_type must be an access token's"));
    }
    if params.get("scope").is_some() {
        return Err(Wrong::new(
            "invalid_scope",
            "a cluster's token has no scope: the cluster decides what it is good for",
        ));
    }
    let subject_token = params.get("subject_token").ok_or_else(|| wrong("subject_token is missing"))?;
    // One of them: a token for two would be good for both.
    let ((Some(target), None) | (None, Some(target))) = (params.get("audience"), params.get("resource")) else {
        return Err(Wrong::new("invalid_target", "name one cluster, as audience or as resource"));
    };
    Ok(Narrows { subject_token, target })
}
