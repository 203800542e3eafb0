//! A browser's WebSocket: it cannot set a header, so its token comes among the protocols.

use gatewarden_proxy::Body;
use http::{HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;
use kube_wire::header::websocket::bearer_protocol;

use crate::client::{self, Client, Protocol};
use crate::gateway::{ALICE, Gateway};
use crate::upstream::{H1, Upstream, echo};

async fn watch(gateway: &Gateway, protocols: &[String]) -> Response<Incoming> {
    let mut client = Client::connect(gateway, Protocol::H1).await;
    let mut request = client::request(Method::GET, "/k8s/clusters/east/api/v1/pods?watch=1", Body::empty());
    let headers = request.headers_mut();
    headers.remove("authorization");
    headers.insert("connection", HeaderValue::from_static("Upgrade"));
    headers.insert("upgrade", HeaderValue::from_static("websocket"));
    for protocol in protocols {
        headers.append("sec-websocket-protocol", HeaderValue::from_str(protocol).unwrap());
    }
    client.send(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_taken_out_and_the_other_protocols_go_on() {
    let upstream = Upstream::start(H1, echo()).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let response = watch(&gateway, &[bearer_protocol(ALICE), "v5.channel.k8s.io, v4.channel.k8s.io".to_owned()]).await;
    assert_eq!(response.status(), StatusCode::OK);
    let seen = client::json(response).await;
    let lines = |name: &str| -> Vec<String> {
        let lines = seen["headers"].as_array().unwrap().iter().filter(|line| line[0] == name);
        lines.map(|line| line[1].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(lines("sec-websocket-protocol"), ["v5.channel.k8s.io, v4.channel.k8s.io"]);
    assert_eq!(lines("impersonate-user"), ["corp:alice"]);
    assert_eq!(lines("authorization"), ["Bearer impersonator"]);
    assert!(!seen.to_string().contains("base64url.bearer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tokens_or_one_alone_are_nobody() {
    let upstream = Upstream::start(H1, echo()).await;
    let gateway = Gateway::start(vec![upstream.cluster("east")]).await;
    let token = || bearer_protocol(ALICE);
    for protocols in [vec![token()], vec![token(), token(), "v5.channel.k8s.io".to_owned()], vec![]] {
        assert_eq!(watch(&gateway, &protocols).await.status(), StatusCode::UNAUTHORIZED);
    }
}
