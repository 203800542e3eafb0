//! Groups of groups, one generation at a time.
//!
//! Every generation is asked for in batches, and what was asked lately is known. A group that was seen is never asked
//! for again, so a cycle ends by itself; the bound on generations is for directories that nobody understands.

use super::known::Group;
use super::{BATCH, GroupSearch, Scan};
use crate::failure::Failure;
use crate::filter::Filter;

/// From the groups that list the person, and the primary one, upwards.
pub(super) async fn collect(search: &mut GroupSearch<'_>, person: &str, primary: Vec<String>) -> Result<(), Failure> {
    let member = search.groups.member.clone();
    let mut generation = search.batch(&member, [person]).await?;
    generation.extend(primary);
    for _ in 1..search.groups.max_depth {
        if generation.is_empty() || search.found.is_incomplete() {
            return Ok(());
        }
        generation = parents(search, &generation).await?;
    }
    if !generation.is_empty() {
        let depth = search.groups.max_depth;
        search.found.miss(format!("groups nest deeper than {depth} (groups.maxDepth)"));
    }
    Ok(())
}

/// The groups that hold one of these and were not seen before.
async fn parents(search: &mut GroupSearch<'_>, generation: &[String]) -> Result<Vec<String>, Failure> {
    let Scan { known, afresh, now, .. } = search.scan;
    let mut next = Vec::new();
    let mut unknown = Vec::new();
    for dn in generation {
        match known.holding(std::slice::from_ref(dn), now).filter(|_| !afresh) {
            Some(groups) => next.extend(search.take(&groups)),
            None => unknown.push(dn.clone()),
        }
    }
    unknown.sort_unstable();
    for members in unknown.chunks(BATCH) {
        if let Some(groups) = known.holding(members, now).filter(|_| !afresh) {
            next.extend(search.take(&groups));
            continue;
        }
        let groups = ask(search, members).await?;
        next.extend(search.take(&groups));
        if search.found.is_incomplete() {
            return Ok(next);
        }
        if afresh {
            known.forget(members);
        }
        known.remember(members, groups, now);
    }
    Ok(next)
}

async fn ask(search: &mut GroupSearch<'_>, members: &[String]) -> Result<Vec<Group>, Failure> {
    let member = search.groups.member.clone();
    search.ask(members.iter().map(|dn| Filter::equal(&member, dn.as_str())).collect()).await
}
