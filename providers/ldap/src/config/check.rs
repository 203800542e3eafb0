//! From what was typed to what can be used, with every fault at once.

use std::sync::Arc;
use std::time::Duration;

use auth_core::Fault;
use rustls_pki_types::ServerName;
use url::{Host, Url};

use super::file::{Bind, GroupsFile, MemberValue, PoolFile, Strategy, Tls, TlsMode, UsersFile};
use super::preset::Defaults;
use super::{Access, DnTemplate, File, Groups, PoolSettings, Settings, Users};
use crate::connection::{Credential, Security, Server, Trust};
use crate::dn::Dn;
use crate::filter::{self, Filter};
use crate::stable_id::IdAttribute;

const INPUT: &str = "{input}";

impl Settings {
    /// Checks what was typed.
    ///
    /// # Errors
    /// Every fault, each with what to write instead.
    pub(crate) fn check(file: File) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let defaults = file.preset.defaults();
        let servers = faults.servers(&file.servers, file.tls.mode);
        let security = faults.security(&file.tls);
        let server_name = faults.server_name(file.tls.server_name);
        let access = faults.access(file.bind, file.direct_bind);
        let users = faults.users(file.users, &defaults, matches!(access, Some(Access::Service { .. })));
        let groups = file.groups.map(|groups| faults.groups(groups, &defaults));
        let pool = faults.pool(&file.pool);
        let connect = faults.seconds("timeouts.connectSeconds", file.timeouts.connect_seconds, 1..=60);
        let operation = faults.seconds("timeouts.operationSeconds", file.timeouts.operation_seconds, 1..=300);
        faults.expect("pageSize", (1..=1000).contains(&file.page_size), "write a number from 1 to 1000");
        match (security, access, users, groups) {
            (Some(security), Some(access), Some(users), groups) if faults.0.is_empty() => Ok(Self {
                preset: file.preset,
                servers,
                security,
                server_name,
                access: Arc::new(access),
                users,
                groups: groups.flatten(),
                connect,
                operation,
                pool,
                page_size: file.page_size,
            }),
            _ => Err(faults.0),
        }
    }
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, path: &str, message: impl Into<String>) {
        self.0.push(Fault::new(path, message));
    }

    fn expect(&mut self, path: &str, sound: bool, message: &str) {
        if !sound {
            self.add(path, message);
        }
    }

    fn seconds(&mut self, path: &str, seconds: u64, range: std::ops::RangeInclusive<u64>) -> Duration {
        let message = format!("write a number of seconds from {} to {}", range.start(), range.end());
        self.expect(path, range.contains(&seconds), &message);
        Duration::from_secs(seconds)
    }

    fn servers(&mut self, urls: &[String], mode: TlsMode) -> Vec<Server> {
        self.expect("servers", !urls.is_empty(), "write at least one server, such as ldaps://ldap.example.org:636");
        let mut servers = Vec::new();
        for (at, url) in urls.iter().enumerate() {
            match server(url, mode) {
                Ok(server) => servers.push(server),
                Err(message) => self.add(&format!("servers[{at}]"), message),
            }
        }
        servers
    }

    fn security(&mut self, tls: &Tls) -> Option<Security> {
        let given = tls.ca_file.is_some() || tls.ca_pem.is_some();
        if tls.mode == TlsMode::DangerousNone {
            self.expect("tls", !given, "leave the CA out with mode dangerousNone, or write ldaps or startTls");
            return Some(Security::DangerousNone);
        }
        let pem = match (&tls.ca_file, &tls.ca_pem) {
            (Some(path), None) => match std::fs::read(path) {
                Ok(pem) => pem,
                Err(error) => {
                    self.add("tls.caFile", format!("cannot be read: {error}"));
                    return None;
                }
            },
            (None, Some(pem)) => pem.clone().into_bytes(),
            _ => {
                self.add("tls", "write either caFile or caPem: who signed the directory's certificate");
                return None;
            }
        };
        match Trust::in_pem(&pem) {
            Ok(trust) if tls.mode == TlsMode::Ldaps => Some(Security::Ldaps(trust)),
            Ok(trust) => Some(Security::StartTls(trust)),
            Err(message) => {
                self.add(if tls.ca_file.is_some() { "tls.caFile" } else { "tls.caPem" }, message);
                None
            }
        }
    }

    fn server_name(&mut self, name: Option<String>) -> Option<ServerName<'static>> {
        let parsed = ServerName::try_from(name?).ok();
        self.expect("tls.serverName", parsed.is_some(), "write a host name or an address");
        parsed
    }

    fn access(&mut self, bind: Option<Bind>, direct: Option<String>) -> Option<Access> {
        match (bind, direct) {
            (Some(bind), None) => {
                self.dn("bind.dn", &bind.dn);
                let sound = Credential::new(&bind.dn, bind.password.expose()).is_some();
                self.expect("bind.password", sound, "must be neither empty nor hold a NUL");
                Some(Access::Service { dn: bind.dn, password: bind.password })
            }
            (None, Some(template)) => self.template(&template).map(Access::Direct),
            (None, None) => {
                self.add("bind", "write dn and password of an account that may read, or directBind instead");
                None
            }
            (Some(_), Some(_)) => {
                self.add("directBind", "write either bind or directBind");
                None
            }
        }
    }

    fn template(&mut self, text: &str) -> Option<DnTemplate> {
        let template = text
            .split_once(INPUT)
            .filter(|(before, after)| before.ends_with('=') && !after.contains(INPUT))
            .map(|(before, after)| DnTemplate { before: before.to_owned(), after: after.to_owned() })
            .filter(|template| template.dn("x").parse::<Dn>().is_ok());
        self.expect("directBind", template.is_some(), "write a DN such as uid={input},ou=people,dc=example,dc=org");
        template
    }

    fn users(&mut self, file: UsersFile, defaults: &Defaults, searched: bool) -> Option<Users> {
        self.dn("users.base", &file.base);
        let filter = self.filter("users.filter", file.filter.as_deref().unwrap_or(defaults.user_filter))?;
        self.expect(
            "users.filter",
            filter.takes_input() || !searched,
            "must compare something with {input}, what the person typed",
        );
        let search = file.search.unwrap_or_else(|| defaults.search.iter().map(ToString::to_string).collect());
        for (path, names) in [("users.attributes", &file.attributes), ("users.search", &search)] {
            for (at, name) in names.iter().enumerate() {
                self.is_attribute(&format!("{path}[{at}]"), name);
            }
        }
        self.expect("users.search", !search.is_empty(), "name at least one attribute");
        let netbios = |name: &String| {
            (1..=15).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.!".contains(&b))
        };
        self.expect(
            "users.domain",
            file.domain.as_ref().is_none_or(netbios),
            "write the NetBIOS name of the domain, such as CORP",
        );
        Some(Users {
            base: file.base,
            filter,
            domain: file.domain,
            id: IdAttribute::named(self.attribute("users.id", file.id, defaults.id)),
            login: self.attribute("users.login", file.login, defaults.login),
            display_name: self.attribute("users.displayName", file.display_name, defaults.display_name),
            attributes: file.attributes,
            search,
        })
    }

    fn groups(&mut self, file: GroupsFile, defaults: &Defaults) -> Option<Groups> {
        let base_dn = self.dn("groups.base", &file.base);
        let filter = self.filter("groups.filter", file.filter.as_deref().unwrap_or(defaults.group_filter));
        if filter.as_ref().is_some_and(Filter::takes_input) {
            self.add("groups.filter", "must not use {input}: write only what makes an entry a group");
        }
        let by_login = file.member_value == MemberValue::Login;
        self.expect(
            "groups.memberValue",
            !by_login || file.strategy == Strategy::Search,
            "login goes with strategy search: a group is not a member by a login name",
        );
        self.expect("groups.maxDepth", (1..=32).contains(&file.max_depth), "write a number from 1 to 32");
        self.expect("groups.maxGroups", (1..=50_000).contains(&file.max_groups), "write a number from 1 to 50000");
        Some(Groups {
            id: IdAttribute::named(self.attribute("groups.id", file.id, defaults.id)),
            name: self.attribute("groups.name", file.name, defaults.group_name),
            member: self.attribute("groups.member", file.member, "member"),
            member_of: self.attribute("groups.memberOf", file.member_of, "memberOf"),
            dn_attribute: self.attribute("groups.dnAttribute", file.dn_attribute, defaults.dn_attribute),
            has_primary: defaults.has_primary,
            base_dn: base_dn?,
            base: file.base,
            strategy: file.strategy,
            filter: filter?,
            member_value: file.member_value,
            max_depth: file.max_depth,
            kept: self.seconds("groups.cacheSeconds", file.cache_seconds, 0..=300),
            most: file.max_groups,
        })
    }

    fn pool(&mut self, file: &PoolFile) -> PoolSettings {
        self.expect("pool.searches", (1..=256).contains(&file.searches), "write a number from 1 to 256");
        self.expect("pool.binds", (1..=1024).contains(&file.binds), "write a number from 1 to 1024");
        self.expect("pool.maxOperations", (1..=100_000).contains(&file.max_operations), "write 1 to 100000");
        PoolSettings {
            searches: file.searches,
            binds: file.binds,
            max_operations: file.max_operations,
            lifetime: self.seconds("pool.lifetimeSeconds", file.lifetime_seconds, 1..=86_400),
            test_after: self.seconds("pool.testAfterSeconds", file.test_after_seconds, 1..=3_600),
        }
    }

    fn dn(&mut self, path: &str, text: &str) -> Option<Dn> {
        match text.parse::<Dn>() {
            Ok(dn) if !dn.is_empty() => Some(dn),
            Ok(_) => {
                self.add(path, "write a DN such as ou=people,dc=example,dc=org");
                None
            }
            Err(fault) => {
                self.add(path, format!("not a DN ({fault}); write one such as ou=people,dc=example,dc=org"));
                None
            }
        }
    }

    fn filter(&mut self, path: &str, text: &str) -> Option<Filter> {
        filter::parse(text).map_err(|fault| self.add(path, format!("not a search filter: {fault}"))).ok()
    }

    fn attribute(&mut self, path: &str, typed: Option<String>, default: &str) -> String {
        let name = typed.unwrap_or_else(|| default.to_owned());
        self.is_attribute(path, &name);
        name
    }

    fn is_attribute(&mut self, path: &str, name: &str) {
        self.expect(path, filter::is_attribute_name(name), "write the name of one attribute, such as entryUUID");
    }
}

fn server(text: &str, mode: TlsMode) -> Result<Server, String> {
    let (scheme, default_port) = match mode {
        TlsMode::Ldaps => ("ldaps", 636),
        TlsMode::StartTls | TlsMode::DangerousNone => ("ldap", 389),
    };
    let example = format!("{scheme}://ldap.example.org:{default_port}");
    let url = Url::parse(text).map_err(|_| format!("not a URL; write one such as {example}"))?;
    if url.scheme() != scheme {
        return Err(format!("tls.mode goes with {scheme}://; write {example}, or change tls.mode"));
    }
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        return Err(format!("only host and port belong here; write {example}"));
    }
    let host = match url.host() {
        Some(Host::Domain(host)) if !host.is_empty() => host.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        _ => return Err(format!("names no host; write {example}")),
    };
    Ok(Server { host, port: url.port().unwrap_or(default_port) })
}
