//! Kubernetes wire formats that the gateway speaks: request info, Status and problems, header codecs, audit events.
//!
//! Everything here is a pure function over bytes: no I/O, no clock, no configuration. What the gateway decides by
//! these formats must be what kube-apiserver decides by them, so each module quotes the rule it obeys.
//!
//! - [`RequestInfo`]: which verb, resource and name a request means.
//! - [`UserInfo`]: who a request is from, as Kubernetes writes it.
//! - [`Status`]: how a refusal is told to a client.
//! - [`Problem`]: how the gateway's own API tells the same.
//! - [`is_dns1035_label`]: what the id of a cluster looks like.
//! - [`header`]: the names and codecs of identity headers.
//! - [`audit`]: the record that a request leaves.

pub mod audit;
pub mod header;
mod label;
mod percent;
mod problem;
mod request;
mod status;
mod user;

pub use label::is_dns1035_label;
pub use problem::{CHALLENGE, Problem};
pub use request::{PathFault, RequestInfo};
pub use status::Status;
pub use user::UserInfo;
