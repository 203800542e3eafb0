//! Kubernetes and etcd, compiled once by version from the Go module registry.
//!
//! No distribution packages them at the version we speak to, and their release downloads would be binaries
//! that nobody checks. `go/*/go.sum` pins every module by hash.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{npm, packages};

/// The Kubernetes version that the tests meet.
pub const KUBERNETES: &str = "1.36.3";
/// The etcd version behind it: older ones lack what streaming lists need.
pub const ETCD: &str = "3.6.8";

/// One upstream project: its lock files, and the programs made from it.
struct Project {
    name: &'static str,
    version: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
    programs: &'static [(&'static str, &'static str)],
}

const PROJECTS: [Project; 2] = [
    Project {
        name: "kubernetes",
        version: KUBERNETES,
        go_mod: include_str!("../go/kubernetes/go.mod"),
        go_sum: include_str!("../go/kubernetes/go.sum"),
        programs: &[
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
            ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        ],
    },
    Project {
        name: "etcd",
        version: ETCD,
        go_mod: include_str!("../go/etcd/go.mod"),
        go_sum: include_str!("../go/etcd/go.sum"),
        programs: &[("etcd", "go.etcd.io/etcd/server/v3")],
    },
];

/// Brings what the machine lacks: packages first, they fail soonest; then the compiled programs, then npm's.
///
/// # Errors
/// When a package cannot be installed, a program not be compiled, or the npm registry lacks a package.
pub fn fetch() -> Result<()> {
    packages::install_all()?;
    PROJECTS.iter().try_for_each(Project::build)?;
    npm::fetch()
}

/// The folder for everything worth keeping between runs.
pub fn cache() -> PathBuf {
    let base = env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || env::var_os("HOME").map_or_else(env::temp_dir, |home| PathBuf::from(home).join(".cache"));
    base.unwrap_or_else(home).join("gatewarden")
}

/// Makes the folder, and waits until nobody else fills it.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn lock_cache() -> Result<File> {
    fs::create_dir_all(cache()).with_context(|| format!("make {}", cache().display()))?;
    let lock = File::create(cache().join("lock")).with_context(|| format!("write to {}", cache().display()))?;
    lock.lock().context("wait for another build")?;
    Ok(lock)
}

/// The path of a compiled program.
///
/// # Errors
/// When it was not compiled yet.
pub fn program(name: &str) -> Result<PathBuf> {
    let project = PROJECTS.iter().find(|project| project.programs.iter().any(|(program, _)| *program == name));
    let path = project.with_context(|| format!("{name} is none of our programs"))?.dir().join(name);
    if !path.is_file() {
        bail!("{name} is not compiled yet: run `testbed fetch`");
    }
    Ok(path)
}

/// A line of progress for whoever waits.
#[expect(clippy::print_stderr, reason = "compiling takes minutes; silence would look like a hang")]
pub fn say(line: &str) {
    eprintln!("testbed: {line}");
}

impl Project {
    fn dir(&self) -> PathBuf {
        cache().join(format!("{}-{}", self.name, self.version))
    }

    /// Compiles into a folder beside the final one and renames: whoever finds the folder finds it whole.
    fn build(&self) -> Result<()> {
        let _alone = lock_cache()?;
        if self.dir().is_dir() {
            return Ok(());
        }
        let partial =
            tempfile::Builder::new().prefix(&format!(".{}-{}-", self.name, process::id())).tempdir_in(cache())?;
        let source = partial.path().join("source");
        fs::create_dir_all(&source)?;
        fs::write(source.join("go.mod"), self.go_mod)?;
        fs::write(source.join("go.sum"), self.go_sum)?;
        let out = partial.path().join("bin");
        fs::create_dir_all(&out)?;
        for (name, package) in self.programs {
            self.compile(&source, &out.join(name), package)?;
        }
        fs::rename(&out, self.dir()).with_context(|| format!("move {} into place", self.name))
    }

    fn compile(&self, source: &Path, out: &Path, package: &str) -> Result<()> {
        let name = out.file_name().unwrap_or_default().display().to_string();
        say(&format!("compiling {name} {} from its Go module (once; minutes on a cold cache)", self.version));
        let begin = Instant::now();
        let output = Command::new("go")
            .args(["build", "-trimpath", "-mod=readonly", "-ldflags", &self.linker_flags(), "-o"])
            .arg(out)
            .arg(package)
            .current_dir(source)
            .envs([("CGO_ENABLED", "0"), ("GOFLAGS", ""), ("GOWORK", "off")])
            .stdin(Stdio::null())
            .output()
            .context("run go: Kubernetes is compiled with Go 1.26 or newer")?;
        if !output.status.success() {
            bail!("compile {name}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        say(&format!("{name} compiled in {} s", begin.elapsed().as_secs()));
        Ok(())
    }

    /// Without these an API server calls itself v0.0.0, and clients that compare versions go astray.
    fn linker_flags(&self) -> String {
        let mut flags = String::from("-s -w");
        let mut parts = self.version.split('.');
        let numbers = [("gitMajor", parts.next()), ("gitMinor", parts.next())];
        for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
            flags.push_str(&format!(" -X {package}.gitVersion=v{}", self.version));
            for (key, number) in numbers {
                flags.push_str(&format!(" -X {package}.{key}={}", number.unwrap_or_default()));
            }
        }
        flags
    }
}
