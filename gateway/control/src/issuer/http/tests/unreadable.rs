//! What cannot be read, and what fails for a reason of ours.

use std::fmt;
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use super::*;

#[tokio::test]
async fn a_request_that_cannot_be_read_gets_one_answer_at_every_page() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let flow = browser.authorize(&[]).await.query("flow").expect("a flow");
    let twice = format!("flow={flow}&flow={flow}");
    for path in ["/login", "/login/with", "/device", "/logout", "/oidc/logout", "/oidc/authorize"] {
        let seen = browser.get(&format!("{path}?{twice}")).await;
        is_unreadable(&seen, path);
    }
    for path in ["/login", "/device", "/logout", "/oidc/logout", "/oidc/authorize"] {
        is_unreadable(&browser.post_text(path, twice.clone()).await, path);
        let no_form = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        is_unreadable(&browser.send(no_form, "{}".to_owned()).await, path);
    }
}

fn is_unreadable(seen: &Seen, path: &str) {
    assert_eq!(seen.status, 400, "{path}: {}", seen.text);
    assert!(seen.text.contains("cannot be read") && seen.text.contains("the-audit-id"), "{path}: {}", seen.text);
}

/// What the log is told.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!("{}={value:?} ", field.name()));
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().expect("lock").push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn the_id_on_a_page_leads_to_the_reason_in_the_log() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let code = browser.code().await;
    let access = browser.redeem(&code, &[]).await.word("access_token");
    let flow = browser.authorize(&[]).await.location;
    let mut write = site.control.store().write().await.expect("a write");
    for table in ["authorizations", "sessions"] {
        let lose = format!("ALTER TABLE {table} RENAME TO lost_{table}");
        sqlx::query(sqlx::AssertSqlSafe(lose)).execute(write.connection()).await.expect("renamed");
    }
    write.commit(crate::store::Change::Swept).await.expect("kept");
    for case in ["authorize", "login", "logout", "device", "userinfo"] {
        let log = Log::default();
        let _told = tracing::subscriber::set_default(log.clone());
        let seen = match case {
            "authorize" => browser.authorize(&[]).await,
            "login" => browser.get(&flow).await,
            "logout" => browser.get("/logout").await,
            "device" => browser.post("/oidc/device", &[("client_id", "kubelogin"), ("scope", "openid")]).await,
            _ => {
                let asked = Request::get("/oidc/userinfo").header("authorization", format!("Bearer {access}"));
                browser.send(asked, String::new()).await
            }
        };
        assert_eq!(seen.status, 503, "{case}: {}", seen.text);
        let lines = log.0.lock().expect("lock").clone();
        let told = |line: &String| line.contains(r#"audit_id="the-audit-id""#) && line.contains("no such table");
        assert!(lines.iter().any(told), "{case}: {lines:#?}");
    }
}

#[tokio::test]
async fn a_provider_that_is_none_is_not_found() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let sent = browser.authorize(&[]).await;
    let page = browser.get(&sent.location).await;
    let (flow, form) = (page.field("flow"), page.field("form"));
    let fields = [("flow", flow.as_str()), ("form", &form), ("provider", "nobody"), ("username", "alice")];
    let refused = browser.post("/login", &fields).await;
    assert_eq!(refused.status, 404, "{}", refused.text);
    assert!(refused.text.contains("Tell your administrator the id below") && refused.text.contains("the-audit-id"));
}
