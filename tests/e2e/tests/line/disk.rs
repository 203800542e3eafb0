//! A disk that is full, and one that cannot be written: known sessions go on, and nobody is told that something was kept
//! which was not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Protocol, Skipped};

use crate::bed::Bed;
use crate::gate::{Gate, Plan};

const PODS: &str = "/k8s/clusters/east/api/v1/namespaces/dev/pods";

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![a_full_disk_refuses_logins_and_known_sessions_go_on, a_start_on_a_read_only_disk_says_so_and_loses_nothing]
}

pub(crate) fn a_full_disk_refuses_logins_and_known_sessions_go_on(bed: &Bed) -> Result<()> {
    let folder = bed.folder("gate");
    fs::create_dir_all(folder.join("state"))?;
    let disk = Disk::mount(&folder.join("state"))?;
    let gate = Gate::start_in(bed, &folder, &Plan::default())?;
    let alice = gate.fresh_session("alice")?;
    gate.wait_until_proven()?;
    disk.fill()?;
    let refused = gate.login_as("bob")?;
    ensure!(refused.status == 503, "{} {}", refused.status, refused.text());
    ensure!(!refused.text().contains("password"), "a full disk is not the password's fault: {}", refused.text());
    for _ in 0..3 {
        let answer = gate.get(Protocol::Http2, PODS, &alice)?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    }
    disk.empty()?;
    let again =
        e2e::eventually("logins again, without a restart", || Ok((gate.login_as("bob")?.status == 201).then_some(())));
    again.with_context(|| gate.log().unwrap_or_default())
}

pub(crate) fn a_start_on_a_read_only_disk_says_so_and_loses_nothing(bed: &Bed) -> Result<()> {
    let folder = bed.folder("gate");
    fs::create_dir_all(folder.join("state"))?;
    let disk = Disk::mount(&folder.join("state"))?;
    let gate = Gate::start_in(bed, &folder, &Plan::default())?;
    let (alice, gone) = (gate.fresh_session("alice")?, gate.fresh_session("alice")?);
    gate.ok(&["token", "revoke", gone.token_name()?])?;
    // Killed, so that the last changes stand in the write-ahead log alone.
    gate.kill()?;
    disk.remount("ro")?;
    let told = gate.command(&["serve"])?;
    ensure!(!told.success() && told.stderr.contains("Read-only"), "{}", told.stderr);
    ensure!(told.stderr.trim().lines().filter(|line| !line.starts_with('{')).count() == 1, "{}", told.stderr);
    let told = gate.command(&["token", "revoke", alice.token_name()?])?;
    ensure!(!told.success() && told.stderr.to_lowercase().contains("read-only"), "{}", told.stderr);
    disk.remount("rw")?;
    gate.start_again()?;
    gate.wait_until_proven_for(&alice)?;
    let answer = gate.get(Protocol::Http2, PODS, &gone)?;
    ensure!(answer.status == 401, "a revoked token came back: {} {}", answer.status, answer.text());
    Ok(())
}

/// A small disk in memory; gone when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Result<Self> {
        let mut mount = Command::new("mount");
        let done = mount.args(["-t", "tmpfs", "-o", "size=4m,mode=0700", "gatewarden-test"]).arg(at).output();
        if !done.as_ref().is_ok_and(|output| output.status.success()) {
            return Err(Skipped(format!("no small disk may be mounted here: {done:?}")).into());
        }
        Ok(Self(at.to_owned()))
    }

    fn remount(&self, how: &str) -> Result<()> {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).output()?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    fn fill(&self) -> Result<()> {
        let block = vec![0_u8; 4096];
        let mut file = fs::File::create(self.filler())?;
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        Ok(())
    }

    fn empty(&self) -> Result<()> {
        Ok(fs::remove_file(self.filler())?)
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, since the gateway may still have files open there.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}
