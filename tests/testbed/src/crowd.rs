//! A large company's directory, made by rule: the same at each run, and no file to keep.

use std::fmt::Write as _;

use crate::slapd::Slapd;

/// How large it is, and how its groups hang together.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    /// `u0`, `u1` and so on, each with the password `<uid>-secret`.
    pub people: usize,
    /// `team0` and so on, of some forty people each; ten teams are a `dept`, and ten of those a `div`.
    pub teams: usize,
    /// Members of `everybody`: the first so many people.
    pub everybody: usize,
    /// `nest0` is in `nest1`, and so on: `u0` is in the first.
    pub depth: usize,
    /// Groups that `u1` is in: `wide0`, `wide1` and so on, each in a `wider` of its number.
    pub width: usize,
}

impl Crowd {
    /// 50,000 people and 5,000 groups, one of 20,000 members, nesting ten deep, a person in 450 groups, and a cycle
    /// around `u2`.
    pub const LARGE: Self = Self { people: 50_000, teams: 3_690, everybody: 20_000, depth: 10, width: 450 };

    /// The teams of one person, which four people in a row share.
    pub fn teams_of(&self, person: usize) -> [usize; 3] {
        let at = person / 4;
        [at % self.teams, (at * 7 + 1) % self.teams, (at * 13 + 2) % self.teams]
    }

    /// All of it, below [`Slapd::BASE`], as LDIF.
    pub fn ldif(&self) -> String {
        let mut text = String::new();
        let mut teams: Vec<Vec<String>> = vec![Vec::new(); self.teams];
        for person in 0..self.people {
            let _ = write!(
                text,
                "dn: {}\nobjectClass: inetOrgPerson\nuid: u{person}\ncn: Person {person}\nsn: Person\n\
                 mail: u{person}@example.org\nuserPassword: u{person}-secret\n\n",
                person_dn(person)
            );
            for team in self.teams_of(person) {
                teams.get_mut(team).into_iter().for_each(|members| members.push(person_dn(person)));
            }
        }
        for (team, members) in teams.iter().enumerate() {
            entry(&mut text, &format!("team{team}"), members);
        }
        tens(&mut text, "dept", "team", self.teams);
        tens(&mut text, "div", "dept", self.teams.div_ceil(10));
        entry(&mut text, "everybody", &(0..self.everybody).map(person_dn).collect::<Vec<_>>());
        for level in 0..self.depth {
            let below = if level == 0 { person_dn(0) } else { group_dn(&format!("nest{}", level - 1)) };
            entry(&mut text, &format!("nest{level}"), &[below]);
        }
        for number in 0..self.width {
            entry(&mut text, &format!("wide{number}"), &[person_dn(1)]);
            entry(&mut text, &format!("wider{number}"), &[group_dn(&format!("wide{number}"))]);
        }
        entry(&mut text, "round", &[person_dn(2), group_dn("and-round")]);
        entry(&mut text, "and-round", &[group_dn("round")]);
        text
    }
}

/// Groups of ten groups each.
fn tens(text: &mut String, name: &str, of: &str, count: usize) {
    for number in 0..count.div_ceil(10) {
        let members = (number * 10..count.min(number * 10 + 10)).map(|member| group_dn(&format!("{of}{member}")));
        entry(text, &format!("{name}{number}"), &members.collect::<Vec<_>>());
    }
}

fn entry(text: &mut String, name: &str, members: &[String]) {
    let _ = writeln!(text, "dn: {}\nobjectClass: groupOfNames\ncn: {name}", group_dn(name));
    // A groupOfNames has a member always.
    for member in members.iter().map(String::as_str).chain(members.is_empty().then_some("cn=nobody")) {
        let _ = writeln!(text, "member: {member}");
    }
    text.push('\n');
}

fn person_dn(person: usize) -> String {
    format!("uid=u{person},ou=people,{}", Slapd::BASE)
}

fn group_dn(name: &str) -> String {
    format!("cn={name},ou=groups,{}", Slapd::BASE)
}
