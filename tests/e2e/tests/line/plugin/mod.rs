//! The kubectl plugin, as a person on a jump host uses it: no display, no browser, many kubectls at once.

mod browser;
mod clocks;
mod destination;
mod doctor;
mod keyring;
mod kubeconfig;
mod proxy;
mod sessions;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Running};
use testbed::{Output, bounded};

use crate::bed::Bed;
use crate::gate::{Gate, Plan};
use crate::issuer::Visitor;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    let own = facts![
        twenty_plugins_with_nothing_kept_are_one_login,
        a_token_that_is_over_is_refreshed_once_for_all,
        a_login_that_is_killed_holds_up_nobody,
        a_jump_host_from_the_first_login_to_the_last_word,
        nobody_there_to_log_in_is_told_in_one_line,
        a_gateway_that_is_down_fails_all_who_wait_at_once,
        a_login_that_cannot_be_found_is_no_logout,
        what_cannot_be_read_is_kept_aside_and_somebody_logs_in_anew,
    ];
    own.into_iter()
        .chain(doctor::facts())
        .chain(keyring::facts())
        .chain(kubeconfig::facts())
        .chain(browser::facts())
        .chain(clocks::facts())
        .chain(destination::facts())
        .chain(proxy::facts())
        .chain(sessions::facts())
        .collect()
}

const CROWD: usize = 20;
const CODE: &str = "type this code: ";
/// Whether somebody sits at the terminal.
const SOMEBODY: bool = true;
const NOBODY: bool = false;

/// One person's machine: its own cache and kubeconfig.
struct Machine<'a> {
    gate: &'a Gate,
    home: PathBuf,
}

impl<'a> Machine<'a> {
    fn new(bed: &Bed, gate: &'a Gate) -> Self {
        Self { gate, home: bed.folder("machine") }
    }

    fn program() -> Result<PathBuf> {
        let own = std::env::current_exe()?;
        let mut beside = own.ancestors().skip(1).take(2).map(|dir| dir.join("kubectl-gatewarden"));
        beside.find(|path| path.is_file()).context("kubectl-gatewarden is not built")
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap_or_default();
        let beside = Self::program()?.parent().context("a folder")?.display().to_string();
        command.args(arguments).env_remove("DISPLAY").env_remove("BROWSER");
        // Nor a keyring, which would be the one of whoever runs the tests.
        command.env_remove("DBUS_SESSION_BUS_ADDRESS").env_remove("XDG_RUNTIME_DIR");
        command.env("PATH", format!("{beside}:{path}")).env("XDG_CACHE_HOME", self.home.join("cache"));
        command.env("KUBECONFIG", self.home.join("config")).env("HOME", &self.home);
        Ok(command)
    }

    /// The plugin, for this gateway.
    fn plugin(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.command(Self::program()?, arguments)?;
        command.args(["--gateway", &format!("https://{}", self.gate.authority())]);
        command.arg("--certificate-authority").arg(self.gate.path("state/ca.crt"));
        Ok(command)
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        Ok(Output::from(bounded::run(self.plugin(arguments)?, b"", bounded::LIMIT)?))
    }

    /// What kubectl says when it asks for a token for this server.
    fn asks(interactive: bool, server: &str) -> String {
        format!(
            r#"{{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{{"interactive":{interactive},"cluster":{{"server":"{server}"}}}}}}"#
        )
    }

    fn asked(&self, interactive: bool) -> String {
        Self::asks(interactive, &format!("https://{}/k8s/clusters/east", self.gate.authority()))
    }

    fn get_token(&self, interactive: bool) -> Result<Running> {
        let mut command = self.plugin(&["get-token"])?;
        command.env("KUBERNETES_EXEC_INFO", self.asked(interactive));
        Running::start(command)
    }

    /// The same in a terminal of its own.
    fn get_token_at_a_terminal(&self) -> Result<Running> {
        let plugin = self.plugin(&["get-token"])?;
        let words = std::iter::once(plugin.get_program()).chain(plugin.get_args());
        let line: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
        let mut command =
            self.command("script", &["--quiet", "--return", "--command", &line.join(" "), "/dev/null"])?;
        command.env("KUBERNETES_EXEC_INFO", self.asked(SOMEBODY));
        Running::start(command)
    }

    /// The real kubectl, with the kubeconfig that the plugin wrote.
    fn kubectl(&self, bed: &Bed, arguments: &[&str]) -> Result<Output> {
        let real = bed.admin("east")?.program()?;
        Ok(Output::from(bounded::run(self.command(real, arguments)?, b"", bounded::LIMIT)?))
    }

    fn file(&self, name: &str) -> Result<PathBuf> {
        let folders = std::fs::read_dir(self.home.join("cache/kubectl-gatewarden"))?;
        let folder = folders.filter_map(Result::ok).next().context("a folder of a gateway")?;
        Ok(folder.path().join(name))
    }

    /// Lets the access token be over: the next that needs one refreshes.
    fn end_the_token(&self) -> Result<()> {
        let file = self.file("access.json")?;
        let over = std::fs::read_to_string(&file)?.replace("\"expires_at\":\"2", "\"expires_at\":\"1");
        Ok(std::fs::write(&file, over)?)
    }
}

/// The code that one of them shows.
fn shown(running: &Running) -> Option<String> {
    let output = running.output();
    let (_, rest) = output.split_once(CODE)?;
    rest.lines().next().filter(|code| code.len() == 9).map(str::to_owned)
}

/// Somebody types the code in a browser elsewhere and logs in.
fn log_in_elsewhere(gate: &Gate, code: &str, person: &str) -> Result<()> {
    let done = Visitor::of(gate)?.log_in_a_device(code, person)?;
    ensure!(done.text().contains("You are logged in"), "{}", done.text());
    Ok(())
}

/// Waits for what a command has to say, and for its end.
fn ends_well(mut running: Running, word: &str) -> Result<String> {
    running.wait_for(word)?;
    let ended = running.wait_for_end()?;
    ensure!(ended.success(), "{ended}: {}", running.output());
    Ok(running.output())
}

const TOKEN: &str = r#""token":"eyJ"#;

pub(crate) fn twenty_plugins_with_nothing_kept_are_one_login(bed: &Bed) -> Result<()> {
    let (gate, person) = (bed.gate(), bed.new_person("crowd", &["dev"])?);
    let machine = Machine::new(bed, gate);
    let crowd: Vec<Running> = (0..CROWD).map(|_| machine.get_token(SOMEBODY)).collect::<Result<_>>()?;
    let code = e2e::eventually("a code", || Ok(crowd.iter().find_map(shown)))?;
    ensure!(crowd.iter().filter(|one| shown(one).is_some()).count() == 1, "several begin a login");
    log_in_elsewhere(gate, &code, &person)?;
    let told: Vec<String> = crowd.into_iter().map(|one| ends_well(one, TOKEN)).collect::<Result<_>>()?;
    ensure!(told.iter().filter(|told| told.contains(CODE)).count() == 1, "one login for all");
    for told in &told {
        ensure!(told.contains(r#""kind":"ExecCredential""#), "{told}");
    }
    ends_well(machine.get_token(NOBODY)?, TOKEN)?;
    Ok(())
}

pub(crate) fn a_token_that_is_over_is_refreshed_once_for_all(bed: &Bed) -> Result<()> {
    // Of its own, so that whose refresh it was is known.
    let gate = Gate::start(bed, &Plan::default())?;
    let (machine, person) = (Machine::new(bed, &gate), bed.new_person("refresher", &["dev"])?);
    log_in(&machine, &person)?;
    machine.end_the_token()?;
    let asked = || {
        let records = std::fs::read_to_string(gate.audit_file())?;
        let of_tokens =
            records.lines().filter(|line| line.contains("/oidc/token") && line.contains("ResponseComplete"));
        Ok::<_, anyhow::Error>(of_tokens.count())
    };
    let before = asked()?;
    let crowd: Vec<Running> = (0..CROWD).map(|_| machine.get_token(NOBODY)).collect::<Result<_>>()?;
    for one in crowd {
        ends_well(one, TOKEN)?;
    }
    e2e::eventually("one refresh on record", || Ok((asked()? == before + 1).then_some(())))
}

fn log_in(machine: &Machine<'_>, person: &str) -> Result<()> {
    let login = Running::start(machine.plugin(&["login"])?)?;
    let code = e2e::eventually("a code", || Ok(shown(&login)))?;
    log_in_elsewhere(machine.gate, &code, person)?;
    ends_well(login, &format!("as corp:{person}"))?;
    Ok(())
}

pub(crate) fn a_login_that_is_killed_holds_up_nobody(bed: &Bed) -> Result<()> {
    let machine = Machine::new(bed, bed.gate());
    let first = machine.get_token(SOMEBODY)?;
    e2e::eventually("a code", || Ok(shown(&first)))?;
    // Only a terminal is told what is waited for.
    let (mut second, third) = (machine.get_token_at_a_terminal()?, machine.get_token(SOMEBODY)?);
    second.wait_for("waiting for another kubectl-gatewarden (pid ")?;
    second.wait_for("), which waits for the code ")?;
    ensure!(third.output().is_empty(), "{}", third.output());
    drop(first); // SIGKILL
    e2e::eventually("a code of one of them", || Ok(shown(&second).or_else(|| shown(&third))))?;
    Ok(())
}

pub(crate) fn a_jump_host_from_the_first_login_to_the_last_word(bed: &Bed) -> Result<()> {
    let (gate, person) = (bed.gate(), bed.new_person("jumper", &["dev"])?);
    let machine = Machine::new(bed, gate);
    log_in(&machine, &person)?;
    let whoami = machine.run(&["whoami"])?.ok()?;
    ensure!(whoami.contains(&format!("corp:{person}")) && whoami.contains("corp:dev"), "{whoami}");
    ensure!(machine.run(&["clusters"])?.ok()?.contains("east"), "clusters");
    // The rest of a kubeconfig stays as it is.
    std::fs::write(
        machine.home.join("config"),
        "apiVersion: v1\nkind: Config\nclusters:\n- name: mine\n  cluster: { server: \"https://192.0.2.1\" }\n",
    )?;
    merge(bed, &machine)?;
    let context = format!("--context=east@{}", gate.authority());
    let kept = std::fs::read_to_string(machine.home.join("config"))?;
    ensure!(kept.contains("192.0.2.1") && !kept.contains("eyJ") && !kept.contains("gwr-"), "{kept}");
    let seen = machine.kubectl(bed, &[&context, "auth", "whoami"])?.ok()?;
    ensure!(seen.contains(&format!("corp:{person}")), "{seen}");
    let sessions = machine.run(&["sessions", "list"])?.ok()?;
    ensure!(sessions.lines().count() == 2 && sessions.contains("yes"), "{sessions}");
    // Twenty at once, with what is kept.
    let crowd: Vec<Running> = (0..CROWD)
        .map(|_| {
            let real = bed.admin("east")?.program()?;
            Running::start(machine.command(real, &[&context, "-n", "dev", "get", "pods"])?)
        })
        .collect::<Result<_>>()?;
    for one in crowd {
        ends_well(one, "NAME")?;
    }
    machine.run(&["logout"])?.ok()?;
    let refused = machine.kubectl(bed, &[&context, "-n", "dev", "get", "pods"])?;
    ensure!(!refused.success() && refused.stderr.contains("kubectl gatewarden login"), "{}", refused.stderr);
    Ok(())
}

/// `kubeconfig --merge` calls kubectl: the real one, under its name.
fn merge(bed: &Bed, machine: &Machine<'_>) -> Result<()> {
    let real = bed.admin("east")?.program()?;
    let folder = real.parent().context("a folder")?.display().to_string();
    let mut command = machine.plugin(&["kubeconfig", "--merge"])?;
    let beside = Machine::program()?.parent().context("a folder")?.display().to_string();
    command.env("PATH", format!("{folder}:{beside}:/usr/bin:/bin"));
    let told = Output::from(bounded::run(command, b"", bounded::LIMIT)?);
    ensure!(told.success() && told.stderr.contains("Added east"), "{told:?}");
    Ok(())
}

pub(crate) fn nobody_there_to_log_in_is_told_in_one_line(bed: &Bed) -> Result<()> {
    let machine = Machine::new(bed, bed.gate());
    let mut command = machine.plugin(&["get-token"])?;
    command.env("KUBERNETES_EXEC_INFO", machine.asked(NOBODY));
    let told = Output::from(bounded::run(command, b"", bounded::LIMIT)?);
    ensure!(told.code == Some(3) && told.stdout.is_empty(), "{told:?}");
    ensure!(told.stderr.lines().count() == 1 && told.stderr.contains("kubectl gatewarden login"), "{}", told.stderr);
    // Nobody answers there.
    let mut nowhere = machine.command(Machine::program()?, &["login", "--gateway", "https://localhost:1"])?;
    nowhere.arg("--certificate-authority").arg(bed.gate().path("state/ca.crt"));
    let told = Output::from(bounded::run(nowhere, b"", bounded::LIMIT)?);
    ensure!(told.code == Some(5) && told.stderr.contains("does not answer"), "{told:?}");
    // Who is behind the certificate is not known: the system's authorities are asked.
    let mut stranger = machine.command(Machine::program()?, &["login", "--gateway"])?;
    stranger.arg(format!("https://{}", bed.gate().authority()));
    let told = Output::from(bounded::run(stranger, b"", bounded::LIMIT)?);
    ensure!(told.code == Some(5) && told.stdout.is_empty(), "{told:?}");
    Ok(())
}

pub(crate) fn a_gateway_that_is_down_fails_all_who_wait_at_once(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    let (machine, person) = (Machine::new(bed, &gate), bed.new_person("waiter", &["dev"])?);
    log_in(&machine, &person)?;
    machine.end_the_token()?;
    gate.stop()?;
    let mut crowd: Vec<Running> = (0..CROWD).map(|_| machine.get_token(NOBODY)).collect::<Result<_>>()?;
    for one in &mut crowd {
        let ended = one.wait_for_end()?;
        ensure!(ended.code() == Some(5), "{ended}: {}", one.output());
        one.wait_for("does not answer")?;
    }
    gate.start_again()?;
    ends_well(machine.get_token(NOBODY)?, TOKEN)?;
    Ok(())
}

pub(crate) fn a_login_that_cannot_be_found_is_no_logout(bed: &Bed) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let (machine, person) = (Machine::new(bed, bed.gate()), bed.new_person("exposed", &["dev"])?);
    log_in(&machine, &person)?;
    std::fs::set_permissions(machine.file("gateway.json")?, std::fs::Permissions::from_mode(0o644))?;
    let mut command = machine.command(Machine::program()?, &["logout", "--all"])?;
    command.env_remove("GATEWARDEN_GATEWAY");
    let told = Output::from(bounded::run(command, b"", bounded::LIMIT)?);
    ensure!(told.code == Some(1) && told.stderr.contains("by --gateway"), "{told:?}");
    machine.run(&["logout"])?.ok()?;
    // What only asks begins no login where nobody is there to go on with it.
    for command in [&["whoami"][..], &["clusters"], &["sessions", "list"]] {
        let told = machine.run(command)?;
        ensure!(told.code == Some(3) && told.stdout.is_empty(), "{command:?}: {told:?}");
    }
    Ok(())
}

pub(crate) fn what_cannot_be_read_is_kept_aside_and_somebody_logs_in_anew(bed: &Bed) -> Result<()> {
    let (machine, person) = (Machine::new(bed, bed.gate()), bed.new_person("spoilt", &["dev"])?);
    log_in(&machine, &person)?;
    let whole = std::fs::read_to_string(machine.file("refresh.json")?)?;
    let half = whole.get(..whole.len() / 2).context("a half")?;
    std::fs::write(machine.file("refresh.json")?, half)?;
    std::fs::remove_file(machine.file("access.json")?)?;
    std::os::unix::fs::symlink("/etc/hostname", machine.file("access.json")?)?;
    let again = machine.get_token(SOMEBODY)?;
    let code = e2e::eventually("a code", || Ok(shown(&again)))?;
    log_in_elsewhere(machine.gate, &code, &person)?;
    let told = ends_well(again, TOKEN)?;
    for name in ["access.json", "refresh.json"] {
        ensure!(told.contains(&format!("{name}.aside-1")), "{told}");
    }
    ensure!(std::fs::read_to_string(machine.file("refresh.json.aside-1")?)? == half, "the old one is kept");
    ensure!(machine.file("access.json.aside-1")?.is_symlink() && !machine.file("access.json")?.is_symlink());
    ends_well(machine.get_token(NOBODY)?, TOKEN)?;
    // What cannot be read cannot be ended at the gateway, and that is said.
    std::fs::write(machine.file("refresh.json")?, half)?;
    let told = machine.run(&["logout"])?;
    ensure!(told.code == Some(1) && told.stderr.contains("may go on at the gateway"), "{told:?}");
    Ok(())
}
