//! Tokens for one cluster out of wider ones.

use super::*;
use crate::testing::SECRET;

const GRANT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
const TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

impl Visitor<'_> {
    async fn exchange(&mut self, token: &str, changed: &[(&str, &str)]) -> Seen {
        let usual = [
            GRANT,
            ("client_id", "kubectl-gatewarden"),
            ("subject_token", token),
            ("subject_token_type", TYPE),
            ("audience", "east"),
        ];
        let kept = usual.into_iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        let fields: Vec<_> = kept.chain(changed.iter().copied()).collect();
        self.post("/oidc/token", &fields).await
    }

    async fn access(&mut self) -> String {
        let code = self.code().await;
        self.redeem(&code, &[]).await.word("access_token")
    }
}

#[tokio::test]
async fn a_token_for_one_cluster_is_the_same_person_and_reaches_nothing_else() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let wide = client.access().await;
    site.clock.advance(Duration::from_mins(5));
    let given = client.exchange(&wide, &[]).await;
    assert_eq!((given.word("issued_token_type"), given.word("token_type")), (TYPE.to_owned(), "Bearer".to_owned()));
    assert_eq!(given.json()["expires_in"], 600, "as long as the wide one: {}", given.text);
    assert!(given.json().get("refresh_token").is_none() && given.json().get("id_token").is_none());
    let narrow = given.word("access_token");
    let (of, was) = (claims(&narrow), claims(&wide));
    assert_eq!(of["aud"], "https://gw.test/k8s/clusters/east");
    for same in ["iss", "sub", "sid", "client_id", "exp"] {
        assert_eq!(of[same], was[same], "{same}");
    }
    let resolved = site.control.resolve_signed(&narrow).await.expect("good");
    assert_eq!(resolved.scope.upstreams, Some(vec!["east".to_owned()]));
    assert!(resolved.scope.clusters_only && resolved.identity.user.username == "corp:alice");
    let wide_scope = site.control.resolve_signed(&wide).await.expect("good").scope;
    assert_eq!(wide_scope, crate::TokenScope::default());
    let by_address =
        client.exchange(&wide, &[("audience", ""), ("resource", "https://gw.test/k8s/clusters/east")]).await;
    assert_eq!(claims(&by_address.word("access_token"))["aud"], of["aud"]);
    // A narrow one gives itself again, and nothing wider.
    assert_eq!(client.exchange(&narrow, &[]).await.status, 200);
    for wider in ["west", "https://gw.test", "https://gw.test/k8s/clusters/west"] {
        let seen = client.exchange(&narrow, &[("audience", wider)]).await;
        assert_eq!(seen.word("error"), "invalid_target", "{wider}");
    }
    // Of a cluster that is not there it says as little as of one that is: the token opens nothing.
    assert_eq!(client.exchange(&wide, &[("audience", "nowhere")]).await.status, 200);
    let bearer = format!("Bearer {narrow}");
    let shown = client.send(Request::get("/oidc/userinfo").header("authorization", bearer), String::new()).await;
    assert_eq!(shown.status, 401, "it is not for the issuer");
    let fields = [("client_id", "kubectl-gatewarden"), ("token", narrow.as_str())];
    assert_eq!(client.post("/oidc/revoke", &fields).await.status, 200);
    assert!(is_good(&site, &wide).await, "whoever has a part of a login does not end the whole");
    site.clock.advance(Duration::from_mins(10));
    assert!(!is_good(&site, &narrow).await, "and it is over when the wide one is");
}

#[tokio::test]
async fn a_token_for_a_cluster_ends_with_its_session() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let wide = client.access().await;
    let narrow = client.exchange(&wide, &[]).await.word("access_token");
    assert!(is_good(&site, &narrow).await);
    site.admin().end_session(claims(&wide)["sid"].as_str().expect("a session")).await.expect("ended");
    assert!(!is_good(&site, &narrow).await);
    assert_eq!(client.exchange(&wide, &[]).await.word("error"), "invalid_request");
}

#[tokio::test]
async fn whatever_is_not_narrower_is_refused_with_the_word_for_it() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    let given = client.redeem(&code, &[]).await;
    let (wide, id, refresh) = (given.word("access_token"), given.word("id_token"), given.word("refresh_token"));
    let id_type = "urn:ietf:params:oauth:token-type:id_token";
    for (changed, error) in [
        (vec![("audience", "")], "invalid_target"),
        (vec![("audience", "*")], "invalid_target"),
        (vec![("audience", "https://gw.test")], "invalid_target"),
        (vec![("audience", "https://evil.test/k8s/clusters/east")], "invalid_target"),
        (vec![("audience", "https://gw.test/k8s/clusters/east/api")], "invalid_target"),
        (vec![("audience", "No-Cluster")], "invalid_target"),
        (vec![("resource", "https://gw.test/k8s/clusters/west")], "invalid_target"),
        (vec![("scope", "openid groups")], "invalid_scope"),
        (vec![("subject_token", "")], "invalid_request"),
        (vec![("subject_token", "x")], "invalid_request"),
        (vec![("subject_token", &id)], "invalid_request"),
        (vec![("subject_token", &refresh)], "invalid_request"),
        (vec![("subject_token_type", "")], "invalid_request"),
        (vec![("subject_token_type", id_type)], "invalid_request"),
        (vec![("requested_token_type", id_type)], "invalid_request"),
        (vec![("actor_token", &wide)], "invalid_request"),
        (vec![("actor_token_type", TYPE)], "invalid_request"),
        (vec![("client_id", "page")], "unauthorized_client"),
        (vec![("client_id", "wiki"), ("client_secret", SECRET)], "unauthorized_client"),
        (vec![("client_id", "nobody")], "invalid_client"),
        (vec![("client_id", "kubelogin")], "invalid_request"),
    ] {
        let seen = client.exchange(&wide, &changed).await;
        assert_eq!((seen.status.is_client_error(), seen.word("error").as_str()), (true, error), "{changed:?}");
    }
    site.clock.advance(Duration::from_mins(15));
    assert_eq!(client.exchange(&wide, &[]).await.word("error"), "invalid_request", "it is over");
}
