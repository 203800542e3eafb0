//! The gateway's configuration for the demo, short enough to be read on a screen.

use std::path::Path;

use crate::{Place, SiteIssuer, Slapd};

use super::member::Member;

/// Where people are known.
pub(super) struct Providers<'a> {
    pub(super) directory: &'a Slapd,
    pub(super) password: &'a Path,
    pub(super) portal: &'a SiteIssuer,
    pub(super) secret: &'a Path,
}

pub(super) fn render(place: &Place, providers: &Providers<'_>, members: &[Member]) -> String {
    let clusters: String = members.iter().map(cluster).collect();
    format!(
        r#"apiVersion: gatewarden/v1
listeners:
  main: {{ address: "127.0.0.1:{port}" }}          # on loopback the gateway makes its own certificate
  operations: {{ address: "127.0.0.1:{operations}" }}
stateDir: {state}
providers:
  - {{ id: local, kind: local }}
  - id: corp
    kind: ldap
    displayName: Example Corp
    config:
      servers: ["{ldaps}"]
      tls: {{ mode: ldaps, caFile: {ca} }}
      bind: {{ dn: "{dn}", password: {{ file: {password} }} }}
      users: {{ base: "ou=people,{base}" }}
      groups: {{ base: "ou=groups,{base}", strategy: nested }}
  - id: portal
    kind: oidc
    displayName: Example Portal
    config:
      issuer: {issuer}
      clientId: {client}
      clientSecret: {{ file: {secret} }}
      certificateAuthority: {{ file: {portal_ca} }}
clusters:
{clusters}grants:                                       # nobody enters a cluster without one
  - {{ subjects: ["group:corp:dev", "group:portal:dev"], clusters: ["*"] }}
whomToAsk: Ask the platform team (platform@example.org).
audit: {{ file: {audit} }}
"#,
        port = place.port,
        operations = place.operations_port,
        state = place.path("state").display(),
        ldaps = providers.directory.ldaps_url(),
        ca = providers.directory.ca_file().display(),
        dn = Slapd::SERVICE_DN,
        base = Slapd::BASE,
        password = providers.password.display(),
        issuer = providers.portal.url(),
        client = SiteIssuer::CLIENT,
        secret = providers.secret.display(),
        portal_ca = providers.portal.ca_file().display(),
        audit = place.path("audit.log").display(),
    )
}

fn cluster(member: &Member) -> String {
    format!(
        "  - id: {id}\n    server: {server}\n    caFile: {ca}\n    impersonator: {{ tokenFile: {impersonator} }}\n    \
         reviewer: {{ tokenFile: {reviewer} }}\n",
        id = member.id,
        server = member.server,
        ca = member.ca_file.display(),
        impersonator = member.impersonator_token().display(),
        reviewer = member.reviewer_token().display(),
    )
}
