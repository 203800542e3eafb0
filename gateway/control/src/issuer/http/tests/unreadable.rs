//! What cannot be read, and what fails for a reason of ours.

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
