//! Hostile tokens and requests, as data: what is sent, and what must come of it. `docs/attacks-issuer.md` shows the table.
//!
//! A forged token is presented at every door that reads one, and beside each stands the good one that it was made of, so
//! that a door that is shut for everybody would be seen.

mod requests;
mod tokens;

use super::*;
use crate::testing::SECRET;

/// The doors at which tokens are presented.
const DOORS: [&str; 5] = ["clusters", "userinfo", "introspection", "exchange", "logout"];

/// Tokens of one login.
struct Login {
    access: String,
    id: String,
}

impl Visitor<'_> {
    /// Alice's, for kubelogin.
    async fn login(&mut self) -> Login {
        let kubelogin = [("client_id", "kubelogin"), ("redirect_uri", "http://localhost:8000")];
        let sent = self.authorize(&kubelogin).await;
        let page = self.get(&sent.location).await;
        let code = self.log_in(&page, "alice", "right").await.query("code").expect("a code");
        let given = self.redeem(&code, &kubelogin).await;
        Login { access: given.word("access_token"), id: given.word("id_token") }
    }

    /// Whether a door takes a token.
    async fn takes(&mut self, door: &str, token: &str) -> bool {
        match door {
            "clusters" => is_good(self.site, token).await,
            "userinfo" => {
                let Ok(bearer) = header::HeaderValue::from_bytes(format!("Bearer {token}").as_bytes()) else {
                    return false;
                };
                let asked = Request::get("/oidc/userinfo").header("authorization", bearer);
                self.send(asked, String::new()).await.status == 200
            }
            "introspection" => {
                let fields = [("client_id", "service"), ("client_secret", SECRET), ("token", token)];
                self.post("/oidc/introspect", &fields).await.json()["active"] == true
            }
            "exchange" => {
                let fields = [
                    ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                    ("client_id", "kubelogin"),
                    ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
                    ("subject_token", token),
                    ("audience", "east"),
                ];
                self.post("/oidc/token", &fields).await.status == 200
            }
            // A hint that is taken ends its login without a question; this asks whether it would.
            _ => {
                let now = self.site.control.store().now();
                self.site.control.issuer().expect("an issuer").hint(token, now).is_some()
            }
        }
    }
}

#[tokio::test]
async fn every_forged_token_is_refused_at_every_door() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let login = client.login().await;
    let mut faults = Vec::new();
    for door in DOORS {
        let good = if door == "logout" { &login.id } else { &login.access };
        let shop = tokens::Workshop { site: &site, good, is_id: door == "logout" };
        let signed_anew = shop.signed("jti", serde_json::json!("another"));
        assert!(
            client.takes(door, good).await && client.takes(door, &signed_anew).await,
            "{door} is shut for everybody"
        );
        for case in tokens::CASES {
            let forged = (case.forge)(&shop);
            if client.takes(door, &forged).await {
                faults.push(format!("{} {}: taken by {door}", case.id, case.what));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test]
async fn every_hostile_request_is_answered_as_the_table_says() {
    let mut faults = Vec::new();
    for case in requests::CASES {
        let site = Site::open().await;
        let seen = requests::send(&mut Visitor::new(&site), case).await;
        if let Err(why) = requests::judge(case, &seen) {
            faults.push(format!("{} {}: {why}", case.id, case.what));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_page_shows_what_is_tried() {
    let of_tokens = tokens::CASES.iter().map(|case| (case.id, case.what, "refused at all five doors"));
    let of_requests = requests::CASES.iter().map(|case| (case.id, case.what, case.expected.words()));
    let lines = of_tokens.chain(of_requests).map(|(id, what, answer)| format!("    {id:15} {what:60} {answer}"));
    let table = lines.collect::<Vec<_>>().join("\n");
    let page = include_str!("../../../../../../../docs/attacks-issuer.md");
    assert!(page.contains(&table), "docs/attacks-issuer.md lacks some of:\n{table}");
    let shown = page.lines().filter(|line| line.starts_with("    ")).count();
    assert_eq!(shown, table.lines().count(), "the page shows what is not tried");
}
