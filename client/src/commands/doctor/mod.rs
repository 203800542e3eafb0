//! `doctor`: looks at everything that a login needs, in the order in which it is needed, and says what mends what is wrong.

mod certificate;
mod connection;
mod kubectl;
mod local;

use url::Url;

use super::{print, session};
use crate::arguments;
use crate::failure::Failure;
use crate::issuer::Issuer;
use crate::session::Session;

/// What was found out about one thing.
struct Check {
    name: &'static str,
    found: Found,
}

type Found = Result<String, Fault>;

/// Something that is wrong, and what mends it.
struct Fault {
    what: String,
    fix: String,
}

impl Fault {
    fn new(what: impl ToString, fix: impl Into<String>) -> Self {
        Self { what: what.to_string(), fix: fix.into() }
    }
}

impl Check {
    const fn new(name: &'static str, found: Found) -> Self {
        Self { name, found }
    }
}

pub(super) fn run(given: &arguments::Gateway) -> Result<(), Failure> {
    let session = session(given)?;
    let mut checks = local::checks(&session);
    checks.extend(gateway(&session));
    checks.extend(kubectl::checks(&session));
    print(&report(session.url(), &checks))?;
    let failed = checks.iter().filter(|check| check.found.is_err()).count();
    if failed == 0 { Ok(()) } else { Err(Failure::other(format!("{failed} of {} checks failed", checks.len()))) }
}

/// The way to the gateway, then the gateway itself, then its issuer: what stands behind a fault would fail, too.
fn gateway(session: &Session) -> Vec<Check> {
    let ca = session.gateway().ca.as_deref();
    let mut checks = connection::way(session.url(), ca);
    if checks.iter().any(|check| check.found.is_err()) {
        return checks;
    }
    let http = match session.http() {
        Ok(http) => http,
        Err(error) => {
            checks.push(Check::new("gateway", Err(Fault::new(error, "name a PEM file by --certificate-authority"))));
            return checks;
        }
    };
    checks.extend(local::asked(session, &http));
    let issuer = Issuer::find(&http, session.url());
    let elsewhere = issuer.as_ref().ok().and_then(|issuer| Url::parse(&issuer.name).ok());
    checks.push(Check::new(
        "issuer",
        issuer
            .map(|issuer| format!("{} answers", issuer.name))
            .map_err(|error| Fault::new(error, "tell your operators: nobody can log in")),
    ));
    // Its host name is another one, and may be the one that is missing in a DNS or a certificate.
    if let Some(url) = elsewhere.filter(|url| !session.url().contains(url.authority())) {
        checks.extend(connection::way(url.as_str(), ca));
    }
    checks
}

fn report(url: &str, checks: &[Check]) -> String {
    let mut text = format!("gateway {url}\n");
    for Check { name, found } in checks {
        text += &match found {
            Ok(words) => format!("ok   {name:10} {words}\n"),
            Err(Fault { what, fix }) => format!("FAIL {name:10} {what}\n     {:10} -> {fix}\n", ""),
        };
    }
    text
}
