//! The browser is a real one: it checks certificates, and trusts whom it is told to.

use std::path::Path;

use anyhow::{Result, ensure};
use testbed::SiteIssuer;
use testbed::chromium::{Chromium, Setup};

#[test]
fn a_browser_trusts_whom_it_is_told_to_and_nobody_else() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let site = SiteIssuer::start(&dir.path().join("site"))?;
    let about = format!("{}/.well-known/openid-configuration", site.url());
    let browser =
        |name: &str, trusts: &[&Path]| Chromium::start(&dir.path().join(name), &Setup { trusts, ..Setup::default() });
    let trusting = browser("trusting", &[&site.ca_file()])?;
    trusting.open(&about)?;
    trusting.wait_for_text("authorization_endpoint")?;
    // It says so by an error, or by a page of its own.
    let stranger = browser("stranger", &[])?;
    let shown = stranger.open(&about).and_then(|()| stranger.find("body")?.text());
    ensure!(!shown.is_ok_and(|text| text.contains("authorization_endpoint")), "it believed a certificate of nobody's");
    Ok(())
}
