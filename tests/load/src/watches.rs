//! Watches that stand open and say nothing, by the thousand.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::client::{self, GUARD, Sender};
use crate::contender::{Contender, PREFIX};

/// Requests at once on one connection: what the peers allow.
pub(crate) const PER_CONNECTION: usize = 100;

/// Open watches; closed when dropped.
pub(crate) struct Watches {
    runtime: Runtime,
    _open: Vec<Standing>,
}

/// A connection and the answers that stand on it.
struct Standing {
    _sender: Sender,
    _answers: Vec<Response<Incoming>>,
}

impl Watches {
    /// Opens this many connections, and [`PER_CONNECTION`] watches on each, and reads the first event of each.
    ///
    /// # Errors
    /// When one is refused or says nothing.
    pub(crate) fn open(target: &Contender, connections: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let open = runtime.block_on(async {
            let mut open = Vec::with_capacity(connections);
            for _ in 0..connections {
                open.push(timeout(GUARD, connection(target)).await.context("watches that begin in time")??);
            }
            anyhow::Ok(open)
        })?;
        Ok(Self { runtime, _open: open })
    }

    /// Lets the connections breathe, so that what they still had to say to each other is said.
    pub(crate) fn settle(&self, time: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }
}

async fn connection(target: &Contender) -> Result<Standing> {
    let mut sender = client::connect(target).await?;
    let mut answers = Vec::with_capacity(PER_CONNECTION);
    for _ in 0..PER_CONNECTION {
        let mut request = Request::get(format!("https://localhost{PREFIX}/api/v1/namespaces/dev/pods?watch=1"));
        for (name, value) in target.headers() {
            request = request.header(name, value);
        }
        sender.ready().await?;
        let mut answer = sender.send_request(request.body(Empty::new())?).await?;
        ensure!(answer.status() == 200, "{}", answer.status());
        answer.body_mut().frame().await.context("a first event")??;
        answers.push(answer);
    }
    Ok(Standing { _sender: sender, _answers: answers })
}
