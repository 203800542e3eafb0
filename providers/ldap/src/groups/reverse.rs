//! Groups by an attribute of the person, which the directory maintains.

use super::{BATCH, GroupSearch};
use crate::dn::Dn;
use crate::entry::Entry;
use crate::failure::Failure;

pub(super) async fn collect(search: &mut GroupSearch<'_>, person: &Entry) -> Result<(), Failure> {
    let attribute = &search.groups.member_of;
    if person.is_cut(attribute) {
        search.found.miss(format!("the directory gave only part of {attribute}; use strategy search or nested"));
        return Ok(());
    }
    let mut inside = Vec::new();
    for dn in person.texts(attribute) {
        match dn.parse::<Dn>() {
            // What lies elsewhere is not asked about: directories list all sorts of things here.
            Ok(name) if name.is_within(&search.groups.base_dn) => inside.push(dn),
            Ok(_) => {}
            Err(fault) => search.found.miss(format!("a value of {attribute} is not a DN ({fault})")),
        }
    }
    let by_dn = search.groups.dn_attribute.clone();
    for batch in inside.chunks(BATCH) {
        search.batch(&by_dn, batch.iter().copied()).await?;
    }
    Ok(())
}
