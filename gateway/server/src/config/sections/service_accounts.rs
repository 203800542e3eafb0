//! `clusters[].serviceAccountTokens`: a cluster's own tokens, which go to it alone.

use gatewarden_control::Subject;
use gatewarden_proxy::{ServiceAccount, ServiceAccountTokens};
use url::Url;

use crate::config::yaml::{Field, Section};

const KEYS: &[&str] = &["issuer", "audiences"];

/// Reads the setting, where the cluster has a reviewer to check such tokens by.
pub(super) fn read(cluster: &Section<'_>, has_reviewer: bool) -> Option<ServiceAccountTokens> {
    let field = cluster.optional("serviceAccountTokens")?;
    if !has_reviewer {
        field.fault(
            "the cluster is asked about its tokens by the reviewer, and with `identity: bearer` the gateway has no account on it",
            "remove `serviceAccountTokens`, or write `identity: impersonation` with the two accounts",
        );
    }
    let section = field.section(KEYS)?;
    let example = "https://kubernetes.default.svc.cluster.local";
    let issuer = section.required("issuer", example).and_then(|field| issuer(&field));
    let audiences = section.optional("audiences").map(|field| audiences(&field));
    let issuer = issuer?;
    Some(ServiceAccountTokens { audiences: audiences.unwrap_or_else(|| vec![issuer.clone()]), issuer })
}

/// An API server whose issuer is no https address publishes no keys. It is compared byte for byte.
fn issuer(field: &Field<'_>) -> Option<String> {
    field.parsed(
        "an https address, as the `iss` of the cluster's tokens",
        "https://kubernetes.default.svc.cluster.local",
        |text| Url::parse(text).is_ok_and(|url| url.scheme() == "https").then(|| text.to_owned()),
    )
}

fn audiences(field: &Field<'_>) -> Vec<String> {
    let items = field.list();
    if items.is_empty() {
        field.fault(
            "the list is empty, so that no token would be taken",
            "name the API server's audience, or remove it",
        );
    }
    items.iter().filter_map(|field| field.text()).collect()
}

/// The service accounts that a subject of a grant names, by Kubernetes' own names: one account, those of a namespace, or
/// all. `None` when it names something else.
pub(super) fn subject(text: &str) -> Option<Subject> {
    let subject: Subject = text.parse().ok()?;
    let known = match &subject {
        Subject::User(name) => ServiceAccount::parse(name).is_some(),
        Subject::Group(name) => match name.strip_prefix("system:serviceaccounts") {
            Some("") => true,
            Some(rest) => rest.strip_prefix(':').is_some_and(is_namespace),
            None => false,
        },
        Subject::Principal(_) => false,
    };
    known.then_some(subject)
}

fn is_namespace(text: &str) -> bool {
    ServiceAccount::parse(&format!("system:serviceaccount:{text}:default")).is_some()
}
