//! What a key file must and must not be.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("mode");
}

const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const TWO: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

#[test]
fn the_first_start_makes_a_private_file_and_the_second_reads_it() {
    let folder = folder();
    let path = folder.path().join("key");
    let first = KeyFile::open_or_create(&path).expect("made");
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let Mac { key: id, code: mac } = first.tokens().make(&[b"x"]).expect("a key");
    let second = KeyFile::open_or_create(&path).expect("read");
    assert!(second.tokens().verify(id, &[b"x"], &mac));
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).expect("list").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(names, ["key"], "no draft stays behind");
}

#[test]
fn a_file_that_others_may_read_is_refused_with_its_mode() {
    let folder = folder();
    let path = folder.path().join("key");
    KeyFile::open_or_create(&path).expect("made");
    for mode in [0o640, 0o604, 0o620, 0o601] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
        let refused = KeyFile::open_or_create(&path).expect_err("refused").to_string();
        assert!(refused.contains(&format!("{mode:04o}")) && refused.contains("chmod 600"), "{refused}");
    }
}

#[test]
fn a_malformed_file_is_refused_and_never_replaced() {
    let folder = folder();
    let path = folder.path().join("key");
    let twice = format!("gatewarden-keys-v1\n1 {ONE}\n1 {TWO}\n");
    let big = format!("gatewarden-keys-v1\n256 {ONE}\n");
    let short = "gatewarden-keys-v1\n1 AAAA\n";
    for text in ["", "gatewarden-keys-v1\n", "hello", "gatewarden-keys-v1\nkey\n", short, &twice, &big] {
        write(&path, text);
        assert!(matches!(KeyFile::open_or_create(&path), Err(KeyFault::Malformed { .. })), "{text:?}");
        assert_eq!(std::fs::read_to_string(&path).expect("still there"), text);
    }
}

#[test]
fn a_new_first_key_makes_and_the_old_one_still_recognizes() {
    let folder = folder();
    let path = folder.path().join("key");
    write(&path, &format!("gatewarden-keys-v1\n1 {ONE}\n"));
    let old = KeyFile::open_or_create(&path).expect("read").tokens().clone();
    let Mac { key: id, code: mac } = old.make(&[b"name", b"secret"]).expect("a key");
    write(&path, &format!("gatewarden-keys-v1\n2 {TWO}\n1 {ONE}\n"));
    let new = KeyFile::open_or_create(&path).expect("read").tokens().clone();
    assert_eq!(new.make(&[b"x"]).expect("a key").key, 2);
    assert!(new.verify(id, &[b"name", b"secret"], &mac));
    assert!(!new.verify(2, &[b"name", b"secret"], &mac), "another key's code");
    assert!(!new.verify(id, &[b"names", b"ecret"], &mac), "a byte that moved over");
    assert!(!new.verify(id, &[b"name", b"secret"], &mac[..15]), "a code cut short");
}

#[test]
fn debug_shows_no_key() {
    let folder = folder();
    let path = folder.path().join("key");
    write(&path, &format!("gatewarden-keys-v1\n7 {TWO}\n"));
    let keys = KeyFile::open_or_create(&path).expect("read");
    assert!(!format!("{keys:?}").contains(TWO) && format!("{keys:?}").contains("ids: [7]"), "{keys:?}");
}

#[test]
fn what_is_sealed_opens_for_the_same_thing_and_untouched_alone() {
    let folder = folder();
    let path = folder.path().join("key");
    write(&path, &format!("gatewarden-keys-v1\n1 {ONE}\n"));
    let old = KeyFile::open_or_create(&path).expect("read").signing().clone();
    let sealed = old.seal("key 1", b"secret").expect("sealed");
    assert!(!sealed.windows(6).any(|window| window == b"secret"), "in plain text");
    assert_ne!(sealed, old.seal("key 1", b"secret").expect("sealed"), "the same bytes twice");
    write(&path, &format!("gatewarden-keys-v1\n2 {TWO}\n1 {ONE}\n"));
    let new = KeyFile::open_or_create(&path).expect("read").signing().clone();
    assert_eq!(new.open("key 1", &sealed).expect("opens").as_slice(), b"secret");
    assert!(new.open("key 2", &sealed).is_none(), "moved to another row");
    assert!(old.open("key 1", &new.seal("key 1", b"x").expect("sealed")).is_none(), "a key that it does not have");
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(new.open("key 1", &altered).is_none(), "byte {at}");
        assert!(new.open("key 1", &sealed[..at]).is_none(), "cut at {at}");
    }
}
