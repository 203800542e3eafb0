//! A login by the browser of the same machine, and the strangers who knock at the port meanwhile.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Running};
use url::Url;

use super::{Machine, ends_well, merge};
use crate::bed::{Bed, POD};
use crate::issuer::Visitor;
use crate::pages::Desk;
use crate::people;

pub(super) fn facts() -> Vec<Case<Bed>> {
    facts![
        the_browser_brings_the_answer_and_strangers_bring_nothing,
        a_real_browser_ends_on_the_plugins_own_page_in_english,
        a_real_browser_ends_on_the_plugins_own_page_in_korean,
    ]
}

/// Keeps the address that it is to open.
const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/line/plugin/browser.sh");
const PATIENCE: Duration = Duration::from_secs(30);

/// A login that has just opened a browser, and what it opened there.
fn begin(machine: &Machine<'_>) -> Result<(Running, Url)> {
    std::fs::create_dir_all(&machine.home)?;
    let opened = machine.home.join("opened");
    let mut command = machine.plugin(&["login"])?;
    command.env_remove("SSH_CONNECTION").env_remove("SSH_TTY").env("BROWSER", BROWSER).env("OPENED", &opened);
    let login = Running::start(command)?;
    let address = e2e::eventually("an address", || Ok(std::fs::read_to_string(&opened).ok()))?;
    Ok((login, Url::parse(&address)?))
}

/// What the plugin asks the issuer for, under this name.
fn asked(address: &Url, name: &str) -> Result<String> {
    let found = address.query_pairs().find(|(key, _)| key == name);
    Ok(found.with_context(|| format!("{name} in {address}"))?.1.into_owned())
}

/// What the plugin's port answers when it is asked under some name.
fn ask(port: &Url, host: &str, target: &str) -> Result<String> {
    let mut stream = TcpStream::connect(&port.socket_addrs(|| None)?[..])?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n")?;
    let mut told = String::new();
    stream.read_to_string(&mut told)?;
    Ok(told)
}

pub(crate) fn the_browser_brings_the_answer_and_strangers_bring_nothing(bed: &Bed) -> Result<()> {
    let (machine, person) = (Machine::new(bed, bed.gate()), bed.new_person("browser", &["dev"])?);
    let (mut login, address) = begin(&machine)?;
    let asked = |name: &str| asked(&address, name);
    ensure!(asked("code_challenge_method")? == "S256", "{address}");
    let port = Url::parse(&asked("redirect_uri")?)?;
    ensure!(port.host_str() == Some("127.0.0.1"), "{port}");
    // They say nothing, and hold up nobody.
    let silent: Vec<TcpStream> =
        (0..3).map(|_| Ok(TcpStream::connect(&port.socket_addrs(|| None)?[..])?)).collect::<Result<_>>()?;
    let mut visitor = Visitor::of(bed.gate())?;
    let page = visitor.browser.open(&address)?;
    let done = visitor.log_in(page.answer()?, &person)?;
    let back = Url::parse(done.header("location"))?;
    ensure!(back.port() == port.port() && back.path() == port.path(), "{back}");
    let target = &back[url::Position::BeforePath..];
    let forged = target.replace(&asked("state")?, "forged");
    ensure!(forged != target, "{target}");
    let elsewhere = target.replace(port.path(), "/other");
    let stopped = "/callback?error=access_denied&state=forged";
    let rebound = format!("rebound.test:{}", port.port().context("a port")?);
    for (host, target, status) in [
        (port.authority(), forged.as_str(), "400"),
        (port.authority(), stopped, "400"),
        (port.authority(), elsewhere.as_str(), "404"),
        (port.authority(), "/favicon.ico", "404"),
        (rebound.as_str(), target, "404"),
    ] {
        let told = ask(&port, host, target)?;
        ensure!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{host} {target}: {told}");
        ensure!(login.is_alive()?, "ended by {host} {target}: {}", login.output());
    }
    let told = testbed::http::get(back.as_str())?;
    ensure!(told.status == 200 && told.body.contains("you may close this window"), "{} {}", told.status, told.body);
    let policy = told.header("content-security-policy").unwrap_or_default();
    ensure!(policy.contains("default-src 'none'") && told.header("referrer-policy") == Some("no-referrer"), "{policy}");
    ends_well(login, &format!("as corp:{person}"))?;
    drop(silent);
    Ok(())
}

pub(crate) fn a_real_browser_ends_on_the_plugins_own_page_in_english(bed: &Bed) -> Result<()> {
    let words = ["You are logged in", "The login was stopped", "The login did not work"];
    ends_on_the_plugins_own_page(bed, &Desk::new(bed, "en", false)?, words)
}

pub(crate) fn a_real_browser_ends_on_the_plugins_own_page_in_korean(bed: &Bed) -> Result<()> {
    let words = ["로그인되었습니다", "로그인을 중단했습니다", "로그인하지 못했습니다"];
    ends_on_the_plugins_own_page(bed, &Desk::new(bed, "ko", true)?, words)
}

/// A login from the first page to the last, then one that is stopped, then one whose code is worth nothing.
fn ends_on_the_plugins_own_page(bed: &Bed, desk: &Desk, [done, stopped, failed]: [&str; 3]) -> Result<()> {
    let (machine, person) = (Machine::new(bed, &desk.gate), bed.new_person("surfer", &["dev"])?);
    let (login, address) = begin(&machine)?;
    desk.browser.open(address.as_str())?;
    desk.log_in(&person, &people::password(&person))?;
    desk.browser.wait_for_text(done)?;
    ensure!(desk.browser.url()?.starts_with("http://127.0.0.1:"), "{}", desk.browser.url()?);
    desk.look("landing")?;
    ends_well(login, &format!("as corp:{person}"))?;
    merge(bed, &machine)?;
    let context = format!("--context=east@{}", desk.gate.authority());
    machine.kubectl(bed, &[&context, "--namespace=dev", "get", "pods", POD])?.ok()?;
    for (answer, title, page, code) in
        [("error=access_denied", stopped, Some("stopped"), 4), ("code=of-nobody", failed, None, 1)]
    {
        std::fs::remove_file(machine.home.join("opened"))?;
        let (mut login, address) = begin(&machine)?;
        let issuer = format!("{}/oidc", address.origin().ascii_serialization());
        let mut back = Url::parse(&format!("{}?{answer}", asked(&address, "redirect_uri")?))?;
        back.query_pairs_mut().append_pair("state", &asked(&address, "state")?).append_pair("iss", &issuer);
        desk.browser.open(back.as_str())?;
        desk.browser.wait_for_text(title)?;
        page.map_or(Ok(()), |page| desk.look(page))?;
        let ended = login.wait_for_end()?;
        ensure!(ended.code() == Some(code), "{ended}: {}", login.output());
    }
    Ok(())
}
