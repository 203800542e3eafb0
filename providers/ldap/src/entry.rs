//! One entry of a directory: attribute names in lower case, values as bytes.
//!
//! The library's own reader of entries panics on what it does not expect, and sorts an attribute
//! among texts or bytes by whether its value happens to be UTF-8, which a GUID sometimes is.

use std::collections::BTreeMap;

use ldap3::asn1::{PL, StructureTag};

/// An entry as the directory gave it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    /// Reads a `SearchResultEntry`; `None` when it is not one.
    pub(crate) fn decode(tag: StructureTag) -> Option<Self> {
        let mut fields = constructed(tag)?.into_iter();
        let dn = text(fields.next()?)?;
        let mut attributes = BTreeMap::<String, Vec<Vec<u8>>>::new();
        for attribute in constructed(fields.next()?)? {
            let mut parts = constructed(attribute)?.into_iter();
            let name = text(parts.next()?)?.to_ascii_lowercase();
            let values = constructed(parts.next()?)?.into_iter().map(bytes).collect::<Option<Vec<_>>>()?;
            attributes.entry(name).or_default().extend(values);
        }
        Some(Self { dn, attributes })
    }

    /// Every value of an attribute.
    pub(crate) fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.get(&name.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// The values that are text.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).iter().filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The first value that is text.
    pub(crate) fn first_text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }

    /// The only value; `None` when there is none, or several.
    pub(crate) fn only_value(&self, name: &str) -> Option<&[u8]> {
        match self.values(name) {
            [value] => Some(value),
            _ => None,
        }
    }

    /// Whether the server gave only part of an attribute's values, as Active Directory does beyond
    /// 1,500: they then come under a name such as `memberOf;range=0-1499`.
    pub(crate) fn is_cut(&self, name: &str) -> bool {
        let prefix = format!("{};range=", name.to_ascii_lowercase());
        self.attributes.keys().any(|key| key.starts_with(&prefix))
    }
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(inner) => Some(inner),
        PL::P(_) => None,
    }
}

fn bytes(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(value) => Some(value),
        PL::C(_) => None,
    }
}

fn text(tag: StructureTag) -> Option<String> {
    String::from_utf8(bytes(tag)?).ok()
}

/// A name and one value.
#[cfg(test)]
type Given<'a> = (&'a str, &'a [u8]);

#[cfg(test)]
impl Entry {
    /// An entry for tests; a name that is given twice has two values.
    pub(crate) fn of(dn: &str, values: &[Given<'_>]) -> Self {
        let mut attributes = BTreeMap::<String, Vec<Vec<u8>>>::new();
        for (name, value) in values {
            attributes.entry(name.to_ascii_lowercase()).or_default().push(value.to_vec());
        }
        Self { dn: dn.to_owned(), attributes }
    }
}
