//! A container image made by hand: one layer that holds a static busybox.
//!
//! No image registry is asked, so pods start without a network. The format is the OCI image layout in a tar.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";

/// An archive that names the same image by every one of `names` (`host/path:tag`).
pub(super) fn archive(busybox: &[u8], names: &[&str]) -> Result<Vec<u8>> {
    let mut blobs = Vec::new();
    let layer = add(&mut blobs, "layer.v1.tar", layer(busybox)?);
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sleep", "2147483647"]},
        "rootfs": {"type": "layers", "diff_ids": [layer.get("digest")]},
    });
    let config = add(&mut blobs, "config.v1+json", config.to_string().into_bytes());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": [layer],
    });
    let manifest = add(&mut blobs, "manifest.v1+json", manifest.to_string().into_bytes());
    let manifests: Vec<Value> = names.iter().map(|name| named(&manifest, name)).collect();

    let mut tar = Tar::default();
    tar.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let index = json!({"schemaVersion": 2, "manifests": manifests});
    tar.file("index.json", 0o644, index.to_string().as_bytes())?;
    for (digest, data) in &blobs {
        tar.file(&format!("blobs/sha256/{digest}"), 0o644, data)?;
    }
    Ok(tar.finish())
}

fn named(manifest: &Value, name: &str) -> Value {
    let mut manifest = manifest.clone();
    if let Some(fields) = manifest.as_object_mut() {
        fields.insert("platform".into(), json!({"architecture": architecture(), "os": "linux"}));
        fields.insert("annotations".into(), json!({"io.containerd.image.name": name}));
    }
    manifest
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn layer(busybox: &[u8]) -> Result<Vec<u8>> {
    let mut tar = Tar::default();
    for dir in ["bin", "dev", "etc", "proc", "root", "srv", "sys", "tmp"] {
        tar.entry(Entry { name: dir, mode: 0o755, kind: b'5', link: "", data: &[] })?;
    }
    tar.file("bin/busybox", 0o755, busybox)?;
    tar.file("etc/passwd", 0o644, PASSWD)?;
    for applet in applets()? {
        let name = format!("bin/{applet}");
        tar.entry(Entry { name: &name, mode: 0o777, kind: b'2', link: "busybox", data: &[] })?;
    }
    Ok(tar.finish())
}

fn applets() -> Result<Vec<String>> {
    let output = Command::new("busybox").arg("--list").output().context("ask busybox for its applets")?;
    let names = String::from_utf8(output.stdout)?;
    Ok(names.lines().filter(|name| *name != "busybox").map(str::to_owned).collect())
}

/// Content by its SHA-256.
type Blobs = Vec<(String, Vec<u8>)>;

/// Stores a blob by its digest and returns the descriptor that refers to it.
fn add(blobs: &mut Blobs, media_type: &str, data: Vec<u8>) -> Value {
    let hash: String = digest(&SHA256, &data).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let descriptor = json!({
        "mediaType": format!("application/vnd.oci.image.{media_type}"),
        "digest": format!("sha256:{hash}"),
        "size": data.len(),
    });
    if blobs.iter().all(|(known, _)| *known != hash) {
        blobs.push((hash, data));
    }
    descriptor
}

const BLOCK: usize = 512;

/// A ustar archive being written.
#[derive(Default)]
struct Tar {
    bytes: Vec<u8>,
}

struct Entry<'a> {
    name: &'a str,
    mode: u32,
    kind: u8,
    link: &'a str,
    data: &'a [u8],
}

impl Tar {
    fn file(&mut self, name: &str, mode: u32, data: &[u8]) -> Result<()> {
        self.entry(Entry { name, mode, kind: b'0', link: "", data })
    }

    fn entry(&mut self, entry: Entry<'_>) -> Result<()> {
        self.bytes.extend_from_slice(&header(&entry)?);
        self.bytes.extend_from_slice(entry.data);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        Ok(())
    }

    /// Two empty blocks end an archive.
    fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }
}

/// Fields by their length, in ustar's order; the checksum counts itself as blanks.
fn header(entry: &Entry<'_>) -> Result<Vec<u8>> {
    ensure!(entry.name.len() < 100 && entry.link.len() < 100, "{}: too long a name", entry.name);
    let before = [
        field(entry.name, 100),
        field(&format!("{:07o}", entry.mode), 8),
        field("0000000", 8),
        field("0000000", 8),
        field(&format!("{:011o}", entry.data.len()), 12),
        field("00000000000", 12),
    ]
    .concat();
    let after = [vec![entry.kind], field(entry.link, 100), field("ustar", 6), b"00".to_vec()].concat();
    let sum: u32 = before.iter().chain(&after).map(|&byte| u32::from(byte)).sum::<u32>() + 8 * u32::from(b' ');
    let mut block = [before, field(&format!("{sum:06o}"), 7), b" ".to_vec(), after].concat();
    block.resize(BLOCK, 0);
    Ok(block)
}

fn field(text: &str, length: usize) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(length, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tar_reads_what_we_write() {
        let mut tar = Tar::default();
        tar.entry(Entry { name: "bin", mode: 0o755, kind: b'5', link: "", data: &[] }).unwrap();
        tar.file("bin/a", 0o644, &[b'x'; 513]).unwrap();
        tar.entry(Entry { name: "bin/b", mode: 0o777, kind: b'2', link: "a", data: &[] }).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("t.tar"), tar.finish()).unwrap();
        let status = Command::new("tar").args(["-xf", "t.tar"]).current_dir(dir.path()).status().unwrap();
        assert!(status.success());
        assert_eq!(std::fs::read(dir.path().join("bin/b")).unwrap(), [b'x'; 513]);
    }

    #[test]
    fn one_blob_serves_two_names() {
        let mut blobs = Vec::new();
        let one = add(&mut blobs, "layer.v1.tar", b"same".to_vec());
        let two = add(&mut blobs, "layer.v1.tar", b"same".to_vec());
        assert_eq!((one, blobs.len()), (two, 1));
    }
}
