//! Who may enter which cluster, found by subject.

use std::collections::HashMap;

/// Lets subjects into clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantConfig {
    /// Principal ids or rendered names, such as `corp:dev`.
    pub subjects: Vec<String>,
    /// Cluster ids; `*` stands for all.
    pub clusters: Vec<String>,
    /// Only get, list, watch and reviews of oneself.
    pub read_only: bool,
}

/// The grants of a snapshot.
#[derive(Debug)]
pub(super) struct Grants {
    grants: Vec<GrantConfig>,
    by_subject: HashMap<String, Vec<usize>>,
}

impl Grants {
    pub(super) fn new(grants: Vec<GrantConfig>) -> Self {
        let mut by_subject: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, grant) in grants.iter().enumerate() {
            for subject in &grant.subjects {
                by_subject.entry(subject.clone()).or_default().push(index);
            }
        }
        Self { grants, by_subject }
    }

    /// The cluster ids that some grant names.
    pub(super) fn clusters(&self) -> impl Iterator<Item = &String> {
        self.grants.iter().flat_map(|grant| &grant.clusters).filter(|id| *id != "*")
    }

    /// What these subjects may enter together.
    pub(super) fn of(&self, subjects: &[String]) -> Entries {
        let mut entries = Entries::default();
        self.naming(subjects).for_each(|(_, _, grant)| entries.add(grant));
        entries
    }

    /// The grants that name one of these, each with its place and the subject.
    pub(super) fn naming<'a>(
        &'a self,
        subjects: &'a [String],
    ) -> impl Iterator<Item = (usize, &'a String, &'a GrantConfig)> {
        subjects.iter().flat_map(move |subject| {
            let places = self.by_subject.get(subject).map_or(&[][..], Vec::as_slice);
            places.iter().filter_map(move |place| Some((*place, subject, self.grants.get(*place)?)))
        })
    }
}

/// A grant that names somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantMatch {
    /// Its place among the grants, from zero.
    pub place: usize,
    /// Which of their subjects it names.
    pub subject: String,
    /// The clusters that it opens; `*` stands for all.
    pub clusters: Vec<String>,
    /// Only to read.
    pub read_only: bool,
}

/// Clusters that may be entered, and how far.
#[derive(Debug, Default)]
pub(super) struct Entries {
    everywhere: Option<Access>,
    clusters: HashMap<String, Access>,
}

/// How far one may enter a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) read_only: bool,
}

impl Entries {
    pub(super) fn on(&self, cluster: &str) -> Option<Access> {
        match (self.everywhere, self.clusters.get(cluster).copied()) {
            (Some(one), Some(other)) => Some(one.or(other)),
            (one, other) => one.or(other),
        }
    }

    /// What is left of it for one who may enter this cluster alone.
    pub(super) fn only(self, cluster: &str) -> Self {
        let access = self.on(cluster);
        Self { everywhere: None, clusters: access.map(|access| (cluster.to_owned(), access)).into_iter().collect() }
    }

    fn add(&mut self, grant: &GrantConfig) {
        let access = Access { read_only: grant.read_only };
        for cluster in &grant.clusters {
            if cluster == "*" {
                self.everywhere = Some(self.everywhere.map_or(access, |had| had.or(access)));
            } else {
                let had = self.clusters.entry(cluster.clone()).or_insert(access);
                *had = had.or(access);
            }
        }
    }
}

impl Access {
    /// Grants add up: the wider one counts.
    fn or(self, other: Self) -> Self {
        Self { read_only: self.read_only && other.read_only }
    }
}
