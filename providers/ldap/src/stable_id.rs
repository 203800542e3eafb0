//! The one attribute that identity rests on.

use crate::entry::Entry;
use crate::filter::Filter;

/// The attribute whose value never changes and is never given to another entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdAttribute {
    name: String,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Text, as `entryUUID` (RFC 4530).
    Text,
    /// Sixteen bytes of which the first three fields are little-endian, as `objectGUID`.
    Guid,
}

impl IdAttribute {
    /// The form follows from the name.
    pub(crate) fn named(name: String) -> Self {
        let form = if name.eq_ignore_ascii_case("objectGUID") { Form::Guid } else { Form::Text };
        Self { name, form }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The id of an entry; `None` when it has none, or more than one: then nobody may guess.
    pub(crate) fn of(&self, entry: &Entry) -> Option<String> {
        let value = entry.only_value(&self.name)?;
        match self.form {
            Form::Text => std::str::from_utf8(value).ok().filter(|id| !id.is_empty()).map(str::to_owned),
            Form::Guid => Some(guid_text(value.try_into().ok()?)),
        }
    }

    /// The filter that finds an id; `None` when the text cannot be an id of this attribute.
    pub(crate) fn filter(&self, id: &str) -> Option<Filter> {
        match self.form {
            Form::Text => Some(Filter::equal(&self.name, id)),
            Form::Guid => Some(Filter::equal(&self.name, guid_bytes(id)?)),
        }
    }
}

/// Where each byte of the text form is found in a GUID.
const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

fn guid_text(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (position, from) in ORDER.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{:02x}", bytes.get(*from).copied().unwrap_or_default()));
    }
    text
}

fn guid_bytes(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.split('-').collect();
    if text.len() != 36 || digits.len() != 32 {
        return None;
    }
    let mut bytes = vec![0; 16];
    for (position, to) in ORDER.iter().enumerate() {
        let pair = digits.get(position * 2..position * 2 + 2)?;
        *bytes.get_mut(*to)? = u8::from_str_radix(pair, 16).ok()?;
    }
    // Only the spelling that we write is an id: one person must not have two.
    (guid_text(bytes.as_slice().try_into().ok()?) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_guid_is_written_as_the_administrators_of_active_directory_see_it() {
        let bytes = [0x78, 0x56, 0x34, 0x12, 0xbc, 0x9a, 0xf0, 0xde, 1, 2, 3, 4, 5, 6, 7, 8];
        let entry = Entry::of("cn=x", &[("objectGUID", &bytes)]);
        let id = IdAttribute::named("objectGUID".into());
        assert_eq!(id.of(&entry).unwrap(), "12345678-9abc-def0-0102-030405060708");
        assert!(id.filter("12345678-9ABC-def0-0102-030405060708").is_none(), "another spelling is another id");
    }

    #[test]
    fn no_id_or_two_ids_are_no_id() {
        let id = IdAttribute::named("entryUUID".into());
        assert_eq!(id.of(&Entry::of("cn=x", &[])), None);
        assert_eq!(id.of(&Entry::of("cn=x", &[("entryUUID", b"a"), ("entryUUID", b"b")])), None);
        assert_eq!(id.of(&Entry::of("cn=x", &[("entryuuid", b"a")])).as_deref(), Some("a"));
    }

    proptest! {
        #[test]
        fn a_guid_is_found_again_by_its_text(bytes: [u8; 16]) {
            prop_assert_eq!(guid_bytes(&guid_text(bytes)).unwrap(), bytes.to_vec());
        }

        #[test]
        fn no_text_makes_a_guid_fail_otherwise_than_by_refusing(text in "\\PC{0,40}") {
            let _ = guid_bytes(&text);
        }
    }
}
