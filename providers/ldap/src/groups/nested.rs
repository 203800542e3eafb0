//! Groups of groups, one generation at a time.
//!
//! Every generation is asked for in batches. A group that was seen is never asked for again, so a
//! cycle ends by itself; the bound on generations is for directories that nobody understands.

use super::{BATCH, GroupSearch};
use crate::failure::Failure;

pub(super) async fn collect(search: &mut GroupSearch<'_>, first: Vec<String>) -> Result<(), Failure> {
    let member = search.groups.member.clone();
    let mut generation = first;
    for _ in 0..search.groups.max_depth {
        let mut next = Vec::new();
        for batch in generation.chunks(BATCH) {
            next.extend(search.batch(&member, batch.iter().map(String::as_str)).await?);
            if search.found.is_incomplete() {
                return Ok(());
            }
        }
        if next.is_empty() {
            return Ok(());
        }
        generation = next;
    }
    let depth = search.groups.max_depth;
    search.found.miss(format!("groups nest deeper than {depth} (groups.maxDepth)"));
    Ok(())
}
