//! Why somebody is in each of their groups.
//!
//! A lookup asks for many groups at once, and an answer does not say which of the asked members a group lists. So the way
//! is traced here, by a question for each group, after the groups themselves were found by the code of a login.

use std::collections::{BTreeMap, VecDeque};

use auth_core::Principal;

use super::Trying;
use crate::config::{Groups, Strategy};
use crate::connection::{Asked, Connection};
use crate::dn::Dn;
use crate::entry::Entry;
use crate::groups::{self, Membership};

/// Beyond so many groups the way is not traced: each costs a question.
const MOST_QUESTIONS: usize = 200;

/// A lookup that was made.
pub(super) struct Looked<'a> {
    pub(super) groups: &'a Groups,
    pub(super) person: &'a Entry,
    pub(super) membership: &'a Membership,
    pub(super) asked: &'a [Asked],
}

impl Trying<'_> {
    /// Notes why the person is in each of the groups that were found.
    pub(super) async fn origins(&self, connection: &mut Connection, looked: Looked<'_>) {
        let Looked { groups, person, membership, asked } = looked;
        let known: BTreeMap<Dn, &Principal> =
            membership.groups.iter().filter_map(|group| Some((dn(group)?, group))).collect();
        let mut way = Way { trying: self, known, open: VecDeque::new() };
        let primary = asked.iter().filter(|asked| asked.filter.contains("(objectSid="));
        let primary: Vec<&String> = primary.flat_map(|asked| asked.answer.iter().flatten()).collect();
        for group in primary {
            way.reach(group, "it is the primary group", None);
        }
        match groups.strategy {
            Strategy::MemberOf => way.all(&format!("the person's {} names it", groups.member_of)),
            Strategy::Search => way.all(&format!("its {} lists the person", groups.member)),
            Strategy::Nested | Strategy::InChain => way.follow(connection, groups, person).await,
        }
    }
}

/// The groups whose origin is open, and those from which others may follow.
struct Way<'a> {
    trying: &'a Trying<'a>,
    known: BTreeMap<Dn, &'a Principal>,
    open: VecDeque<Open>,
}

/// A DN to ask about, and the names that led to it; none for the person.
type Open = (String, Option<String>);

impl Way<'_> {
    /// Every group that is left is there for one reason.
    fn all(&self, why: &str) {
        self.known.values().for_each(|group| self.trying.report.origin(&group.id, why));
    }

    fn reach(&mut self, group: &str, why: &str, through: Option<&str>) {
        let Some(found) = group.parse::<Dn>().ok().and_then(|dn| self.known.remove(&dn)) else { return };
        let why = through.map_or_else(|| why.to_owned(), |through| format!("through {through}"));
        self.trying.report.origin(&found.id, &why);
        let path = through.map_or_else(|| found.name.clone(), |through| format!("{through} > {}", found.name));
        self.open.push_back((group.to_owned(), Some(path)));
    }

    async fn follow(&mut self, connection: &mut Connection, groups: &Groups, person: &Entry) {
        let trying = self.trying;
        self.open.push_front((person.dn.clone(), None));
        for _ in 0..MOST_QUESTIONS {
            let Some((member, through)) = self.open.pop_front() else { break };
            let scan = trying.provider.scan(trying.deadline);
            let Ok(listing) = groups::listing_member(connection, groups, &member, scan).await else { break };
            for group in listing {
                let why = format!("its {} lists the person", groups.member);
                self.reach(&group.dn, &why, through.as_deref());
            }
        }
        self.all("by the directory; there are too many groups to trace the way");
    }
}

fn dn(group: &Principal) -> Option<Dn> {
    group.attributes.get("dn")?.first()?.parse().ok()
}
