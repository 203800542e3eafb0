//! Real ports with local people.

use std::sync::Arc;
use std::time::Duration;

use auth_core::Ports;
use auth_core::testing::MemoryUsers;

pub(crate) use auth_conformance::context;

pub(crate) fn ports(users: &Arc<MemoryUsers>) -> Ports {
    let mut ports = auth_conformance::ports(Duration::ZERO);
    ports.users = Arc::clone(users) as _;
    ports
}
