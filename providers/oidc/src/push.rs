//! The request for a login, told to the issuer by ourselves (RFC 9126).
//!
//! Then nobody in between can read or change what is asked for: the browser carries a name that the issuer made up.

use std::time::Duration;

use auth_core::AuthError;
use serde_json::Value;
use url::Url;

use crate::client::{ClientAuth, No};
use crate::discovery::Metadata;
use crate::fetch;
use crate::issuer::Issuer;

const NAME_MAX: usize = 512;

/// Where the request goes; `None`: into the address that the browser is sent to.
pub(crate) fn endpoint<'a>(issuer: &Issuer, metadata: &'a Metadata) -> Result<Option<&'a Url>, AuthError> {
    let misconfigured = |message: &str| AuthError::Misconfigured {
        field: "pushAuthorizationRequests".to_owned(),
        message: message.to_owned(),
    };
    match (&metadata.push, metadata.must_push) {
        (Some(_), true) if !issuer.settings.push => Err(misconfigured("the issuer takes no others; leave it out")),
        (None, true) => Err(AuthError::Protocol("the issuer asks for pushed requests and takes none".to_owned())),
        (endpoint, _) => Ok(endpoint.as_ref().filter(|_| issuer.settings.push)),
    }
}

/// Hands the request in, and returns its name.
pub(crate) async fn push(
    issuer: &Issuer,
    metadata: &Metadata,
    endpoint: &Url,
    request: &[(String, String)],
    time: Duration,
) -> Result<String, AuthError> {
    // The id comes with what proves the client, unless that is a header.
    let basic = matches!(issuer.settings.client_auth, ClientAuth::Secret(_)) && !metadata.secret_in_form;
    let pairs = request.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let form: Vec<_> = pairs.filter(|(name, _)| basic || *name != "client_id").collect();
    let response = issuer.post(metadata, endpoint, &form, time).await?;
    if !response.status().is_success() {
        return Err(No::read(&response).error(&issuer.settings, endpoint, &response));
    }
    let odd = |why: &str| AuthError::Protocol(format!("{endpoint}: {why}"));
    let answer = fetch::object(&response).map_err(|why| odd(&why))?;
    let name = answer.get("request_uri").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(odd("request_uri is missing, longer than 512 or not ASCII"));
    }
    Ok(name.to_owned())
}
