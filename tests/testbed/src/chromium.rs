//! A real browser: Debian's Chromium without a display, driven over WebDriver (W3C) by its own chromedriver.
//!
//! It trusts the authorities that it is given beside those of the system, as a person's machine would: certificates are
//! checked, and `*.localhost` is this machine, as in every browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::kubectl::run_with_input;
use crate::process::Process;
use crate::state::StateDir;
use crate::{http, packages, ports, wait};

const NAME: &str = "chromedriver";
/// How WebDriver names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long something on a page may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a browser is set up.
#[derive(Debug, Clone)]
pub struct Setup<'a> {
    /// Certificates to trust beside the system's.
    pub trusts: &'a [&'a Path],
    /// What `Accept-Language` begins with.
    pub language: &'a str,
    /// Whether pages may run scripts.
    pub scripts: bool,
    /// Whether the person likes it dark.
    pub dark: bool,
    /// The window, in pixels.
    pub size: (u32, u32),
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self { trusts: &[], language: "en", scripts: true, dark: false, size: (900, 700) }
    }
}

/// A running browser with one window. It stops when dropped.
#[derive(Debug)]
pub struct Chromium {
    session: String,
    driver: Process,
}

/// Something on the page.
#[derive(Debug)]
pub struct Element<'a> {
    browser: &'a Chromium,
    id: String,
}

impl Chromium {
    /// Starts a browser with a profile of its own in `dir`.
    ///
    /// # Errors
    /// When Chromium or its driver is not installed, or does not start.
    pub fn start(dir: &Path, setup: &Setup<'_>) -> Result<Self> {
        let state = StateDir::create(dir)?;
        let home = state.path("home");
        trust(&home, setup.trusts)?;
        let port = ports::free()?;
        let mut command = packages::command(NAME)?;
        command.arg(format!("--port={port}")).env("HOME", &home).env("LANG", "C.UTF-8");
        let driver = Process::start(&state, NAME, command)?;
        let base = format!("http://127.0.0.1:{port}");
        wait::until("chromedriver to answer", wait::START, || {
            driver.check()?;
            Ok(http::get(&format!("{base}/status")).is_ok_and(|answer| answer.status == 200).then_some(()))
        })?;
        let asked = json!({"capabilities": {"alwaysMatch": capabilities(setup, &state.path("profile"))}});
        let opened = value(http::send("POST", &format!("{base}/session"), Some(&asked))?)?;
        let id = opened.get("sessionId").and_then(Value::as_str).context("no session")?;
        Ok(Self { session: format!("{base}/session/{id}"), driver })
    }

    /// Goes to an address and waits until its page is there.
    ///
    /// # Errors
    /// When nobody answers there, or its certificate is not trusted.
    pub fn open(&self, url: &str) -> Result<()> {
        self.post("/url", &json!({"url": url})).with_context(|| format!("open {url}")).map(|_| ())
    }

    /// Where it is.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn url(&self) -> Result<String> {
        text(self.get("/url")?)
    }

    /// The title of the page.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn title(&self) -> Result<String> {
        text(self.get("/title")?)
    }

    /// The first element that a CSS selector fits, as soon as there is one.
    ///
    /// # Errors
    /// When there is none for long; the error shows what the page says.
    pub fn find(&self, selector: &str) -> Result<Element<'_>> {
        let found = wait::until(selector, PATIENCE, || {
            let answer = self.post("/elements", &json!({"using": "css selector", "value": selector}))?;
            Ok(answer.get(0).and_then(|first| first.get(ELEMENT)).and_then(Value::as_str).map(str::to_owned))
        });
        let id = found.with_context(|| self.said())?;
        Ok(Element { browser: self, id })
    }

    /// What the page says, as soon as it holds this.
    ///
    /// # Errors
    /// When it does not for long; the error shows what it says.
    pub fn wait_for_text(&self, wanted: &str) -> Result<String> {
        let found = wait::until(wanted, PATIENCE, || {
            let said = self.find("body")?.text()?;
            Ok(said.contains(wanted).then_some(said))
        });
        found.with_context(|| self.said())
    }

    /// Runs a script in the page and gives what it returns. Works where the page itself may run none.
    ///
    /// # Errors
    /// When it throws.
    pub fn script(&self, script: &str) -> Result<Value> {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Presses keys, wherever the focus is: `\u{E004}` is Tab, `\u{E007}` is Enter (WebDriver §17.4.2).
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn press(&self, keys: &str) -> Result<()> {
        let each = |key: char| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})];
        let actions: Vec<Value> = keys.chars().flat_map(each).collect();
        self.post("/actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})).map(|_| ())
    }

    /// The cookies that it would send to this page.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn cookies(&self) -> Result<Vec<Value>> {
        Ok(self.get("/cookie")?.as_array().cloned().unwrap_or_default())
    }

    /// The window as a PNG.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn screenshot(&self) -> Result<Vec<u8>> {
        Ok(STANDARD.decode(text(self.get("/screenshot")?)?)?)
    }

    /// Shows pages as to a person who likes it dark, or light.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn prefer(&self, dark: bool) -> Result<()> {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let command = json!({"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}});
        self.post("/goog/cdp/execute", &command).map(|_| ())
    }

    /// What went wrong by the browser's own console since it was asked last.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn complaints(&self) -> Result<Vec<String>> {
        let entries = self.post("/se/log", &json!({"type": "browser"}))?;
        let severe = entries.as_array().into_iter().flatten().filter(|entry| entry["level"] == "SEVERE");
        Ok(severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect())
    }

    fn said(&self) -> String {
        let at = self.url().unwrap_or_default();
        let said = self.script("return document.body ? document.body.innerText : ''").unwrap_or_default();
        format!("{at} says {said}")
    }

    fn get(&self, path: &str) -> Result<Value> {
        value(http::send("GET", &format!("{}{path}", self.session), None)?)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        value(http::send("POST", &format!("{}{path}", self.session), Some(body))?)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Closes Chromium itself; the driver is stopped behind it.
        let _ = http::send("DELETE", &self.session, None);
        let _ = self.driver.stop(Duration::from_secs(10));
    }
}

impl Element<'_> {
    /// Types into it.
    ///
    /// # Errors
    /// When it takes no text.
    pub fn type_in(&self, text: &str) -> Result<()> {
        self.post("value", &json!({"text": text})).map(|_| ())
    }

    /// Presses it, and waits for the page behind it.
    ///
    /// # Errors
    /// When it is covered or gone.
    pub fn click(&self) -> Result<()> {
        self.post("click", &json!({})).map(|_| ())
    }

    /// The text that a person reads in it.
    ///
    /// # Errors
    /// When it is gone.
    pub fn text(&self) -> Result<String> {
        text(self.browser.get(&format!("/element/{}/text", self.id))?)
    }

    /// Goes on inside of it, when it is a frame.
    ///
    /// # Errors
    /// When it is none.
    pub fn look_inside(&self) -> Result<()> {
        self.browser.post("/frame", &json!({"id": {ELEMENT: &self.id}})).map(|_| ())
    }

    fn post(&self, what: &str, body: &Value) -> Result<Value> {
        self.browser.post(&format!("/element/{}/{what}", self.id), body)
    }
}

/// The browser reads the authorities of a person from a database of NSS in their home.
fn trust(home: &Path, authorities: &[&Path]) -> Result<()> {
    let database: PathBuf = home.join(".pki/nssdb");
    fs::create_dir_all(&database)?;
    let certutil = |arguments: &[&str]| {
        let mut command = packages::command("certutil")?;
        command.arg("-d").arg(format!("sql:{}", database.display())).args(arguments);
        run_with_input(command, b"")?.ok().context("certutil")
    };
    certutil(&["-N", "--empty-password"])?;
    for (number, authority) in authorities.iter().enumerate() {
        let file = authority.to_str().context("a path in UTF-8")?;
        certutil(&["-A", "-t", "C,,", "-n", &format!("authority {number}"), "-i", file])?;
    }
    Ok(())
}

fn capabilities(setup: &Setup<'_>, profile: &Path) -> Value {
    let (width, height) = setup.size;
    let mut arguments = vec![
        "--headless=new".to_owned(),
        // Killed with its driver, it goes too.
        "--remote-debugging-pipe".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-quic".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--no-proxy-server".to_owned(),
        "--hide-scrollbars".to_owned(),
        format!("--window-size={width},{height}"),
        format!("--user-data-dir={}", profile.display()),
    ];
    if rustix::process::geteuid().is_root() {
        // Chromium's sandbox refuses root; what it shows here are our own pages.
        arguments.push("--no-sandbox".to_owned());
    }
    if setup.dark {
        arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
    }
    let scripts = if setup.scripts { 1 } else { 2 };
    json!({
        "browserName": "chrome",
        "goog:chromeOptions": {
            "args": arguments,
            "prefs": {
                "intl.accept_languages": setup.language,
                "profile.default_content_setting_values.javascript": scripts,
            },
        },
        "goog:loggingPrefs": {"browser": "ALL"},
    })
}

fn value(response: http::Response) -> Result<Value> {
    let mut answer = response.json()?;
    let value = answer.get_mut("value").map(Value::take).unwrap_or_default();
    ensure!(response.status == 200, "the browser's driver: {}", value.get("message").unwrap_or(&value));
    Ok(value)
}

fn text(value: Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| value.to_string())
}
