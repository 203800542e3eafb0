//! One login for every tool: the issuer, its pages, and kubectl with the tokens that come of them.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use e2e::{Answer, Browser, Case, Page, Protocol};
use http::Request;
use serde_json::Value;
use url::Url;

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan};
use crate::people;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_person_of_the_directory_logs_in_on_the_page_and_kubectl_works,
        a_terminal_logs_in_by_a_code_and_an_administrator_ends_it,
        a_login_survives_a_kill_and_its_group_does_not_survive_the_refresh,
        the_pages_and_the_clusters_never_share_a_host,
        a_token_for_one_cluster_opens_no_other_and_not_the_api,
    ]
}

/// The plugin knows names that end so without asking the system.
pub(crate) const CONSOLE: &str = "console.localhost";
pub(crate) const CLIENT: (&str, &str) = ("client_id", "kubectl-gatewarden");
pub(crate) const CALLBACK: &str = "http://127.0.0.1:40123/callback";
// The example of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Somebody at the console's host, in a browser or by a program.
pub(crate) struct Visitor {
    pub(crate) browser: Browser,
    pub(crate) console: Url,
}

/// Tokens as a client gets them.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) id: String,
    pub(crate) refresh: String,
}

impl Visitor {
    pub(crate) fn of(gate: &Gate) -> Result<Self> {
        let console = Url::parse(&format!("https://{CONSOLE}:{}", gate.port()))?;
        let browser = Browser::default().knowing(console.authority(), gate.https_of(CONSOLE)?, Protocol::Http2);
        Ok(Self { browser, console })
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<Answer> {
        self.browser.get(&self.console.join(path)?)
    }

    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        self.browser.post(&self.console.join(path)?, fields)
    }

    /// Fills in the form of a login page.
    pub(crate) fn log_in(&mut self, page: &Answer, person: &str) -> Result<Answer> {
        ensure!(page.status == 200, "{} {}", page.status, page.text());
        let (flow, form, password) = (field(page, "flow")?, field(page, "form")?, people::password(person));
        let fields = [
            ("flow", flow.as_str()),
            ("form", &form),
            ("provider", "corp"),
            ("username", person),
            ("password", &password),
        ];
        self.post("/login", &fields)
    }

    /// Types the code that a device shows, and logs in on the page behind it.
    pub(crate) fn log_in_a_device(&mut self, code: &str, person: &str) -> Result<Answer> {
        let typed = self.get(&format!("/device?user_code={code}"))?;
        let form = field(&typed, "form")?;
        let sent = self.post("/device", &[("form", &form), ("user_code", code)])?;
        let page = self.get(sent.header("location"))?;
        ensure!(page.text().contains(code) && page.text().contains("127.0.0.1"), "{}", page.text());
        self.log_in(&page, person)
    }

    /// What a client asks, up to the login page.
    pub(crate) fn begin(&mut self) -> Result<Page> {
        let mut asked = self.console.join("/oidc/authorize")?;
        asked.query_pairs_mut().extend_pairs(request(CLIENT.1));
        self.browser.open(&asked)
    }

    /// The tokens for the code that the client's address was sent.
    pub(crate) fn redeem(&mut self, back: &Url) -> Result<Tokens> {
        let code =
            back.query_pairs().find(|(name, _)| name == "code").with_context(|| back.to_string())?.1.into_owned();
        let fields = [
            CLIENT,
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        Tokens::of(&self.post("/oidc/token", &fields)?)
    }

    /// What a token exchange gives for one cluster (RFC 8693).
    pub(crate) fn narrow(&mut self, access: &str, cluster: &str) -> Result<Answer> {
        let fields = [
            CLIENT,
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", access),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("audience", cluster),
        ];
        self.post("/oidc/token", &fields)
    }

    /// From a client's request to its tokens.
    pub(crate) fn tokens(&mut self, person: &str) -> Result<Tokens> {
        let page = self.begin()?;
        let done = self.log_in(page.answer()?, person)?;
        ensure!(done.status == 303, "{} {}", done.status, done.text());
        self.redeem(&Url::parse(done.header("location"))?)
    }

    pub(crate) fn refresh(&mut self, token: &str) -> Result<Answer> {
        self.post("/oidc/token", &[CLIENT, ("grant_type", "refresh_token"), ("refresh_token", token)])
    }
}

/// What a program of this id asks for first (RFC 6749 §4.1.1).
pub(crate) fn request(client: &str) -> [(&str, &str); 7] {
    [
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid offline_access"),
        ("state", "one"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

impl Tokens {
    pub(crate) fn of(answer: &Answer) -> Result<Self> {
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        let body = answer.json()?;
        let text = |name: &str| Ok::<_, anyhow::Error>(body[name].as_str().context("a token")?.to_owned());
        Ok(Self { access: text("access_token")?, id: text("id_token")?, refresh: text("refresh_token")? })
    }
}

/// What stands behind a hidden field of a form.
pub(crate) fn field(page: &Answer, name: &str) -> Result<String> {
    let text = page.text();
    let (_, rest) = text.split_once(&format!(r#"name="{name}" value=""#)).with_context(|| text.clone())?;
    Ok(rest.split('"').next().context("a value")?.to_owned())
}

pub(crate) fn error_of(answer: &Answer) -> Result<String> {
    Ok(answer.json()?["error"].as_str().unwrap_or_default().to_owned())
}

pub(crate) fn a_person_of_the_directory_logs_in_on_the_page_and_kubectl_works(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    // What a client is told on the host that it knows.
    let told = gate
        .https()?
        .send(Protocol::Http2, Request::get("/.well-known/oauth-protected-resource").body(Bytes::new())?)?;
    let issuer = format!("https://{CONSOLE}:{}/oidc", gate.port());
    ensure!(told.json()?["authorization_servers"][0] == issuer.as_str(), "{}", told.text());
    let mut browser = Visitor::of(gate)?;
    let described = browser.get("/oidc/.well-known/openid-configuration")?.json()?;
    ensure!(described["issuer"] == issuer.as_str(), "{described}");
    let tokens = browser.tokens("alice")?;
    for token in [&tokens.access, &tokens.id] {
        let kubectl = gate.kubectl_with_token(token, "east")?;
        let seen = kubectl.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])?;
        ensure!(seen == "corp:alice", "{seen}");
        kubectl.ok(&["get", "pods"])?;
    }
    let https = gate.https()?;
    // A token that was pasted where none belongs is told to no cluster, and to no log.
    let pasted = format!("/k8s/clusters/east/api/v1/namespaces/dev/pods?x={}", tokens.access);
    let asked = Request::get(pasted).header("authorization", format!("Bearer {}", tokens.access));
    let answer = https.send(Protocol::Http2, asked.body(Bytes::new())?)?;
    ensure!(answer.status == 400 && answer.text().contains("Authorization"), "{} {}", answer.status, answer.text());
    let signature = tokens.access.rsplit('.').next().context("a signature")?;
    let records = std::fs::read_to_string(gate.audit_file())?;
    ensure!(!records.contains(signature) && !gate.log()?.contains(signature), "a token is on record");
    let asked = Request::get("/api/v1/clusters").header("authorization", format!("Bearer {}", tokens.access));
    let clusters = https.send(Protocol::Http2, asked.body(Bytes::new())?)?.json()?;
    let ids: Vec<&Value> = clusters["clusters"].as_array().context("a list")?.iter().map(|one| &one["id"]).collect();
    ensure!(ids == ["east", "west"], "{clusters}");
    // The audit record names the token by what is no secret.
    let event = gate.audit().wait_for("alice's request", |event| event.user.username == "corp:alice")?;
    ensure!(!serde_json::to_string(&event)?.contains(&tokens.access), "a token is on record");
    // Gone at once, with all that came of it.
    let ended = browser.post("/oidc/revoke", &[CLIENT, ("token", &tokens.refresh)])?;
    ensure!(ended.status == 200, "{}", ended.status);
    e2e::eventually("the refusal", || {
        let asked = Request::get("/api/v1/me").header("authorization", format!("Bearer {}", tokens.access));
        Ok((https.send(Protocol::Http2, asked.body(Bytes::new())?)?.status == 401).then_some(()))
    })?;
    ensure!(error_of(&browser.refresh(&tokens.refresh)?)? == "invalid_grant");
    Ok(())
}

pub(crate) fn a_token_for_one_cluster_opens_no_other_and_not_the_api(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    let mut client = Visitor::of(gate)?;
    let wide = client.tokens("alice")?;
    ensure!(error_of(&client.narrow(&wide.access, "no/where")?)? == "invalid_target");
    // A cluster that is not there is told from another one nowhere: the token is given, and opens nothing.
    let nowhere = client.narrow(&wide.access, "nowhere")?.json()?;
    let nowhere = nowhere["access_token"].as_str().context("a token")?;
    for path in ["/k8s/clusters/nowhere/version", "/k8s/clusters/east/version", "/api/v1/me"] {
        let asked = Request::get(path).header("authorization", format!("Bearer {nowhere}")).body(Bytes::new())?;
        let answer = gate.https()?.send(Protocol::Http2, asked)?;
        ensure!(answer.status == 403, "{path}: {}", answer.status);
    }
    let answer = client.narrow(&wide.access, "east")?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    let narrow = answer.json()?["access_token"].as_str().context("a token")?.to_owned();
    gate.kubectl_with_token(&narrow, "east")?.ok(&["get", "pods"])?;
    let https = gate.https()?;
    for (path, status) in [
        ("/k8s/clusters/east/api/v1/namespaces/dev/pods", 200),
        ("/k8s/clusters/west/api/v1/namespaces/dev/pods", 403),
        ("/api/v1/me", 403),
        ("/api/v1/clusters", 403),
    ] {
        for (token, expected) in [(&narrow, status), (&wide.access, 200)] {
            let asked = Request::get(path).header("authorization", format!("Bearer {token}")).body(Bytes::new())?;
            let answer = https.send(Protocol::Http2, asked)?;
            ensure!(answer.status == expected, "{path}: {} {}", answer.status, answer.text());
        }
    }
    Ok(())
}

pub(crate) fn a_terminal_logs_in_by_a_code_and_an_administrator_ends_it(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    let person = bed.new_person("terminal", &["dev"])?;
    let (mut terminal, mut browser) = (Visitor::of(gate)?, Visitor::of(gate)?);
    let begun = terminal.post("/oidc/device", &[CLIENT, ("scope", "openid offline_access")])?.json()?;
    let (device, code) =
        (begun["device_code"].as_str().context("a code")?, begun["user_code"].as_str().context("a code")?);
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let poll = [CLIENT, grant, ("device_code", device)];
    ensure!(error_of(&terminal.post("/oidc/token", &poll)?)? == "authorization_pending");
    let done = browser.log_in_a_device(code, &person)?;
    ensure!(done.text().contains("You are logged in"), "{}", done.text());
    let tokens = Tokens::of(&terminal.post("/oidc/token", &poll)?)?;
    let mut watch = gate.kubectl_with_token(&tokens.access, "east")?.start(&["get", "pods", "--watch"])?;
    watch.wait_for(POD)?;
    gate.ok(&["user", "disable", &person])?;
    watch.wait_for_end()?;
    ensure!(error_of(&terminal.refresh(&tokens.refresh)?)? == "invalid_grant");
    Ok(())
}

pub(crate) fn a_login_survives_a_kill_and_its_group_does_not_survive_the_refresh(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    let person = bed.new_person("survivor", &["dev"])?;
    let mut client = Visitor::of(&gate)?;
    let tokens = client.tokens(&person)?;
    gate.kill()?;
    gate.start_again()?;
    gate.wait_until_proven()?;
    gate.kubectl_with_token(&tokens.access, "east")?.ok(&["get", "pods"])?;
    // Every refresh asks the directory.
    bed.leave_group(&person, "dev")?;
    let after = Tokens::of(&client.refresh(&tokens.refresh)?)?;
    for token in [&after.access, &tokens.access] {
        e2e::eventually("no way in", || {
            let asked = Request::get("/k8s/clusters/east/api").header("authorization", format!("Bearer {token}"));
            Ok((gate.https()?.send(Protocol::Http2, asked.body(Bytes::new())?)?.status == 403).then_some(()))
        })?;
    }
    bed.remove_person(&person)?;
    ensure!(error_of(&client.refresh(&after.refresh)?)? == "invalid_grant");
    Ok(())
}

pub(crate) fn the_pages_and_the_clusters_never_share_a_host(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    let alice = gate.session("alice")?;
    let ask = |host: &str, path: &str| {
        gate.https_of(host)?.send(Protocol::Http2, gate.request("GET", path, &alice).body(Bytes::new())?)
    };
    for path in ["/k8s/clusters/east/version", "/api/v1/me", "/version"] {
        let answer = ask(CONSOLE, path)?;
        ensure!(
            answer.status == 404 && answer.header("content-type").starts_with("text/html"),
            "{path}: {}",
            answer.text()
        );
    }
    for path in ["/login", "/device", "/oidc/authorize", "/oidc/jwks", "/style.css"] {
        ensure!(ask("localhost", path)?.status == 404, "{path} on the host of the clusters");
        ensure!(ask("east.test", path)?.header("content-security-policy").is_empty(), "{path} on a cluster's host");
    }
    // A connection that was made for the clusters.
    let request = Request::get("/login").header("host", format!("{CONSOLE}:{}", gate.port())).body(Bytes::new())?;
    let answer = gate.https()?.send(Protocol::Http1, request)?;
    ensure!(answer.status == 421, "{} {}", answer.status, answer.text());
    Ok(())
}
