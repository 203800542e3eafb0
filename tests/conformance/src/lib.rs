//! What every provider must do, as facts that a real server is asked about.
//!
//! Whoever writes a provider implements [`Fixture`]: a server with people in it, and the changes that can be made to
//! them. [`run`] then proves each fact of each suite that applies, and says of the others why they do not.
//!
//! ```no_run
//! # use auth_conformance::{Fixture, run};
//! # async fn example(fixture: impl Fixture) {
//! let report = run(&fixture).await;
//! print!("{report}");
//! assert!(report.failed().is_empty());
//! # }
//! ```
//!
//! The suites: `identity` (an id stays with its person and with nobody else), `password` (what logs in and what does not,
//! and who is told why), `redirect` (a browser's trip to a page and back), `state` (what is kept for a trip meanwhile),
//! `token` (what an issuer may say and what not), `groups` (all of them or an error), `refresh` (asking again with what a
//! login left), `search`, and `hostile` (texts that mean something to a query language). A provider is called as it is,
//! without [`Contained`](auth_core::Contained) around it: what the core catches as well must not be needed.
//!
//! - [`Fixture`] and what it tells and changes: `fixture.rs`; [`Trips`], where people log in at a page: `trips.rs`
//! - [`Browser`], which finds its way through such a page, and real [`ports`]: `browser.rs`, `real.rs`
//! - [`Issuer`], which lies on request, and [`Site`], a whole fixture over it: `issuer`
//! - [`Bench`]: the questions that facts ask: `bench`
//! - [`Report`]: what was found, and the table of several providers: `report.rs`

mod bench;
mod browser;
mod fixture;
mod issuer;
mod real;
mod report;
mod run;
mod suites;
mod trips;

pub use bench::Bench;
pub use browser::{Browser, Page};
pub use fixture::{Change, Fixture, Known, Newcomer, Person, State, Unable};
pub use issuer::{Answer, Client, Endpoint, Forge, Forging, Issuer, Lie, Remake, Retell, Sign, Site};
pub use real::{Web, context, ports};
pub use report::{Outcome, Report, table};
pub use run::{Fact, Proof, Suite, Verdict, run};
pub use suites::all;
pub use trips::{Ending, Parameters, Protocol, Trips, Visitor};
