//! A certificate authority for one test bed, kept in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SerialNumber, date_time_ymd,
};

use crate::state::write_private;

const NAME: &str = "test bed CA";
const KEY_FILE: &str = "ca.key";
const CERTIFICATE_FILE: &str = "ca.crt";

/// Signs server and client certificates into its folder.
#[derive(Debug)]
pub struct Ca {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// PEM certificate.
    pub certificate: PathBuf,
    /// PEM private key (PKCS #8), mode 0600.
    pub key: PathBuf,
}

impl Ca {
    /// Makes the authority, or opens the one that the folder holds already.
    ///
    /// # Errors
    /// When the folder cannot be written or holds something else.
    pub fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let (key_file, certificate_file) = (dir.join(KEY_FILE), dir.join(CERTIFICATE_FILE));
        if !certificate_file.exists() {
            let key = KeyPair::generate()?;
            write_private(&key_file, &key.serialize_pem())?;
            fs::write(&certificate_file, params()?.self_signed(&key)?.pem())?;
        }
        let key = KeyPair::from_pem(&fs::read_to_string(&key_file).context("read the CA key")?)?;
        Ok(Self { dir: dir.into(), issuer: Issuer::new(params()?, key) })
    }

    /// The file that clients trust.
    pub fn certificate(&self) -> PathBuf {
        self.dir.join(CERTIFICATE_FILE)
    }

    /// A server certificate for these DNS names and addresses; `file` names the pair in the folder.
    ///
    /// # Errors
    /// When a name is no DNS name or the folder cannot be written.
    pub fn server(&self, file: &str, names: &[&str]) -> Result<Leaf> {
        self.sign(file, leaf(file, names)?)
    }

    /// A server certificate that ended years ago.
    ///
    /// # Errors
    /// When a name is no DNS name or the folder cannot be written.
    pub fn expired_server(&self, file: &str, names: &[&str]) -> Result<Leaf> {
        let mut params = leaf(file, names)?;
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
        self.sign(file, params)
    }

    /// A client certificate; an API server reads user and group from it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn client(&self, file: &str, user: &str, group: Option<&str>) -> Result<Leaf> {
        let mut params = leaf(user, &[])?;
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        self.sign(file, params)
    }

    /// What a kubelet needs: one certificate that serves on loopback and names the node towards the API server.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn node(&self, file: &str, node: &str) -> Result<Leaf> {
        let mut params = leaf(&format!("system:node:{node}"), &["localhost", "127.0.0.1"])?;
        params.distinguished_name.push(DnType::OrganizationName, "system:nodes");
        self.sign(file, params)
    }

    /// A key pair without a certificate (service-account tokens): `<file>.key` and `<file>.pub`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn key_pair(&self, file: &str) -> Result<()> {
        let path = self.dir.join(format!("{file}.key"));
        if path.exists() {
            return Ok(());
        }
        let key = KeyPair::generate()?;
        write_private(&path, &key.serialize_pem())?;
        Ok(fs::write(self.dir.join(format!("{file}.pub")), key.public_key_pem())?)
    }

    fn sign(&self, file: &str, mut params: CertificateParams) -> Result<Leaf> {
        let key = KeyPair::generate()?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let leaf =
            Leaf { certificate: self.dir.join(format!("{file}.crt")), key: self.dir.join(format!("{file}.key")) };
        fs::write(&leaf.certificate, certificate.pem())?;
        write_private(&leaf.key, &key.serialize_pem())?;
        Ok(leaf)
    }
}

fn params() -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(SerialNumber::from_slice(&[1]));
    Ok(params)
}

fn leaf(common_name: &str, names: &[&str]) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}
