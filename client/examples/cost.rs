//! Prints what the plugin costs: its size, and the time from kubectl's call to the end with a token that is kept.
//!
//! ```text
//! make build && cargo run --release --package kubectl-gatewarden --example cost
//! ```
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement for people to read")]

use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};

const GATEWAY: &str = "https://kube.example.org:8443";
const RUNS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let beside = own.ancestors().nth(2).map(|folder| folder.join("kubectl-gatewarden"));
    let program = beside.filter(|path| path.is_file()).ok_or("build the plugin first: make build")?;
    let cache = tempfile::tempdir()?;
    keep_a_token(cache.path())?;
    let mut plugin = times(&program, &["get-token", "--gateway", GATEWAY], cache.path())?;
    let mut nothing = times(Path::new("/bin/true"), &[], cache.path())?;
    println!("kubectl-gatewarden: {:.1} MiB stripped", fs::metadata(&program)?.len() as f64 / f64::from(1 << 20));
    println!("get-token with a token that is kept, {RUNS} starts: {}", told(&mut plugin));
    println!("/bin/true, started in the same way:                {}", told(&mut nothing));
    Ok(())
}

/// As a login leaves it, with a token of the length that the gateway's have.
fn keep_a_token(cache: &Path) -> Result<(), Box<dyn Error>> {
    let name: String =
        digest(&SHA256, GATEWAY.as_bytes()).as_ref().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let folder: PathBuf = cache.join("kubectl-gatewarden").join(name);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    for (name, text) in [
        ("gateway.json", format!(r#"{{"url":"{GATEWAY}","ca":null}}"#)),
        ("access.json", format!(r#"{{"token":"{}","expires_at":"2999-01-01T00:00:00Z"}}"#, "x".repeat(640))),
    ] {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name))?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
    }
    Ok(())
}

fn times(program: &Path, arguments: &[&str], cache: &Path) -> io::Result<Vec<Duration>> {
    (0..RUNS)
        .map(|_| {
            let mut command = Command::new(program);
            command.args(arguments).env("XDG_CACHE_HOME", cache).stdin(Stdio::null()).stdout(Stdio::null());
            let began = Instant::now();
            let ended = command.status()?;
            let took = began.elapsed();
            let failed = || io::Error::other(format!("{} ended with {ended}", program.display()));
            if ended.success() { Ok(took) } else { Err(failed()) }
        })
        .collect()
}

fn told(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    format!("p50 {:.1} ms, p99 {:.1} ms", at(50), at(99))
}
