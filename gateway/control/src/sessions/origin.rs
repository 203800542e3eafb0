//! Where a login came from, so that its owner knows which of their sessions is which.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How somebody logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LoginFlow {
    /// With a password at the API.
    Api,
    /// On the pages of the issuer, in the browser that a client opened (RFC 6749 §4.1).
    Browser,
    /// On the pages of the issuer, for a device that showed a code (RFC 8628).
    Device,
    /// Nowhere here: a token of an outside issuer is proof by itself.
    Bearer,
}

/// Where a login came from, and how. Nothing here decides anything: clients call themselves what they like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// How; unknown for a session that an older version began.
    pub flow: Option<LoginFlow>,
    /// The address of who holds the session: of the device, where one asked.
    pub address: Option<IpAddr>,
    /// What that program called itself.
    pub agent: Option<String>,
    /// The address of the browser in which somebody said yes to a device.
    pub approved_from: Option<IpAddr>,
    /// How the provider made sure who it is (RFC 8176), where it says so.
    pub amr: Vec<String>,
}

impl LoginFlow {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Browser => "browser",
            Self::Device => "device",
            Self::Bearer => "bearer",
        }
    }

    /// `None`: a newer version wrote it.
    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Api, Self::Browser, Self::Device, Self::Bearer].into_iter().find(|flow| flow.word() == word)
    }
}
