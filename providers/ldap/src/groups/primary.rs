//! The group of Active Directory that lists nobody.
//!
//! Everybody has a primary group, usually Domain Users. It stands in neither `memberOf` nor `member`
//! but follows from two numbers of the person: the group's security identifier is the person's own
//! with the last part replaced.

use super::GroupSearch;
use crate::entry::Entry;
use crate::failure::Failure;

const SID: &str = "objectSid";
const RELATIVE_ID: &str = "primaryGroupID";

pub(super) const ATTRIBUTES: [&str; 2] = [SID, RELATIVE_ID];

/// Finds the group, and gives its DN; nothing when it lies outside the base.
pub(super) async fn collect(search: &mut GroupSearch<'_>, person: &Entry) -> Result<Vec<String>, Failure> {
    match sid(person) {
        Some(sid) => search.batch(SID, [sid]).await,
        None => {
            search
                .found
                .miss(format!("{SID} or {RELATIVE_ID} of the person cannot be read, so neither can the primary group"));
            Ok(Vec::new())
        }
    }
}

/// `revision, count, authority (6 bytes), count × part (4 bytes, little-endian)`.
fn sid(person: &Entry) -> Option<Vec<u8>> {
    let own = person.only_value(SID)?;
    let relative: u32 = person.first_text(RELATIVE_ID)?.parse().ok()?;
    let parts = usize::from(*own.get(1)?);
    if parts == 0 || own.len() != 8 + 4 * parts {
        return None;
    }
    let domain = own.get(..own.len() - 4)?;
    Some([domain, &relative.to_le_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_identifier_is_replaced() {
        let own = [1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 0x50, 4, 0, 0];
        let entry = Entry::of("cn=x", &[("objectSid", &own), ("primaryGroupID", b"513")]);
        assert_eq!(sid(&entry).unwrap(), [1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 2, 0, 0]);
    }

    #[test]
    fn an_identifier_that_makes_no_sense_names_no_group() {
        for own in [&[][..], &[1], &[1, 0, 0, 0, 0, 0, 0, 5], &[1, 9, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0]] {
            assert_eq!(sid(&Entry::of("cn=x", &[("objectSid", own), ("primaryGroupID", b"513")])), None, "{own:?}");
        }
        assert_eq!(sid(&Entry::of("cn=x", &[("primaryGroupID", b"513")])), None);
    }
}
