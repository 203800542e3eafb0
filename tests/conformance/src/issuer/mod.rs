//! An issuer that does what it is told to, right or wrong: OpenID Connect over plain HTTP on a port of its own.
//!
//! Real issuers show what people meet. No real one makes a forged token on request, stops in the middle of an answer, or
//! speaks for somebody else; this one does, and tells the truth otherwise.

mod keys;
mod lies;
mod people;
mod protocol;
mod server;
mod site;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use lies::{Answer, Endpoint, Forge, Forging, Lie, Remake, Retell, Sign};
pub use site::{Client, Site};

use crate::{Browser, Change, Known, Parameters, Unable, Visitor};
use protocol::World;

/// A running issuer. Ends when dropped.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    world: Arc<Mutex<World>>,
    serving: JoinHandle<()>,
}

impl Issuer {
    /// The client that providers are.
    pub const CLIENT: &'static str = "gatewarden";
    /// The client's secret.
    pub const SECRET: &'static str = "a-secret-between-the-kit-and-its-client";
    /// Another client.
    pub const OTHER_CLIENT: &'static str = "another";
    /// The other client's secret.
    pub const OTHER_SECRET: &'static str = "a-secret-between-the-kit-and-another";
    /// Where browsers of either come back to; addresses behind it will do as well.
    pub const CALLBACK: &'static str = "https://console.localhost/callback/sso";

    /// Starts one on a free port of this machine, inside a Tokio runtime.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let world = Arc::new(Mutex::new(World::new(&url)));
        #[expect(clippy::disallowed_methods, reason = "it ends with the issuer, which holds its handle")]
        let serving = tokio::spawn(server::serve(listener, Arc::clone(&world)));
        Ok(Self { url, world, serving })
    }

    /// Its identifier, which is its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Who is in it from the start.
    #[must_use]
    pub fn known(&self) -> Known {
        people::known(&[Self::SECRET])
    }

    /// Changes people, or stops and starts it.
    ///
    /// # Errors
    /// [`Unable`] for a move: its people stand in one list.
    pub fn change(&self, change: Change<'_>) -> Result<(), Unable> {
        self.world().change(change)
    }

    /// Goes to an address as a fresh browser, and logs in at the page there.
    ///
    /// # Errors
    /// When the browser does not come back.
    pub async fn travel(&self, location: &str, visitor: Visitor<'_>) -> Result<Parameters, Unable> {
        // The callback is whatever the request named: an address that the issuer itself never has.
        let callback = url::Url::parse(location).ok().and_then(|location| {
            location.query_pairs().find(|(name, _)| name == "redirect_uri").map(|(_, uri)| uri.into_owned())
        });
        let mut browser = Browser::new(callback.as_deref().unwrap_or(Self::CALLBACK), None)?;
        let page = browser.open(location).await?;
        let page = match visitor {
            Visitor::Enters(person) => {
                browser.submit(&page.url, &[("login", &person.login), ("password", &person.password)]).await?
            }
            Visitor::SaysNo => browser.submit(&page.url, &[("deny", "yes")]).await?,
        };
        page.parameters()
    }

    /// Does something wrong from now on.
    pub fn lie(&self, lie: Lie) {
        self.world().lie(lie);
    }

    /// Does nothing wrong any more.
    pub fn tell_the_truth(&self) {
        self.world().tell_the_truth();
    }

    /// Signs with new keys from now on, and publishes them alone.
    pub fn rotate_keys(&self) {
        self.world().rotate_keys();
    }

    /// How often an endpoint was asked.
    #[must_use]
    pub fn asked(&self, endpoint: Endpoint) -> usize {
        self.world().asked.get(&endpoint).copied().unwrap_or_default()
    }

    /// What the token endpoint was handed last, by name.
    #[must_use]
    pub fn handed_in(&self) -> BTreeMap<String, String> {
        self.world().handed_in.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
