//! Where a cluster's own service-account tokens come in: is it the issuer that the operator wrote, and does it tell its keys?

use http::StatusCode;
use serde::Deserialize;

use super::asking::Asking;
use super::report::{Check, Mend, Weight};
use crate::cluster::own::Own;
use crate::cluster::{Role, service_accounts};

/// The manifest by which the reviewer may look.
pub(super) const MANIFEST: &str = "token-reviewer";

impl Asking<'_> {
    /// Asks for both, where such tokens come in.
    pub(super) async fn issuer(&self, wanted: &str) -> Result<Vec<Check>, String> {
        let (status, body) = self.ask(Own::get(Role::Reviewer, service_accounts::DISCOVERY)).await?;
        let document = serde_json::from_slice::<Document>(&body).ok().filter(|_| status == StatusCode::OK);
        let found = document.map_or_else(|| status.to_string(), |document| document.issuer);
        let mend = if status == StatusCode::OK { Mend::Issuer } else { Mend::Apply(MANIFEST) };
        let issuer = check("the cluster is the issuer of its service accounts' tokens", wanted.to_owned(), found, mend);
        let (status, body) = self.ask(service_accounts::keys_of_cluster()).await?;
        let found = match (status, service_accounts::tells_keys(&body)) {
            (StatusCode::OK, true) => TOLD.to_owned(),
            (StatusCode::OK, false) => "no key that verifies anything".to_owned(),
            (status, _) => status.to_string(),
        };
        let name = "the cluster tells the keys of its service accounts' tokens";
        Ok(vec![issuer, check(name, TOLD.to_owned(), found, Mend::Apply(MANIFEST))])
    }
}

const TOLD: &str = "told";

fn check(name: &str, expected: String, found: String, mend: Mend) -> Check {
    let ok = expected == found;
    Check { name: name.to_owned(), expected, found, ok, mend, weight: Weight::OwnTokens }
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
}
