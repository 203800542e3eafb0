//! Somebody who logs in where people do, and the programs that send them there.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use e2e::{Answer, Browser, Https, Protocol};
use serde_json::Value;
use url::Url;

use crate::contender::CONSOLE;

/// One browser, at the console's host; each request of it makes a connection of its own.
#[derive(Debug)]
pub(crate) struct Visitor {
    browser: Browser,
    console: Url,
    login: (&'static str, &'static str),
}

/// Tokens as a client gets them.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// Opens clusters.
    pub(crate) access: String,
    /// Gives the next ones.
    pub(crate) refresh: String,
}

const CLIENT: (&str, &str) = ("client_id", "kubectl-gatewarden");
const CALLBACK: (&str, &str) = ("redirect_uri", "http://127.0.0.1:40123/callback");
// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

impl Visitor {
    /// A new browser of somebody with this name and password.
    ///
    /// # Errors
    /// When the authority's certificate is unreadable.
    pub(crate) fn new(port: u16, ca_file: &Path, login: (&'static str, &'static str)) -> Result<Self> {
        let console = Url::parse(&format!("https://{CONSOLE}:{port}"))?;
        let https = Https::new(CONSOLE, port, ca_file)?;
        let browser = Browser::default().knowing(console.authority(), https, Protocol::Http2);
        Ok(Self { browser, console, login })
    }

    /// From a client's request over the login page and a code to its tokens.
    ///
    /// # Errors
    /// When one step is refused.
    pub(crate) fn tokens(&mut self) -> Result<Tokens> {
        let mut asked = self.console.join("/oidc/authorize")?;
        let challenge = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
        let request = [("response_type", "code"), ("scope", "openid offline_access"), ("state", "one")];
        asked.query_pairs_mut().extend_pairs([CLIENT, CALLBACK]).extend_pairs(request).extend_pairs(challenge);
        let page = self.browser.open(&asked)?;
        let done = self.log_in(page.answer()?)?;
        ensure!(done.status == 303, "{} {}", done.status, done.text());
        let back = Url::parse(done.header("location"))?;
        let code = back.query_pairs().find(|(name, _)| name == "code").with_context(|| back.to_string())?.1;
        let grant = [("grant_type", "authorization_code"), ("code", &code), ("code_verifier", VERIFIER)];
        let fields = [&[CLIENT, CALLBACK], grant.as_slice()].concat();
        Tokens::of(&self.post("/oidc/token", &fields)?)
    }

    /// The next tokens.
    ///
    /// # Errors
    /// When they are refused.
    pub(crate) fn refresh(&mut self, token: &str) -> Result<Tokens> {
        Tokens::of(&self.post("/oidc/token", &[CLIENT, ("grant_type", "refresh_token"), ("refresh_token", token)])?)
    }

    /// Types the code that a device shows, and logs in on the page behind it.
    ///
    /// # Errors
    /// When one step is refused.
    pub(crate) fn let_device_in(&mut self, code: &str) -> Result<()> {
        let typed = self.browser.get(&self.console.join(&format!("/device?user_code={code}"))?)?;
        let form = field(&typed, "form")?;
        let sent = self.post("/device", &[("form", &form), ("user_code", code)])?;
        let page = self.browser.get(&self.console.join(sent.header("location"))?)?;
        let done = self.log_in(&page)?;
        ensure!(done.status == 200, "{} {}", done.status, done.text());
        Ok(())
    }

    /// What stands at an address of the console.
    ///
    /// # Errors
    /// When it is no JSON.
    pub(crate) fn json(&mut self, path: &str) -> Result<Value> {
        self.browser.get(&self.console.join(path)?)?.json()
    }

    fn log_in(&mut self, page: &Answer) -> Result<Answer> {
        ensure!(page.status == 200, "{} {}", page.status, page.text());
        let (flow, form, (username, password)) = (field(page, "flow")?, field(page, "form")?, self.login);
        let hidden = [("flow", flow.as_str()), ("form", &form), ("provider", "local")];
        let fields = [hidden.as_slice(), &[("username", username), ("password", password)]].concat();
        self.post("/login", &fields)
    }

    fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        self.browser.post(&self.console.join(path)?, fields)
    }
}

impl Tokens {
    fn of(answer: &Answer) -> Result<Self> {
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        let body = answer.json()?;
        let text =
            |name: &str| Ok::<_, anyhow::Error>(body.get(name).and_then(Value::as_str).context("a token")?.to_owned());
        Ok(Self { access: text("access_token")?, refresh: text("refresh_token")? })
    }
}

/// What stands behind a hidden field of a form.
fn field(page: &Answer, name: &str) -> Result<String> {
    let text = page.text();
    let (_, rest) = text.split_once(&format!(r#"name="{name}" value=""#)).with_context(|| text.clone())?;
    Ok(rest.split('"').next().context("a value")?.to_owned())
}
