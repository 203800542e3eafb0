//! The krew manifest in `deploy/krew`, by what krew asks of one and by the program that it is about.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kubectl-gatewarden");

fn krew() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/krew")
}

fn pack(folder: &Path) -> Output {
    let url = "https://files.example.org/kubectl/";
    Command::new(krew().join("pack")).args([Path::new(PROGRAM), folder, Path::new(url)]).output().unwrap()
}

fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or_else(|| panic!("{at} in {value}"))
}

/// What krew refuses a manifest without, and that it is about this program.
fn check(manifest: &Value) {
    assert_eq!(text(manifest, "/apiVersion"), "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!(text(manifest, "/kind"), "Plugin");
    let bin = Path::new(PROGRAM).file_name().unwrap().to_str().unwrap();
    assert_eq!(format!("kubectl-{}", text(manifest, "/metadata/name")), bin);
    assert_eq!(text(manifest, "/spec/version"), format!("v{}", env!("CARGO_PKG_VERSION")));
    assert!(!text(manifest, "/spec/shortDescription").is_empty() && !text(manifest, "/spec/description").is_empty());
    let platforms = manifest.pointer("/spec/platforms").and_then(Value::as_array).unwrap();
    assert!(!platforms.is_empty());
    for platform in platforms {
        let (os, arch) = (text(platform, "/selector/matchLabels/os"), text(platform, "/selector/matchLabels/arch"));
        let file = format!("{bin}-{}-{os}-{arch}.tar.gz", text(manifest, "/spec/version"));
        assert!(
            text(platform, "/uri").starts_with("https://") && text(platform, "/uri").ends_with(&format!("/{file}"))
        );
        let sum = text(platform, "/sha256");
        assert!(sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{sum}");
        assert_eq!(text(platform, "/bin"), bin);
    }
}

#[test]
fn the_manifest_is_one_that_krew_takes_and_is_of_this_release() {
    let manifest = std::fs::read_to_string(krew().join("gatewarden.yaml")).unwrap();
    check(&serde_saphyr::from_str(&manifest).unwrap());
    let told = Command::new(PROGRAM).arg("version").output().unwrap();
    assert_eq!(String::from_utf8(told.stdout).unwrap(), format!("kubectl-gatewarden {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_is_packed_is_this_program_under_the_sum_that_the_manifest_names() {
    let folder = tempfile::tempdir().unwrap();
    let packed = pack(folder.path());
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    let manifest: Value = serde_saphyr::from_str(&String::from_utf8(packed.stdout.clone()).unwrap()).unwrap();
    check(&manifest);
    let uri = text(&manifest, "/spec/platforms/0/uri");
    let file = uri.strip_prefix("https://files.example.org/kubectl/").unwrap();
    let archive = folder.path().join(file);
    let sum = Command::new("sha256sum").arg(&archive).output().unwrap().stdout;
    assert!(String::from_utf8(sum).unwrap().starts_with(text(&manifest, "/spec/platforms/0/sha256")));
    let unpacked = tempfile::tempdir().unwrap();
    let tar = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(unpacked.path()).status().unwrap();
    assert!(tar.success() && unpacked.path().join("LICENSE").is_file());
    let program = unpacked.path().join(text(&manifest, "/spec/platforms/0/bin"));
    assert!(std::fs::read(program).unwrap() == std::fs::read(PROGRAM).unwrap(), "another program was packed");
    assert_eq!(pack(folder.path()).stdout, packed.stdout, "the same program makes the same archive");
}
