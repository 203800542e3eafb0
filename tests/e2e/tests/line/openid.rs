//! A site's own OpenID Connect issuer behind the gateway's: two logins' worth of protocol, one login for a person.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Https, Page, Protocol};
use testbed::SiteIssuer;
use url::Url;

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan};
use crate::issuer::{CALLBACK, Tokens, Visitor, error_of};
use crate::people;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_person_of_the_sites_issuer_logs_in_there_and_kubectl_works,
        what_the_site_takes_is_gone_at_the_next_refresh,
        an_answer_that_another_browser_brings_or_that_comes_twice_logs_nobody_in,
        a_no_at_the_site_comes_back_to_the_page,
        a_site_that_is_down_keeps_nobody_else_out,
    ]
}

/// A browser that knows the gateway and the site.
pub(crate) fn visitor(gate: &Gate, site: &SiteIssuer) -> Result<Visitor> {
    visitor_of(gate, site.port(), &site.ca_file())
}

/// The same for an issuer that listens on this port.
pub(crate) fn visitor_of(gate: &Gate, port: u16, ca_file: &Path) -> Result<Visitor> {
    let mut visitor = Visitor::of(gate)?;
    let https = Https::new("localhost", port, ca_file)?;
    visitor.browser = visitor.browser.knowing(&format!("localhost:{port}"), https, Protocol::Http1);
    Ok(visitor)
}

impl Visitor {
    /// Where the login page's link to the site leads.
    fn way_to_the_site(&mut self) -> Result<Url> {
        let page = self.begin()?;
        let text = page.answer()?.text();
        let (_, link) = text.split_once(r#"href="/login/with?"#).with_context(|| text.clone())?;
        let link = link.split('"').next().context("a link")?.replace("&amp;", "&").replace("&#38;", "&");
        Ok(self.console.join(&format!("/login/with?{link}"))?)
    }

    /// Leaves the login page for the site's.
    pub(crate) fn depart(&mut self) -> Result<Page> {
        let way = self.way_to_the_site()?;
        self.browser.open(&way)
    }

    /// From a client's request, by way of the site, back to the client.
    fn log_in_at_the_site(&mut self, person: &str) -> Result<Page> {
        let page = self.depart()?;
        ensure!(page.answer()?.text().contains("The site"), "{}", page.answer()?.text());
        self.browser.submit(&page.url, &[("login", person), ("password", &people::password(person))])
    }

    pub(crate) fn tokens_from_the_site(&mut self, person: &str) -> Result<Tokens> {
        let back = self.log_in_at_the_site(person)?;
        ensure!(back.url.as_str().starts_with(CALLBACK), "{} {:?}", back.url, back.answer.map(|answer| answer.text()));
        self.redeem(&back.url)
    }
}

pub(crate) fn a_person_of_the_sites_issuer_logs_in_there_and_kubectl_works(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    let person = bed.new_person_of_the_site("mina", &["dev", "canteen"])?;
    let tokens = visitor(gate, bed.site())?.tokens_from_the_site(&person)?;
    let kubectl = gate.kubectl_with_token(&tokens.access, "east")?;
    let seen = kubectl.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo['username','groups']}"])?;
    ensure!(seen.starts_with(&format!("sso:{person} ")), "{seen}");
    ensure!(seen.contains("sso:dev") && seen.contains("sso:canteen"), "{seen}");
    kubectl.ok(&["get", "pods", POD])?;
    Ok(())
}

pub(crate) fn what_the_site_takes_is_gone_at_the_next_refresh(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    let person = bed.new_person_of_the_site("leaver", &["dev"])?;
    let mut client = visitor(gate, bed.site())?;
    let first = client.tokens_from_the_site(&person)?;
    // The site gives another refresh token each time: a second and a third question need what the one before brought.
    let second = Tokens::of(&client.refresh(&first.refresh)?)?;
    gate.kubectl_with_token(&second.access, "east")?.ok(&["get", "pods"])?;
    bed.site().add(&person, &people::password(&person), &["canteen"])?;
    let third = Tokens::of(&client.refresh(&second.refresh)?)?;
    for token in [&third.access, &first.access] {
        let refused = gate.kubectl_with_token(token, "east")?.refused(&["get", "pods"])?;
        ensure!(refused.contains("Forbidden"), "{refused}");
    }
    bed.site().remove(&person)?;
    ensure!(error_of(&client.refresh(&third.refresh)?)? == "invalid_grant");
    Ok(())
}

pub(crate) fn an_answer_that_another_browser_brings_or_that_comes_twice_logs_nobody_in(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    let person = bed.new_person_of_the_site("victim", &["dev"])?;
    let site = Url::parse(&bed.site().url())?;
    let mut owner = visitor(gate, bed.site())?;
    let begun = owner.depart()?;
    let fields = [("login", person.as_str()), ("password", &people::password(&person))];
    let answered = owner.browser.post(&begun.url, &fields)?;
    ensure!(answered.status == 303, "{} {}", answered.status, answered.text());
    let mut at = begun.url.join(answered.header("location"))?;
    while at.authority() == site.authority() {
        let next = owner.browser.get(&at)?;
        at = at.join(next.header("location"))?;
    }
    ensure!(at.path() == "/callback/sso", "{at}");
    let mut stranger = visitor(gate, bed.site())?;
    stranger.begin()?;
    // Another person's browser, sent to the answer: it would be logged in as somebody else.
    let refused = stranger.browser.get(&at)?;
    ensure!(refused.status == 410, "{} {}", refused.status, refused.text());
    // Nothing was spent by that.
    let taken = owner.browser.get(&at)?;
    ensure!(taken.header("location").starts_with(CALLBACK), "{} {}", taken.status, taken.text());
    let again = owner.browser.get(&at)?;
    ensure!(again.status == 410, "{} {}", again.status, again.text());
    owner.redeem(&Url::parse(taken.header("location"))?)?;
    Ok(())
}

pub(crate) fn a_no_at_the_site_comes_back_to_the_page(bed: &Bed) -> Result<()> {
    let gate = bed.gate();
    let mut visitor = visitor(gate, bed.site())?;
    let there = visitor.depart()?;
    let page = visitor.browser.submit(&there.url, &[("deny", "")])?;
    let text = page.answer()?.text();
    ensure!(page.answer()?.status == 403, "{text}");
    ensure!(
        text.contains("Site sign-on: The identity system did not let you in") && text.contains("/login/with?"),
        "{text}"
    );
    Ok(())
}

pub(crate) fn a_site_that_is_down_keeps_nobody_else_out(bed: &Bed) -> Result<()> {
    let mut site = SiteIssuer::start(&bed.folder("site"))?;
    site.add("mina", &people::password("mina"), &["dev"])?;
    let gate = Gate::start(bed, &Plan { site: Some(&site), ..Plan::default() })?;
    gate.wait_until_proven()?;
    let mut client = visitor(&gate, &site)?;
    let tokens = client.tokens_from_the_site("mina")?;
    site.stop()?;
    // Who is in stays in, while what the site said last is fresh enough.
    let next = Tokens::of(&client.refresh(&tokens.refresh)?)?;
    gate.kubectl_with_token(&next.access, "east")?.ok(&["get", "pods"])?;
    gate.kubectl(&gate.fresh_session("alice")?, "east")?.ok(&["get", "pods"])?;
    // Nothing is known of the site any more.
    gate.stop()?;
    gate.start_again()?;
    let page = visitor(&gate, &site)?.depart()?;
    let text = page.answer()?.text();
    ensure!(page.answer()?.status == 503, "{text}");
    ensure!(text.contains("Site sign-on: The identity system does not answer"), "{text}");
    site.resume()?;
    visitor(&gate, &site)?.tokens_from_the_site("mina")?;
    Ok(())
}
