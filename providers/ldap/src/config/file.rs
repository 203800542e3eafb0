//! The configuration as an operator types it.

use std::path::PathBuf;

use auth_core::Password;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Preset;

/// An LDAP directory.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct File {
    /// What is filled in for settings that are left out.
    #[serde(default)]
    pub(crate) preset: Preset,
    /// Servers with the same content, in order of preference: `ldaps://ldap.example.org:636`.
    pub(crate) servers: Vec<String>,
    /// How the connection is protected.
    #[serde(default)]
    pub(crate) tls: Tls,
    /// The account that finds people and reads groups. It needs to read, nothing else.
    pub(crate) bind: Option<Bind>,
    /// Instead of `bind`: the DN of a person, with `{input}` for what they type. Such an instance
    /// can neither search nor refresh, because it only ever speaks for the person who logs in.
    pub(crate) direct_bind: Option<String>,
    /// Where people are.
    pub(crate) users: UsersFile,
    /// Where groups are; left out, nobody has groups.
    pub(crate) groups: Option<GroupsFile>,
    /// How long to wait.
    #[serde(default)]
    pub(crate) timeouts: Timeouts,
    /// How many connections.
    #[serde(default)]
    pub(crate) pool: PoolFile,
    /// Entries per page of a search, at most 1000.
    #[serde(default = "default_page_size")]
    pub(crate) page_size: i32,
}

/// TLS settings.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Tls {
    /// TLS from the first byte, StartTLS, or none at all.
    #[serde(default)]
    pub(crate) mode: TlsMode,
    /// PEM file of the authority that signed the servers' certificates.
    pub(crate) ca_file: Option<PathBuf>,
    /// The same, inline.
    pub(crate) ca_pem: Option<String>,
    /// The name in the certificate, where it is not the host of the URL.
    pub(crate) server_name: Option<String>,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TlsMode {
    /// `ldaps://`, usually port 636.
    #[default]
    Ldaps,
    /// `ldap://`, usually port 389, upgraded before anything else is said.
    StartTls,
    /// Passwords cross the network in plain text.
    DangerousNone,
}

/// The account that reads the directory.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Bind {
    /// Its DN.
    pub(crate) dn: String,
    /// Its password.
    #[schemars(with = "String")]
    pub(crate) password: Password,
}

/// Where people are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UsersFile {
    /// The DN below which everybody is.
    pub(crate) base: String,
    /// Who logs in as `{input}`. Must fit one entry.
    pub(crate) filter: Option<String>,
    /// The domain's NetBIOS name: whoever types `CORP\alice` means alice. Another domain is nobody.
    pub(crate) domain: Option<String>,
    /// An attribute that never changes and is never given to another entry.
    pub(crate) id: Option<String>,
    /// What people type; also the name that mappings use.
    pub(crate) login: Option<String>,
    /// What pages show.
    pub(crate) display_name: Option<String>,
    /// Further attributes for mappings.
    #[serde(default)]
    pub(crate) attributes: Vec<String>,
    /// Attributes whose beginning a search for people compares.
    pub(crate) search: Option<Vec<String>>,
}

/// Where groups are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GroupsFile {
    /// The DN below which every group is. Groups elsewhere do not count.
    pub(crate) base: String,
    /// How a person's groups are found.
    #[serde(default)]
    pub(crate) strategy: Strategy,
    /// What is a group.
    pub(crate) filter: Option<String>,
    /// An attribute that never changes and is never given to another group.
    pub(crate) id: Option<String>,
    /// The name that mappings use.
    pub(crate) name: Option<String>,
    /// The attribute of a group that lists its members.
    pub(crate) member: Option<String>,
    /// What that attribute holds.
    #[serde(default)]
    pub(crate) member_value: MemberValue,
    /// The attribute of a person that lists their groups (`strategy: memberOf`).
    pub(crate) member_of: Option<String>,
    /// The attribute by which an entry can be searched for by its DN.
    pub(crate) dn_attribute: Option<String>,
    /// How many groups deep `nested` looks.
    #[serde(default = "default_depth")]
    pub(crate) max_depth: usize,
    /// How long logins remember which groups hold which, for `nested`. A person's own groups are asked for each time.
    #[serde(default = "default_cache")]
    pub(crate) cache_seconds: u64,
    /// Beyond so many groups of one person the list counts as incomplete.
    #[serde(default = "default_groups")]
    pub(crate) max_groups: usize,
}

/// How a person's groups are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Strategy {
    /// By an attribute of the person, which the directory maintains.
    MemberOf,
    /// By looking for groups that list the person.
    Search,
    /// As `search`, then the groups that list those groups, and so on.
    #[default]
    Nested,
    /// As `nested`, by one question that Active Directory and Samba answer themselves; slow in very large domains.
    InChain,
}

/// How a group names a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum MemberValue {
    /// By DN, as `groupOfNames` does.
    #[default]
    Dn,
    /// By login name, as `posixGroup` does. A name that is given to another person takes the membership along.
    Login,
}

/// How long to wait.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Timeouts {
    /// For a connection with its TLS handshake.
    pub(crate) connect_seconds: u64,
    /// For one operation.
    pub(crate) operation_seconds: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        // Below the time that a whole call has, so that a second server can still be asked.
        Self { connect_seconds: 3, operation_seconds: 5 }
    }
}

/// How many connections, and how long each is used.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct PoolFile {
    /// Connections that search, used again and again.
    pub(crate) searches: usize,
    /// Connections that check a password at the same time, each used once.
    pub(crate) binds: usize,
    /// A connection that has done so many operations is replaced.
    pub(crate) max_operations: u32,
    /// A connection that is so old is replaced.
    pub(crate) lifetime_seconds: u64,
    /// A connection that was idle for so long is tried before it is used.
    pub(crate) test_after_seconds: u64,
}

impl Default for PoolFile {
    fn default() -> Self {
        Self { searches: 8, binds: 16, max_operations: 500, lifetime_seconds: 600, test_after_seconds: 30 }
    }
}

const fn default_page_size() -> i32 {
    500
}

const fn default_depth() -> usize {
    16
}

const fn default_cache() -> u64 {
    10
}

const fn default_groups() -> usize {
    5_000
}
