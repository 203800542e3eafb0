//! What an operator reads of a server's certificate.

use auth_core::Step;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Fewer days than this and somebody should renew it.
const SOON_DAYS: i64 = 14;

/// A certificate in words.
pub(super) struct Told {
    subject: String,
    issuer: String,
    names: String,
    until: String,
    days_left: i64,
}

impl Told {
    /// `None` when the server showed none, or none that can be read.
    pub(super) fn of(shown: Option<CertificateDer<'_>>, now: Timestamp) -> Option<Self> {
        let shown = shown?;
        let (_, certificate) = X509Certificate::from_der(&shown).ok()?;
        let end = Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|extension| &extension.value.general_names).filter_map(name);
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names: names.collect::<Vec<_>>().join(", "),
            until: end.to_string(),
            days_left: (end.as_second() - now.as_second()).div_euclid(86_400),
        })
    }

    /// Adds what is told to a step.
    pub(super) fn tell(&self, step: Step) -> Step {
        step.fact("subject", &self.subject)
            .fact("for", &self.names)
            .fact("issued by", &self.issuer)
            .fact("valid until", &self.until)
    }

    /// Days until nobody can log in any more, when they are few.
    pub(super) fn ends_soon(&self) -> Option<i64> {
        (self.days_left < SOON_DAYS).then_some(self.days_left)
    }

    /// The names that it is good for.
    pub(super) fn names(&self) -> &str {
        &self.names
    }

    /// Who signed it.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
