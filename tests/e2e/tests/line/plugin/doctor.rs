//! `doctor` on machines that have one thing wrong each.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Running};
use testbed::{Output, bounded};

use super::{CODE, Machine, SOMEBODY, log_in, merge, shown};
use crate::bed::Bed;

pub(super) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_machine_where_all_is_well_and_then_one_thing_after_the_other_is_not,
        a_login_is_told_as_the_files_and_the_gateway_know_it,
        a_kubectl_that_does_not_work_is_told,
        what_lies_on_the_way_is_told_apart,
        a_clock_that_is_wrong_is_told_by_doctor_and_by_errors,
    ]
}

/// What `doctor` says there, and its exit code.
fn doctor(mut command: Command) -> Result<Output> {
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"] {
        command.env_remove(name);
    }
    Ok(Output::from(bounded::run(command, b"", bounded::LIMIT)?))
}

/// It ends with 1, and the line of that check says all of these; with what mends it below.
fn fails(told: &Output, check: &str, words: &[&str]) -> Result<()> {
    ensure!(told.code == Some(1), "{told:?}");
    let mut lines = told.stdout.lines().skip_while(|line| !line.starts_with(&format!("FAIL {check} ")));
    let line = lines.next().with_context(|| format!("{check} does not fail: {}", told.stdout))?;
    let fix = lines.next().filter(|line| line.contains("-> ")).with_context(|| format!("no fix: {}", told.stdout))?;
    for word in words {
        ensure!(line.contains(word) || fix.contains(word), "{word:?} in {line} {fix}");
    }
    Ok(())
}

/// A machine whose kubectl is the real one.
fn with_kubectl(bed: &Bed, mut command: Command) -> Result<Command> {
    let kubectl = bed.admin("east")?.program()?.parent().context("a folder")?.display().to_string();
    let beside = Machine::program()?.parent().context("a folder")?.display().to_string();
    command.env("PATH", format!("{kubectl}:{beside}:/usr/bin:/bin"));
    Ok(command)
}

pub(crate) fn a_machine_where_all_is_well_and_then_one_thing_after_the_other_is_not(bed: &Bed) -> Result<()> {
    let (machine, person) = (Machine::new(bed, bed.gate()), bed.new_person("patient", &["dev"])?);
    let look = || doctor(with_kubectl(bed, machine.plugin(&["doctor"])?)?);
    std::fs::create_dir_all(&machine.home)?;
    fails(&look()?, "login", &["not logged in", "kubectl gatewarden login --gateway"])?;
    log_in(&machine, &person)?;
    merge(bed, &machine)?;
    let told = look()?;
    ensure!(told.success() && !told.stdout.contains("FAIL"), "{told:?}");
    for check in ["plugin", "cache", "lock", "login", "dns", "tcp", "tls", "clock", "gateway", "issuer", "kubectl"] {
        ensure!(told.stdout.contains(&format!("ok   {check} ")), "{check}: {}", told.stdout);
    }
    ensure!(told.stdout.contains("localhost until 20") && told.stdout.contains("signed by "), "{}", told.stdout);
    ensure!(told.stdout.contains("1 user(s) of this gateway, by this program"), "{}", told.stdout);
    // A kubeconfig that names a program which has gone.
    let config = machine.home.join("config");
    let good = std::fs::read_to_string(&config)?;
    std::fs::write(&config, good.replace("command: kubectl-gatewarden", "command: /nowhere/kubectl-gatewarden"))?;
    fails(&look()?, "kubeconfig", &["/nowhere/kubectl-gatewarden", "not there", "kubeconfig --merge"])?;
    std::fs::write(&config, good)?;
    let mut without = machine.plugin(&["doctor"])?;
    without.env("PATH", "/nowhere");
    fails(&doctor(without)?, "kubectl", &["put kubectl into your PATH"])?;
    spoilt(&machine, &look)
}

pub(crate) fn a_login_is_told_as_the_files_and_the_gateway_know_it(bed: &Bed) -> Result<()> {
    let (machine, person) = (Machine::new(bed, bed.gate()), bed.new_person("known", &["dev"])?);
    let look = || doctor(with_kubectl(bed, machine.plugin(&["doctor"])?)?);
    log_in(&machine, &person)?;
    let file = machine.file("access.json")?;
    let good = std::fs::read_to_string(&file)?;
    machine.end_the_token()?;
    let told = look()?;
    ensure!(told.success() && told.stdout.contains("is over, and is renewed when needed"), "{told:?}");
    ensure!(told.stdout.contains("ok   gateway    answers; log in to see its version"), "{told:?}");
    std::fs::remove_file(machine.file("refresh.json")?)?;
    fails(&look()?, "login", &["not logged in", "kubectl gatewarden login --gateway"])?;
    // What the file holds is good for long, and the gateway knows better.
    std::fs::write(&file, good)?;
    machine.run(&["sessions", "revoke", "current"])?.ok()?;
    fails(&look()?, "gateway", &["not known there", "kubectl gatewarden login"])?;
    std::fs::remove_file(&file)?;
    let folder = file.parent().context("a folder")?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    fails(&look()?, "lock", &["others may enter it", "run chmod 700"])
}

pub(crate) fn a_kubectl_that_does_not_work_is_told(bed: &Bed) -> Result<()> {
    let (machine, person) = (Machine::new(bed, bed.gate()), bed.new_person("tooled", &["dev"])?);
    log_in(&machine, &person)?;
    let config = machine.home.join("config");
    std::fs::write(&config, "clusters: [")?;
    let told = doctor(with_kubectl(bed, machine.plugin(&["doctor"])?)?)?;
    fails(&told, "kubeconfig", &["kubectl config view", "mend your kubeconfig"])?;
    // Something else of that name.
    let folder = machine.home.join("bin");
    std::fs::create_dir_all(&folder)?;
    std::os::unix::fs::symlink("/bin/echo", folder.join("kubectl"))?;
    let mut command = machine.plugin(&["doctor"])?;
    command.env("PATH", &folder);
    fails(&doctor(command)?, "kubectl", &["prints no JSON", "install another kubectl"])
}

/// A file that others may read, then a lock that is held.
fn spoilt(machine: &Machine<'_>, look: &dyn Fn() -> Result<Output>) -> Result<()> {
    let file = machine.file("refresh.json")?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644))?;
    fails(&look()?, "cache", &["refresh.json could be read by others", "puts it aside"])?;
    std::fs::remove_file(&file)?;
    std::fs::remove_file(machine.file("access.json")?)?;
    let mut holder = machine.get_token(SOMEBODY)?;
    holder.wait_for(CODE)?;
    let code = shown(&holder).context("a code")?;
    let kill = format!("kill {}", holder.pid());
    fails(&look()?, "lock", &[&code, &kill])
}

pub(crate) fn what_lies_on_the_way_is_told_apart(bed: &Bed) -> Result<()> {
    let (gate, machine) = (bed.gate(), Machine::new(bed, bed.gate()));
    let at = |url: &str, ca: Option<&Path>| {
        let mut command = machine.command(Machine::program()?, &["doctor", "--gateway", url])?;
        command.env("RES_OPTIONS", "timeout:1 attempts:1");
        if let Some(ca) = ca {
            command.arg("--certificate-authority").arg(ca);
        }
        doctor(command)
    };
    let (ca, other) = (gate.path("state/ca.crt"), bed.cluster("east")?.ca_file());
    let port = gate.port();
    fails(&at("https://nobody.test:8443", Some(&ca))?, "dns", &["nobody.test is not found", "spelling"])?;
    fails(&at("https://localhost:1", Some(&ca))?, "tcp", &["127.0.0.1:1", "port 1"])?;
    let elsewhere = format!("https://other.localhost:{port}");
    fails(&at(&elsewhere, Some(&ca))?, "tls", &["localhost", "not for other.localhost"])?;
    let here = format!("https://localhost:{port}");
    fails(&at(&here, Some(&other))?, "tls", &["file that you gave does not hold", "--certificate-authority"])?;
    fails(&at(&here, None)?, "tls", &["your system does not hold", "--certificate-authority"])?;
    let mut by_socks = machine.command(Machine::program()?, &["doctor", "--gateway", "https://gw.test"])?;
    by_socks.env("all_proxy", "socks5://localhost:1").env_remove("https_proxy").env_remove("HTTPS_PROXY");
    let told = Output::from(bounded::run(by_socks, b"", bounded::LIMIT)?);
    fails(&told, "proxy", &["HTTPS_PROXY (or ALL_PROXY) is no address", "correct or unset"])?;
    // What speaks, and no TLS.
    let plain = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = plain.local_addr()?;
    std::thread::spawn(move || {
        for mut stream in plain.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    fails(&at(&format!("https://{address}"), Some(&ca))?, "tls", &["port"])
}

/// The plugin under another clock.
pub(super) fn under(clock: &str, plugin: &Command) -> Command {
    let mut command = Command::new("faketime");
    command.args(["-f", clock]).arg(plugin.get_program()).args(plugin.get_args());
    for (name, value) in plugin.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

pub(crate) fn a_clock_that_is_wrong_is_told_by_doctor_and_by_errors(bed: &Bed) -> Result<()> {
    let machine = Machine::new(bed, bed.gate());
    let told = doctor(under("+10m", &machine.plugin(&["doctor"])?))?;
    fails(&told, "clock", &["ahead of the gateway's", "set it"])?;
    let told = doctor(under("+40y", &machine.plugin(&["doctor"])?))?;
    fails(&told, "tls", &["the certificate ended on", "your clock is wrong"])?;
    let told = doctor(under("-40y", &machine.plugin(&["doctor"])?))?;
    fails(&told, "tls", &["the certificate begins on", "your clock is wrong"])?;
    let mut login = Running::start(under("+40y", &machine.plugin(&["login", "--device"])?))?;
    login.wait_for("this machine says that it is 20")?;
    ensure!(login.wait_for_end()?.code() == Some(5), "{}", login.output());
    // A refusal of the gateway comes with its time.
    let person = bed.new_person("late", &["dev"])?;
    log_in(&machine, &person)?;
    std::fs::write(machine.file("refresh.json")?, r#"{"token":"gwr-unknown"}"#)?;
    std::fs::write(machine.file("access.json")?, r#"{"token":"unknown","expires_at":"2200-01-01T00:00:00Z"}"#)?;
    let told = doctor(under("-2h", &machine.plugin(&["whoami"])?))?;
    ensure!(told.code == Some(3) && told.stderr.contains("behind the gateway's"), "{told:?}");
    Ok(())
}
