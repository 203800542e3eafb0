//! The way out of a machine: a proxy where curl would ask it, and never for what is on the machine itself.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use e2e::Case;
use testbed::{Output, bounded};

use super::Machine;
use crate::bed::Bed;

pub(super) fn facts() -> Vec<Case<Bed>> {
    facts![a_proxy_is_asked_where_curl_asks_it, what_is_on_the_machine_is_not_asked_for_at_a_proxy]
}

/// A proxy that goes nowhere, and knows what it was asked for: no real one tells that without going there.
struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (url, asked) = (format!("http://{}", listener.local_addr()?), Arc::new(Mutex::default()));
        let keeps: Arc<Mutex<Vec<String>>> = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
                let first = lines.collect::<Vec<_>>().into_iter().next().unwrap_or_default();
                keeps.lock().unwrap_or_else(PoisonError::into_inner).push(first);
                let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Ok(Self { url, asked })
    }

    /// What it was asked for since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

type Variables<'a> = [(&'a str, &'a str)];

/// Nothing of the surroundings of the tests, and these.
fn surrounded(command: &mut Command, variables: &Variables<'_>) {
    for name in ["https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"] {
        command.env_remove(name);
    }
    // A name that nobody knows is not asked for longer than that.
    command.env("RES_OPTIONS", "timeout:1 attempts:1").envs(variables.iter().copied());
}

pub(crate) fn a_proxy_is_asked_where_curl_asks_it(bed: &Bed) -> Result<()> {
    let (machine, proxy, other) = (Machine::new(bed, bed.gate()), Proxy::start()?, Proxy::start()?);
    let (here, there) = (proxy.url.as_str(), other.url.as_str());
    let bare = here.trim_start_matches("http://");
    let cases: [(&str, &Variables); 12] = [
        ("gw.test", &[("HTTPS_PROXY", here)]),
        ("gw.test", &[("https_proxy", here), ("HTTPS_PROXY", there)]),
        ("gw.test", &[("HTTPS_PROXY", bare)]),
        ("gw.test", &[("ALL_PROXY", there), ("HTTPS_PROXY", here)]),
        ("gw.test", &[("ALL_PROXY", here)]),
        ("192.0.2.1", &[("HTTP_PROXY", here)]),
        ("192.0.2.1", &[("https_proxy", ""), ("HTTPS_PROXY", here)]),
        ("192.0.2.1", &[("HTTPS_PROXY", here), ("NO_PROXY", "192.0.2.0/24")]),
        ("192.0.2.1", &[("HTTPS_PROXY", here), ("NO_PROXY", "*")]),
        ("gw.corp.test", &[("HTTPS_PROXY", here), ("NO_PROXY", "other.test, .corp.test")]),
        ("gw.mycorp.test", &[("HTTPS_PROXY", here), ("NO_PROXY", "corp.test")]),
        ("192.0.2.1", &[("HTTPS_PROXY", here), ("no_proxy", "a.test"), ("NO_PROXY", "192.0.2.1")]),
    ];
    for (host, variables) in cases {
        let url = format!("https://{host}:8443");
        let mut plugin = machine.command(Machine::program()?, &["login", "--device", "--gateway", &url])?;
        plugin.arg("--certificate-authority").arg(bed.gate().path("state/ca.crt"));
        surrounded(&mut plugin, variables);
        let told = Output::from(bounded::run(plugin, b"", bounded::LIMIT)?);
        ensure!(told.code == Some(5) && told.stderr.contains("does not answer"), "{host} {variables:?}: {told:?}");
        let ours = (proxy.asked(), other.asked());
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--disable", "--max-time", "20", &url]);
        surrounded(&mut curl, variables);
        bounded::run(curl, b"", bounded::LIMIT)?;
        let theirs = (proxy.asked(), other.asked());
        ensure!(ours == theirs, "{host} {variables:?}: the plugin {ours:?}, curl {theirs:?}");
    }
    Ok(())
}

pub(crate) fn what_is_on_the_machine_is_not_asked_for_at_a_proxy(bed: &Bed) -> Result<()> {
    let (machine, proxy) = (Machine::new(bed, bed.gate()), Proxy::start()?);
    let mut doctor = machine.plugin(&["get-token"])?;
    surrounded(&mut doctor, &[("HTTPS_PROXY", &proxy.url)]);
    doctor.env("KUBERNETES_EXEC_INFO", machine.asked(super::SOMEBODY));
    let running = e2e::Running::start(doctor)?;
    // Two hosts were asked by then: the gateway's, and the issuer's below `localhost`.
    e2e::eventually("a code", || Ok(super::shown(&running)))?;
    ensure!(proxy.asked().is_empty(), "the proxy was asked");
    let mut typo = machine.command(Machine::program()?, &["login", "--gateway", "https://gw.test"])?;
    surrounded(&mut typo, &[("HTTPS_PROXY", "socks5://somebody:password-of-the-proxy@proxy.test:1080")]);
    let told = Output::from(bounded::run(typo, b"", bounded::LIMIT)?);
    ensure!(told.code == Some(2) && told.stderr.contains("HTTPS_PROXY"), "{told:?}");
    ensure!(!told.stderr.contains("password-of-the-proxy"), "{told:?}");
    told.stderr.lines().next().context("a line").map(drop)
}
