//! Asking the issuer.

use std::time::Duration;

use auth_core::{AuthError, Context, HttpError, HttpLimits};
use http::{Request, Response};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::{Object, Party, odd, text};
use crate::slips::Slip;

const BYTES: usize = 1 << 20;
const TIME_MAX: Duration = Duration::from_secs(8);
const FOR_EVER: Duration = Duration::from_secs(3_600);
/// Keys are asked for no more often.
const KEYS: Duration = Duration::from_secs(10);

pub(super) enum NoTokens {
    InvalidGrant,
    Other(AuthError),
}

impl From<AuthError> for NoTokens {
    fn from(error: AuthError) -> Self {
        Self::Other(error)
    }
}

type Tokens = Result<Object, NoTokens>;

impl Party {
    async fn ask(&self, ctx: &Context, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, AuthError> {
        let left = ctx.remaining(self.ports.clock.as_ref()).min(TIME_MAX);
        let time = if self.slips(Slip::WaitsForEver) { FOR_EVER } else { left };
        let limits = HttpLimits::new(time, BYTES).with_dangerous_plain(true);
        let answer = self.ports.http.send(request.clone(), limits.clone()).await.map_err(|error| self.failed(error))?;
        if let Some(to) = answer.headers().get("location").filter(|_| self.slips(Slip::FollowsRedirects)) {
            let mut again = request;
            *again.uri_mut() = to.to_str().unwrap().parse().unwrap();
            return self.ports.http.send(again, limits).await.map_err(|error| self.failed(error));
        }
        Ok(answer)
    }

    fn failed(&self, error: HttpError) -> AuthError {
        match error {
            HttpError::TooLarge if self.slips(Slip::NonsenseIsAnOutage) => AuthError::unavailable(error),
            HttpError::TooLarge => odd("too large"),
            _ if self.slips(Slip::AnOutageIsARefusal) => AuthError::BadCredentials,
            other => AuthError::unavailable(other),
        }
    }

    pub(super) async fn get(&self, ctx: &Context, url: &str, bearer: Option<&str>) -> Result<Object, AuthError> {
        let mut request = Request::get(url).header("accept", "application/json");
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let answer = self.ask(ctx, request.body(Vec::new()).map_err(|_| odd("no address"))?).await?;
        match answer.status().as_u16() {
            200 => self.object(&answer),
            429 | 500.. if bearer.is_none() && self.slips(Slip::NoDocumentIsARefusal) => Err(odd("no document")),
            429 | 500.. => Err(AuthError::unavailable("trouble")),
            status => Err(odd(format!("{url} answered {status}"))),
        }
    }

    fn object(&self, answer: &Response<Vec<u8>>) -> Result<Object, AuthError> {
        let read = super::proof::strict(answer.body(), self.slips(Slip::TakesTheLastOfTwo));
        let outage = self.slips(Slip::NonsenseIsAnOutage);
        read.map_err(|error| if outage { AuthError::unavailable(error) } else { error })
    }

    pub(super) async fn document(&self, ctx: &Context) -> Result<Object, AuthError> {
        if let Some(document) = self.memory().document.clone() {
            return Ok(document);
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer);
        let document = self.get(ctx, &url, None).await?;
        if text(&document, "issuer") != self.issuer && !self.slips(Slip::TrustsAnyDocument) {
            return Err(odd("the document of another issuer"));
        }
        let whole =
            !text(&document, "authorization_endpoint").is_empty() && !text(&document, "token_endpoint").is_empty();
        if !whole && self.slips(Slip::CallsAnOddDocumentAnOutage) {
            return Err(AuthError::unavailable("half a document"));
        }
        if !whole {
            return Err(odd("half a document"));
        }
        self.memory().document = Some(document.clone());
        Ok(document)
    }

    /// The keys, with those of this name among them if there are any.
    pub(super) async fn keys(&self, ctx: &Context, kid: Option<&str>) -> Result<Object, AuthError> {
        let now = self.ports.clock.monotonic();
        let known = self.memory().keys.clone();
        if let Some((keys, since)) = known {
            let has = keys["keys"].as_array().is_some_and(|all| all.iter().any(|key| key["kid"].as_str() == kid));
            let recent = now.saturating_duration_since(since) < KEYS && !self.slips(Slip::AsksForKeysEachTime);
            if has || kid.is_none() || recent || self.slips(Slip::KeepsKeysForEver) {
                return Ok(keys);
            }
        }
        // Whoever comes meanwhile asks for no others.
        if let Some((_, since)) = &mut self.memory().keys {
            *since = now;
        }
        let url = text(&self.document(ctx).await?, "jwks_uri");
        let keys = self.get(ctx, &url, None).await?;
        self.memory().keys = Some((keys.clone(), now));
        Ok(keys)
    }

    pub(super) async fn redeem(&self, ctx: &Context, form: &[(&str, String)]) -> Tokens {
        let endpoint = text(&self.document(ctx).await?, "token_endpoint");
        let own = [("client_id", self.client.clone()), ("client_secret", self.secret.clone())];
        let body = Serializer::new(String::new()).extend_pairs(form.iter().chain(&own)).finish();
        let request = Request::post(&endpoint).header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(body.into_bytes()).map_err(|_| odd("no address"))?;
        let mut answer = self.ask(ctx, request.clone()).await;
        let in_trouble = answer.as_ref().map_or(true, |answer| answer.status().is_server_error());
        if in_trouble && self.slips(Slip::TriesACodeTwice) && text_of(form, "code").is_some() {
            answer = self.ask(ctx, request).await;
        }
        self.tokens(answer?, text_of(form, "code").is_some())
    }

    fn tokens(&self, answer: Response<Vec<u8>>, of_a_login: bool) -> Tokens {
        let status = answer.status().as_u16();
        if status == 200 {
            let html = answer.headers().get("content-type").is_some_and(|kind| kind == "text/html");
            let tokens = self.object(&answer)?;
            let bearer = text(&tokens, "token_type").eq_ignore_ascii_case("bearer");
            return if html || !bearer { Err(odd("no tokens").into()) } else { Ok(tokens) };
        }
        let word = self.object(&answer).map(|answer| text(&answer, "error")).unwrap_or_default();
        let blames = word == "invalid_grant" && self.slips(Slip::BelievesAServerInTrouble);
        match (status, word.as_str()) {
            (429 | 500.., _) if blames => Err(NoTokens::InvalidGrant),
            (429 | 500.., _) if of_a_login && self.slips(Slip::TroubleIsARefusal) => {
                Err(AuthError::BadCredentials.into())
            }
            (429 | 500.., _) => Err(AuthError::unavailable("trouble").into()),
            (_, "invalid_grant") => Err(NoTokens::InvalidGrant),
            (_, "invalid_client" | "unauthorized_client") if !self.slips(Slip::CallsAWrongClientARefusal) => {
                Err(AuthError::Misconfigured { field: "secret".to_owned(), message: word }.into())
            }
            _ => Err(odd(format!("the token endpoint answered {status}")).into()),
        }
    }

    /// The claims, and what userinfo adds where they do not tell groups.
    pub(super) async fn told(&self, ctx: &Context, claims: &Object, tokens: &Object) -> Result<Object, AuthError> {
        if claims.contains_key("groups") {
            return Ok(claims.clone());
        }
        let url = text(&self.document(ctx).await?, "userinfo_endpoint");
        let told = match self.get(ctx, &url, Some(&text(tokens, "access_token"))).await {
            Err(_) if self.slips(Slip::NoUserinfoIsNoGroups) => Object::new(),
            Err(AuthError::Unavailable { .. }) if self.slips(Slip::UserinfoInTroubleIsARefusal) => {
                return Err(odd("userinfo"));
            }
            told => told?,
        };
        let same = told.get("sub") == claims.get("sub") || told.is_empty();
        if !same && !self.slips(Slip::TakesAnybodysUserinfo) {
            return Err(odd("userinfo of somebody else"));
        }
        let mut all = claims.clone();
        all.extend(told.get("groups").map(|groups| ("groups".to_owned(), groups.clone())));
        Ok(all)
    }
}

fn text_of<'a>(form: &'a [(&str, String)], name: &str) -> Option<&'a str> {
    form.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
}

/// Whether a value is there and not null.
pub(super) fn there(of: &Object, name: &str) -> bool {
    of.get(name).is_some_and(|value| *value != Value::Null)
}
