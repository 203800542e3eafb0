//! Examples in a configuration: people, and what must come of them.
//!
//! RBAC names what a mapping makes, so a mapping that makes something else takes rights away, or gives them. An example
//! that no longer holds is found where the mapping is changed, before anybody logs in.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::{ExampleIdentity, ExamplePerson, Identity, Mapping, MappingExample};
use crate::{Fault, InstanceId, InvalidId, Principal, PrincipalId, PrincipalType};

/// Stands for the gateway's own id of somebody, which no example can know.
const OWN_UID: &str = "the gateway's own id";

type UserAndGroups = (Principal, Vec<Principal>);

impl Mapping {
    /// What each example finds wrong, with its place.
    pub(super) fn try_examples(&self, examples: &[MappingExample]) -> Vec<Fault> {
        let faults = examples.iter().enumerate().map(|(index, example)| {
            let faults = self.try_example(example).into_iter();
            let at = format!("examples[{index}]");
            faults.map(move |Fault { path, message }| {
                Fault::new(if path.is_empty() { at.clone() } else { format!("{at}.{path}") }, message)
            })
        });
        faults.flatten().collect()
    }

    fn try_example(&self, example: &MappingExample) -> Vec<Fault> {
        let (user, groups) = match example.given.principals(&self.instance) {
            Ok(principals) => principals,
            Err(why) => return vec![Fault::new("given", why.to_string())],
        };
        let outcome = self.map(OWN_UID, &user, &groups, &example.given.extra);
        match (&example.expect, &example.refused, outcome) {
            (Some(expected), None, Ok(identity)) => expected.differences(&identity),
            (Some(_), None, Err(error)) => vec![Fault::new("expect", format!("they are refused: {error}"))],
            (None, Some(why), Err(error)) if error.to_string().contains(why) => Vec::new(),
            (None, Some(_), Err(error)) => {
                vec![Fault::new("refused", format!("they are refused, but because: {error}"))]
            }
            (None, Some(_), Ok(identity)) => {
                vec![Fault::new("refused", format!("they are not refused: they become {:?}", identity.username))]
            }
            _ => vec![Fault::new("", "write exactly one of `expect` and `refused`")],
        }
    }
}

impl ExamplePerson {
    fn principals(&self, instance: &InstanceId) -> Result<UserAndGroups, InvalidId> {
        let name = self.name.as_deref().or(self.login.as_deref()).unwrap_or_default();
        let login = self.login.as_deref().unwrap_or(name);
        let id = PrincipalId::new(instance, PrincipalType::User, self.id.as_deref().unwrap_or("1"))?;
        let mut user = Principal::new(id, name).with_login(login);
        user.attributes.clone_from(&self.attributes);
        let group = |name: &String| Ok(Principal::new(PrincipalId::new(instance, PrincipalType::Group, name)?, name));
        Ok((user, self.groups.iter().map(group).collect::<Result<_, InvalidId>>()?))
    }
}

impl ExampleIdentity {
    fn differences(&self, found: &Identity) -> Vec<Fault> {
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let groups = sorted(found.group_names().map(str::to_owned).collect());
        let differences = [
            difference("username", self.username.as_ref(), &found.username),
            difference("groups", self.groups.clone().map(sorted).as_ref(), &groups),
            difference("uid", self.uid.as_ref(), &found.uid),
            difference::<BTreeMap<_, _>>("extra", self.extra.as_ref(), &found.extra),
        ];
        differences.into_iter().flatten().collect()
    }
}

fn difference<T: PartialEq + Debug>(key: &str, expected: Option<&T>, found: &T) -> Option<Fault> {
    let expected = expected.filter(|expected| *expected != found)?;
    Some(Fault::new(format!("expect.{key}"), format!("{expected:?} is expected, and {found:?} comes out")))
}

#[cfg(test)]
mod tests {
    use super::super::*;

    fn faults(mapping: &str, examples: &str) -> Vec<String> {
        let json = format!("{{{mapping}\"examples\":[{examples}]}}");
        let config: MappingConfig = serde_json::from_str(&json).unwrap_or_else(|why| panic!("{why}: {json}"));
        let faults = Mapping::compile(config, &"corp".parse().unwrap()).err().unwrap_or_default();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_example_that_holds_is_silent_for_every_kind_of_rule() {
        let mapping = r#""username":{"template":"{attr:mail}"},"groups":{"filter":{"include":["k8s-*"]}},
            "uid":{"template":"{id}"},"extra":[{"key":"x.org/who","template":"{name}"}],"#;
        let given = r#"{"login":"al","name":"alice","id":"7","attributes":{"mail":["a@x"]},"groups":["canteen","k8s-b","k8s-a"],
            "extra":{"x.org/seat":["12"]}}"#;
        let expect = r#"{"username":"corp:a@x","groups":["corp:k8s-a","corp:k8s-b"],"uid":"7",
            "extra":{"x.org/who":["alice"],"x.org/seat":["12"]}}"#;
        assert_eq!(faults(mapping, &format!(r#"{{"given":{given},"expect":{expect}}}"#)), [""; 0]);
        let refused = r#"{"given":{"login":"al"},"refused":"needs `{attr:mail}`"}"#;
        assert_eq!(faults(mapping, refused), [""; 0]);
    }

    #[test]
    fn an_example_that_does_not_hold_is_a_fault_that_says_what_came_out() {
        for (example, fault) in [
            (
                r#"{"given":{"login":"al"},"expect":{"username":"corp:bo"}}"#,
                r#"examples[0].expect.username: "corp:bo" is expected, and "corp:al" comes out"#,
            ),
            (
                r#"{"given":{"login":"al","groups":["b","a"]},"expect":{"groups":["corp:a"]}}"#,
                r#"examples[0].expect.groups: ["corp:a"] is expected, and ["corp:a", "corp:b"] comes out"#,
            ),
            (
                r#"{"given":{"login":"al"},"expect":{"uid":"7"}}"#,
                r#"examples[0].expect.uid: "7" is expected, and "the gateway's own id" comes out"#,
            ),
            (
                r#"{"given":{"login":"al"},"expect":{"extra":{"x.org/a":["b"]}}}"#,
                r#"examples[0].expect.extra: {"x.org/a": ["b"]} is expected, and {} comes out"#,
            ),
            (
                r#"{"given":{"login":"a\nb"},"expect":{"username":"corp:a"}}"#,
                "examples[0].expect: they are refused: the username holds a control character, or white space at an end",
            ),
            (
                r#"{"given":{"login":"al"},"refused":"reserved"}"#,
                r#"examples[0].refused: they are not refused: they become "corp:al""#,
            ),
            (
                r#"{"given":{},"refused":"reserved"}"#,
                "examples[0].refused: they are refused, but because: the username is empty",
            ),
            (r#"{"given":{"login":"al"}}"#, "examples[0]: write exactly one of `expect` and `refused`"),
            (
                r#"{"given":{"login":"al"},"expect":{},"refused":"x"}"#,
                "examples[0]: write exactly one of `expect` and `refused`",
            ),
            (r#"{"given":{"login":"al","id":" "},"expect":{}}"#, "examples[0].given: not a valid principal id: "),
        ] {
            let found = faults("", example);
            assert!(found.len() == 1 && found[0].starts_with(fault), "{found:?}");
        }
    }
}
