//! `issuer`: one way to log in for every tool.

use std::collections::BTreeMap;
use std::time::Duration;

use gatewarden_control::{Alg, Client, IssuerConfig, SessionRule};
use url::Url;

use super::hosts::Hosts;
use super::listeners::Listeners;
use crate::config::yaml::{Field, Node, Section};

pub(in crate::config) const KEYS: &[&str] = &["url", "resource", "clients", "sessions"];
const CLIENT: &[&str] = &[
    "id",
    "name",
    "redirectUris",
    "kubectl",
    "secret",
    "resourceServer",
    "postLogoutRedirectUris",
    "firstParty",
    "idTokenSignedResponseAlg",
];
/// What the issuer's identifier ends with.
const PATH: &str = "/oidc";

/// Where the secret of a client is kept. It is fetched when the configuration is loaded.
#[derive(Clone, Debug)]
pub struct SecretOfClient {
    /// The client.
    pub client: String,
    /// What was written: a reference.
    pub node: Node,
    /// Where in the file.
    pub path: String,
}

/// The issuer, and where its clients' secrets are kept.
pub(in crate::config) struct Read {
    pub(in crate::config) config: IssuerConfig,
    pub(in crate::config) secrets: Vec<SecretOfClient>,
}

/// Reads the issuer; there is one where its pages have a host name.
pub(in crate::config) fn read(file: &Section<'_>, hosts: &Hosts, listeners: &Listeners) -> Option<Read> {
    let field = file.optional("issuer");
    let section = field.as_ref().and_then(|field| field.section(KEYS));
    let part = |key| section.as_ref().and_then(|section| section.optional(key));
    let Some(console) = &hosts.console else {
        if let Some(field) = &field {
            field.fault(
                "`hosts.console` is missing: the issuer's pages have a host name of their own",
                "write `hosts: { console: login.example.org, … }`",
            );
        }
        return None;
    };
    let port = listeners.main.address.port();
    let main = hosts.clusters.first().map_or("localhost", String::as_str);
    let url = part("url").and_then(|field| origin_and(&field, PATH)).unwrap_or_else(|| origin(console, port) + PATH);
    let resource = part("resource").and_then(|field| origin_and(&field, "")).unwrap_or_else(|| origin(main, port));
    let (mut clients, secrets) = part("clients").map(|field| clients(&field)).unwrap_or_default();
    clients.push(Client::plugin());
    let rules = part("sessions").map(|field| field.list()).unwrap_or_default();
    let sessions = rules.iter().filter_map(session_rule).collect();
    Some(Read { config: IssuerConfig { url, resource, clients, sessions }, secrets })
}

fn origin(host: &str, port: u16) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    if port == 443 { format!("https://{host}") } else { format!("https://{host}:{port}") }
}

/// An address as others see it: https, a host, perhaps a port, and exactly this path. Tokens carry it byte for byte.
fn origin_and(field: &Field<'_>, path: &str) -> Option<String> {
    let example = format!("https://login.example.org{path}");
    field.parsed(&format!("an https address whose path is `{path}`"), &example, |text| {
        let url = Url::parse(text).ok()?;
        let plain = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
        (plain && url.origin().ascii_serialization() + path == text).then(|| text.to_owned())
    })
}

/// Both times are limits: with neither, a rule says nothing.
fn session_rule(field: &Field<'_>) -> Option<SessionRule> {
    let section = field.section(&["groups", "maxAge", "maxIdle"])?;
    let span = |key| {
        let field = section.optional(key)?;
        field.duration(Duration::from_mins(1), Duration::from_hours(24 * 30))
    };
    let (max_age, max_idle) = (span("maxAge"), span("maxIdle"));
    if section.optional("maxAge").is_none() && section.optional("maxIdle").is_none() {
        section.fault("the rule limits nothing", "add `maxAge: 4h`, or `maxIdle: 1h`");
    }
    let written = section.required("groups", "[\"corp:admins\"]")?;
    let groups: Vec<String> = written.list().iter().filter_map(Field::text).collect();
    if written.list().is_empty() {
        written.fault("a rule without a group fits nobody", "name groups as clusters see them, such as `corp:admins`");
    }
    Some(SessionRule { groups, max_age, max_idle })
}

fn clients(field: &Field<'_>) -> (Vec<Client>, Vec<SecretOfClient>) {
    let mut secrets = Vec::new();
    let clients: Vec<Client> = field.list().iter().filter_map(|field| client(field, &mut secrets)).collect();
    let mut seen = BTreeMap::from([(Client::PLUGIN, None)]);
    for (index, client) in clients.iter().enumerate() {
        if let Some(first) = seen.insert(&client.id, Some(index)) {
            let by = first.map_or("the shipped plugin".to_owned(), |first| format!("clients[{first}]"));
            field.fault_inside(
                &format!("[{index}].id"),
                format!("the id `{}` is taken by {by}", client.id),
                "give each client its own id",
            );
        }
    }
    (clients, secrets)
}

fn client(field: &Field<'_>, secrets: &mut Vec<SecretOfClient>) -> Option<Client> {
    let section = field.section(CLIENT)?;
    let id = section.required("id", "kubelogin")?.parsed("a client id", "kubelogin", |text| {
        let legal = text.len() <= 128 && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        legal.then(|| text.to_owned())
    });
    let name = section.optional("name").and_then(|field| field.text());
    let flag = |key| section.optional(key).and_then(|field| field.flag()).unwrap_or(false);
    let (kubectl, resource_server) = (flag("kubectl"), flag("resourceServer"));
    let algs = [Alg::Es256, Alg::Rs256].map(|alg| (alg.name(), alg));
    let id_token_alg =
        section.optional("idTokenSignedResponseAlg").and_then(|field| field.word(&algs)).unwrap_or(Alg::Es256);
    if kubectl && id_token_alg != Alg::Es256 {
        section.fault(
            "ID tokens that open clusters are signed by ES256: in RS256 they could not be told from those of others",
            "remove `idTokenSignedResponseAlg`, or `kubectl`",
        );
    }
    let first_party = section.optional("firstParty").and_then(|field| field.flag()).unwrap_or(true);
    let written = section.optional("secret");
    if resource_server && written.is_none() {
        section
            .fault("a resource server without a secret cannot ask what a token is worth", "add `secret: { file: … }`");
    }
    let redirect_uris = redirect_uris(&section, resource_server);
    let ways_back = section.optional("postLogoutRedirectUris").map(|field| field.list()).unwrap_or_default();
    let post_logout_redirect_uris = ways_back.iter().filter_map(redirect_uri).collect();
    let id = id?;
    secrets.extend(written.map(|field| SecretOfClient {
        client: id.clone(),
        node: field.node.clone(),
        path: field.path,
    }));
    let name = name.unwrap_or_else(|| id.clone());
    Some(Client {
        first_party,
        id_token_alg,
        post_logout_redirect_uris,
        name,
        id,
        redirect_uris,
        kubectl,
        resource_server,
        // What it refers to is read when the configuration is loaded.
        secret: None,
    })
}

/// A resource server logs nobody in, so it needs none.
fn redirect_uris(section: &Section<'_>, resource_server: bool) -> Vec<String> {
    let field = match section.optional("redirectUris") {
        None if resource_server => return Vec::new(),
        _ => section.required("redirectUris", "[\"http://localhost:8000\"]"),
    };
    let Some(field) = field else { return Vec::new() };
    if field.list().is_empty() {
        field.fault("a client without an address to answer to can log nobody in", "write its callback address");
    }
    field.list().iter().filter_map(redirect_uri).collect()
}

/// https, or plain http to this machine; no fragment (RFC 6749 §3.1.2).
fn redirect_uri(field: &Field<'_>) -> Option<String> {
    let what = "an https address, or http to a loopback address, without a fragment";
    field.parsed(what, "https://app.example.org/callback", |text| {
        let url = Url::parse(text).ok()?;
        let loopback = match url.host()? {
            url::Host::Domain(name) => name == "localhost",
            url::Host::Ipv4(ip) => ip.is_loopback(),
            url::Host::Ipv6(ip) => ip.is_loopback(),
        };
        let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
        (safe && url.fragment().is_none() && url.username().is_empty() && url.password().is_none())
            .then(|| text.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, parse};

    fn read(address: &str, rest: &str) -> Result<Config, Vec<String>> {
        let text = format!(
            "apiVersion: gatewarden/v1\nlisteners: {{ main: {{ address: \"{address}\" }} }}\nproviders: [{{ id: local, kind: local }}]\n{rest}\n"
        );
        parse(&text, Path::new("/")).map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    const HOSTS: &str = "hosts: { clusters: [kube.example.org], console: login.example.org }";

    #[test]
    fn the_addresses_follow_from_the_host_names_unless_they_are_written() {
        let issuer = |address, rest: &str| read(address, rest).unwrap().issuer;
        let found = issuer("127.0.0.1:8443", HOSTS).unwrap();
        let (url, resource) = ("https://login.example.org:8443/oidc", "https://kube.example.org:8443");
        assert_eq!((found.url.as_str(), found.resource.as_str()), (url, resource));
        assert_eq!(issuer("127.0.0.1:443", HOSTS).unwrap().url, "https://login.example.org/oidc");
        let written = "issuer: { url: https://sso.example.org/oidc, resource: https://k8s.example.org }";
        let found = issuer("127.0.0.1:8443", &format!("{HOSTS}\n{written}")).unwrap();
        let (url, resource) = ("https://sso.example.org/oidc", "https://k8s.example.org");
        assert_eq!((found.url.as_str(), found.resource.as_str()), (url, resource));
        assert_eq!(issuer("127.0.0.1:8443", "").unwrap().url, "https://console.localhost:8443/oidc", "on a laptop");
        assert_eq!(issuer("127.0.0.1:8443", "hosts: { clusters: [kube.example.org] }"), None);
    }

    #[test]
    fn what_would_make_an_unsafe_issuer_is_a_fault() {
        let clients = |entry: &str| format!("{HOSTS}\nissuer: {{ clients: [{{ {entry} }}] }}");
        assert!(read("127.0.0.1:1", &clients("id: a, redirectUris: [\"http://localhost:1/\"], kubectl: true")).is_ok());
        assert!(read("127.0.0.1:1", &clients("id: a, resourceServer: true, secret: { env: A }")).is_ok());
        for (rest, word) in [
            ("hosts: { clusters: [gw.test] }\nissuer: { url: https://x.test/oidc }".to_owned(), "hosts.console"),
            (format!("{HOSTS}\nissuer: {{ url: http://login.example.org/oidc }}"), "https address"),
            (format!("{HOSTS}\nissuer: {{ url: https://login.example.org/ }}"), "`/oidc`"),
            (format!("{HOSTS}\nissuer: {{ url: https://login.example.org/oidc/ }}"), "`/oidc`"),
            (format!("{HOSTS}\nissuer: {{ resource: https://kube.example.org/x }}"), "https address"),
            (clients("id: a"), "redirectUris"),
            (clients("id: a, redirectUris: []"), "without an address"),
            (clients("id: a, redirectUris: [\"http://app.test/cb\"]"), "loopback"),
            (clients("id: a, redirectUris: [\"https://app.test/cb#x\"]"), "fragment"),
            (clients("id: a, redirectUris: [\"https://u@app.test/cb\"]"), "https address"),
            (clients("id: a, redirectUris: [\"custom:cb\"]"), "https address"),
            (clients("id: kubectl-gatewarden, redirectUris: [\"https://a.test/\"]"), "shipped plugin"),
            (clients("id: a, redirectUris: [\"https://a.test/\"], secrets: x"), "unknown key"),
            (clients("id: a, resourceServer: true"), "without a secret"),
            (clients("id: 'a b', redirectUris: [\"https://a.test/\"]"), "clients[0].id"),
            (
                clients("id: a, redirectUris: [\"https://a.test/\"] }, { id: a, redirectUris: [\"https://b.test/\"]"),
                "clients[1].id: the id `a` is taken by clients[0]",
            ),
            (format!("{HOSTS}\nissuer: {{ sessions: [{{ groups: [a] }}] }}"), "limits nothing"),
            (format!("{HOSTS}\nissuer: {{ sessions: [{{ groups: [], maxAge: 1h }}] }}"), "fits nobody"),
            (format!("{HOSTS}\nissuer: {{ sessions: [{{ maxAge: 1h }}] }}"), "groups"),
            (format!("{HOSTS}\nissuer: {{ sessions: [{{ groups: [a], maxIdle: 1s }}] }}"), "maxIdle"),
            (clients("id: a, redirectUris: [\"https://a.test/\"], idTokenSignedResponseAlg: HS256"), "RS256"),
            (
                clients("id: a, redirectUris: [\"https://a.test/\"], idTokenSignedResponseAlg: RS256, kubectl: true"),
                "told from those of others",
            ),
            (
                clients("id: a, redirectUris: [\"https://a.test/\"], postLogoutRedirectUris: [\"http://a.test/\"]"),
                "postLogoutRedirectUris[0]",
            ),
            (clients("id: a, resourceServer: true, redirectUris: [], secret: { env: A }"), "without an address"),
        ] {
            let faults = read("127.0.0.1:1", &rest).unwrap_err().join("\n");
            assert!(faults.contains(word), "{rest}: {faults}");
        }
    }
}
