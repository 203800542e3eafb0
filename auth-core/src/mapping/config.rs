//! A mapping as an operator writes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Extra;

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
    /// What must hold of what the provider says about somebody, before it is mapped.
    pub claim_validation_rules: Vec<ValidationRule>,
    /// What must hold of everybody whom a cluster would see.
    pub user_validation_rules: Vec<ValidationRule>,
    /// People, and what must come of them. Checked when the configuration is read.
    pub examples: Vec<MappingExample>,
}

/// How a name is made: the prefix, then what the template or the expression gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NameMapping {
    /// Stands before every name, so that two instances cannot make the same one. `<instance>:` when left out.
    pub prefix: Option<String>,
    /// Text with `{login}`, `{name}`, `{id}` and `{attr:key}`; `{login}` when neither this nor `expression` is there.
    pub template: Option<String>,
    /// Instead of `template`: a CEL expression over `claims` that gives a text.
    pub expression: Option<String>,
}

/// How groups are chosen and named: filter, then rename, then template or expression, then prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct GroupMapping {
    /// Stands before every name. `<instance>:` when left out.
    pub prefix: Option<String>,
    /// Which groups are taken, by the provider's name of them.
    pub filter: GroupFilter,
    /// Other names for some: from the provider's name to the one that takes its place as `{name}`.
    pub rename: BTreeMap<String, String>,
    /// Text with `{name}`, `{id}` and `{attr:key}`; `{name}` when neither this nor `expression` is there.
    pub template: Option<String>,
    /// Instead of `template`: a CEL expression over `claims`, asked once, that gives all names.
    pub expression: Option<String>,
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

/// How the uid is made: exactly one of `template` and `expression`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct UidMapping {
    /// Text with `{login}`, `{name}`, `{id}` and `{attr:key}`.
    pub template: Option<String>,
    /// A CEL expression over `claims` that gives a text.
    pub expression: Option<String>,
}

/// One further fact: exactly one of `attribute`, `template` and `valueExpression`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ExtraMapping {
    /// Lower case, with a domain before a slash: `example.org/cost-center`.
    pub key: String,
    /// All values of this attribute; the key is left out when there are none.
    pub attribute: Option<String>,
    /// One value, from text with `{login}`, `{name}`, `{id}` and `{attr:key}`.
    pub template: Option<String>,
    /// A CEL expression over `claims` that gives a text or several; the key is left out when there are none.
    pub value_expression: Option<String>,
}

/// What must hold of somebody, or their login is refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ValidationRule {
    /// A CEL expression that gives true or false: over `claims` before the mapping, over `user` after it.
    pub expression: String,
    /// What the person and the log are told when it does not hold.
    pub message: String,
}

/// Somebody, and what must come of them: exactly one of `expect` and `refused`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MappingExample {
    /// What the provider says about them.
    pub given: ExamplePerson,
    /// What a cluster must see. A key that is left out is not compared.
    pub expect: Option<ExampleIdentity>,
    /// That they are refused, for a reason that holds this text.
    pub refused: Option<String>,
}

/// Somebody as a provider would tell of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ExamplePerson {
    /// What they type to log in; `name` when left out.
    pub login: Option<String>,
    /// The provider's name of them; `login` when left out.
    pub name: Option<String>,
    /// The provider's id of them; `1` when left out.
    pub id: Option<String>,
    /// Their attributes, each with its values.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// The names of their groups. The id of each is its name.
    pub groups: Vec<String>,
    /// What the provider offers as `extra` beside.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// What a cluster must see of an example.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ExampleIdentity {
    /// The user name.
    pub username: Option<String>,
    /// All groups, in any order.
    pub groups: Option<Vec<String>>,
    /// The uid.
    pub uid: Option<String>,
    /// All further facts.
    pub extra: Option<Extra>,
}
