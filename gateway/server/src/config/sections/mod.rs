//! The sections of the file, each with its own reader, defaults and checks.

pub(super) mod audit;
pub(super) mod clusters;
pub(super) mod grants;
pub(super) mod hosts;
pub(super) mod issuer;
pub(super) mod limits;
pub(super) mod listeners;
pub(super) mod providers;
mod service_accounts;
pub(super) mod sessions;
pub(super) mod store;

pub use clusters::{AccountSource, CarrierSource, Cluster, ClusterSource, KubeconfigRef};
pub use grants::Grant;
pub use hosts::Hosts;
pub use issuer::SecretOfClient;
pub use limits::Limits;
pub use listeners::{Listeners, MainListener, TlsFiles};
pub use providers::Provider;
pub use sessions::Sessions;
