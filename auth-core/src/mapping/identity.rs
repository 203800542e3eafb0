//! What a cluster sees of a person.

use std::collections::BTreeMap;

use crate::PrincipalId;

/// What a cluster sees of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `Impersonate-User`.
    pub username: String,
    /// `Impersonate-Uid`.
    pub uid: String,
    /// `Impersonate-Group`, with the principal that each name came from.
    pub groups: Vec<MappedGroup>,
    /// `Impersonate-Extra-…`.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Identity {
    /// The names of the groups, in order.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|group| group.name.as_str())
    }

    pub(super) fn bytes(&self) -> usize {
        let groups: usize = self.group_names().map(str::len).sum();
        let extra =
            |(key, values): (&String, &Vec<String>)| values.iter().map(|value| key.len() + value.len()).sum::<usize>();
        self.username.len() + self.uid.len() + groups + self.extra.iter().map(extra).sum::<usize>()
    }
}

/// A group that a cluster sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedGroup {
    /// The name in the cluster.
    pub name: String,
    /// The group it stands for.
    pub principal: PrincipalId,
}

/// How much identity a person may have. Every request carries all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappingLimits {
    /// Groups after the filter.
    pub groups: usize,
    /// Bytes of all names and values together; each value of an extra counts with its key.
    pub bytes: usize,
}

impl Default for MappingLimits {
    /// 1,000 groups, 64 KiB.
    fn default() -> Self {
        Self { groups: 1_000, bytes: 65_536 }
    }
}
