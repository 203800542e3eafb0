//! Keycloak as the site's issuer: what its administrator decides is so at the next refresh.

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Page, Skipped};
use serde_json::json;
use testbed::{Keycloak, Place};

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan};
use crate::issuer::{CALLBACK, Tokens, Visitor, error_of};
use crate::openid;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![a_person_of_keycloak_is_in_as_far_and_as_long_as_it_says]
}

impl Visitor {
    /// From a client's request, by way of Keycloak's login page, to wherever that leads.
    fn log_in_at_keycloak(&mut self, login: &str, password: &str) -> Result<Page> {
        let page = self.depart()?;
        let form = Keycloak::login_form(&page.answer()?.text()).context("Keycloak's login form")?;
        self.browser.submit(&form, &[("username", login), ("password", password)])
    }
}

/// Keycloak in the configuration, as its administrator has it for the gateway.
pub(crate) fn sign_on(keycloak: &Keycloak) -> String {
    format!(
        r#"  - id: sso
    kind: oidc
    displayName: Keycloak
    config:
      preset: keycloak
      issuer: {issuer}
      clientId: {client}
      clientSecret: {{ file: ./keycloak-secret }}
      certificateAuthority: {{ file: {ca} }}
"#,
        issuer = keycloak.url(),
        client = Keycloak::CLIENT,
        ca = keycloak.ca_file().display(),
    )
}

/// Their first tokens of the gateway.
pub(crate) fn enters(gate: &Gate, keycloak: &Keycloak, login: &str) -> Result<(Visitor, Tokens)> {
    let mut client = openid::visitor_of(gate, keycloak.port(), &keycloak.ca_file())?;
    let back = client.log_in_at_keycloak(login, "Password of mina")?;
    ensure!(back.url.as_str().starts_with(CALLBACK), "{} {:?}", back.url, back.answer.map(|answer| answer.text()));
    let tokens = client.redeem(&back.url)?;
    Ok((client, tokens))
}

pub(crate) fn a_person_of_keycloak_is_in_as_far_and_as_long_as_it_says(bed: &Bed) -> Result<()> {
    if let Some(why) = Keycloak::unsupported() {
        return Err(Skipped(why).into());
    }
    let keycloak = Keycloak::start(&bed.folder("keycloak"))?;
    keycloak.add("mina", "Password of mina", &["dev", "canteen"])?;
    let folder = bed.folder("gate");
    Place::new(&folder)?.write("keycloak-secret", Keycloak::SECRET)?;
    let gate = Gate::start_in(bed, &folder, &Plan { sign_on: Some(&sign_on(&keycloak)), ..Plan::default() })?;
    keycloak.allow_callback(Visitor::of(&gate)?.console.join("/callback/sso")?.as_str())?;
    gate.wait_until_proven()?;

    let (mut client, first) = enters(&gate, &keycloak, "mina")?;
    let kubectl = |token: &str| gate.kubectl_with_token(token, "east");
    let who = ["auth", "whoami", "-o", "jsonpath={.status.userInfo['username','groups']}"];
    let seen = kubectl(&first.access)?.ok(&who)?;
    ensure!(seen.starts_with("sso:mina ") && seen.contains("sso:dev") && seen.contains("sso:canteen"), "{seen}");
    kubectl(&first.access)?.ok(&["get", "pods", POD])?;

    // The group that lets her in goes, and the others stay.
    keycloak.leave("mina", "dev")?;
    let second = Tokens::of(&client.refresh(&first.refresh)?)?;
    for token in [&second.access, &first.access] {
        let refused = kubectl(token)?.refused(&["get", "pods"])?;
        ensure!(refused.contains("Forbidden"), "{refused}");
    }
    keycloak.join("mina", "dev")?;
    let third = Tokens::of(&client.refresh(&second.refresh)?)?;
    kubectl(&third.access)?.ok(&["get", "pods"])?;

    keycloak.edit("mina", json!({ "enabled": false }))?;
    ensure!(error_of(&client.refresh(&third.refresh)?)? == "invalid_grant");
    let refused = kubectl(&third.access)?.refused(&["get", "pods"])?;
    ensure!(refused.contains("Unauthorized") || refused.contains("logged in"), "{refused}");
    let mut again = openid::visitor_of(&gate, keycloak.port(), &keycloak.ca_file())?;
    let page = again.log_in_at_keycloak("mina", "Password of mina")?;
    ensure!(page.answer()?.text().contains("Account is disabled"), "{}", page.answer()?.text());
    Ok(())
}
