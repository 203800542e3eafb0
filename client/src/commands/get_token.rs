//! `get-token`: what kubectl runs for a credential (client.authentication.k8s.io/v1).
//!
//! kubectl sends what it gets to the server that its kubeconfig names. Such files are handed around, so the server is
//! looked at first: the token is for the gateway that gave it, and for nobody else.

use std::time::Duration;

use serde_json::json;

use super::{find, origin, own, print};
use crate::arguments;
use crate::environment::{self, ExecInfo};
use crate::failure::Failure;
use crate::session::{How, Session};

/// A request is under way for a while, and clocks differ.
const SPARE: Duration = Duration::from_secs(30);

/// The whole of what kubectl reads: nothing else may be on standard output.
pub(super) fn run(given: &arguments::Gateway) -> Result<(), Failure> {
    let info = environment::exec_info()?;
    let somebody = info.as_ref().map_or_else(environment::is_terminal, |info| info.spec.interactive);
    let mut session = Session::of(find(given, info.as_ref())?)?;
    let server = info.as_ref().map(server).transpose()?;
    let access = session.token(if somebody { How::AsItFits } else { How::Never })?;
    if let Some(server) = server
        && !may_have_it(&mut session, &server)?
    {
        return Err(Failure::Denied(format!(
            "your kubeconfig would send your token for {} to {server}, which is not an address of it: it gets none. Write \
             the file anew by `kubectl gatewarden kubeconfig`, or remove whatever named that server",
            session.url()
        )));
    }
    // Whoever keeps it until then asks again while it still is good.
    let spare = access.expires_at.saturating_sub(SPARE).unwrap_or(access.expires_at);
    let until = if spare > environment::now() { spare } else { access.expires_at };
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": { "token": access.token, "expirationTimestamp": until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() },
    });
    print(&format!("{credential}\n"))
}

/// The origin that kubectl is going to send the token to.
fn server(info: &ExecInfo) -> Result<String, Failure> {
    let cluster = info.spec.cluster.as_ref().ok_or_else(|| {
        let why = "kubectl does not say where your token goes: set provideClusterInfo: true beside this command in your \
                   kubeconfig, or write it anew by `kubectl gatewarden kubeconfig`";
        Failure::Usage(why.to_owned())
    })?;
    origin(&cluster.server)
}

/// Whether a server is the gateway, by one of its names. Those that are not in its address are asked for once in a login.
fn may_have_it(session: &mut Session, server: &str) -> Result<bool, Failure> {
    if server == session.url() || session.gateway().has(server) {
        return Ok(true);
    }
    let names = own::names(session)?;
    session.keep_names(names)?;
    Ok(session.gateway().has(server))
}

#[cfg(test)]
mod tests {
    use crate::cache::Gateway;

    #[test]
    fn a_token_goes_to_the_gateway_by_its_names_and_to_nobody_else() {
        let names = vec!["gw.test".to_owned(), "east.gw.test".to_owned(), "2001:db8::1".to_owned()];
        let gateway = Gateway { url: "https://gw.test:8443".to_owned(), ca: None, names };
        for ours in ["https://gw.test:8443", "https://east.gw.test:8443", "https://[2001:db8::1]:8443"] {
            assert!(gateway.has(ours), "{ours}");
        }
        for other in [
            "https://evil.test:8443",
            "https://east.gw.test",
            "https://east.gw.test:6443",
            "http://gw.test:8443",
            "https://gw.test.evil.test:8443",
            "https://gw.test:8443@evil.test",
            "https://west.gw.test:8443",
            "",
        ] {
            assert!(!gateway.has(other), "{other}");
        }
    }
}
