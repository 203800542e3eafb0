//! Joins the control plane and the data plane into one running server.
//!
//! Neither knows the other. They meet here in six things that the data plane defines and this folder implements over
//! the control plane's types: a snapshot of the configuration, the resolving of cold credentials, the feed of what
//! ended, the tokens for clusters that trust the issuer, the management API, and the clock. Threads keep apart what must not wait for one another: workers that carry requests, the control
//! plane, and the code of each provider instance.

mod authority;
mod certificate;
mod changes;
mod clock;
mod crossing;
mod http;
mod logging;
mod management;
mod meters;
mod mint;
mod operations;
mod ports;
mod process;
mod reload;
mod resolve;
mod server;
mod signals;
mod tasks;

pub(crate) use authority::make_state_dir;
pub use authority::{AuthorityError, ca_file};
pub use certificate::CertificateError;
pub use clock::SystemClock;
pub use mint::LateMint;
pub use ports::ProviderPorts;
pub(crate) use reload::registry;
pub(crate) use resolve::session;
pub use server::{ServeOptions, StartError, serve};

use tasks::ProviderTasks;
