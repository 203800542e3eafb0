//! The server's pair, made and replaced.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

struct Pem {
    certificate: String,
    key: String,
}

fn pair(from: i32, to: i32) -> Pem {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["gw.example.org".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    Pem { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

/// Some day in 2027.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

struct OnDisk {
    _dir: tempfile::TempDir,
    files: CertificateFiles,
}

impl OnDisk {
    fn new(pem: &Pem) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = CertificateFiles { certificate: dir.path().join("tls.crt"), key: dir.path().join("tls.key") };
        let disk = Self { _dir: dir, files };
        disk.write(&pem.certificate, &pem.key);
        disk
    }

    fn write(&self, certificate: &str, key: &str) {
        std::fs::write(&self.files.certificate, certificate).unwrap();
        std::fs::write(&self.files.key, key).unwrap();
    }
}

#[test]
fn a_new_pair_is_taken_once_and_the_same_pair_not_at_all() {
    let disk = OnDisk::new(&pair(2020, 2040));
    let certificate = ServerCertificate::load(disk.files.clone(), now()).unwrap();
    assert!(!certificate.reload(now()).unwrap());
    let next = pair(2021, 2041);
    disk.write(&next.certificate, &next.key);
    assert!(certificate.reload(now()).unwrap());
    assert!(!certificate.reload(now()).unwrap());
}

#[test]
fn a_half_written_pair_leaves_the_old_one_in_use() {
    let (old, new) = (pair(2020, 2040), pair(2021, 2041));
    let disk = OnDisk::new(&old);
    let certificate = ServerCertificate::load(disk.files.clone(), now()).unwrap();
    disk.write(&new.certificate, &old.key);
    assert!(matches!(certificate.reload(now()), Err(CertificateFault::Mismatch(_))));
    disk.write(&new.certificate, "");
    assert!(matches!(certificate.reload(now()), Err(CertificateFault::Pem { .. })));
    disk.write(&old.certificate, &old.key);
    assert!(!certificate.reload(now()).unwrap(), "it is the one in use");
}

#[test]
fn a_certificate_that_is_not_valid_now_says_so() {
    for (from, to, word) in [(2020, 2025, "expired"), (2035, 2040, "valid only from")] {
        let pem = pair(from, to);
        let fault = ServerCertificate::from_pem(pem.certificate.as_bytes(), pem.key.as_bytes(), now()).unwrap_err();
        assert!(fault.to_string().contains(word), "{fault}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let files = CertificateFiles { certificate: "/nowhere/tls.crt".into(), key: "/nowhere/tls.key".into() };
    let fault = ServerCertificate::load(files, now()).unwrap_err();
    assert!(fault.to_string().contains("/nowhere/tls.crt"), "{fault}");
}

#[test]
fn an_authority_without_certificates_is_a_fault() {
    assert_eq!(ClientTls::new(b"", None).unwrap_err(), PemFault::Missing("certificate"));
}
