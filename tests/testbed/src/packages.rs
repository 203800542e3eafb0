//! What the distribution provides: container runtime, network plug-ins, directories, Prometheus, Node.js, a browser, and tools that look on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::programs::say;

/// A package of Debian and its kin, and the program by which its presence is known elsewhere too. One that brings modules
/// alone, in a folder that differs by architecture, is known by its name.
const PACKAGES: [(&str, &str); 33] = [
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("busybox-static", "busybox"),
    ("containernetworking-plugins", "/usr/lib/cni/bridge"),
    ("kmod", "modprobe"),
    ("iproute2", "ip"),
    ("util-linux", "unshare"),
    ("bsdutils", "script"),
    ("slapd", "slapd"),
    ("ldap-utils", "ldapadd"),
    ("curl", "curl"),
    ("samba", "samba"),
    ("samba-ad-provision", "/usr/share/samba/setup/provision.ldif"),
    ("samba-dsdb-modules", "package:samba-dsdb-modules"),
    ("samba-vfs-modules", "package:samba-vfs-modules"),
    ("winbind", "winbindd"),
    ("ldb-tools", "ldbmodify"),
    ("strace", "strace"),
    ("faketime", "faketime"),
    ("prometheus", "prometheus"),
    ("nodejs", "node"),
    ("npm", "npm"),
    ("chromium", "chromium"),
    ("chromium-driver", "chromedriver"),
    ("libnss3-tools", "certutil"),
    // Pages in Korean need its letters.
    ("fonts-nanum", "package:fonts-nanum"),
    // Clients of the issuer that others wrote, in the distribution's version.
    ("oidc-agent-cli", "oidc-gen"),
    ("python3-authlib", "/usr/lib/python3/dist-packages/authlib/__init__.py"),
    ("python3-requests", "/usr/lib/python3/dist-packages/requests/__init__.py"),
    // A keyring as desktops have it, on a bus of its own.
    ("dbus-daemon", "dbus-daemon"),
    ("gnome-keyring", "gnome-keyring-daemon"),
    // libFuzzer is C++.
    ("g++", "g++"),
];

/// What only measuring needs.
const BENCH: [(&str, &str); 4] =
    [("nginx-light", "nginx"), ("haproxy", "haproxy"), ("wrk", "wrk"), ("nghttp2-client", "h2load")];

/// What Keycloak needs, which the tests do without where it cannot be had.
const KEYCLOAK: [(&str, &str); 3] = [("default-jre-headless", "java"), ("maven", "mvn"), ("unzip", "unzip")];

/// Where programs of administrators live, which `PATH` may leave out.
const ADMIN_DIRS: [&str; 2] = ["/usr/sbin", "/sbin"];

const POLICY: &str = "/usr/sbin/policy-rc.d";

/// The packages that this machine lacks.
pub fn missing() -> Vec<&'static str> {
    PACKAGES.iter().filter(|(_, program)| find(program).is_none()).map(|&(package, _)| package).collect()
}

/// Installs with apt-get what is missing of everything.
///
/// # Errors
/// As [`install`].
pub fn install_all() -> Result<()> {
    install(&PACKAGES.map(|(package, _)| package))
}

/// Installs with apt-get what measuring needs.
///
/// # Errors
/// As [`install`].
pub fn install_bench() -> Result<()> {
    install(&BENCH.map(|(package, _)| package))
}

/// Installs with apt-get what Keycloak needs.
///
/// # Errors
/// As [`install`].
pub(crate) fn install_keycloak() -> Result<()> {
    install(&KEYCLOAK.map(|(package, _)| package))
}

/// Installs with apt-get what is missing of `wanted`.
///
/// # Errors
/// When something is missing and we are not root, or there is no apt-get, or it fails.
pub fn install(wanted: &[&str]) -> Result<()> {
    let known = PACKAGES.iter().chain(&BENCH).chain(&KEYCLOAK).filter(|(package, _)| wanted.contains(package));
    let missing: Vec<_> = known.filter(|(_, program)| find(program).is_none()).map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    ensure!(rustix::process::geteuid().is_root(), "missing: {}. As root: {line}", missing.join(", "));
    ensure!(find("apt-get").is_some(), "missing: {}. Install them the way of this system", missing.join(", "));
    say(&format!("{line} (once)"));
    let _quiet = NoServices::begin()?;
    apt(&["update", "-q"])?;
    apt(&[&["install", "-y", "-q", "--no-install-recommends"], missing.as_slice()].concat())
}

/// The full path of a program, administrators' folders included.
pub fn find(program: &str) -> Option<PathBuf> {
    if let Some(package) = program.strip_prefix("package:") {
        return file_list(package);
    }
    if program.starts_with('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).chain(ADMIN_DIRS.iter().map(PathBuf::from));
    dirs.map(|dir| dir.join(program)).find(|path| path.is_file())
}

/// Where dpkg keeps what is in an installed package, whose name may carry its architecture.
fn file_list(package: &str) -> Option<PathBuf> {
    let lists = fs::read_dir("/var/lib/dpkg/info").ok()?.flatten().map(|entry| entry.path());
    lists.filter(|path| path.extension().is_some_and(|extension| extension == "list")).find(|path| {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        name.split(':').next() == Some(package)
    })
}

/// A command for a program of [`PACKAGES`].
pub(crate) fn command(program: &str) -> Result<Command> {
    find(program).map(Command::new).with_context(|| format!("{program} is not installed: run `testbed fetch`"))
}

fn apt(arguments: &[&str]) -> Result<()> {
    let output = command("apt-get")?
        .args(["-o", "DPkg::Lock::Timeout=600"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        bail!("apt-get {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// While it lives, no package starts a service: nobody asked for a directory server on port 389.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn begin() -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let ours = !Path::new(POLICY).exists();
        if ours {
            fs::write(POLICY, "#!/bin/sh\nexit 101\n")?;
            fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { ours })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}
