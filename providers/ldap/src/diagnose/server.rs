//! One server: reached, believed, signed in to, and holding what the configuration names.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::Instant;

use auth_core::{Step, with_causes};
use tokio::net::{TcpStream, lookup_host};

use super::certificate::Told;
use super::{Trying, hint};
use crate::config::Access;
use crate::connection::{Connection, Credential, PageRequest, Protected, Question, Scope, Server, Shown};
use crate::deadline::{sooner, within};
use crate::entry::Entry;
use crate::failure::code;
use crate::filter::Filter;

/// What came of a server.
pub(super) enum Outcome {
    /// Questions may be asked. Without a service account it speaks for nobody yet.
    Ready(Connection),
    /// The service account was refused.
    Rejected,
    Failed,
}

const PAGING: &str = "1.2.840.113556.1.4.319";

impl Trying<'_> {
    /// Goes as far as this server lets us.
    pub(super) async fn server(&self, server: &Server, rejected: bool) -> Outcome {
        let Some(mut connection) = self.connect(server).await else { return Outcome::Failed };
        let Access::Service { dn, password } = &*self.provider.settings.access else {
            self.report
                .add(Step::skipped(format!("bind {server}"), "directBind: there is no account but the person's"));
            return Outcome::Ready(connection);
        };
        if rejected {
            let why = "another server refused the account, and each attempt counts towards a lock";
            self.report.add(Step::skipped(format!("bind {server}"), why));
            return Outcome::Failed;
        }
        let Some(who) = Credential::new(dn, password.expose()) else { return Outcome::Rejected };
        if !self.bind(server, &mut connection, who, dn).await {
            return Outcome::Rejected;
        }
        let contexts = self.root(server, &mut connection).await;
        self.base(server, &mut connection, ("users.base", &self.provider.settings.users.base), &contexts).await;
        if let Some(groups) = &self.provider.settings.groups {
            self.base(server, &mut connection, ("groups.base", &groups.base), &contexts).await;
        }
        Outcome::Ready(connection)
    }

    async fn connect(&self, server: &Server) -> Option<Connection> {
        let dialer = self.provider.directory.dialer();
        self.resolve(server).await?;
        let (reached, took) = self.timed(dialer.reach(server, self.soon())).await;
        let name = format!("tcp {server}");
        let socket = match reached {
            Err(failure) => {
                let step = Step::bad(name, with_causes(&failure)).took(took);
                self.report.add(step.hint(hint::unreachable(&failure, server)));
                return None;
            }
            Ok(socket) => socket,
        };
        let address = socket.peer_addr().map(|address| address.to_string()).unwrap_or_default();
        self.report.add(Step::good(name, format!("connected to {address}")).took(took));
        let protected = self.protect(server, socket).await?;
        let attached = dialer.attach(server, protected.wire).await;
        attached.map_err(|failure| self.report.add(Step::bad(format!("ldap {server}"), with_causes(&failure)))).ok()
    }

    /// A name is a step of its own: from a connection that comes too late nobody sees that it was the name.
    async fn resolve(&self, server: &Server) -> Option<()> {
        if server.host.parse::<IpAddr>().is_ok() {
            return Some(());
        }
        let clock = &*self.provider.clock;
        let asking = within(clock, self.soon(), lookup_host((server.host.as_str(), server.port)));
        let (found, took) = self.timed(asking).await;
        let name = format!("name {}", server.host);
        let addresses = found.unwrap_or_else(|| Err(io::Error::other("no answer in time"))).map(|found| {
            let found: BTreeSet<String> = found.map(|address| address.ip().to_string()).collect();
            found.into_iter().collect::<Vec<_>>().join(", ")
        });
        match addresses {
            Ok(addresses) => self.report.add(Step::good(name, addresses).took(took)),
            Err(error) => {
                let hint = "is it known to the DNS of this machine? In a pod that is not the DNS of yours";
                self.report.add(Step::bad(name, error.to_string()).took(took).hint(hint));
                return None;
            }
        }
        Some(())
    }

    async fn protect(&self, server: &Server, socket: TcpStream) -> Option<Protected> {
        let dialer = self.provider.directory.dialer();
        let (name, shown) = (format!("tls {server}"), Shown::default());
        let config = dialer.security().trust().map(|trust| trust.noting(&shown)).transpose();
        let config = config.map_err(|why| self.report.add(Step::bad(name.clone(), why))).ok()?;
        let (protected, took) = self.timed(dialer.protect(server, socket, config, self.soon())).await;
        let expected = dialer.name_of(server).map(|name| name.to_str().into_owned()).unwrap_or_default();
        let told = Told::of(shown.certificate(), self.provider.clock.now());
        let step = match &protected {
            Err(failure) => {
                let hint = hint::tls(failure, dialer.security(), &expected, told.as_ref());
                Step::bad(name, with_causes(failure)).hint(hint)
            }
            Ok(Protected { version: Some(version), .. }) => {
                trusted(name, &format!("{version:?}"), &expected, told.as_ref())
            }
            Ok(Protected { version: None, .. }) => {
                let step = Step::odd(name, "tls.mode is dangerousNone: passwords cross the network in plain text");
                step.hint("only for a directory on this very machine")
            }
        };
        self.report.add(told.iter().fold(step.took(took), |step, told| told.tell(step)));
        protected.ok()
    }

    /// When a server that does not answer is given up.
    fn soon(&self) -> Instant {
        sooner(&*self.provider.clock, self.deadline, self.provider.settings.connect)
    }

    async fn bind(&self, server: &Server, connection: &mut Connection, who: Credential<'_>, dn: &str) -> bool {
        let (reply, took) = self.timed(connection.bind(who, self.deadline)).await;
        let name = format!("bind {server}");
        let (step, bound) = match reply {
            Ok(reply) if reply.code == code::SUCCESS => (Step::good(name, "the service account is let in"), true),
            Ok(reply) => {
                let said = format!("the directory answered {} {}", reply.code, reply.text);
                (Step::bad(name, said).hint(hint::bind(&reply)), false)
            }
            Err(failure) => (Step::bad(name, with_causes(&failure)), false),
        };
        self.report.add(step.took(took).fact("dn", dn));
        bound
    }

    /// What the server says of itself; gives the names of the trees that it holds.
    async fn root(&self, server: &Server, connection: &mut Connection) -> Vec<String> {
        let attributes = ["namingContexts", "vendorName", "dnsHostName", "supportedControl"].map(str::to_owned);
        let filter = Filter::prefix("objectClass", "");
        let question = Question { field: "servers", base: "", scope: Scope::Base, filter, attributes: &attributes };
        let (page, took) = self.timed(connection.page(&question, PageRequest::Most(1), 1, self.deadline)).await;
        let name = format!("root {server}");
        let entry: Entry = match page.map(|page| page.entries.into_iter().next()) {
            Ok(entry) => entry.unwrap_or_default(),
            Err(failure) => {
                self.report.add(Step::bad(name, with_causes(&failure)).took(took));
                return Vec::new();
            }
        };
        let all = |attribute: &str| entry.texts(attribute).map(str::to_owned).collect::<Vec<_>>();
        let contexts = all("namingContexts");
        let step = if entry.texts("supportedControl").any(|control| control == PAGING) {
            Step::good(name, "answers, and gives long lists in pages")
        } else {
            let step = Step::odd(name, "answers, and does not say that it gives long lists in pages");
            step.hint("where its size limit is below the number of somebody's groups, their login is refused")
        };
        let named = [("product", all("vendorName")), ("host", all("dnsHostName")), ("holds", contexts.clone())];
        let told = named.into_iter().filter(|(_, values)| !values.is_empty());
        self.report.add(told.fold(step.took(took), |step, (name, values)| step.fact(name, values.join("; "))));
        contexts
    }

    async fn base(
        &self,
        server: &Server,
        connection: &mut Connection,
        (key, base): (&'static str, &str),
        contexts: &[String],
    ) {
        let attributes = ["1.1".to_owned()];
        let filter = Filter::prefix("objectClass", "");
        let question = Question { field: key, base, scope: Scope::Base, filter, attributes: &attributes };
        let (page, took) = self.timed(connection.page(&question, PageRequest::Most(1), 1, self.deadline)).await;
        let name = format!("{key} {server}");
        let step = match page {
            Ok(page) if page.code == code::SUCCESS && !page.entries.is_empty() => Step::good(name, "is there"),
            Ok(page) => {
                let holds = if contexts.is_empty() { "nothing that it tells".to_owned() } else { contexts.join("; ") };
                let said = format!("the directory answered {} {}", page.code, page.text);
                let step = Step::bad(name, format!("is not there for the service account; {}", said.trim_end()));
                step.hint(format!("check {key} and what bind.dn may read; this server holds {holds}"))
            }
            Err(failure) => Step::bad(name, with_causes(&failure)),
        };
        self.report.add(step.took(took).fact("base", base));
    }
}

fn trusted(name: String, version: &str, expected: &str, told: Option<&Told>) -> Step {
    match told.and_then(Told::ends_soon) {
        Some(days) => {
            Step::odd(name, format!("{version}, and the certificate is for {expected} but ends in {days} days"))
                .hint("have it renewed: on that day nobody can log in")
        }
        None => Step::good(name, format!("{version}, and the certificate is for {expected}")),
    }
}
