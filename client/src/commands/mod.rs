//! What each command does.

mod doctor;
mod explain;
mod kubeconfig;
mod login;
mod own;

use std::fs;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::CommandFactory;
use serde_json::json;
use url::Url;

use crate::arguments::{self, Arguments, Command};
use crate::cache::{Folder, Gateway, eprint};
use crate::environment::{self, ExecInfo};
use crate::failure::Failure;
use crate::session::{How, Session};

/// Runs a command. What it prints for programs is on standard output, what it tells people on standard error.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { gateway, command } = arguments;
    let done = match command {
        Command::GetToken => get_token(&gateway),
        Command::Login { device, username, provider } => login::run(&gateway, device, username, &provider),
        Command::Logout { all } => login::out(&gateway, all),
        Command::Kubeconfig { cluster, merge } => kubeconfig::run(&gateway, cluster.as_deref(), merge),
        Command::Whoami { explain, cluster } => own::whoami(&gateway, explain, cluster.as_deref()),
        Command::Clusters => own::clusters(&gateway),
        Command::Sessions { command } => own::sessions(&gateway, &command),
        Command::Doctor => doctor::run(&gateway),
        Command::Version => print(&format!("kubectl-gatewarden {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "kubectl-gatewarden", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprint(&format!("kubectl-gatewarden: {failure}"));
            failure.code()
        }
    }
}

/// A request is under way for a while, and clocks differ.
const SPARE: Duration = Duration::from_secs(30);

/// The whole of what kubectl reads: nothing else may be on standard output.
fn get_token(given: &arguments::Gateway) -> Result<(), Failure> {
    let info = environment::exec_info()?;
    let somebody = info.as_ref().map_or_else(environment::is_terminal, |info| info.spec.interactive);
    let session = Session::of(find(given, info.as_ref())?)?;
    let access = session.token(if somebody { How::AsItFits } else { How::Never })?;
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

/// The session that a command is about, which may log in.
fn session(given: &arguments::Gateway) -> Result<Session, Failure> {
    Session::of(find(given, None)?)
}

/// Which gateway is meant: the one that is named, the one that kubectl asks for, or the only one that is known.
fn find(given: &arguments::Gateway, info: Option<&ExecInfo>) -> Result<Gateway, Failure> {
    let asked = info.and_then(|info| info.spec.cluster.as_ref());
    let url = match (&given.url, asked) {
        (Some(url), _) => Some(origin(url)?),
        (None, Some(cluster)) => Some(origin(&cluster.server)?),
        (None, None) => None,
    };
    let ca = match (&given.certificate_authority, asked.and_then(|asked| asked.certificate_authority_data.as_ref())) {
        (Some(file), _) => Some(
            fs::read_to_string(file)
                .map_err(|error| Failure::Usage(format!("{}: {error}; name a readable PEM file", file.display())))?,
        ),
        (None, Some(data)) => Some(pem(data)?),
        (None, None) => None,
    };
    let known = match url {
        Some(url) => Folder::of(&url)?.gateway()?.unwrap_or(Gateway { url, ca: None }),
        None => only_known()?,
    };
    Ok(Gateway { ca: ca.or(known.ca), ..known })
}

fn only_known() -> Result<Gateway, Failure> {
    let mut known = Folder::all()?;
    match (known.pop(), known.is_empty()) {
        (Some(gateway), true) => Ok(gateway),
        (Some(last), false) => {
            let urls: Vec<String> = known.iter().chain([&last]).map(|gateway| gateway.url.clone()).collect();
            Err(Failure::Usage(format!("say which gateway you mean, by --gateway: {}", urls.join(" or "))))
        }
        (None, _) => {
            Err(Failure::Usage("say where the gateway is: --gateway https://kube.example.org:8443".to_owned()))
        }
    }
}

/// Scheme, host and port of an address. A gateway is reached by TLS alone.
fn origin(text: &str) -> Result<String, Failure> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.has_host());
    let url = url.ok_or_else(|| {
        Failure::Usage(format!("{text:?} is no https address, such as https://kube.example.org:8443"))
    })?;
    Ok(url.origin().ascii_serialization())
}

fn pem(data: &str) -> Result<String, Failure> {
    let bytes =
        STANDARD.decode(data).map_err(|_| Failure::Usage("certificate-authority-data is no base64".to_owned()))?;
    String::from_utf8(bytes).map_err(|_| Failure::Usage("certificate-authority-data is no PEM".to_owned()))
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Columns under headings, as kubectl prints them.
fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let widths = (0..headings.len()).map(|column| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|heading| heading.len())).max().unwrap_or_default()
    });
    let widths: Vec<usize> = widths.collect();
    let line = |cells: Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("   ").trim_end())
    };
    let mut text = line(headings.iter().map(|heading| heading.to_uppercase()).collect());
    text.extend(rows.iter().cloned().map(line));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_cut_to_its_origin_and_must_be_safe() {
        assert_eq!(origin("https://gw.test:8443/k8s/clusters/east").unwrap(), "https://gw.test:8443");
        assert_eq!(origin("https://gw.test/").unwrap(), "https://gw.test");
        for wrong in ["http://gw.test", "gw.test:8443", "", "gw.test"] {
            assert!(matches!(origin(wrong), Err(Failure::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn columns_stand_under_their_headings() {
        let rows = [vec!["east".to_owned(), "no".to_owned()], vec!["a-long-name".to_owned(), "yes".to_owned()]];
        assert_eq!(
            table(&["id", "read-only"], &rows),
            "ID            READ-ONLY\neast          no\na-long-name   yes\n"
        );
    }
}
