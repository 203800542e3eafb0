//! Programs that others wrote, unchanged, log people in through the issuer.
//!
//! They meet a gateway of their own, whose configuration names them. They find its host name in a hosts file, as on a
//! machine without DNS.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Kubectl, Running};
use serde_json::Value;
use url::Url;

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan};
use crate::issuer::{CONSOLE, Visitor};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        debians_oidc_agent_logs_in_by_a_code_and_refreshes,
        debians_oidc_agent_logs_in_a_device,
        openid_client_of_npm_passes_all_its_own_checks,
        authlib_of_python_passes_all_its_own_checks,
    ]
}

const SECRET: &str = "a-secret-between-a-client-and-its-issuer";
const WIKI: &str = "http://127.0.0.1:4444/callback";
const BYE: &str = "http://127.0.0.1:4444/bye";
const SCRIPTS: [(&str, &str); 3] = [
    ("oidc-agent.sh", include_str!("../../clients/oidc-agent.sh")),
    ("openid-client.mjs", include_str!("../../clients/openid-client.mjs")),
    ("authlib-client.py", include_str!("../../clients/authlib-client.py")),
];

/// A gateway that knows the clients, and a folder with their scripts.
struct Place {
    gate: Gate,
    folder: PathBuf,
}

impl Place {
    fn new(bed: &Bed) -> Result<Self> {
        let folder = bed.folder("clients");
        std::fs::create_dir_all(&folder)?;
        for (name, text) in SCRIPTS {
            std::fs::write(folder.join(name), text)?;
        }
        std::fs::write(folder.join("secret"), SECRET)?;
        std::fs::write(folder.join("hosts"), format!("127.0.0.1 localhost {CONSOLE}\n"))?;
        testbed::npm::link_into(&folder)?;
        let secret = format!("secret: {{ file: {} }}", folder.join("secret").display());
        let extra = format!(
            "issuer:\n  clients:\n\
             \x20 - {{ id: agent, redirectUris: [\"http://localhost:1\"], kubectl: true, {secret} }}\n\
             \x20 - {{ id: wiki, redirectUris: [\"{WIKI}\"], postLogoutRedirectUris: [\"{BYE}\"], {secret} }}\n"
        );
        let gate = Gate::start(bed, &Plan { extra: &extra, ..Plan::default() })?;
        gate.wait_until_proven()?;
        Ok(Self { gate, folder })
    }

    fn issuer(&self) -> String {
        format!("https://{CONSOLE}:{}/oidc", self.gate.port())
    }

    fn ca_file(&self) -> PathBuf {
        self.gate.path("state/ca.crt")
    }

    /// Starts a program that finds the gateway's name in a hosts file.
    fn start(&self, program: &[&str]) -> Result<Running> {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--", "sh", "-c", "mount --bind hosts /etc/hosts && exec \"$@\"", "sh"])
            .args(program)
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env("NODE_EXTRA_CA_CERTS", self.ca_file())
            .env("REQUESTS_CA_BUNDLE", self.ca_file());
        Running::start(command)
    }

    fn agent(&self, flow: &str, redirect_uri: &str) -> Result<Running> {
        let (issuer, ca) = (self.issuer(), self.ca_file());
        self.start(&["sh", "oidc-agent.sh", &issuer, "agent", SECRET, redirect_uri, flow, &path(&ca)?])
    }

    /// A library's whole script: a browser logs alice in, and what came of it is printed.
    fn script(&self, program: &[&str]) -> Result<(Value, Visitor)> {
        let issuer = self.issuer();
        let arguments = [issuer.as_str(), "wiki", SECRET, WIKI, BYE, "ES256"];
        let mut client = self.start(&[program, &arguments].concat())?;
        client.wait_for("open https://")?;
        let mut browser = Visitor::of(&self.gate)?;
        let back = browser.approve(&line(&client.output(), "open ")?, "alice")?;
        client.type_in(&format!("{back}\n"))?;
        client.wait_for("\ndone ")?;
        client.wait_for_end()?;
        Ok((serde_json::from_str(&line(&client.output(), "done ")?)?, browser))
    }
}

impl Visitor {
    /// Opens what a client wants opened, and logs somebody in; where the browser is sent then.
    fn approve(&mut self, away: &str, person: &str) -> Result<Url> {
        let page = self.browser.open(&Url::parse(away)?)?;
        let done = self.log_in(page.answer()?, person)?;
        ensure!(done.status == 303, "{} {}", done.status, done.text());
        Ok(Url::parse(done.header("location"))?)
    }
}

/// What stands behind a word at the beginning of a line.
fn line(output: &str, word: &str) -> Result<String> {
    let found = output.lines().find_map(|line| line.strip_prefix(word));
    Ok(found.with_context(|| output.to_owned())?.trim().to_owned())
}

fn path(path: &Path) -> Result<String> {
    Ok(path.to_str().context("a path of text")?.to_owned())
}

/// Both tokens open the cluster, and they are two.
fn opens_clusters(place: &Place, agent: &mut Running) -> Result<()> {
    agent.wait_for("\ndone")?;
    let output = agent.output();
    let (first, second) = (line(&output, "first ")?, line(&output, "second ")?);
    ensure!(first != second, "it did not refresh");
    for token in [first, second] {
        let kubectl: Kubectl = place.gate.kubectl_with_token(&token, "east")?;
        kubectl.ok(&["get", "pods", POD])?;
    }
    Ok(())
}

pub(crate) fn debians_oidc_agent_logs_in_by_a_code_and_refreshes(bed: &Bed) -> Result<()> {
    let place = Place::new(bed)?;
    let port = testbed::ports::free()?;
    // Its own server waits there; the entry in the configuration has another port, as RFC 8252 has it.
    let mut agent = place.agent("code", &format!("http://localhost:{port}"))?;
    agent.wait_for("&code_challenge=")?;
    let output = agent.output();
    let away = output.split_whitespace().find(|word| word.starts_with("https://")).context("an address")?;
    let back = Visitor::of(&place.gate)?.approve(away, "alice")?;
    let shown = testbed::http::get(back.as_str())?;
    ensure!(shown.body.contains("Success"), "{}", shown.body);
    opens_clusters(&place, &mut agent)
}

pub(crate) fn debians_oidc_agent_logs_in_a_device(bed: &Bed) -> Result<()> {
    let place = Place::new(bed)?;
    let mut agent = place.agent("device", "http://localhost:4242")?;
    agent.wait_for("enter the code: ")?;
    let output = agent.output();
    let (_, code) = output.split_once("enter the code: ").context("a code")?;
    let code = code.get(..9).context("a code")?;
    let done = Visitor::of(&place.gate)?.log_in_a_device(code, "alice")?;
    ensure!(done.status == 200, "{} {}", done.status, done.text());
    opens_clusters(&place, &mut agent)
}

pub(crate) fn openid_client_of_npm_passes_all_its_own_checks(bed: &Bed) -> Result<()> {
    let place = Place::new(bed)?;
    let (done, mut browser) = place.script(&["node", "openid-client.mjs"])?;
    is_alice(&done)?;
    ensure!(done["alg"] == "ES256", "{done}");
    // The library's own words for the way out, in the browser that logged in.
    let bye = browser.browser.get(&Url::parse(done["bye"].as_str().context("an address")?)?)?;
    ensure!(bye.header("location") == format!("{BYE}?state=bye"), "{} {}", bye.status, bye.text());
    Ok(())
}

pub(crate) fn authlib_of_python_passes_all_its_own_checks(bed: &Bed) -> Result<()> {
    let place = Place::new(bed)?;
    let (done, _) = place.script(&["/usr/bin/python3", "authlib-client.py"])?;
    is_alice(&done)
}

fn is_alice(done: &Value) -> Result<()> {
    let person = &done["person"];
    ensure!(person["preferred_username"] == "corp:alice" && person["sub"] == done["sub"], "{done}");
    ensure!(person["groups"].as_array().is_some_and(|groups| groups.contains(&"corp:dev".into())), "{done}");
    ensure!(done["before"]["active"] == true && done["before"]["sub"] == done["sub"], "{done}");
    ensure!(done["after"] == serde_json::json!({ "active": false }), "revoked, and still active: {done}");
    Ok(())
}
