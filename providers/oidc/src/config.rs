//! The configuration of an instance: as it is written, and as it is used.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{Fault, Password};
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::algorithm::Algorithm;
use crate::bearer::{self, Bearers};
use crate::client::{CertificateFile, ClientAuth, KeyFile, Written};
use crate::discovery::endpoint;
use crate::graph;
use crate::keys::KeySet;
use crate::presets::Preset;

const SKEW_MAX: u64 = 300;
/// What a login decides itself.
const RESERVED: [&str; 14] = [
    "response_type",
    "response_mode",
    "client_id",
    "client_secret",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
    "client_assertion",
    "client_assertion_type",
];

/// As an operator writes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct File {
    /// The issuer, letter for letter as its tokens and its discovery document have it.
    issuer: String,
    /// The id that the issuer has for this client; left out where nobody logs in and only tokens are taken.
    client_id: Option<String>,
    /// The secret that the issuer has for this client; left out for a public client.
    client_secret: Option<Password>,
    /// A private key in place of a secret.
    client_key: Option<KeyFile>,
    /// A certificate in place of a secret.
    client_certificate: Option<CertificateFile>,
    /// Tells the issuer of a login by ourselves when it offers that, so that the browser carries but its name.
    #[serde(default = "yes")]
    push_authorization_requests: bool,
    /// The product behind the issuer.
    #[serde(default)]
    preset: Preset,
    /// What is asked for; `openid` is always among it.
    scopes: Option<Vec<String>>,
    /// Where facts are in tokens.
    #[serde(default)]
    claims: Claims,
    /// Refuses people whose address is not verified; on by itself where the login is the address.
    require_email_verified: Option<bool>,
    /// Whose people may log in, by the domain of their Google Workspace.
    hosted_domains: Option<Vec<String>>,
    /// How tokens may be signed.
    algorithms: Option<Vec<Algorithm>>,
    /// How far the issuer's clock may be off.
    #[serde(default = "skew")]
    clock_skew_seconds: u64,
    /// Certificates to trust beside those of the system, PEM.
    certificate_authority: Option<String>,
    /// Who else a token may name as its audience.
    #[serde(default)]
    trusted_audiences: Vec<String>,
    /// Further parameters of the address that the browser is sent to.
    #[serde(default)]
    authorization_parameters: BTreeMap<String, String>,
    /// Where groups are asked for that are too many for a token.
    directory: Option<graph::File>,
    /// Logs people out at the issuer, too, when they log out at the gateway in their browser.
    #[serde(default)]
    log_out_at_issuer: bool,
    /// Takes tokens of the issuer as credentials for clusters.
    bearer: Option<bearer::File>,
    /// The issuer's keys, where they cannot be fetched: a JWK set (RFC 7517).
    jwks: Option<String>,
    /// Talks to the issuer without TLS.
    #[serde(default)]
    dangerous_plain_http: bool,
}

/// JSON pointers (RFC 6901) into the claims.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Claims {
    /// What never changes and is never given to another.
    id: Option<String>,
    /// What the person logs in as.
    login: Option<String>,
    /// What pages show.
    display_name: Option<String>,
    /// The groups: text, a list of texts, or an object whose keys they are.
    groups: Option<String>,
    /// Further claims for the mapping, each under the name that it has there: text, a number, yes or no, or a list of such.
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

const fn yes() -> bool {
    true
}

const fn skew() -> u64 {
    60
}

/// What becomes of somebody's login at the issuer when they log out here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterLogout {
    /// It goes on.
    Stay,
    /// It ends, too.
    Leave,
}

/// As it is used.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) issuer: String,
    /// Empty where nobody logs in.
    pub(crate) client_id: String,
    pub(crate) client_auth: ClientAuth,
    pub(crate) push: bool,
    pub(crate) preset: Preset,
    pub(crate) scopes: Vec<String>,
    pub(crate) id: String,
    pub(crate) login: String,
    pub(crate) display_name: String,
    pub(crate) groups: Option<String>,
    /// Names and pointers.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) require_email_verified: bool,
    pub(crate) hosted_domains: Option<Vec<String>>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) clock_skew: Duration,
    pub(crate) certificate_authority: Option<Arc<str>>,
    pub(crate) trusted_audiences: Vec<String>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) graph: Option<Url>,
    pub(crate) after_logout: AfterLogout,
    pub(crate) bearers: Option<Bearers>,
    /// In place of those that the issuer publishes.
    pub(crate) keys: Option<Arc<KeySet>>,
    pub(crate) dangerous_plain_http: bool,
}

impl Settings {
    /// Whether people log in here; otherwise only tokens are taken.
    pub(crate) fn logs_people_in(&self) -> bool {
        !self.client_id.is_empty()
    }

    /// Whether the issuer is asked for anything. Where tokens alone are taken, by keys of the configuration, it is not.
    pub(crate) fn asks(&self) -> bool {
        self.logs_people_in() || self.keys.is_none()
    }

    /// Every fault at once.
    pub(crate) fn check(file: File) -> Result<Self, Vec<Fault>> {
        let mut faults = faults(&file);
        let keys = file.jwks.as_deref().map(bearer::given_keys).transpose();
        let keys = keys.map_err(|fault| faults.push(fault)).unwrap_or_default();
        let written =
            Written { secret: file.client_secret, key: file.client_key, certificate: file.client_certificate };
        let client_auth = match written.check() {
            Ok(client_auth) if faults.is_empty() => client_auth,
            Ok(_) => return Err(faults),
            Err(more) => {
                faults.extend(more);
                return Err(faults);
            }
        };
        let graph = file.directory.as_ref().and_then(|graph| graph.check(file.dangerous_plain_http).ok());
        let preset = file.preset;
        // What is no person has no name beside its subject, and is in no group that anybody told of.
        let client_id = file.client_id.unwrap_or_default();
        let (login, groups) = match client_id.as_str() {
            "" => ("/sub", None),
            _ => (preset.login(), preset.groups()),
        };
        let login = file.claims.login.unwrap_or_else(|| login.to_owned());
        let scopes = scopes(file.scopes, preset);
        Ok(Self {
            require_email_verified: file.require_email_verified.unwrap_or(login == "/email"),
            id: file.claims.id.unwrap_or_else(|| preset.id().to_owned()),
            login,
            display_name: file.claims.display_name.unwrap_or_else(|| "/name".to_owned()),
            groups: file.claims.groups.or_else(|| groups.map(str::to_owned)),
            attributes: file.claims.attributes,
            parameters: parameters(file.authorization_parameters, preset, &scopes),
            scopes,
            issuer: file.issuer,
            graph,
            after_logout: if file.log_out_at_issuer { AfterLogout::Leave } else { AfterLogout::Stay },
            bearers: file.bearer.map(|bearer| bearer.used(&client_id)),
            keys: keys.map(Arc::new),
            client_id,
            client_auth,
            push: file.push_authorization_requests,
            preset,
            hosted_domains: file.hosted_domains,
            algorithms: file.algorithms.unwrap_or_else(|| Algorithm::ALL.to_vec()),
            clock_skew: Duration::from_secs(file.clock_skew_seconds),
            certificate_authority: file.certificate_authority.map(Into::into),
            trusted_audiences: file.trusted_audiences,
            dangerous_plain_http: file.dangerous_plain_http,
        })
    }
}

fn scopes(written: Option<Vec<String>>, preset: Preset) -> Vec<String> {
    let mut scopes = written.unwrap_or_else(|| preset.scopes().iter().map(|&scope| scope.to_owned()).collect());
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".to_owned());
    }
    scopes
}

fn parameters(written: BTreeMap<String, String>, preset: Preset, scopes: &[String]) -> BTreeMap<String, String> {
    let offline = preset == Preset::Google || scopes.iter().any(|scope| scope == "offline_access");
    let own = preset.parameters().iter().filter(|_| offline);
    let mut all: BTreeMap<_, _> = own.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    all.extend(written);
    all
}

fn faults(file: &File) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |path: &str, message: &str| faults.push(Fault::new(path, message));
    match endpoint(&file.issuer, file.dangerous_plain_http) {
        Err(why) => fault("issuer", &format!("{why}; write it as https://id.example.org/…")),
        Ok(url) if url.query().is_some() => fault("issuer", "has a query; an issuer has none"),
        Ok(_) => {}
    }
    let shared = ["/common", "/organizations", "/consumers"].iter().any(|tenant| file.issuer.contains(tenant));
    if file.preset == Preset::Entra && shared {
        fault("issuer", "is that of every tenant; write https://login.microsoftonline.com/<tenant id>/v2.0");
    }
    match &file.client_id {
        Some(id) if id.is_empty() => fault("clientId", "is empty; write the id that the issuer has for this client"),
        None if file.bearer.is_none() => fault(
            "clientId",
            "is missing; write the id that the issuer has for this client, or `bearer:` where only tokens are taken",
        ),
        _ => {}
    }
    if file.clock_skew_seconds > SKEW_MAX {
        fault("clockSkewSeconds", "is more than 300; set the clocks right instead");
    }
    if file.algorithms.as_ref().is_some_and(Vec::is_empty) {
        fault("algorithms", "is empty, so no token would do; leave it out for all that are safe");
    }
    let claims = &file.claims;
    let pointers = [("id", &claims.id), ("login", &claims.login), ("groups", &claims.groups)];
    for (name, pointer) in pointers.into_iter().chain([("displayName", &claims.display_name)]) {
        if pointer.as_ref().is_some_and(|pointer| !pointer.starts_with('/')) {
            fault(&format!("claims.{name}"), "is not a JSON pointer; write /name for the claim `name`");
        }
    }
    for (name, _) in claims.attributes.iter().filter(|(_, pointer)| !pointer.starts_with('/')) {
        fault(&format!("claims.attributes.{name}"), "is not a JSON pointer; write /name for the claim `name`");
    }
    if matches!(claims.id.as_deref(), Some("/email" | "/preferred_username" | "/name" | "/upn")) {
        fault("claims.id", "is a name, which may be given to another person; leave it out, or name a stable claim");
    }
    for name in file.authorization_parameters.keys().filter(|name| RESERVED.contains(&name.as_str())) {
        fault(&format!("authorizationParameters.{name}"), "is decided by the login itself; leave it out");
    }
    faults.extend(graph_faults(file));
    faults.extend(domain_faults(file));
    faults.extend(file.bearer.iter().flat_map(|bearer| bearer.faults(file.client_id.as_deref())));
    faults
}

/// Graph is Entra's, and asked as this client.
fn graph_faults(file: &File) -> Vec<Fault> {
    let Some(directory) = &file.directory else { return Vec::new() };
    let mut faults: Vec<Fault> = directory.check(file.dangerous_plain_http).err().into_iter().collect();
    let mut fault = |message: &str| faults.push(Fault::new("directory.graph", message));
    if file.preset != Preset::Entra {
        fault("knows the people of Entra alone; write preset: entra, or leave it out");
    }
    if file.claims.id.as_ref().is_some_and(|id| id != "/oid") {
        fault("knows people by their object id; leave claims.id out");
    }
    let proves = file.client_secret.is_some() || file.client_key.is_some() || file.client_certificate.is_some();
    if file.client_id.is_none() || !proves {
        fault("is asked as this client, which must prove itself; write clientId and a clientSecret or clientKey");
    }
    faults
}

fn domain_faults(file: &File) -> Option<Fault> {
    let domains = file.hosted_domains.as_ref()?;
    let why = if file.preset != Preset::Google {
        "is about Google Workspace; write preset: google, or claimValidationRules in the mapping"
    } else if domains.is_empty() || domains.iter().any(String::is_empty) {
        "is empty, or holds an empty name; write the domains, or leave it out for every account"
    } else {
        return None;
    };
    Some(Fault::new("hostedDomains", why))
}
