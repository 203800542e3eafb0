//! YAML with places: what the operator wrote, and where.
//!
//! A derived deserializer stops at its first error and forgets lines once a value is made. Operators fix a
//! configuration faster when they see every fault at once, so the file becomes a tree of [`Node`]s that remember
//! their line; the sections read the tree through [`Field`] and [`Section`], which gather faults and go on.

mod field;
mod nearest;
mod node;
mod scalar;
mod schema;

pub(super) use field::{Faults, Field, Section, meant};
pub use node::{Entry, Node, Spot, Value};
pub(super) use schema::check as check_schema;
