//! What each command does.

mod doctor;
mod explain;
mod get_token;
mod kubeconfig;
mod login;
mod own;

use std::fs;
use std::io::{Write, stdout};
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::CommandFactory;
use url::Url;

use crate::arguments::{self, Arguments, Command};
use crate::cache::{Folder, Gateway, eprint};
use crate::environment::ExecInfo;
use crate::failure::Failure;
use crate::session::Session;

/// Runs a command. What it prints for programs is on standard output, what it tells people on standard error.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { gateway, command } = arguments;
    let done = match command {
        Command::GetToken => get_token::run(&gateway),
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

/// The session that a command is about, which may log in.
fn session(given: &arguments::Gateway) -> Result<Session, Failure> {
    Session::of(find(given, None)?)
}

/// Which gateway is meant: the one that is named, the one that kubectl asks for, or the only one that is known.
///
/// The authority behind its certificate is the one of the login, unless one is named: what a kubeconfig says of a server
/// counts for a gateway that is met for the first time, and only for this very server.
fn find(given: &arguments::Gateway, info: Option<&ExecInfo>) -> Result<Gateway, Failure> {
    let asked = info.and_then(|info| info.spec.cluster.as_ref());
    let url = match (&given.url, asked) {
        (Some(url), _) => Some(origin(url)?),
        (None, Some(cluster)) => Some(origin(&cluster.server)?),
        (None, None) => None,
    };
    let known = match url {
        Some(url) => match Folder::of(&url)?.gateway()? {
            Some(known) => known,
            None => Gateway {
                ca: asked.and_then(|asked| asked.authority_of(&url)).map(pem).transpose()?,
                ..Gateway::at(url)
            },
        },
        None => only_known()?,
    };
    let Some(file) = &given.certificate_authority else { return Ok(known) };
    let ca = fs::read_to_string(file)
        .map_err(|error| Failure::Usage(format!("{}: {error}; name a readable PEM file", file.display())))?;
    Ok(Gateway { ca: Some(ca), ..known })
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
