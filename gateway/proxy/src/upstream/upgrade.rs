//! Switching protocols: the 101 goes to the client, and a tunnel joins what is behind it.

use std::sync::Arc;

use http::Response;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio_util::sync::CancellationToken;

use super::pool::Pool;
use super::road::Lease;
use crate::audit::Hold;
use crate::body::Body;
use crate::stream::{Tunnel, join};

/// The client's side, and what has to last as long as the tunnel.
pub(super) struct Sides {
    pub(super) client: OnUpgrade,
    pub(super) ended: CancellationToken,
    pub(super) hold: Hold,
    pub(super) lease: Lease,
}

/// Starts the tunnel and answers with the upstream's 101. The tunnel waits until that answer is out.
pub(super) fn switch(pool: &Pool, mut response: Response<Incoming>, sides: Sides) -> Response<Body> {
    let Sides { client, ended, hold, lease } = sides;
    let upstream = hyper::upgrade::on(&mut response);
    let tunnel = Tunnel { client, upstream, ended, drain: pool.drain().clone(), idle: pool.settings().tunnel_idle };
    let meters = Arc::clone(pool.meters());
    meters.tunnels.inc();
    pool.tunnels().spawn(async move {
        let carried = join(tunnel).await;
        meters.tunnels.dec();
        meters.carried.inc_by(carried.up.saturating_add(carried.down));
        tracing::debug!(up = carried.up, down = carried.down, "a tunnel ended");
        // Closes the record, and then gives the connection's place back.
        drop(hold);
        drop(lease);
    });
    response.map(|_| Body::empty())
}
