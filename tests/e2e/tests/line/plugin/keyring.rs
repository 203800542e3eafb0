//! The refresh token on a machine with a desktop: GNOME Keyring on a bus of its own, and a bus on which nobody answers.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Running};
use testbed::{Output, bounded};

use super::{CODE, Machine, NOBODY, TOKEN, ends_well, log_in_elsewhere, shown};
use crate::bed::Bed;

pub(super) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_desktops_keyring_has_the_refresh_token,
        a_keyring_that_is_locked_asks_nobody_and_loses_nothing,
        a_keyring_that_never_answers_holds_up_nobody,
    ]
}

const IN_KEYRING: &str = r#""keyring""#;
/// How a refresh token of the gateway begins.
const REFRESH: &str = "gwr-";

/// A bus as sessions have it, except that it starts nobody: which keyring is there is for a case to say.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>ADDRESS</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A person's desktop, with a machine that belongs to it.
struct Desktop<'a> {
    machine: Machine<'a>,
    bus: String,
    _daemon: Running,
}

impl<'a> Desktop<'a> {
    fn start(bed: &'a Bed) -> Result<Self> {
        let machine = Machine::new(bed, bed.gate());
        std::fs::create_dir_all(&machine.home)?;
        let (config, socket) = (machine.home.join("bus.conf"), machine.home.join("bus"));
        let bus = format!("unix:path={}", socket.display());
        std::fs::write(&config, BUS.replace("ADDRESS", &bus))?;
        let mut command = Command::new("dbus-daemon");
        command.args(["--nofork", "--nopidfile", "--config-file"]).arg(&config);
        let daemon = Running::start(command)?;
        e2e::eventually("a bus", || Ok(socket.exists().then_some(())))?;
        Ok(Self { machine, bus, _daemon: daemon })
    }

    /// The keyring's own program. Its keyring is made, or opened, by the password; without one it stays locked.
    fn keyring(&self, password: Option<&str>) -> Result<Running> {
        let file = self.machine.home.join("password");
        std::fs::write(&file, password.unwrap_or_default())?;
        let unlock = if password.is_some() { "--unlock" } else { "" };
        let line = format!("exec gnome-keyring-daemon {unlock} --foreground --components=secrets < \"$0\"");
        // Where one that was killed could be found.
        let _ = std::fs::remove_dir_all(self.machine.home.join("keyring"));
        let mut command = self.on_bus(self.machine.command("sh", &["-c", &line])?);
        command.arg(&file).env("XDG_RUNTIME_DIR", &self.machine.home);
        let keyring = Running::start(command)?;
        self.wait_for_it()?;
        Ok(keyring)
    }

    fn wait_for_it(&self) -> Result<()> {
        e2e::eventually("a keyring on the bus", || {
            let told = self.run(&["doctor"])?;
            Ok((!told.stdout.contains("there is no keyring here")).then_some(()))
        })
    }

    fn on_bus(&self, mut command: Command) -> Command {
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.bus);
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        Ok(Output::from(bounded::run(self.on_bus(self.machine.plugin(arguments)?), b"", bounded::LIMIT)?))
    }

    fn get_token(&self) -> Result<Running> {
        let mut command = self.on_bus(self.machine.plugin(&["get-token"])?);
        command.env("KUBERNETES_EXEC_INFO", self.machine.asked(NOBODY));
        Running::start(command)
    }

    fn log_in(&self, person: &str) -> Result<()> {
        let login = Running::start(self.on_bus(self.machine.plugin(&["login"])?))?;
        let code = e2e::eventually("a code", || Ok(shown(&login)))?;
        log_in_elsewhere(self.machine.gate, &code, person)?;
        ends_well(login, &format!("as corp:{person}")).map(drop)
    }

    fn refresh_file(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.machine.file("refresh.json")?)?)
    }

    /// The line of `doctor` about the keyring.
    fn told(&self) -> Result<String> {
        let told = self.run(&["doctor"])?.stdout;
        let line = told.lines().find(|line| line.get(5..12) == Some("keyring"));
        Ok(line.with_context(|| told.clone())?.to_owned())
    }
}

pub(crate) fn a_desktops_keyring_has_the_refresh_token(bed: &Bed) -> Result<()> {
    let (desktop, person) = (Desktop::start(bed)?, bed.new_person("desktop", &["dev"])?);
    let _keyring = desktop.keyring(Some("of the desktop"))?;
    ensure!(desktop.told()?.contains("the next login puts the refresh token into it"), "{}", desktop.told()?);
    desktop.log_in(&person)?;
    ensure!(desktop.refresh_file()? == IN_KEYRING, "{}", desktop.refresh_file()?);
    ensure!(desktop.told()?.contains("it has your refresh token"), "{}", desktop.told()?);
    for _ in 0..2 {
        desktop.machine.end_the_token()?;
        ends_well(desktop.get_token()?, TOKEN)?;
        ensure!(desktop.refresh_file()? == IN_KEYRING, "{}", desktop.refresh_file()?);
    }
    ensure!(!holds(&desktop.machine.home, REFRESH)?, "a refresh token lies in a file");
    desktop.run(&["logout"])?.ok()?;
    ensure!(desktop.told()?.contains("the next login puts the refresh token into it"), "{}", desktop.told()?);
    Ok(())
}

/// Whether some file in a folder holds these words.
fn holds(folder: &Path, words: &str) -> Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type()))?;
        let kind = kind?;
        let found = match kind.is_dir() {
            true => holds(&path, words)?,
            false => kind.is_file() && String::from_utf8_lossy(&std::fs::read(&path)?).contains(words),
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn a_keyring_that_is_locked_asks_nobody_and_loses_nothing(bed: &Bed) -> Result<()> {
    let (desktop, person) = (Desktop::start(bed)?, bed.new_person("locker", &["dev"])?);
    let keyring = desktop.keyring(Some("of the desktop"))?;
    desktop.log_in(&person)?;
    drop(keyring);
    let locked = desktop.keyring(None)?;
    ensure!(desktop.told()?.starts_with("FAIL keyring    the keyring is locked"), "{}", desktop.told()?);
    // What is good for a while yet needs no keyring.
    ends_well(desktop.get_token()?, TOKEN)?;
    desktop.machine.end_the_token()?;
    let mut refused = desktop.get_token()?;
    refused.wait_for("the keyring is locked, and your login is in it: unlock it, or run")?;
    ensure!(refused.wait_for_end()?.code() == Some(3), "{}", refused.output());
    ensure!(desktop.refresh_file()? == IN_KEYRING, "it is not gone: {}", desktop.refresh_file()?);
    drop(locked);
    let _keyring = desktop.keyring(Some("of the desktop"))?;
    ends_well(desktop.get_token()?, TOKEN)?;
    Ok(())
}

pub(crate) fn a_keyring_that_never_answers_holds_up_nobody(bed: &Bed) -> Result<()> {
    let (mut desktop, person) = (Desktop::start(bed)?, bed.new_person("hung", &["dev"])?);
    let folder = bed.folder("bus");
    std::fs::create_dir_all(&folder)?;
    let socket = folder.join("s");
    // It takes connections, and says nothing.
    let listener = UnixListener::bind(&socket)?;
    listener.set_nonblocking(true)?;
    desktop.bus = format!("unix:path={}", socket.display());
    desktop.log_in(&person)?;
    ensure!(listener.accept().is_ok(), "a login asks for a keyring");
    ensure!(desktop.refresh_file()?.starts_with(r#"{"token":"#), "{}", desktop.refresh_file()?);
    // Neither a token that is kept nor one that is renewed does.
    while listener.accept().is_ok() {}
    ends_well(desktop.get_token()?, TOKEN)?;
    desktop.machine.end_the_token()?;
    let told = ends_well(desktop.get_token()?, TOKEN)?;
    ensure!(!told.contains(CODE) && listener.accept().is_err(), "a keyring was asked: {told}");
    let told = desktop.told()?;
    ensure!(told.starts_with("ok   keyring    the keyring does not answer: "), "{told}");
    Ok(())
}
