//! What an issuer answers: OpenID Connect by a code with PKCE, and refresh tokens that are good once.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::Issuer;
use super::keys::{Whose, encode};
use super::lies::{Answer, Endpoint, Forge, Lie};
use super::people::{People, Row};
use super::server::Asked;
use crate::{Change, Unable};

const LASTS: i64 = 300;

/// An issuer and what it has handed out.
#[derive(Debug)]
pub(super) struct World {
    url: String,
    people: People,
    codes: BTreeMap<String, Trip>,
    refreshes: BTreeMap<String, Trip>,
    accesses: BTreeMap<String, String>,
    last: usize,
    keys: Whose,
    down: bool,
    lies: Vec<Lie>,
    pub(super) asked: BTreeMap<Endpoint, usize>,
    pub(super) handed_in: BTreeMap<String, String>,
}

/// Whose browser was sent here, by whom, and how.
#[derive(Debug, Clone)]
struct Trip {
    sub: String,
    client: String,
    callback: String,
    challenge: String,
    nonce: Option<String>,
}

/// What goes back.
pub(super) enum Reply {
    /// An answer as it should be.
    Says { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// One that is none.
    Odd(Answer),
    /// Nothing.
    Down,
}

impl Reply {
    pub(super) fn page(status: u16, text: &str) -> Self {
        let headers = vec![("Content-Type", "text/html; charset=utf-8".to_owned())];
        Self::Says { status, headers, body: text.to_owned() }
    }

    fn json(status: u16, body: String) -> Self {
        Self::Says { status, headers: vec![("Content-Type", "application/json".to_owned())], body }
    }

    fn refusal(status: u16, word: &str) -> Self {
        Self::json(status, json!({ "error": word }).to_string())
    }

    fn redirect(status: u16, to: &str) -> Self {
        Self::Says { status, headers: vec![("Location", to.to_owned())], body: String::new() }
    }
}

const FORM: &str = "<!doctype html><title>Issuer</title><form method=post><input name=login>\
                    <input name=password type=password><button>Sign in</button><button name=deny>No</button></form>";

impl World {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            people: People::new(),
            codes: BTreeMap::new(),
            refreshes: BTreeMap::new(),
            accesses: BTreeMap::new(),
            last: 0,
            keys: Whose::First,
            down: false,
            lies: Vec::new(),
            asked: BTreeMap::new(),
            handed_in: BTreeMap::new(),
        }
    }

    pub(super) fn change(&mut self, change: Change<'_>) -> Result<(), Unable> {
        match change {
            Change::Stop => self.down = true,
            Change::Start => self.down = false,
            other => self.people.change(other)?,
        }
        Ok(())
    }

    pub(super) fn lie(&mut self, lie: Lie) {
        self.lies.push(lie);
    }

    pub(super) fn tell_the_truth(&mut self) {
        self.lies.clear();
    }

    pub(super) fn rotate_keys(&mut self) {
        self.keys = if self.keys == Whose::First { Whose::Second } else { Whose::First };
    }

    pub(super) fn reply(&mut self, asked: &Asked) -> Reply {
        if self.down {
            return Reply::Down;
        }
        let Some(endpoint) = asked.endpoint() else { return Reply::page(404, "not here") };
        *self.asked.entry(endpoint).or_default() += 1;
        let answers = self.lies.iter().find_map(|lie| match lie {
            Lie::Answer(at, answer) if *at == endpoint => Some(*answer),
            _ => None,
        });
        match answers {
            None => self.answer(endpoint, asked),
            Some(Answer::Says(status, kind, text)) => {
                let headers = vec![("Content-Type", kind.to_owned())];
                Reply::Says { status, headers, body: text.to_owned() }
            }
            Some(Answer::Redirect) => Reply::redirect(307, &format!("{}/elsewhere{}", self.url, asked.url.path())),
            Some(odd) => Reply::Odd(odd),
        }
    }

    fn answer(&mut self, endpoint: Endpoint, asked: &Asked) -> Reply {
        match endpoint {
            Endpoint::Document => self.told(endpoint, self.document()),
            Endpoint::Keys => self.told(endpoint, self.keys.published()),
            Endpoint::Authorize => self.authorize(asked),
            Endpoint::Token => self.token(asked),
            Endpoint::Userinfo => self.userinfo(asked),
            Endpoint::Elsewhere => match asked.url.path() {
                "/elsewhere/token" => self.token(asked),
                "/elsewhere/userinfo" => self.userinfo(asked),
                "/elsewhere/keys" => Reply::json(200, self.keys.published().to_string()),
                _ => Reply::json(200, self.document().to_string()),
            },
        }
    }

    /// The answer, or what a lie makes of it.
    fn told(&self, endpoint: Endpoint, truth: Value) -> Reply {
        let lie = self.lies.iter().find_map(|lie| match lie {
            Lie::Body(at, body) if *at == endpoint => Some(*body),
            _ => None,
        });
        Reply::json(200, lie.map_or_else(|| truth.to_string(), |lie| lie(truth.clone())))
    }

    fn document(&self) -> Value {
        let url = &self.url;
        json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/keys"),
            "userinfo_endpoint": format!("{url}/userinfo"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    fn authorize(&mut self, asked: &Asked) -> Reply {
        let query = asked.query();
        let said = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let known = secret_of(said("client_id")).is_some() && said("redirect_uri").starts_with(Issuer::CALLBACK);
        let (Ok(mut back), true) = (Url::parse(said("redirect_uri")), known) else {
            return Reply::page(400, "no such client, or an address that is not its own");
        };
        if said("response_type") != "code"
            || said("code_challenge_method") != "S256"
            || said("code_challenge").is_empty()
        {
            return Reply::page(400, "a code with a challenge by S256, and nothing else");
        }
        if asked.method != "POST" {
            return Reply::page(200, FORM);
        }
        let typed = |name: &str| asked.field(name).unwrap_or_default();
        let found = self.people.enters(typed("login"), typed("password")).map(|row| row.sub.clone());
        let answer = match found {
            _ if asked.field("deny").is_some() => ("error", "access_denied".to_owned()),
            None => return Reply::page(401, "wrong name or password"),
            Some(sub) => {
                let code = self.next("code");
                let trip = Trip {
                    sub,
                    client: said("client_id").to_owned(),
                    callback: said("redirect_uri").to_owned(),
                    challenge: said("code_challenge").to_owned(),
                    nonce: query.get("nonce").cloned(),
                };
                self.codes.insert(code.clone(), trip);
                ("code", code)
            }
        };
        back.query_pairs_mut().append_pair(answer.0, &answer.1).append_pair("iss", &self.url);
        if let Some(state) = query.get("state") {
            back.query_pairs_mut().append_pair("state", state);
        }
        Reply::redirect(303, back.as_str())
    }

    fn token(&mut self, asked: &Asked) -> Reply {
        self.handed_in = asked.form.iter().cloned().collect();
        let Some(client) = client(asked) else { return Reply::refusal(401, "invalid_client") };
        let field = |name: &str| asked.field(name).unwrap_or_default();
        let trip = match field("grant_type") {
            // RFC 6749 §4.1.2: good once, whoever shows it.
            "authorization_code" => self.codes.remove(field("code")).filter(|trip| {
                trip.callback == field("redirect_uri") && trip.challenge == challenge(field("code_verifier"))
            }),
            "refresh_token" => self.refreshes.remove(field("refresh_token")).map(|trip| Trip { nonce: None, ..trip }),
            _ => return Reply::refusal(400, "unsupported_grant_type"),
        };
        let trip = trip.filter(|trip| trip.client == client);
        let row = trip.as_ref().and_then(|trip| self.people.find(&trip.sub)).cloned();
        let (Some(trip), Some(row)) = (trip, row) else { return Reply::refusal(400, "invalid_grant") };
        let (access, refresh) = (self.next("access"), self.next("refresh"));
        let answer = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": LASTS, "refresh_token": refresh,
            "id_token": self.id_token(&row, &trip, &access),
        });
        self.accesses.insert(access, row.sub);
        self.refreshes.insert(refresh, trip);
        self.told(Endpoint::Token, answer)
    }

    fn id_token(&self, row: &Row, trip: &Trip, access: &str) -> String {
        let now = Timestamp::now().as_second();
        let hash = digest(&SHA256, access.as_bytes());
        let (half, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
        let mut claims = claims(row);
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("iss".to_owned(), json!(self.url));
            claims.insert("aud".to_owned(), json!(trip.client));
            claims.insert("iat".to_owned(), json!(now));
            claims.insert("exp".to_owned(), json!(now + LASTS));
            claims.insert("at_hash".to_owned(), json!(encode(half)));
            claims.extend(trip.nonce.as_ref().map(|nonce| ("nonce".to_owned(), json!(nonce))));
        }
        let mut forge = Forge::new(self.keys, claims);
        for lie in &self.lies {
            if let Lie::Token(change) = lie {
                change(&mut forge);
            }
        }
        forge.mint(self.keys, secret_of(&trip.client).unwrap_or_default())
    }

    fn userinfo(&self, asked: &Asked) -> Reply {
        let bearer = asked.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
        let row = bearer.and_then(|token| self.accesses.get(token)).and_then(|sub| self.people.find(sub));
        row.map_or_else(|| Reply::refusal(401, "invalid_token"), |row| self.told(Endpoint::Userinfo, claims(row)))
    }

    /// Another word of this kind each time, which nobody can guess who has not seen it.
    fn next(&mut self, kind: &str) -> String {
        self.last += 1;
        let text = format!("{kind} {} of {} at {}", self.last, self.url, Timestamp::now());
        format!("{kind}-{}", encode(digest(&SHA256, text.as_bytes())))
    }
}

fn claims(row: &Row) -> Value {
    json!({
        "sub": row.sub, "preferred_username": row.login, "name": format!("{} of the kit", row.login),
        "email": format!("{}@example.org", row.login), "email_verified": true, "groups": row.groups,
    })
}

fn challenge(verifier: &str) -> String {
    encode(digest(&SHA256, verifier.as_bytes()))
}

fn secret_of(client: &str) -> Option<&'static str> {
    match client {
        Issuer::CLIENT => Some(Issuer::SECRET),
        Issuer::OTHER_CLIENT => Some(Issuer::OTHER_SECRET),
        _ => None,
    }
}

/// Who asks, by a header (RFC 6749 §2.3.1) or in the form.
fn client(asked: &Asked) -> Option<String> {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let shown = asked.authorization.as_deref().and_then(|value| value.strip_prefix("Basic "));
    [Issuer::CLIENT, Issuer::OTHER_CLIENT].into_iter().find_map(|client| {
        let secret = secret_of(client)?;
        let basic = STANDARD.encode(format!("{}:{}", encoded(client), encoded(secret)));
        let by_form = asked.field("client_id") == Some(client) && asked.field("client_secret") == Some(secret);
        (shown == Some(basic.as_str()) || by_form).then(|| client.to_owned())
    })
}
