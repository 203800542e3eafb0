//! Logouts at the site's issuer: what rests on the login there ends here, at once, and nothing else does.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Kubectl, Page, Running, Skipped};
use testbed::{Keycloak, Place, SiteIssuer};
use url::Url;

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan};
use crate::issuer::{CALLBACK, CONSOLE, Visitor};
use crate::{keycloak, openid, people};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_logout_by_keycloaks_administrator_ends_what_runs_here,
        a_login_that_its_person_ends_at_the_site_is_over_here_and_their_others_go_on,
        who_logs_out_here_logs_out_at_the_site_too_and_comes_back,
    ]
}

/// kubectl, and a watch of it that was seen to work.
struct Work {
    kubectl: Kubectl,
    watch: Running,
}

impl Work {
    fn begin(gate: &Gate, token: &str) -> Result<Self> {
        let kubectl = gate.kubectl_with_token(token, "east")?;
        let mut watch = kubectl.start(&["get", "pods", "--watch"])?;
        watch.wait_for(POD)?;
        Ok(Self { kubectl, watch })
    }

    fn goes_on(&mut self) -> Result<()> {
        self.kubectl.ok(&["get", "pods"])?;
        ensure!(self.watch.is_alive()?, "{}", self.watch.output());
        Ok(())
    }

    /// Both are over; how long that took is told and not judged.
    fn is_over(&mut self, what: &str) -> Result<()> {
        let since = Instant::now();
        self.watch.wait_for_end()?;
        let refused = self.kubectl.refused(&["get", "pods"])?;
        ensure!(refused.contains("Unauthorized") || refused.contains("logged in"), "{refused}");
        e2e::note(&format!("{what}: a running watch ended {} ms later", since.elapsed().as_millis()));
        Ok(())
    }
}

/// Says yes on the site's own page.
fn log_out_at_the_site(visitor: &mut Visitor, site: &SiteIssuer) -> Result<Page> {
    let page = visitor.browser.open(&Url::parse(&format!("{}/session/end", site.url()))?)?;
    confirm(visitor, &page)
}

/// The form of the site's page that asks.
pub(crate) fn confirm(visitor: &mut Visitor, page: &Page) -> Result<Page> {
    let text = page.answer()?.text();
    let between = |before: &str| {
        let (_, rest) = text.split_once(before).with_context(|| text.clone())?;
        rest.split('"').next().map(str::to_owned).context("a value")
    };
    let action = page.url.join(&between(r#"action=""#)?)?;
    visitor.browser.submit(&action, &[("xsrf", &between(r#"name="xsrf" value=""#)?), ("logout", "yes")])
}

pub(crate) fn a_login_that_its_person_ends_at_the_site_is_over_here_and_their_others_go_on(bed: &Bed) -> Result<()> {
    let site = SiteIssuer::start(&bed.folder("site"))?;
    site.add("mina", &people::password("mina"), &["dev"])?;
    let gate = Gate::start(bed, &Plan { site: Some(&site), ..Plan::default() })?;
    gate.wait_until_proven()?;
    site.tell(gate.port(), &gate.path("state/ca.crt"))?;
    let enters = || {
        let mut client = openid::visitor(&gate, &site)?;
        let tokens = client.tokens_from_the_site("mina")?;
        Ok::<_, anyhow::Error>((client, Work::begin(&gate, &tokens.access)?, tokens))
    };
    let (mut first, mut leaving, tokens) = enters()?;
    let (_, mut staying, _) = enters()?;
    let gone = log_out_at_the_site(&mut first, &site)?;
    ensure!(gone.answer()?.status == 200, "{}", gone.answer()?.text());
    leaving.is_over("a login at the site was ended by its person")?;
    let refused = first.refresh(&tokens.refresh)?;
    ensure!(crate::issuer::error_of(&refused)? == "invalid_grant", "{}", refused.text());
    staying.goes_on()?;
    ensure!(gate.log()?.contains("told of a logout"), "{}", gate.log()?);

    // What anybody may send there ends nothing.
    for (path, forged) in [("sso", "x"), ("sso", &*tokens.id), ("sso", &*tokens.access), ("corp", "x"), ("nobody", "x")]
    {
        let answer = first.post(&format!("/backchannel-logout/{path}"), &[("logout_token", forged)])?;
        let expected = if path == "sso" { 400 } else { 404 };
        ensure!(answer.status == expected, "{path} {forged}: {} {}", answer.status, answer.text());
        ensure!(answer.header("cache-control") == "no-store", "{}", answer.header("cache-control"));
    }
    staying.goes_on()
}

pub(crate) fn a_logout_by_keycloaks_administrator_ends_what_runs_here(bed: &Bed) -> Result<()> {
    if let Some(why) = Keycloak::unsupported() {
        return Err(Skipped(why).into());
    }
    let server = Keycloak::start(&bed.folder("keycloak"))?;
    server.add("mina", "Password of mina", &["dev"])?;
    server.add("nils", "Password of mina", &["dev"])?;
    let folder = bed.folder("gate");
    let place = Place::new(&folder)?;
    place.write("keycloak-secret", Keycloak::SECRET)?;
    // Keycloak tells nobody whose certificate it does not believe.
    let (leaf, ca) = (server.leaf("gateway", &["localhost", CONSOLE])?, server.ca_file());
    place.write("state/ca.crt", &std::fs::read_to_string(&ca)?)?;
    let sign_on = keycloak::sign_on(&server);
    let plan = Plan { sign_on: Some(&sign_on), tls: Some((&leaf, &ca)), ..Plan::default() };
    let gate = Gate::start_in(bed, &folder, &plan)?;
    let console = Visitor::of(&gate)?.console;
    server.allow_callback(console.join("/callback/sso")?.as_str())?;
    server.tell(console.join("/backchannel-logout/sso")?.as_str())?;
    gate.wait_until_proven()?;
    let enters = |login: &str| Work::begin(&gate, &keycloak::enters(&gate, &server, login)?.1.access);
    let (mut leaving, mut staying) = (enters("mina")?, enters("nils")?);
    server.log_out("mina")?;
    leaving.is_over("a login was ended by Keycloak's administrator")?;
    staying.goes_on()
}

pub(crate) fn who_logs_out_here_logs_out_at_the_site_too_and_comes_back(bed: &Bed) -> Result<()> {
    let site = SiteIssuer::start(&bed.folder("site"))?;
    site.add("mina", &people::password("mina"), &["dev"])?;
    let plan = Plan { site: Some(&site), site_lines: "      logOutAtIssuer: true\n", ..Plan::default() };
    let gate = Gate::start(bed, &plan)?;
    let mut client = openid::visitor(&gate, &site)?;
    let tokens = client.tokens_from_the_site("mina")?;
    // Whoever begins another login meets nobody's page while the site knows them.
    ensure!(client.depart()?.url.as_str().starts_with(CALLBACK), "the site forgot its login");

    let mut leaving = client.console.join("/oidc/logout")?;
    leaving.query_pairs_mut().append_pair("id_token_hint", &tokens.id);
    let page = client.browser.open(&leaving)?;
    ensure!(page.url.as_str().starts_with(&site.url()), "{}", page.url);
    let hint = page.query("id_token_hint")?;
    ensure!(hint != tokens.id && hint.split('.').count() == 3, "the site's token, and not the gateway's: {hint}");
    let back = confirm(&mut client, &page)?;
    ensure!(back.url.path() == "/logout/done", "{}", back.url);
    ensure!(back.answer()?.text().contains("You are logged out"), "{}", back.answer()?.text());
    ensure!(crate::issuer::error_of(&client.refresh(&tokens.refresh)?)? == "invalid_grant");
    let asked = client.depart()?;
    ensure!(asked.answer()?.text().contains("The site"), "{}", asked.url);
    Ok(())
}
