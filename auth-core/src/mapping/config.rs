//! A mapping as an operator writes it, and its compilation.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::pattern::Pattern;
use super::rule::{GroupRule, NameRule, Rule};
use super::template::{Subject, Template};
use super::vetting::{self, Vetting};
use super::{Mapping, MappingLimits, Reserved};
use crate::{Fault, InstanceId};

/// The `mapping:` of a provider instance. Everything may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct MappingConfig {
    /// The user name that a cluster sees; `<instance>:<login>` by default.
    pub username: NameMapping,
    /// The groups that a cluster sees; `<instance>:<group name>` by default, all of them.
    pub groups: GroupMapping,
    /// The uid that a cluster sees; the gateway's own id of the user by default.
    pub uid: Option<UidMapping>,
    /// Further facts that a cluster sees.
    pub extra: Vec<ExtraMapping>,
}

/// How a name is made: the prefix, then the template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NameMapping {
    /// Stands before every name, so that two instances cannot make the same one. `<instance>:` when left out.
    pub prefix: Option<String>,
    /// Text with `{login}`, `{name}`, `{id}` and `{attr:key}`; `{login}` when left out.
    pub template: Option<String>,
}

/// How groups are chosen and named: filter, then rename, then template, then prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct GroupMapping {
    /// Stands before every name. `<instance>:` when left out.
    pub prefix: Option<String>,
    /// Which groups are taken, by the provider's name of them.
    pub filter: GroupFilter,
    /// Other names for some: from the provider's name to the one that takes its place as `{name}`.
    pub rename: BTreeMap<String, String>,
    /// Text with `{name}`, `{id}` and `{attr:key}`; `{name}` when left out.
    pub template: Option<String>,
}

/// Which groups are taken. In a pattern `*` stands for any text; upper and lower case differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct GroupFilter {
    /// Only groups that fit one of these. Empty: every group.
    pub include: Vec<String>,
    /// But none that fits one of these.
    pub exclude: Vec<String>,
}

/// How the uid is made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UidMapping {
    /// Text with `{login}`, `{name}`, `{id}` and `{attr:key}`.
    pub template: String,
}

/// One further fact: exactly one of `attribute` and `template`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ExtraMapping {
    /// Lower case, with a domain before a slash: `example.org/cost-center`.
    pub key: String,
    /// All values of this attribute; the key is left out when there are none.
    pub attribute: Option<String>,
    /// One value, from text with `{login}`, `{name}`, `{id}` and `{attr:key}`.
    pub template: Option<String>,
}

/// Collects faults while it compiles, so that an operator sees all of them.
pub(super) struct Compiler<'a> {
    instance: &'a InstanceId,
    reserved: Reserved,
    faults: Vec<Fault>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(instance: &'a InstanceId) -> Self {
        Self { instance, reserved: Reserved::default(), faults: Vec::new() }
    }

    pub(super) fn compile(mut self, config: MappingConfig) -> Result<Mapping, Vec<Fault>> {
        let username = NameRule {
            prefix: self.prefix("username.prefix", config.username.prefix),
            rule: self.template(
                "username.template",
                config.username.template.as_deref().unwrap_or("{login}"),
                Subject::User,
            ),
        };
        let groups = self.groups(config.groups);
        let uid = config.uid.map(|uid| self.template("uid.template", &uid.template, Subject::User));
        let extra = self.extra(config.extra);
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let vetting = Vetting { reserved: self.reserved, limits: MappingLimits::default() };
        Ok(Mapping { username, groups, uid, extra, vetting })
    }

    fn groups(&mut self, config: GroupMapping) -> GroupRule {
        for (from, to) in &config.rename {
            if let Err(why) = vetting::bytes("group", to) {
                self.fault(format!("groups.rename.{from}"), format!("{why}; write a plain name"));
            }
        }
        let template = config.template.as_deref().unwrap_or("{name}");
        GroupRule {
            name: NameRule {
                prefix: self.prefix("groups.prefix", config.prefix),
                rule: self.template("groups.template", template, Subject::Group),
            },
            include: self.patterns("groups.filter.include", config.filter.include),
            exclude: self.patterns("groups.filter.exclude", config.filter.exclude),
            rename: config.rename,
        }
    }

    fn extra(&mut self, config: Vec<ExtraMapping>) -> Vec<(String, Rule)> {
        let mut rules: Vec<(String, Rule)> = Vec::new();
        for (index, ExtraMapping { key, attribute, template }) in config.into_iter().enumerate() {
            let path = format!("extra[{index}]");
            if let Err(why) = vetting::extra_key(&key) {
                self.fault(format!("{path}.key"), format!("{why}; write a key such as example.org/cost-center"));
            }
            if rules.iter().any(|(earlier, _)| *earlier == key) {
                self.fault(format!("{path}.key"), "this key stands twice; write each key once");
            }
            let rule = match (attribute, template) {
                (Some(attribute), None) => Rule::Attribute(attribute),
                (None, Some(template)) => self.template(&format!("{path}.template"), &template, Subject::User),
                _ => {
                    self.fault(path, "write exactly one of `attribute` and `template`");
                    continue;
                }
            };
            rules.push((key, rule));
        }
        rules
    }

    fn prefix(&mut self, path: &str, prefix: Option<String>) -> String {
        let Some(prefix) = prefix else {
            return format!("{}:", self.instance);
        };
        if prefix.contains(char::is_control) || prefix.starts_with(char::is_whitespace) {
            self.fault(path, "a prefix holds no control character and starts with no white space");
        }
        if self.reserved.holds(&prefix) {
            let message =
                format!("{prefix:?} is reserved for Kubernetes itself; write one such as \"{}:\"", self.instance);
            self.fault(path, message);
        }
        prefix
    }

    fn template(&mut self, path: &str, text: &str, subject: Subject) -> Rule {
        match Template::parse(text, subject) {
            Ok(template) => Rule::Template(template),
            Err(why) => {
                self.fault(path, why);
                Rule::Template(Template::default())
            }
        }
    }

    fn patterns(&mut self, path: &str, patterns: Vec<String>) -> Vec<Pattern> {
        for (index, _) in patterns.iter().enumerate().filter(|(_, pattern)| pattern.is_empty()) {
            self.fault(format!("{path}[{index}]"), "an empty pattern fits nothing; write a name, or * for any text");
        }
        patterns.into_iter().map(Pattern::new).collect()
    }

    fn fault(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.faults.push(Fault::new(path, message));
    }
}
