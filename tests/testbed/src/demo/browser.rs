//! A person at their browser: the gateway's page, the page of the site's own issuer, and back.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::chromium::{Chromium, Setup};

/// Who sits there.
pub(super) const PERSON: &str = "mina";
/// What she saw, a line for each page.
const SEEN: &str = "seen.txt";

/// Opens the address that the plugin hands to a browser, and does what a person would.
///
/// # Errors
/// When a page does not say what it should.
pub fn browse(dir: &Path, url: &str) -> Result<()> {
    let (gateway, site) = (dir.join("gateway/state/ca.crt"), dir.join("portal/pki/ca.crt"));
    let setup = Setup { trusts: &[&gateway, &site], ..Setup::default() };
    let browser = Chromium::start(&dir.join("browser"), &setup)?;
    let mut visit = Visit { browser: &browser, dir: dir.join("browser"), seen: String::new() };
    browser.open(url)?;
    visit.look("1-gateway", "She presses \"Log in with Example Portal\".")?;
    browser.find("a.button")?.click()?;
    browser.find("input[name=login]")?.type_in(PERSON)?;
    browser.find("input[name=password]")?.type_in(&password())?;
    visit.look("2-portal", "She types her name and password, at her portal and nowhere else.")?;
    browser.find("button")?.click()?;
    browser.wait_for_text("You are logged in")?;
    visit.look("3-done", "kubectl has its login.")
}

pub(super) fn password() -> String {
    format!("{PERSON}-secret")
}

/// What was seen, and where its pictures are.
pub(super) fn seen(dir: &Path) -> Result<String> {
    Ok(fs::read_to_string(dir.join("browser").join(SEEN))?)
}

struct Visit<'a> {
    browser: &'a Chromium,
    dir: PathBuf,
    seen: String,
}

impl Visit<'_> {
    /// Takes a picture, and notes which page it is of and what the person does there.
    fn look(&mut self, picture: &str, does: &str) -> Result<()> {
        let file = self.dir.join(format!("{picture}.png"));
        fs::write(&file, self.browser.screenshot()?)?;
        let url = self.browser.url()?;
        let page = url.split('?').next().unwrap_or_default();
        writeln!(self.seen, "{page}  {:?}  ({})\n  {does}", self.browser.title()?, file.display())?;
        Ok(fs::write(self.dir.join(SEEN), &self.seen)?)
    }
}
