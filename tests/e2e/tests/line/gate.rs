//! A gateway under test: its configuration, its commands, and the people who log in to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use e2e::{Answer, AuditLog, Https, Kubectl, Protocol};
use http::request::Builder;
use serde_json::json;
use testbed::pki::Leaf;
use testbed::{Gateway, Output, Place, SiteIssuer, Slapd, wait};

use crate::bed::{Bed, WHOM_TO_ASK};
use crate::issuer::CONSOLE;
use crate::people;

/// How a gateway differs from the shared one.
#[derive(Debug, Default)]
pub(crate) struct Plan<'a> {
    /// Reach the west cluster here.
    pub(crate) west: Option<SocketAddr>,
    /// Reach the directory here.
    pub(crate) directory: Option<SocketAddr>,
    /// The clusters read tokens.
    pub(crate) bearer: bool,
    /// Another site's issuer.
    pub(crate) site: Option<&'a SiteIssuer>,
    /// Another provider in its place, as a YAML list item.
    pub(crate) sign_on: Option<&'a str>,
    /// More lines for the provider that stands for it.
    pub(crate) site_lines: &'a str,
    /// More providers, as YAML list items.
    pub(crate) providers: &'a str,
    /// Only these grants, as YAML list items.
    pub(crate) only_grants: Option<&'a str>,
    /// More grants, as YAML list items.
    pub(crate) grants: &'a str,
    /// More lines for the directory's groups.
    pub(crate) groups: &'a str,
    /// Another mapping for the directory's people.
    pub(crate) mapping: Option<&'a str>,
    /// More limits, each with a comma behind it.
    pub(crate) limits: &'a str,
    /// More lines for the west cluster.
    pub(crate) west_lines: &'a str,
    /// Another impersonator for the west cluster.
    pub(crate) west_impersonator: Option<&'a Path>,
    /// The certificate to show, its key, and the authority behind it; the gateway makes its own without.
    pub(crate) tls: Option<(&'a Leaf, &'a Path)>,
    /// What stands behind `audit:`; a file in the gateway's folder when empty.
    pub(crate) audit: &'a str,
    /// More top-level keys.
    pub(crate) extra: &'a str,
}

/// One gateway.
#[derive(Debug)]
pub(crate) struct Gate {
    place: Place,
    server: Mutex<Gateway>,
    by_token: bool,
    sessions: Mutex<BTreeMap<String, Session>>,
}

/// One login.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The whole token.
    pub(crate) token: String,
    /// The user id, `u-…`.
    pub(crate) user: String,
}

impl Session {
    /// Reads the answer to a login.
    pub(crate) fn of(answer: &Answer) -> Result<Self> {
        ensure!(answer.status == 201, "{} {}", answer.status, answer.text());
        let body = answer.json()?;
        let text = |at: &str| {
            let value = body.pointer(at).and_then(|value| value.as_str());
            value.map(str::to_owned).with_context(|| format!("{at} in {body}"))
        };
        Ok(Self { token: text("/token")?, user: text("/user")? })
    }

    /// The token's public part.
    pub(crate) fn token_name(&self) -> Result<&str> {
        Ok(self.token.split_once(':').context("name:secret")?.0)
    }
}

impl Gate {
    /// Starts a gateway in front of the bed's servers.
    pub(crate) fn start(bed: &Bed, plan: &Plan<'_>) -> Result<Self> {
        Self::start_in(bed, &bed.folder("gate"), plan)
    }

    /// The same in a folder of the case's own.
    pub(crate) fn start_in(bed: &Bed, folder: &Path, plan: &Plan<'_>) -> Result<Self> {
        let place = Place::new(folder)?;
        place.write("directory-password", Slapd::SERVICE_PASSWORD)?;
        place.write("site-secret", SiteIssuer::SECRET)?;
        let server = Gateway::start(&place, &config(bed, &place, plan)?)?;
        Ok(Self { place, server: Mutex::new(server), by_token: plan.bearer, sessions: Mutex::default() })
    }

    /// Whether its clusters read tokens.
    pub(crate) const fn by_token(&self) -> bool {
        self.by_token
    }

    /// Waits until the gateway has proven both clusters; before, it answers 503.
    pub(crate) fn wait_until_proven(&self) -> Result<()> {
        self.wait_until_proven_for(&self.session("alice")?)
    }

    /// The same by somebody who is logged in already.
    pub(crate) fn wait_until_proven_for(&self, session: &Session) -> Result<()> {
        for cluster in ["east", "west"] {
            // An API server that has to read whom it trusts takes its time.
            wait::until(cluster, wait::START, || {
                let answer = self.get(Protocol::Http2, &format!("/k8s/clusters/{cluster}/version"), session)?;
                Ok((answer.status != 503).then_some(()))
            })?;
        }
        Ok(())
    }

    /// Writes another configuration, and leaves it to the case to tell the gateway.
    pub(crate) fn rewrite(&self, bed: &Bed, plan: &Plan<'_>) -> Result<()> {
        self.place.write("gatewarden.yaml", &config(bed, &self.place, plan)?)?;
        Ok(())
    }

    /// Asks for a reload.
    pub(crate) fn hang_up(&self) -> Result<()> {
        self.with_server(|server| {
            server.process().context("it runs")?.hang_up();
            Ok(())
        })
    }

    /// The operating system's id of its process.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.with_server(|server| Ok(server.process().context("it runs")?.pid()))
    }

    /// Asks for an orderly end and waits for it.
    pub(crate) fn stop(&self) -> Result<()> {
        self.with_server(Gateway::stop)
    }

    /// Ends it without a word.
    pub(crate) fn kill(&self) -> Result<()> {
        self.with_server(Gateway::kill)
    }

    /// Starts it again in its place.
    pub(crate) fn start_again(&self) -> Result<()> {
        self.with_server(Gateway::restart)
    }

    /// The same under another clock, such as `+10m`.
    pub(crate) fn start_again_under(&self, clock: &str) -> Result<()> {
        self.with_server(|server| server.restart_under(clock))
    }

    /// Everything that it logged.
    pub(crate) fn log(&self) -> Result<String> {
        self.with_server(|server| server.log())
    }

    /// A file in its folder.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.place.path(relative)
    }

    /// What it recorded.
    pub(crate) fn audit(&self) -> AuditLog {
        AuditLog::at(&self.audit_file())
    }

    /// The file with its records.
    pub(crate) fn audit_file(&self) -> PathBuf {
        self.place.path("audit.log")
    }

    /// `host:port` for clients.
    pub(crate) fn authority(&self) -> String {
        format!("localhost:{}", self.place.port)
    }

    /// The client port.
    pub(crate) fn port(&self) -> u16 {
        self.place.port
    }

    /// `host:port` of the operations port.
    pub(crate) fn operations_authority(&self) -> String {
        format!("127.0.0.1:{}", self.place.operations_port)
    }

    /// Status and body of a path on the operations port.
    pub(crate) fn operations(&self, path: &str) -> Result<(u16, String)> {
        let response = testbed::http::get(&format!("{}{path}", self.place.operations_url()))?;
        Ok((response.status, response.body))
    }

    /// Runs a command beside the server, to its end.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<Output> {
        self.place.run(arguments)
    }

    /// The same, with this on its standard input.
    pub(crate) fn command_with_input(&self, arguments: &[&str], input: &str) -> Result<Output> {
        self.place.run_with_input(arguments, input.as_bytes())
    }

    /// Runs a command that reads a password, and must succeed.
    pub(crate) fn ok_with_input(&self, arguments: &[&str], input: &str) -> Result<String> {
        let outcome = self.command_with_input(arguments, input)?;
        outcome.ok().with_context(|| format!("gatewarden {}", arguments.join(" ")))
    }

    /// Runs a command that must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Result<String> {
        self.command(arguments)?.ok().with_context(|| format!("gatewarden {}", arguments.join(" ")))
    }

    /// A client that trusts this gateway.
    pub(crate) fn https(&self) -> Result<Https> {
        self.https_of("localhost")
    }

    /// The same under another of its names.
    pub(crate) fn https_of(&self, host: &str) -> Result<Https> {
        Https::new(host, self.place.port, &self.place.path("state/ca.crt"))
    }

    /// A request with a session's token.
    pub(crate) fn request(&self, method: &str, path: &str, session: &Session) -> Builder {
        http::Request::builder().method(method).uri(path).header("authorization", format!("Bearer {}", session.token))
    }

    /// One GET with a session's token.
    pub(crate) fn get(&self, protocol: Protocol, path: &str, session: &Session) -> Result<Answer> {
        self.https()?.send(protocol, self.request("GET", path, session).body(Bytes::new())?)
    }

    /// Tries to log in at the directory.
    pub(crate) fn login(&self, person: &str, password: &str) -> Result<Answer> {
        self.login_at("corp", person, password)
    }

    /// Tries to log in at any provider.
    pub(crate) fn login_at(&self, provider: &str, person: &str, password: &str) -> Result<Answer> {
        let body = json!({"username": person, "password": password}).to_string();
        let request = http::Request::post(format!("/api/v1/providers/{provider}/login"));
        let request = request.header("content-type", "application/json");
        self.https()?.send(Protocol::Http2, request.body(body.into())?)
    }

    /// Tries to log in with the right password at a gateway that shows a certificate of this authority.
    pub(crate) fn login_through(&self, authority: &Path, person: &str) -> Result<Answer> {
        let body = json!({"username": person, "password": people::password(person)}).to_string();
        let request = http::Request::post("/api/v1/providers/corp/login").header("content-type", "application/json");
        Https::new("localhost", self.place.port, authority)?.send(Protocol::Http2, request.body(body.into())?)
    }

    /// Tries to log in with the right password.
    pub(crate) fn login_as(&self, person: &str) -> Result<Answer> {
        self.login(person, &people::password(person))
    }

    /// A login of a person that cases share, because none of them ends it.
    pub(crate) fn session(&self, person: &str) -> Result<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(person) {
            return Ok(session.clone());
        }
        let session = self.fresh_session(person)?;
        sessions.insert(person.to_owned(), session.clone());
        Ok(session)
    }

    /// A new login.
    pub(crate) fn fresh_session(&self, person: &str) -> Result<Session> {
        Session::of(&self.login_as(person)?).with_context(|| format!("login of {person}"))
    }

    /// kubectl with a session's token, in the namespace dev.
    pub(crate) fn kubectl(&self, session: &Session, cluster: &str) -> Result<Kubectl> {
        self.kubectl_with_token(&session.token, cluster)
    }

    /// kubectl with any token, in the namespace dev.
    pub(crate) fn kubectl_with_token(&self, token: &str, cluster: &str) -> Result<Kubectl> {
        let arguments = ["cluster", "kubeconfig", cluster, "--token-stdin"];
        let kubeconfig = self.place.run_with_input(&arguments, token.as_bytes())?.ok()?;
        // Signed tokens begin alike.
        let name = token.chars().rev().filter(char::is_ascii_alphanumeric).take(40).collect::<String>();
        let file = self.place.write(&format!("kubeconfig/{cluster}-{name}"), &kubeconfig)?;
        Ok(Kubectl::new(&file).flags(&["-n", "dev"]))
    }

    fn with_server<T>(&self, act: impl FnOnce(&mut Gateway) -> Result<T>) -> Result<T> {
        act(&mut self.server.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Who enters which cluster of the bed.
const GRANTS: &str = r#"- { subjects: ["group:corp:dev", "user:corp:erin", "group:sso:dev"], clusters: ["*"] }
  - { subjects: ["group:corp:ops", "group:corp:개발팀"], clusters: [east] }"#;

fn config(bed: &Bed, place: &Place, plan: &Plan<'_>) -> Result<String> {
    let directory = plan.directory.unwrap_or_else(|| bed.directory_addr()).port();
    let west = plan.west.unwrap_or_else(|| bed.cluster_addr("west"));
    let east = cluster(bed, "east", bed.cluster_addr("east"), &accounts(bed, "east", plan, None)?)?;
    let west = cluster(bed, "west", west, &accounts(bed, "west", plan, plan.west_impersonator)?)?;
    Ok(format!(
        r#"apiVersion: gatewarden/v1
listeners:
  main: {{ address: "127.0.0.1:{port}"{tls} }}
  operations: {{ address: "127.0.0.1:{operations}" }}
hosts: {{ clusters: [localhost], console: {CONSOLE} }}
stateDir: ./state
providers:
  - {{ id: local, kind: local }}
  - id: corp
    kind: ldap
    displayName: Corporate directory
    config:
      servers: ["ldaps://localhost:{directory}"]
      tls: {{ mode: ldaps, caFile: {directory_ca} }}
      bind: {{ dn: "{service}", password: {{ file: ./directory-password }} }}
      users: {{ base: "ou=people,{base}", filter: "(&(objectClass=inetOrgPerson)(uid={{input}}))", id: entryUUID, login: uid }}
      groups:
        base: "ou=groups,{base}"
        strategy: nested
        id: entryUUID
        name: cn
        member: member
        {groups}
    mapping: {mapping}
{site}{site_lines}{providers}clusters:
{east}    hosts: [east.test]
{west}    {west_lines}
grants:
  {usual_grants}
  {grants}
whomToAsk: {WHOM_TO_ASK}
audit: {audit}
limits: {{ {limits} userRate: 100000, userBurst: 100000, sourceRate: 100000, sourceBurst: 100000, sourceFailureRate: 10000, sourceFailureBurst: 10000 }}
{extra}
"#,
        port = place.port,
        operations = place.operations_port,
        directory_ca = bed.directory().ca_file().display(),
        service = Slapd::SERVICE_DN,
        site = plan.sign_on.map_or_else(|| site(plan.site.unwrap_or_else(|| bed.site())), str::to_owned),
        site_lines = plan.site_lines,
        providers = plan.providers,
        base = Slapd::BASE,
        tls = plan.tls.map_or_else(String::new, tls),
        audit = if plan.audit.is_empty() { "{ file: ./audit.log }" } else { plan.audit },
        usual_grants = plan.only_grants.unwrap_or(GRANTS),
        groups = plan.groups,
        mapping = plan.mapping.unwrap_or(r#"{ username: { prefix: "corp:" }, groups: { prefix: "corp:" } }"#),
        limits = plan.limits,
        west_lines = plan.west_lines,
        grants = plan.grants,
        extra = plan.extra,
    ))
}

fn site(site: &SiteIssuer) -> String {
    format!(
        r#"  - id: sso
    kind: oidc
    displayName: Site sign-on
    config:
      issuer: https://localhost:{port}
      clientId: {client}
      clientSecret: {{ file: ./site-secret }}
      certificateAuthority: {{ file: {ca} }}
"#,
        port = site.port(),
        client = SiteIssuer::CLIENT,
        ca = site.ca_file().display(),
    )
}

fn tls((leaf, ca): (&Leaf, &Path)) -> String {
    let (certificate, key, ca) = (leaf.certificate.display(), leaf.key.display(), ca.display());
    format!(", tls: {{ certificateFile: {certificate}, keyFile: {key}, caFile: {ca} }}")
}

fn cluster(bed: &Bed, id: &str, addr: SocketAddr, accounts: &str) -> Result<String> {
    let ca = bed.cluster(id)?.ca_file();
    Ok(format!("  - id: {id}\n    server: https://{addr}\n    caFile: {}\n{accounts}", ca.display()))
}

/// How a cluster learns who asks.
fn accounts(bed: &Bed, id: &str, plan: &Plan<'_>, impersonator: Option<&Path>) -> Result<String> {
    if plan.bearer {
        let direct = id == "east";
        return Ok(format!("    identity: bearer\n    direct: {direct}\n"));
    }
    let dir = bed.cluster(id)?.dir();
    let impersonator = impersonator.map_or_else(|| dir.join("impersonator.token"), Path::to_owned);
    Ok(format!(
        "    impersonator: {{ tokenFile: {} }}\n    reviewer: {{ tokenFile: {} }}\n",
        impersonator.display(),
        dir.join("reviewer.token").display()
    ))
}
