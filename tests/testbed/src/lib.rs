//! Real servers for tests and the demo, each on loopback, each stopped by its own pid.
//!
//! A fake API server agrees with whoever wrote it. What people run behind the gateway does not, so
//! tests meet kube-apiserver, a kubelet with real pods, and slapd, started here from nothing.
//!
//! - [`fetch`](programs::fetch) brings what the machine lacks: packages, and Kubernetes compiled once.
//!   [`Keycloak::fetch`] brings what a machine may do without.
//! - [`Cluster`], [`Slapd`] and [`Gateway`] start in a folder of their own, answer by protocol before
//!   `start` returns, and stop when dropped; [`down()`] stops whatever a folder still runs.
//! - `testbed run -- <command>` gives a command a network namespace, and clears up behind it.
//!
//! ```no_run
//! let dir = tempfile::tempdir()?;
//! let east = testbed::Cluster::start(&dir.path().join("east"), testbed::ClusterOptions::default())?;
//! println!("{}", east.kubectl(&["get", "namespaces"])?);
//! # anyhow::Ok(())
//! ```
#![expect(clippy::disallowed_methods, reason = "a test bed waits in real time and reads its environment")]

pub mod packages;
pub mod programs;

pub mod bounded;
pub mod http;
pub mod kept;
pub mod pki;
pub mod ports;
pub mod wait;

pub mod process;
pub mod prometheus;
pub mod reaper;
mod state;

mod apiserver;
pub mod chromium;
mod controller_manager;
mod etcd;
mod node;

mod cluster;
mod crowd;
mod gateway;
mod keycloak;
mod kubectl;
pub mod npm;
mod samba;
mod site_issuer;
mod slapd;

pub mod demo;
pub mod netns;

pub use cluster::{Cluster, ClusterOptions};
pub use crowd::Crowd;
pub use gateway::{Gateway, Place};
pub use keycloak::Keycloak;
pub use kubectl::{Kubectl, Output};
pub use node::unsupported as nodes_unsupported;
pub use samba::Samba;
pub use site_issuer::SiteIssuer;
pub use slapd::Slapd;
pub use state::{StateDir, down};
