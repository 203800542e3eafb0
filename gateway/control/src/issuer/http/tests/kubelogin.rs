//! What kubelogin sends (its flags by default), request by request, and that it gets what it needs.

use base64::engine::general_purpose::STANDARD;

use super::*;

/// Its library tries the header first, with the empty secret of a public client.
fn header() -> String {
    format!("Basic {}", STANDARD.encode("kubelogin:"))
}

impl Visitor<'_> {
    async fn sends(&mut self, path: &str, form: &str) -> Seen {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, header());
        self.send(request, form.to_owned()).await
    }

    /// By a browser, back to one of the ports that it listens on.
    async fn kubelogins_code(&mut self, redirect_uri: &str) -> Seen {
        let query = format!(
            "access_type=offline&client_id=kubelogin&code_challenge={CHALLENGE}&code_challenge_method=S256&nonce=n0nce\
             &redirect_uri={redirect_uri}&response_type=code&scope=openid&state=st4te"
        );
        let sent = self.get(&format!("/oidc/authorize?{query}")).await;
        let page = self.get(&sent.location).await;
        self.log_in(&page, "alice", "right").await
    }
}

#[tokio::test]
async fn kubelogin_logs_in_by_a_code_refreshes_and_sends_its_id_token_to_clusters() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    // The second is where it goes when the first is taken.
    for port in [8000, 18000] {
        let back = client.kubelogins_code(&format!("http%3A%2F%2Flocalhost%3A{port}")).await;
        assert!(back.location.starts_with(&format!("http://localhost:{port}/?code=")), "{}", back.location);
        let code = back.query("code").expect("a code");
        let form = format!(
            "code={code}&code_verifier={VERIFIER}&grant_type=authorization_code\
             &redirect_uri=http%3A%2F%2Flocalhost%3A{port}"
        );
        let given = client.sends("/oidc/token", &form).await;
        let id = given.word("id_token");
        assert_eq!((&claims(&id)["nonce"], &claims(&id)["aud"]), (&"n0nce".into(), &"kubelogin".into()));
        assert!(is_good(&site, &id).await, "what it sends to clusters is the ID token");
        let refresh = given.word("refresh_token");
        let again = client.sends("/oidc/token", &format!("grant_type=refresh_token&refresh_token={refresh}")).await;
        assert!(is_good(&site, &again.word("id_token")).await);
    }
}

#[tokio::test]
async fn kubelogin_logs_in_a_device() {
    let site = Site::open().await;
    let (mut client, mut browser) = (Visitor::new(&site), Visitor::new(&site));
    let begun = client.post_text("/oidc/device", "client_id=kubelogin&scope=openid".to_owned()).await;
    let (device, code) = (begun.word("device_code"), begun.word("user_code"));
    assert!(begun.word("verification_uri_complete").contains(&code), "what it opens: {}", begun.text);
    let poll = format!(
        "client_id=kubelogin&device_code={device}&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"
    );
    assert_eq!(client.post_text("/oidc/token", poll.clone()).await.word("error"), "authorization_pending");
    let form = browser.get("/device").await.field("form");
    let sent = browser.post("/device", &[("form", &form), ("user_code", &code)]).await;
    let page = browser.get(&sent.location).await;
    browser.log_in(&page, "alice", "right").await;
    let given = client.post_text("/oidc/token", poll).await;
    assert!(is_good(&site, &given.word("id_token")).await, "{}", given.text);
}
