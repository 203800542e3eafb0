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
//! and who is told why), `groups` (all of them or an error), `search`, and `hostile` (texts that mean something to a query
//! language). A provider is called as it is, without [`Contained`](auth_core::Contained) around it: what the core catches
//! as well must not be needed.
//!
//! - [`Fixture`] and what it tells and changes: `fixture.rs`
//! - [`Bench`]: the questions that facts ask: `bench.rs`
//! - [`Report`]: what was found, and the table of several providers: `report.rs`

mod bench;
mod fixture;
mod report;
mod run;
mod suites;

pub use bench::Bench;
pub use fixture::{Change, Fixture, Known, Newcomer, Person, State, Unable};
pub use report::{Outcome, Report, table};
pub use run::{Fact, Proof, Suite, Verdict, run};
pub use suites::all;
