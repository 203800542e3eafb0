//! A new configuration is taken in whole, or the old one stays.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};

use gatewarden_control::{ControlParts, KeyFile, Settings, Store};
use tempfile::TempDir;

use super::*;

const GOOD: &str = "\
apiVersion: gatewarden/v1
providers:
  - { id: local, kind: local }
clusters:
  - id: east
    server: https://10.0.0.1:6443
    caFile: ca.crt
    impersonator: { tokenFile: token }
    reviewer: { tokenFile: token }
grants:
  - { subjects: [\"user:local:alice\"], clusters: [east] }
whomToAsk: Ask Alice.
";

struct Site {
    folder: TempDir,
    reload: Reload,
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gw.yaml");
        fs::write(&path, GOOD).unwrap();
        fs::write(folder.path().join("ca.crt"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .unwrap();
        fs::write(folder.path().join("token"), "t").unwrap();
        let ports = ProviderPorts::default();
        let loaded = config::load(&path, &ports).unwrap();
        let reload = Reload {
            path,
            ports,
            snapshot: Arc::new(ArcSwap::new(Arc::clone(&loaded.snapshot))),
            control: control(folder.path(), registry(&loaded.config, loaded.providers)).await,
            revoked: Arc::new(gatewarden_proxy::Revoked::new(Arc::new(SystemClock)).0),
            state_dir: folder.path().join("state"),
            issued: SystemClock.now(),
            current: loaded.config,
            sources: loaded.sources,
            meters: Arc::new(Meters::new()),
        };
        Self { folder, reload }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn whom_to_ask(&self) -> String {
        self.reload.snapshot.load().whom_to_ask().to_owned()
    }

    async fn stop(self) {
        self.reload.control.shutdown().await;
    }
}

async fn control(folder: &Path, registry: Registry) -> Arc<Control> {
    let store = Store::open(&folder.join("db"), Arc::new(SystemClock)).await.unwrap();
    let keys = KeyFile::open_or_create(&folder.join("key")).unwrap();
    let clock = Arc::new(SystemClock);
    Control::start(ControlParts { store, keys, registry, clock, issuer: None, settings: Settings::default() })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_new_configuration_is_taken_when_its_content_changes() {
    let mut site = Site::start().await;
    let before = site.reload.snapshot.load_full();
    site.reload.look().await;
    assert!(Arc::ptr_eq(&before, &site.reload.snapshot.load_full()), "nothing changed, nothing is replaced");
    site.write("gw.yaml", &GOOD.replace("Ask Alice.", "Ask Bob."));
    site.reload.look().await;
    assert_eq!(site.whom_to_ask(), "Ask Bob.");
    assert!(site.reload.snapshot.load().cluster("east").is_some());
    site.stop().await;
}

#[tokio::test]
async fn what_was_taken_away_is_gone_before_the_store_is_asked() {
    let mut site = Site::start().await;
    let snapshot = Arc::clone(&site.reload.snapshot);
    site.write("gw.yaml", &GOOD.replace("Ask Alice.", "Ask Bob."));
    {
        let mut look = pin!(site.reload.look());
        // Up to where it waits for the first time, which is for the store.
        assert!(look.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(snapshot.load().whom_to_ask(), "Ask Bob.");
        look.await;
    }
    site.stop().await;
}

#[tokio::test]
async fn a_new_host_name_gets_into_the_certificate_of_our_own() {
    let mut site = Site::start().await;
    let certificate = site.folder.path().join("state/server.crt");
    site.write("gw.yaml", &GOOD.replace("Alice", "Bob"));
    site.reload.look().await;
    assert!(!certificate.exists(), "no name is new");
    site.write("gw.yaml", &format!("{GOOD}hosts: {{ clusters: [new.test] }}\n"));
    site.reload.look().await;
    assert!(certificate.exists());
    site.stop().await;
}

#[tokio::test]
async fn a_fault_keeps_the_old_configuration_until_it_is_mended() {
    let mut site = Site::start().await;
    site.write("gw.yaml", &GOOD.replace("Ask Alice.", "Ask Bob.").replace("caFile", "cafile"));
    site.reload.look().await;
    assert_eq!(site.whom_to_ask(), "Ask Alice.");
    assert!(!site.reload.sources.changed(), "the same fault is told once");
    site.write("gw.yaml", &GOOD.replace("Ask Alice.", "Ask Bob."));
    site.reload.look().await;
    assert_eq!(site.whom_to_ask(), "Ask Bob.");
    site.stop().await;
}

#[tokio::test]
async fn a_file_that_appears_mends_the_configuration_that_names_it() {
    let mut site = Site::start().await;
    let later = GOOD.replace("Ask Alice.", "Ask Bob.").replace("ca.crt", "later.crt");
    site.write("gw.yaml", &later);
    site.reload.look().await;
    assert_eq!(site.whom_to_ask(), "Ask Alice.");
    fs::copy(site.folder.path().join("ca.crt"), site.folder.path().join("later.crt")).unwrap();
    site.reload.look().await;
    assert_eq!(site.whom_to_ask(), "Ask Bob.");
    site.stop().await;
}

#[tokio::test]
async fn the_issuer_stays_at_its_host_name_until_a_restart() {
    let mut site = Site::start().await;
    let before = site.reload.current.clone();
    let moved = format!("{GOOD}hosts: {{ clusters: [new.test], console: moved.test }}\n");
    // A second time: what the file said before is not what runs.
    for text in [moved.clone(), moved.replace("Alice", "Bob")] {
        site.write("gw.yaml", &text);
        let new = config::parse(&text, Path::new("/")).unwrap();
        assert!(needs_restart(&site.reload.current, &new).contains(&"hosts.console"));
        site.reload.look().await;
        let snapshot = site.reload.snapshot.load();
        assert!(snapshot.is_console("console.localhost") && !snapshot.is_console("moved.test"));
        let names = certificate::names(&site.reload.current);
        assert!(names.contains(&"new.test".to_owned()) && names.contains(&"console.localhost".to_owned()), "{names:?}");
    }
    assert_eq!(site.whom_to_ask(), "Ask Bob.");
    assert_eq!(site.reload.current.hosts.console, before.hosts.console);
    site.stop().await;
}

/// The settings in one column of the first row of the table.
fn listed(column: usize) -> BTreeSet<String> {
    let page = include_str!("../../../../../docs/operators/running.md");
    let mut rows = page.split("| at once |").nth(1).unwrap().lines().skip(2);
    let cell = rows.next().unwrap().split(" | ").nth(column).unwrap();
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_page_says_what_waits_for_a_restart() {
    let config = config::parse(GOOD, Path::new("/")).unwrap();
    // These two are taken in part, and have rows of their own.
    let in_part = ["limits", "timeouts"];
    let whole = compared(&config, &config).map(|(setting, _)| setting.to_owned());
    let waiting: BTreeSet<String> = whole.into_iter().filter(|setting| !in_part.contains(&setting.as_str())).collect();
    let of_section = |key: &str| waiting.iter().any(|setting| setting.split('.').next() == Some(key));
    let at_once = config::KEYS.iter().filter(|key| !of_section(key) && !in_part.contains(key) && **key != "apiVersion");
    let at_once: BTreeSet<String> = at_once.map(|key| (*key).to_owned()).chain(["hosts.clusters".to_owned()]).collect();
    assert_eq!(listed(1), waiting);
    assert_eq!(listed(0), at_once);
}

#[test]
fn what_cannot_change_while_it_runs_is_named() {
    let read = |text: &str| config::parse(text, Path::new("/")).unwrap();
    let (old, new) = (read(GOOD), read(&format!("{GOOD}stateDir: /other\n")));
    assert_eq!(needs_restart(&old, &new), ["stateDir", "store", "keyFile"]);
    assert!(needs_restart(&old, &read(&GOOD.replace("Alice", "Bob"))).is_empty());
}
