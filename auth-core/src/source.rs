//! Where requests come from, as it is counted.

use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv6Addr};

/// The network of an address: what one holder can choose from at will.
///
/// An IPv4 address stands for itself, also one that is written in IPv6. Of an IPv6 address the first 64 bits count: every
/// host may take any address in them (RFC 4291 §2.5.4), so a bound for one address would be none.
///
/// ```
/// # use auth_core::SourceNetwork;
/// let of = |address: &str| SourceNetwork::of(address.parse().unwrap());
/// assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2"));
/// assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
/// assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
/// assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceNetwork(IpAddr);

impl SourceNetwork {
    /// The network that this address is of.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

/// The IPv4 address, or the first address of the IPv6 network.
impl Display for SourceNetwork {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
