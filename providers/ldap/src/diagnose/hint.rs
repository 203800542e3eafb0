//! The usual mistakes, recognized by what they look like from here.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::certificate::Told;
use crate::connection::{BindReply, Security, Server, StartTlsFault};
use crate::failure::{Failure, code};

/// What to look at when there is no connection.
pub(super) fn unreachable(failure: &Failure, server: &Server) -> String {
    let Failure::Unreachable { source, .. } = failure else { return String::new() };
    match source.downcast_ref::<io::Error>() {
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            format!("nothing listens on port {} there: check `servers`, and whether the directory runs", server.port)
        }
        _ => "a firewall may drop what is sent there: try the same from another machine".to_owned(),
    }
}

/// What to look at when TLS fails.
pub(super) fn tls(failure: &Failure, security: &Security, expected: &str, told: Option<&Told>) -> String {
    let Failure::Unreachable { source, .. } = failure else { return String::new() };
    if let Some(fault) = source.downcast_ref::<StartTlsFault>() {
        return start_tls(fault);
    }
    let names = told.map_or("", Told::names);
    let issuer = told.map_or("another", Told::issuer);
    match causes(&**source).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(fault)) => certificate(fault, expected, names, issuer),
        Some(rustls::Error::InvalidMessage(_)) | None if matches!(security, Security::Ldaps(_)) => {
            "this port does not speak TLS from the first byte: ldaps is usually on 636, and 389 takes tls.mode startTls"
                .to_owned()
        }
        _ => "the two agree on no version or cipher of TLS: this gateway speaks 1.2 and 1.3".to_owned(),
    }
}

fn certificate(fault: &CertificateError, expected: &str, names: &str, issuer: &str) -> String {
    match fault {
        CertificateError::UnknownIssuer => {
            format!("tls.caFile does not hold the authority that signed it, which is: {issuer}")
        }
        CertificateError::BadSignature => {
            format!("tls.caFile holds an authority of the right name and another key: give the present one of {issuer}")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
            "it is for {names}, and not for {expected}: write one of its names in `servers`, or set tls.serverName"
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has run out: have the directory's administrators renew it".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet: compare the clocks of the two machines".to_owned()
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "the server shows an authority's certificate as its own: have one issued for the server".to_owned()
        }
        _ => "the certificate cannot be trusted: have the directory's administrators look at it".to_owned(),
    }
}

fn start_tls(fault: &StartTlsFault) -> String {
    match fault {
        StartTlsFault::Refused(_) => "the server knows no StartTLS here: it may need a certificate first, or use ldaps",
        StartTlsFault::PlainTextBehind => "something on the way writes into the connection: do not use it",
        _ => "if this is the port for TLS (636), write ldaps:// and tls.mode ldaps",
    }
    .to_owned()
}

/// What to look at when the service account is not let in.
pub(super) fn bind(reply: &BindReply) -> &'static str {
    match reply.code {
        code::INVALID_CREDENTIALS if reply.text.contains("data 525") => "there is no such account: check bind.dn",
        code::INVALID_CREDENTIALS if reply.text.contains("data 52e") => "the password is wrong: check bind.password",
        code::INVALID_CREDENTIALS if reply.text.contains("data 533") => "the account is disabled",
        code::INVALID_CREDENTIALS if reply.text.contains("data 775") => "the account is locked",
        code::INVALID_CREDENTIALS => {
            "bind.dn or bind.password is wrong; a file with the password may end in a space or an old password"
        }
        code::INVALID_DN | code::NO_SUCH_OBJECT => "bind.dn is no DN of this directory",
        code::INAPPROPRIATE_AUTH => "the account has no password that a simple bind can check",
        code::STRONGER_AUTH | code::CONFIDENTIALITY => "the directory asks for encryption: write ldaps or startTls",
        _ => "the directory's log says why",
    }
}

/// What to look at when the password of a person is refused.
pub(super) fn password(reply: &BindReply) -> &'static str {
    match reply.code {
        code::INVALID_CREDENTIALS if reply.text.contains("data 775") => "the account is locked: unlock it there",
        code::INVALID_CREDENTIALS if reply.text.contains("data 533") => "the account is disabled there",
        code::INVALID_CREDENTIALS if reply.text.contains("data 532") => "the password has expired",
        code::INVALID_CREDENTIALS if reply.text.contains("data 773") => "the password must be changed first",
        code::INVALID_CREDENTIALS if reply.text.contains("data 530") => "the account may not log in at this time",
        code::INVALID_CREDENTIALS => "the password is wrong, or the account is locked, which OpenLDAP tells nobody",
        code::INAPPROPRIATE_AUTH => "the entry has no password",
        _ => "the directory's log says why",
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    // An I/O error has its inner error beside its source, and not as its source.
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let inner = inner.map(|inner| -> &(dyn Error + 'static) { inner });
    std::iter::successors(Some(error), |&error| error.source()).take(16).chain(inner)
}
