//! A whole fixture over the kit's issuer, for any provider that speaks OpenID Connect.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::{AuthProvider, Context, Ports};

use super::Issuer;
use crate::{Change, Fixture, Known, Parameters, Trips, Unable, Visitor, real};

/// What a provider is configured with.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// The issuer, over plain HTTP.
    pub issuer: &'a str,
    /// Who the provider is there.
    pub id: &'a str,
    /// Its secret there.
    pub secret: &'a str,
}

type Build = dyn Fn(Client<'_>, Ports) -> Arc<dyn AuthProvider> + Send + Sync;

/// An issuer that lies on request, and a provider before it.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use auth_conformance::{Client, Site, run};
/// # use auth_core::{AuthProvider, Ports};
/// # fn my_provider(client: Client<'_>, ports: Ports) -> Arc<dyn AuthProvider> { unimplemented!() }
/// # async fn example() -> std::io::Result<()> {
/// let site = Site::start("mine on an issuer that lies", my_provider).await?;
/// assert!(run(&site).await.failed().is_empty());
/// # Ok(())
/// # }
/// ```
#[expect(missing_debug_implementations, reason = "a provider of somebody else need not be printable")]
pub struct Site {
    name: String,
    issuer: Issuer,
    build: Box<Build>,
    provider: Arc<dyn AuthProvider>,
}

impl Site {
    /// Starts an issuer, and has a provider made for it. More are made for what happens in other processes.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(
        name: impl Into<String>,
        build: impl Fn(Client<'_>, Ports) -> Arc<dyn AuthProvider> + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let issuer = Issuer::start().await?;
        let provider = build(client(&issuer), real::ports(Duration::ZERO));
        Ok(Self { name: name.into(), issuer, build: Box::new(build), provider })
    }
}

fn client(issuer: &Issuer) -> Client<'_> {
    Client { issuer: issuer.url(), id: Issuer::CLIENT, secret: Issuer::SECRET }
}

#[async_trait]
impl Fixture for Site {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn provider(&self) -> Arc<dyn AuthProvider> {
        Arc::clone(&self.provider)
    }

    fn context(&self) -> Context {
        real::context()
    }

    fn known(&self) -> Known {
        self.issuer.known()
    }

    async fn change(&self, change: Change<'_>) -> Result<(), Unable> {
        self.issuer.change(change)
    }

    fn trips(&self) -> Option<&dyn Trips> {
        Some(self)
    }
}

#[async_trait]
impl Trips for Site {
    fn callback(&self) -> String {
        Issuer::CALLBACK.to_owned()
    }

    async fn travel(&self, location: &str, visitor: Visitor<'_>) -> Result<Parameters, Unable> {
        self.issuer.travel(location, visitor).await
    }

    fn replica(&self, ahead: Duration) -> Arc<dyn AuthProvider> {
        (self.build)(client(&self.issuer), real::ports(ahead))
    }

    fn elsewhere(&self) -> Arc<dyn AuthProvider> {
        let other = Client { id: Issuer::OTHER_CLIENT, secret: Issuer::OTHER_SECRET, ..client(&self.issuer) };
        (self.build)(other, real::ports(Duration::ZERO))
    }

    fn liar(&self) -> Option<&Issuer> {
        Some(&self.issuer)
    }
}
