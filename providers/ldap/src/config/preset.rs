//! What is filled in for a known directory.

use schemars::JsonSchema;
use serde::Deserialize;

/// A directory product whose schema we know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Preset {
    /// `inetOrgPerson`, `groupOfNames`, `entryUUID`; also fits most other servers.
    #[default]
    Openldap,
    /// Active Directory and Samba.
    ActiveDirectory,
}

/// The values of a preset.
pub(super) struct Defaults {
    pub(super) user_filter: &'static str,
    pub(super) login: &'static str,
    pub(super) display_name: &'static str,
    pub(super) search: &'static [&'static str],
    pub(super) group_filter: &'static str,
    pub(super) group_name: &'static str,
    pub(super) id: &'static str,
    pub(super) dn_attribute: &'static str,
    pub(super) has_primary: bool,
}

impl Preset {
    pub(super) const fn defaults(self) -> Defaults {
        match self {
            Self::Openldap => Defaults {
                user_filter: "(&(objectClass=inetOrgPerson)(uid={input}))",
                login: "uid",
                display_name: "cn",
                search: &["uid", "cn", "sn"],
                group_filter: "(objectClass=groupOfNames)",
                group_name: "cn",
                id: "entryUUID",
                dn_attribute: "entryDN",
                has_primary: false,
            },
            // Computer accounts are users too; they must never log in as people.
            Self::ActiveDirectory => Defaults {
                user_filter: "(&(objectClass=user)(!(objectClass=computer))(sAMAccountType=805306368)\
                              (|(sAMAccountName={input})(userPrincipalName={input})))",
                login: "sAMAccountName",
                display_name: "displayName",
                search: &["sAMAccountName", "displayName", "sn"],
                group_filter: "(objectClass=group)",
                group_name: "sAMAccountName",
                id: "objectGUID",
                dn_attribute: "distinguishedName",
                has_primary: true,
            },
        }
    }
}
