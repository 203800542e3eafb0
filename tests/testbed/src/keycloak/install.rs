//! Keycloak, brought once: its distribution from the Maven registry, pinned by hash, built, and started once so that its
//! database holds the realm. A start from there takes a third of the time.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};

use super::Keycloak;
use crate::process::Process;
use crate::programs::{cache, lock_cache, say};
use crate::state::StateDir;
use crate::{http, packages, ports, wait};

/// The version that the tests meet.
const VERSION: &str = "26.7.3";
const SHA256_OF_IT: &str = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f";
/// The plug-in of Maven that copies one file of the registry to a folder.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
const REALM: &str = include_str!("../../data/keycloak-realm.json");
const NAME: &str = "keycloak";

/// Decided when Keycloak is built.
const BUILD: [&str; 3] = ["--db=dev-file", "--health-enabled=false", "--metrics-enabled=false"];
/// What kc.sh tells Java, less its watch over a terminal; and one compiler, which halves a short life.
const JAVA: [&str; 14] = [
    "-Dkc.config.built=true",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Dpicocli.disable.closures=true",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    "-Djava.net.preferIPv4Stack=true",
    "-Dfile.encoding=UTF-8",
    "-XX:TieredStopAtLevel=1",
    "-XX:MaxMetaspaceSize=256m",
    "-Xms64m",
    "-Xmx512m",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.security=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
];
/// What a home shares with the distribution.
const SHARED: [&str; 5] = ["conf", "lib", "providers", "themes", "version.txt"];

/// Installs it beside the final folder and renames: whoever finds the folder finds it whole.
pub(crate) fn fetch() -> Result<()> {
    packages::install_keycloak()?;
    let _alone = lock_cache()?;
    if dir().is_dir() {
        return Ok(());
    }
    say(&format!("Keycloak {VERSION} from the Maven registry (once; 177 MB, and two minutes to build it)"));
    let partial = tempfile::Builder::new().prefix(".keycloak-").tempdir_in(cache())?;
    let archive = download(partial.path())?;
    run(packages::command("unzip")?.arg("-q").arg(&archive).arg("-d").arg(partial.path()))?;
    let home = partial.path().join(format!("keycloak-{VERSION}"));
    run(Command::new(home.join("bin/kc.sh")).arg("build").args(BUILD))?;
    seed(&home)?;
    fs::rename(home, dir()).context("move Keycloak into place")
}

/// Another version or another realm is another folder.
pub(crate) fn dir() -> PathBuf {
    let parts = [SHA256_OF_IT, REALM, &BUILD.concat()].concat();
    cache().join(format!("keycloak-{VERSION}-{}", hex(digest(&SHA256, parts.as_bytes()).as_ref().split_at(6).0)))
}

/// Into a repository that goes with the folder: nobody else's is grown or trusted.
fn download(folder: &Path) -> Result<PathBuf> {
    let mut repository = OsString::from("-Dmaven.repo.local=");
    repository.push(folder.join("repository"));
    let mut output = OsString::from("-DoutputDirectory=");
    output.push(folder);
    let artifact = format!("-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip");
    run(packages::command("mvn")?.args(["-B", "-q", COPY, &artifact]).args([repository, output]))?;
    let archive = folder.join(format!("keycloak-quarkus-dist-{VERSION}.zip"));
    let found = hex(digest(&SHA256, &fs::read(&archive)?).as_ref());
    ensure!(found == SHA256_OF_IT, "the registry's Keycloak {VERSION} has the SHA-256 {found}, not {SHA256_OF_IT}");
    Ok(archive)
}

/// Starts it once with the realm, which it writes to its database, and stops it.
fn seed(home: &Path) -> Result<()> {
    let state = StateDir::create(home)?;
    state.write("data/import/site-realm.json", REALM)?;
    let port = ports::free()?;
    let url = format!("http://127.0.0.1:{port}");
    let mut command = command(home, None)?;
    command
        .args(["--import-realm", "--http-enabled=true", &format!("--http-port={port}"), &format!("--hostname={url}")])
        .env("KC_BOOTSTRAP_ADMIN_USERNAME", Keycloak::ADMIN)
        .env("KC_BOOTSTRAP_ADMIN_PASSWORD", Keycloak::ADMIN_PASSWORD);
    let mut process = Process::start(&state, NAME, command)?;
    wait::until("Keycloak to read its realm", Duration::from_secs(300), || {
        process.check()?;
        Ok(http::get(&format!("{url}/realms/site")).ok().filter(|answer| answer.status == 200))
    })
    .with_context(|| process.log_tail(8))?;
    process.stop(Duration::from_secs(30))
}

/// A folder in which a Keycloak of its own runs: its data, and links to what all share.
pub(crate) fn home(state: &StateDir) -> Result<PathBuf> {
    ensure!(dir().is_dir(), "Keycloak is not installed yet: run `testbed fetch`");
    let home = state.path("home");
    fs::create_dir_all(home.join("data/h2"))?;
    for part in SHARED {
        std::os::unix::fs::symlink(dir().join(part), home.join(part))?;
    }
    let database = "data/h2/keycloakdb.mv.db";
    fs::copy(dir().join(database), home.join(database)).context("copy Keycloak's database")?;
    Ok(home)
}

/// Java itself, so that the pid is that of the server and not of a script before it.
pub(crate) fn command(home: &Path, hosts: Option<&Path>) -> Result<Command> {
    let mut command = packages::command("java")?;
    let mut own = OsString::from("-Dkc.home.dir=");
    own.push(home);
    let mut conf = OsString::from("-Djboss.server.config.dir=");
    conf.push(home.join("conf"));
    command.args(hosts.map(|hosts| format!("-Djdk.net.hosts.file={}", hosts.display())));
    command
        .args([own, conf])
        .args(JAVA)
        .arg("-cp")
        .arg(home.join("lib/quarkus-run.jar"))
        .args(["io.quarkus.bootstrap.runner.QuarkusEntryPoint", "start", "--optimized"])
        // Else members of a cluster are looked for on every network that there is.
        .args(["--cache=local", "--http-host=127.0.0.1"])
        .current_dir(home);
    Ok(command)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("{}: {}", command.get_program().display(), String::from_utf8_lossy(&text).trim());
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
