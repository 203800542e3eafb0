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
    facts![
        a_full_disk_refuses_logins_and_known_sessions_go_on,
        a_start_on_a_read_only_disk_serves_known_sessions_until_it_can_write
    ]
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

pub(crate) fn a_start_on_a_read_only_disk_serves_known_sessions_until_it_can_write(bed: &Bed) -> Result<()> {
    let folder = bed.folder("gate");
    fs::create_dir_all(folder.join("state"))?;
    let disk = Disk::mount(&folder.join("state"))?;
    let gate = Gate::start_in(bed, &folder, &Plan::default())?;
    let (alice, gone) = (gate.fresh_session("alice")?, gate.fresh_session("alice")?);
    gate.ok(&["token", "revoke", gone.token_name()?])?;
    // Killed, so that the last changes stand in the write-ahead log alone.
    gate.kill()?;
    disk.remount("ro")?;
    let before = copies()?;
    gate.start_again()?;
    gate.wait_until_proven_for(&alice)?;
    let status = |session| Ok::<_, anyhow::Error>(gate.get(Protocol::Http2, PODS, session)?.status.as_u16());
    ensure!(status(&alice)? == 200, "a known session is not served");
    ensure!(status(&gone)? == 401, "a revoked token came back");
    let refused = gate.login_as("bob")?;
    ensure!(refused.status == 503, "{} {}", refused.status, refused.text());
    ensure!(!refused.text().contains("password"), "the disk is not the password's fault: {}", refused.text());
    let told = gate.command(&["token", "revoke", alice.token_name()?])?;
    ensure!(!told.success() && told.stderr.to_lowercase().contains("read-only"), "{}", told.stderr);
    disk.remount("rw")?;
    // What is written now, by a command beside it, would not be seen in the copy.
    e2e::eventually("an end by itself", || Ok(gate.pid().is_err().then_some(())))?;
    ensure!(gate.log()?.contains("can be written again"), "{}", gate.log()?);
    ensure!(copies()? == before, "the copy stays behind");
    gate.ok(&["token", "revoke", alice.token_name()?])?;
    gate.start_again()?;
    let bob = gate.fresh_session("bob")?;
    gate.wait_until_proven_for(&bob)?;
    ensure!([status(&alice)?, status(&gone)?] == [401, 401], "a revoked token came back");
    Ok(())
}

/// The copies of stores on this machine.
fn copies() -> Result<Vec<PathBuf>> {
    let all = fs::read_dir(std::env::temp_dir())?.collect::<Result<Vec<_>, _>>()?;
    let name = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("gatewarden-"));
    Ok(all.into_iter().map(|entry| entry.path()).filter(name).collect())
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

    /// Whoever was killed may hold files for a moment longer.
    fn remount(&self, how: &str) -> Result<()> {
        let mut told = String::new();
        let done = e2e::eventually(how, || {
            let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).output()?;
            told = String::from_utf8_lossy(&done.stderr).into_owned();
            Ok(done.status.success().then_some(()))
        });
        done.context(told)
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
