//! A certificate for a laptop: on a loopback address without one of its own, the gateway is its own authority.
//!
//! The authority is kept in the state folder, so that kubeconfig files that hold it stay good over restarts. The
//! server's certificate is made anew at each start and before it runs out. Keys never leave their 0600 files.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use gatewarden_proxy::CertificateFiles;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// The authority's certificate in a state folder: the file that kubeconfig files inline.
#[must_use]
pub fn ca_file(state_dir: &Path) -> PathBuf {
    state_dir.join("ca.crt")
}

/// Makes the server's certificate for `names`, and the authority first where there is none that lasts.
///
/// # Errors
/// The state folder cannot be written, or a key in it is no key.
pub(super) fn issue(state_dir: &Path, names: &[String], now: Timestamp) -> Result<CertificateFiles, AuthorityError> {
    let failed = |what: &'static str| move |source| AuthorityError::Io { what, folder: state_dir.to_owned(), source };
    make_state_dir(state_dir).map_err(failed("create"))?;
    let key = authority_key(state_dir, now)?;
    let issuer = Issuer::new(authority_params(now), key);
    let server_key = KeyPair::generate()?;
    let certificate = server_params(names, now)?.signed_by(&server_key, &issuer)?;
    let files = CertificateFiles { certificate: state_dir.join("server.crt"), key: state_dir.join("server.key") };
    match write(&files.key, &server_key.serialize_pem(), 0o600) {
        // The one of the last start serves as well, while it lasts.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem && is_valid(&files.certificate, now) => {
            return Ok(files);
        }
        written => written.map_err(failed("write into"))?,
    }
    write(&files.certificate, &certificate.pem(), 0o644).map_err(failed("write into"))?;
    Ok(files)
}

/// Makes the state folder, for its owner alone, where there is none.
///
/// # Errors
/// The system does not let us.
pub(crate) fn make_state_dir(state_dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir)
}

/// Why there is no certificate of our own.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The state folder does not let us. The operator mends its owner, or names another.
    #[error("cannot {what} the state folder {}", folder.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A key or certificate could not be made or read. Removing `ca.key` and `ca.crt` makes new ones.
    #[error("the gateway's own authority is unusable; remove ca.key and ca.crt to make a new one")]
    Crypto(#[from] rcgen::Error),
}

/// Lives of the authority and of the server's certificate, in days.
const AUTHORITY_DAYS: i64 = 3_650;
const SERVER_DAYS: i64 = 90;
/// An authority with less than this left is replaced.
const RENEW_DAYS: i64 = 120;

/// The authority's key, made with its certificate where they are missing or run out soon.
fn authority_key(state_dir: &Path, now: Timestamp) -> Result<KeyPair, AuthorityError> {
    let failed = |source| AuthorityError::Io { what: "write into", folder: state_dir.to_owned(), source };
    let key_file = state_dir.join("ca.key");
    let certificate_file = ca_file(state_dir);
    if let (Ok(key), Ok(certificate)) = (fs::read_to_string(&key_file), fs::read(&certificate_file))
        && lasts(&certificate, now)
    {
        return Ok(KeyPair::from_pem(&key)?);
    }
    let key = KeyPair::generate()?;
    let certificate = authority_params(now).self_signed(&key)?;
    write(&key_file, &key.serialize_pem(), 0o600).map_err(failed)?;
    write(&certificate_file, &certificate.pem(), 0o644).map_err(failed)?;
    Ok(key)
}

fn lasts(certificate: &[u8], now: Timestamp) -> bool {
    seconds_left(certificate, now).is_some_and(|left| left > RENEW_DAYS * 86_400)
}

fn is_valid(certificate: &Path, now: Timestamp) -> bool {
    fs::read(certificate).ok().and_then(|pem| seconds_left(&pem, now)).is_some_and(|left| left > 0)
}

fn seconds_left(certificate: &[u8], now: Timestamp) -> Option<i64> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(certificate).ok()?;
    Some(pem.parse_x509().ok()?.validity().not_after.timestamp() - now.as_second())
}

fn authority_params(now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Gatewarden on this machine");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    within(&mut params, now, AUTHORITY_DAYS);
    params
}

fn server_params(names: &[String], now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut all: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    all.extend(names.iter().filter(|name| !all.contains(name)).cloned().collect::<Vec<_>>());
    let mut params = CertificateParams::new(all)?;
    params.distinguished_name.push(DnType::CommonName, "gatewarden");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    within(&mut params, now, SERVER_DAYS);
    Ok(params)
}

/// From yesterday, for clocks that are a little behind, and for so many days.
fn within(params: &mut CertificateParams, now: Timestamp, days: i64) {
    let date = |offset: i64| {
        let today = now.to_zoned(TimeZone::UTC).date();
        let date = today.checked_add(offset.days()).unwrap_or(today);
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = date(-1);
    params.not_after = date(days);
}

/// Writes a new file beside the old one and puts it in its place, so that no reader sees half of it.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(fresh, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use gatewarden_proxy::ServerCertificate;

    use super::*;

    #[test]
    fn the_authority_survives_a_restart_and_its_keys_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let files = issue(&state, &["gatewarden.test".to_owned()], now).unwrap();
        let first = fs::read(ca_file(&state)).unwrap();
        let server = fs::read(&files.certificate).unwrap();
        ServerCertificate::load(files.clone(), now.into()).unwrap();

        issue(&state, &[], now).unwrap();
        assert_eq!(fs::read(ca_file(&state)).unwrap(), first);
        assert_ne!(fs::read(&files.certificate).unwrap(), server);
        for key in ["ca.key", "server.key"] {
            assert_eq!(fs::metadata(state.join(key)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn an_authority_that_runs_out_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        issue(folder.path(), &[], "2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
        let first = fs::read(ca_file(folder.path())).unwrap();
        issue(folder.path(), &[], "2035-12-01T00:00:00Z".parse().unwrap()).unwrap();
        assert_ne!(fs::read(ca_file(folder.path())).unwrap(), first);
    }
}
