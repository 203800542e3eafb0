//! What the compiler does not check about this workspace.
//!
//! Each rule is a pure function from a tree or a dependency graph to the places that break it, so that every rule can
//! be tried on a small broken example as well as on the real tree. The tests in `tests/tree.rs` run them on this
//! repository.

mod graph;
mod source;

pub use graph::{Graph, banned_crates, forbidden_edges, second_versions, unused_dependencies, unused_in_workspace};
pub use source::{SourceFile, dead_paths, gone_tests, leaked_places, missing_module_docs, over_the_cap, vague_names};
