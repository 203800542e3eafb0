//! The login pages as people see them: in a real browser, in each language, and the pictures of them in the docs.
//!
//! The pictures are taken anew by `make pictures`; a run without it says which one is missing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use e2e::Case;
use serde_json::Value;
use testbed::chromium::{Chromium, Setup};
use url::Url;

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan};
use crate::issuer::{CALLBACK, CLIENT, Visitor, request};
use crate::people;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        the_pages_work_in_english_without_a_script,
        the_pages_work_in_korean_by_keyboard_alone,
        every_page_has_its_pictures,
        no_other_site_frames_a_page_or_sends_its_form,
    ]
}

/// Names a folder that pictures are written to.
const PICTURES: &str = "GATEWARDEN_PICTURES";
/// Each page that people see.
const PAGES: [&str; 10] = [
    "login",
    "refused",
    "device",
    "device-login",
    "done",
    "consent",
    "logout",
    "error",
    // The plugin's own.
    "landing",
    "stopped",
];
const LANGUAGES: [&str; 2] = ["en", "ko"];
/// A picture in the docs is small: they are read over slow lines, too.
const LARGEST: usize = 60 * 1024;
/// A program of somebody else's, about which people are asked.
const OTHERS: &str = "issuer: { clients: [{ id: others, name: A program of others, \
                      redirectUris: [\"http://127.0.0.1:40123/callback\"], firstParty: false }] }";
// WebDriver's names of keys.
const TAB: char = '\u{E004}';
const ENTER: char = '\u{E007}';

/// Somebody at a browser in front of a gateway.
pub(crate) struct Desk {
    pub(crate) gate: Gate,
    pub(crate) browser: Chromium,
    language: &'static str,
}

impl Desk {
    pub(crate) fn new(bed: &Bed, language: &'static str, scripts: bool) -> Result<Self> {
        let gate = Gate::start(bed, &Plan { extra: OTHERS, ..Plan::default() })?;
        gate.wait_until_proven()?;
        let ca = gate.path("state/ca.crt");
        let setup = Setup { trusts: &[&ca], language, scripts, dark: dark_in(language), size: (640, 1000) };
        let browser = Chromium::start(&bed.folder("browser"), &setup)?;
        Ok(Self { gate, browser, language })
    }

    fn console(&self, path: &str) -> Result<Url> {
        Ok(Visitor::of(&self.gate)?.console.join(path)?)
    }

    /// What a program of this id asks for first.
    fn begin(&self, client: &str) -> Result<()> {
        let mut asked = self.console("/oidc/authorize")?;
        asked.query_pairs_mut().extend_pairs(request(client));
        self.browser.open(asked.as_str())
    }

    /// Logs in on the page that is open.
    pub(crate) fn log_in(&self, person: &str, password: &str) -> Result<()> {
        self.browser.find("#provider option[value=corp]")?.click()?;
        self.browser.find("#username")?.type_in(person)?;
        self.browser.find("#password")?.type_in(password)?;
        self.browser.find("form button")?.click()
    }

    /// Looks at a page, in the light and in the dark: what no page may lack, what the browser complains of, and its
    /// picture.
    pub(crate) fn look(&self, page: &str) -> Result<()> {
        let usual = dark_in(self.language);
        let (other, own) = (self.inspect(page, !usual)?, self.inspect(page, usual)?);
        ensure!(other != own, "{page}: the ground is {own}, dark or not");
        let complaints = self.complaints()?;
        ensure!(complaints.is_empty(), "{page} in {}: {complaints:?}", self.language);
        let picture = self.browser.screenshot()?;
        ensure!(picture.len() < LARGEST, "{page}: a picture of {} bytes", picture.len());
        match std::env::var_os(PICTURES) {
            Some(folder) => Ok(fs::write(Path::new(&folder).join(file(page, self.language)), picture)?),
            None => Ok(()),
        }
    }

    /// Inspects the page in one theme, and gives the colour of its ground.
    fn inspect(&self, page: &str, dark: bool) -> Result<Value> {
        self.browser.prefer(dark)?;
        let report = self.browser.script(INSPECTION).with_context(|| page.to_owned())?;
        let faults = report.get("faults").and_then(Value::as_array).context("a report")?;
        ensure!(faults.is_empty(), "{page} in {}, dark: {dark}: {faults:?}", self.language);
        ensure!(report["lang"] == self.language && report["dark"] == dark, "{page}: {report}");
        Ok(report["ground"].clone())
    }

    /// What the console of the browser says of our pages. That a page is a refusal is no complaint about it, and that
    /// nobody answers where a program would is none of ours.
    fn complaints(&self) -> Result<Vec<String>> {
        let (at, ours) = (self.browser.url()?, self.console("/")?);
        let mut complaints = self.browser.complaints()?;
        complaints.retain(|said| {
            let refusal = said.starts_with(&at) || said.starts_with(&format!("{ours}login "));
            let elsewhere = said.starts_with("http") && !said.starts_with(ours.as_str());
            !(elsewhere || refusal && said.contains("the server responded with a status of"))
        });
        Ok(complaints)
    }

    /// Where the browser ended up, which is a program's address that nobody answers at.
    fn came_back(&self) -> Result<Url> {
        let at = testbed::wait::until("the program's address", e2e::GUARD, || {
            let url = self.browser.url()?;
            Ok(url.starts_with(CALLBACK).then_some(url))
        })?;
        Ok(Url::parse(&at)?)
    }
}

/// The pictures show both themes: one in each language.
fn dark_in(language: &str) -> bool {
    language == "ko"
}

/// Everything that a page of ours must have, told by the page itself.
const INSPECTION: &str = r#"
const faults = [], all = (selector) => [...document.querySelectorAll(selector)];
if (all('h1').length !== 1) faults.push('not one heading');
if (!document.title) faults.push('no title');
for (const input of all('input:not([type=hidden]), select'))
  if (!input.labels || !input.labels.length) faults.push('no label: ' + input.name);
for (const entry of performance.getEntriesByType('resource'))
  if (new URL(entry.name).origin !== location.origin) faults.push('from elsewhere: ' + entry.name);
if (all('script').length) faults.push('a script');
if (document.cookie) faults.push('a cookie that scripts can read');
if (document.documentElement.scrollWidth > innerWidth) faults.push('wider than the window');
const channel = (value) => { value /= 255; return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
const light = (colour) => { const [r, g, b] = colour.match(/[\d.]+/g).map(Number); return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
const ground = (node) => { for (; node; node = node.parentElement) { const colour = getComputedStyle(node).backgroundColor; if (!/, 0\)$|transparent/.test(colour)) return colour; } return 'rgb(255, 255, 255)'; };
for (const node of all('h1, p, label, dt, dd, button, a, small, li')) {
  if (!node.innerText.trim()) continue;
  const [a, b] = [light(getComputedStyle(node).color), light(ground(node))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < 4.5) faults.push('contrast ' + contrast.toFixed(1) + ': ' + node.innerText.slice(0, 30));
}
const dark = matchMedia('(prefers-color-scheme: dark)').matches;
return { faults, lang: document.documentElement.lang, dark, ground: ground(document.querySelector('h1')) };
"#;

pub(crate) fn the_pages_work_in_english_without_a_script(bed: &Bed) -> Result<()> {
    let desk = Desk::new(bed, "en", false)?;
    desk.begin(CLIENT.1)?;
    desk.look("login")?;
    desk.log_in("alice", "not it")?;
    let alert = desk.browser.find("[role=alert]")?.text()?;
    ensure!(alert.contains("The user name or password is not right."), "{alert}");
    let kept = desk.browser.script("return document.querySelector('#username').value")?;
    ensure!(kept == "alice", "what was typed is gone: {kept}");
    desk.look("refused")?;
    desk.browser.find("#password")?.type_in(&people::password("alice"))?;
    desk.browser.find("form button")?.click()?;
    let tokens = Visitor::of(&desk.gate)?.redeem(&desk.came_back()?)?;
    desk.gate.kubectl_with_token(&tokens.access, "east")?.ok(&["get", "pods", POD])?;
    others(&desk)?;
    tour(&desk)
}

pub(crate) fn the_pages_work_in_korean_by_keyboard_alone(bed: &Bed) -> Result<()> {
    let desk = Desk::new(bed, "ko", true)?;
    desk.begin(CLIENT.1)?;
    desk.look("login")?;
    // The cursor stands in the name; the account is chosen before it.
    let focused = desk.browser.script("return document.activeElement.id")?;
    ensure!(focused == "username", "{focused}");
    desk.browser.press(&format!("alice{TAB}not it{ENTER}"))?;
    let alert = desk.browser.find("[role=alert]")?.text()?;
    ensure!(alert.contains("비밀번호"), "{alert}");
    desk.look("refused")?;
    // It stands in the password now.
    desk.browser.press(&format!("{}{ENTER}", people::password("alice")))?;
    Visitor::of(&desk.gate)?.redeem(&desk.came_back()?)?;
    others(&desk)?;
    tour(&desk)
}

/// A program of others: people are asked, and a no goes back to it.
fn others(desk: &Desk) -> Result<()> {
    desk.begin("others")?;
    desk.browser.find("button[value=yes]")?;
    desk.look("consent")?;
    desk.browser.find("button[value=no]")?.click()?;
    let back = desk.came_back()?;
    ensure!(back.query_pairs().any(|(name, value)| name == "error" && value == "access_denied"), "{back}");
    Ok(())
}

/// The pages of a device, of the end, and of what goes wrong.
fn tour(desk: &Desk) -> Result<()> {
    let begun = Visitor::of(&desk.gate)?.post("/oidc/device", &[CLIENT, ("scope", "openid offline_access")])?.json()?;
    let code = begun["user_code"].as_str().context("a code")?;
    desk.browser.open(desk.console("/device")?.as_str())?;
    desk.browser.find("input[name=user_code]")?.type_in(code)?;
    desk.look("device")?;
    desk.browser.find("form button")?.click()?;
    let warned = desk.browser.find("section.warning")?.text()?;
    ensure!(warned.contains(code) && warned.contains("127.0.0.1"), "which device, and from where: {warned}");
    desk.look("device-login")?;
    desk.log_in("alice", &people::password("alice"))?;
    let title = if desk.language == "ko" { "로그인되었습니다" } else { "You are logged in" };
    desk.browser.wait_for_text(title)?;
    desk.look("done")?;
    desk.browser.open(desk.console("/logout")?.as_str())?;
    desk.look("logout")?;
    desk.browser.open(desk.console("/oidc/authorize?client_id=nobody")?.as_str())?;
    desk.look("error")
}

/// What the browser itself does about another site. The first of it is the counterpart: our own form is taken.
pub(crate) fn no_other_site_frames_a_page_or_sends_its_form(bed: &Bed) -> Result<()> {
    let desk = Desk::new(bed, "en", true)?;
    desk.begin(CLIENT.1)?;
    let cookies = desk.browser.cookies()?;
    let [cookie] = cookies.as_slice() else { anyhow::bail!("one cookie, and not {cookies:?}") };
    ensure!(cookie["name"].as_str().is_some_and(|name| name.starts_with("__Host-")), "{cookie}");
    ensure!(cookie["secure"] == true && cookie["httpOnly"] == true && cookie["sameSite"] == "Lax", "{cookie}");
    let login = desk.browser.url()?;
    let hidden = |name: &str| desk.browser.script(&format!("return document.querySelector('[name={name}]').value"));
    let (flow, form) = (hidden("flow")?, hidden("form")?);
    // A form without the code that the page put into it.
    desk.browser.script("document.querySelector('[name=form]').value = 'A'.repeat(22)")?;
    desk.log_in("alice", &people::password("alice"))?;
    desk.browser.wait_for_text("This form was not sent from this page.")?;
    // The right code, sent from elsewhere: the browser keeps its cookie to itself.
    let field = |name: &str, value: &Value| format!("<input name={name} value={}>", value.as_str().unwrap_or_default());
    let (action, fields) = (desk.console("/login")?, field("flow", &flow) + &field("form", &form));
    desk.browser
        .open(&format!("data:text/html,<form method=post action={action}>{fields}<button>x</button></form>"))?;
    desk.browser.find("button")?.click()?;
    desk.browser.wait_for_text("belongs to another browser")?;
    // Where a frame may not show a page, Chromium shows one of its own.
    desk.browser.open(&format!("data:text/html,<iframe src={login}></iframe>"))?;
    desk.browser.find("iframe")?.look_inside()?;
    e2e::eventually("a frame that is refused", || {
        let inside = desk.browser.script("return location.protocol")?;
        ensure!(inside != "https:", "a page of ours is in a frame");
        Ok((inside == "chrome-error:").then_some(()))
    })
}

pub(crate) fn every_page_has_its_pictures(_: &Bed) -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/users");
    let shown = fs::read_to_string(docs.join("pages.md"))?;
    for (page, language) in PAGES.iter().flat_map(|page| LANGUAGES.map(|language| (page, language))) {
        let name = file(page, language);
        let picture: PathBuf = docs.join("pictures").join(&name);
        ensure!(picture.is_file(), "there is no {name}: run `make pictures`");
        ensure!(shown.contains(&format!("(pictures/{name})")), "docs/users/pages.md does not show {name}");
    }
    Ok(())
}

fn file(page: &str, language: &str) -> String {
    format!("{page}-{language}.png")
}
