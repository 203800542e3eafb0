//! How the issuer knows that it is this client that asks (OIDC Core §9, RFC 8705).

use std::sync::Arc;

use auth_core::{AuthError, Fault, HttpIdentity, Password, ProviderSecret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::client_key::{self, ClientKey};
use crate::config::Settings;
use crate::discovery::Metadata;
use crate::fetch::{self, no_address};
use crate::json::Object;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// A word of RFC 6749 §5.2 is shown to operators when it looks like one.
const WORD_MAX: usize = 40;

/// As it is written: one of three, or none.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) secret: Option<Password>,
    pub(crate) key: Option<KeyFile>,
    pub(crate) certificate: Option<CertificateFile>,
}

/// A private key that signs who we are (`private_key_jwt`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct KeyFile {
    /// The private key, EC P-256 or RSA, PEM.
    key: Password,
    /// The name that the issuer has for the public half (`kid`).
    key_id: Option<String>,
    /// The certificate of the key, PEM, where the issuer knows the key by it, as Entra does.
    certificate: Option<String>,
}

/// A certificate that is shown in the handshake (`tls_client_auth`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CertificateFile {
    /// The certificate and what leads to its issuer, PEM.
    certificate: String,
    /// Its private key, PEM.
    key: Password,
}

/// As it is used.
#[derive(Debug)]
pub(crate) enum ClientAuth {
    /// By nothing: a public client.
    Public,
    Secret(Password),
    Key(ClientKey),
    Certificate(Arc<HttpIdentity>),
}

impl Written {
    /// Every fault at once.
    pub(crate) fn check(self) -> Result<ClientAuth, Vec<Fault>> {
        match (self.secret, self.key, self.certificate) {
            (None, None, None) => Ok(ClientAuth::Public),
            (Some(secret), None, None) if secret.expose().is_empty() => {
                Err(vec![Fault::new("clientSecret", "is empty; leave it out for a public client")])
            }
            (Some(secret), None, None) => Ok(ClientAuth::Secret(secret)),
            (None, Some(file), None) => {
                ClientKey::read(file.key.expose(), file.key_id, file.certificate.as_deref()).map(ClientAuth::Key)
            }
            (None, None, Some(file)) => {
                client_key::check_pair(&file.certificate, file.key.expose())?;
                let key = ProviderSecret::new(file.key.expose());
                Ok(ClientAuth::Certificate(Arc::new(HttpIdentity { chain: file.certificate, key })))
            }
            (_, Some(_), _) => Err(vec![Fault::new("clientKey", ONE)]),
            (_, _, Some(_)) => Err(vec![Fault::new("clientCertificate", ONE)]),
        }
    }
}

const ONE: &str = "stands beside another; write one of clientSecret, clientKey and clientCertificate";

impl ClientAuth {
    /// Where an operator mends it.
    pub(crate) const fn field(&self) -> &'static str {
        match self {
            Self::Public => "clientId",
            Self::Secret(_) => "clientSecret",
            Self::Key(_) => "clientKey",
            Self::Certificate(_) => "clientCertificate",
        }
    }

    /// What is shown in the handshake.
    pub(crate) fn identity(&self) -> Option<Arc<HttpIdentity>> {
        match self {
            Self::Certificate(identity) => Some(Arc::clone(identity)),
            Self::Public | Self::Secret(_) | Self::Key(_) => None,
        }
    }
}

/// A form for an endpoint that serves clients alone.
pub(crate) fn request(
    settings: &Settings,
    metadata: &Metadata,
    endpoint: &Url,
    pairs: &[(&str, &str)],
    now: Timestamp,
) -> Result<Request<Vec<u8>>, AuthError> {
    let mut request = Request::post(endpoint.as_str())
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let mut form = Serializer::new(String::new());
    form.extend_pairs(pairs);
    match &settings.client_auth {
        ClientAuth::Secret(secret) if !metadata.secret_in_form => {
            // RFC 6749 §2.3.1: both are encoded as a form's values are, before they are joined.
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let both = format!("{}:{}", encoded(&settings.client_id), encoded(secret.expose()));
            request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(both)));
        }
        ClientAuth::Secret(secret) => {
            form.append_pair("client_id", &settings.client_id).append_pair("client_secret", secret.expose());
        }
        ClientAuth::Key(key) => {
            let assertion = key.assertion(&settings.client_id, &settings.issuer, now)?;
            form.append_pair("client_id", &settings.client_id)
                .append_pair("client_assertion_type", ASSERTION)
                .append_pair("client_assertion", &assertion);
        }
        // RFC 8705 §2: the id says whose certificate it is.
        ClientAuth::Public | ClientAuth::Certificate(_) => {
            form.append_pair("client_id", &settings.client_id);
        }
    }
    request.body(form.finish().into_bytes()).map_err(|_| no_address(endpoint.as_str()))
}

/// What an endpoint for clients says when it says no: a word (RFC 6749 §5.2), with status 400 or 401.
pub(crate) struct No {
    pub(crate) answer: Object,
    pub(crate) is_of_client: bool,
}

impl No {
    pub(crate) fn read(response: &Response<Vec<u8>>) -> Self {
        let answer = fetch::object(response).unwrap_or_default();
        let status = response.status();
        Self { answer, is_of_client: status.is_client_error() && !fetch::passes(status) }
    }

    pub(crate) fn word(&self) -> &str {
        self.answer.get("error").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn error(&self, settings: &Settings, endpoint: &Url, response: &Response<Vec<u8>>) -> AuthError {
        let misconfigured =
            |field: &str, message: String| AuthError::Misconfigured { field: field.to_owned(), message };
        match self.word() {
            word @ ("invalid_client" | "unauthorized_client") => misconfigured(
                settings.client_auth.field(),
                format!(
                    "the issuer answers {word}; write what it has for this client, and let it log people in by a code"
                ),
            ),
            "invalid_scope" => misconfigured("scopes", NO_SCOPE.to_owned()),
            "temporarily_unavailable" | "server_error" => {
                AuthError::unavailable(format!("{endpoint} says that it is in trouble"))
            }
            word if self.is_of_client && is_word(word) => {
                AuthError::Protocol(format!("{endpoint} answered {} ({word})", response.status().as_u16()))
            }
            _ => fetch::refused(endpoint.as_str(), response.status()),
        }
    }
}

pub(crate) const NO_SCOPE: &str = "the issuer does not know one of them; write those that it offers";

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.len() <= WORD_MAX && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
