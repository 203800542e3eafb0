//! What an attacker with a token, or without one, tries.

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Protocol, Transport};
use kube_wire::header::websocket::bearer_protocol;

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan, Session};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_read_only_grant_opens_no_line_and_no_secret,
        bytes_behind_a_refused_upgrade_reach_nobody,
        two_lengths_are_no_request,
        a_body_behind_a_refusal_is_no_request,
        a_token_in_a_websocket_protocol_goes_no_further,
        an_upgrade_to_another_protocol_is_refused,
        nobody_ends_the_token_of_another,
        the_management_api_knows_no_impersonation,
        a_login_takes_no_strange_body,
        a_group_with_a_comma_is_one_group,
    ]
}

const PODS: &str = "/k8s/clusters/east/api/v1/namespaces/dev/pods";

pub(crate) fn a_read_only_grant_opens_no_line_and_no_secret(bed: &Bed) -> Result<()> {
    bed.needs_a_node()?;
    // The cluster itself lets jsmith do all of it.
    let grants = "- { subjects: [\"user:corp:jsmith\"], clusters: [east], readOnly: true }";
    let gate = Gate::start(bed, &Plan { grants, ..Plan::default() })?;
    gate.wait_until_proven()?;
    let jsmith = gate.kubectl(&gate.session("jsmith")?, "east")?;
    jsmith.ok(&["get", "pods"])?;
    ensure!(jsmith.ok(&["auth", "whoami"])?.contains("corp:jsmith"));
    jsmith.start(&["get", "pods", "--watch"])?.wait_for(POD)?;
    for transport in [Transport::WebSocket, Transport::Spdy] {
        let jsmith = jsmith.clone().over(transport);
        for arguments in [&["exec", POD, "--", "id"][..], &["attach", POD], &["port-forward", POD, ":8080"]] {
            let refused = jsmith.refused(arguments)?;
            ensure!(refused.contains("read-only"), "{transport:?} {arguments:?}: {refused}");
        }
    }
    for arguments in [
        &["delete", "configmap", "kube-root-ca.crt"][..],
        &["get", "secrets"],
        &["get", "secret", "any"],
        &["create", "token", "default"],
        &["get", "--raw", "/api/v1/nodes/localhost/proxy/pods"],
        &["get", "--raw", "/api/v1/namespaces/dev/pods/ticker:8080/proxy/"],
        &["get", "--raw", "/api/v1/proxy/nodes/localhost"],
    ] {
        let refused = jsmith.refused(arguments)?;
        ensure!(refused.contains("read-only"), "{arguments:?}: {refused}");
    }
    Ok(())
}

pub(crate) fn bytes_behind_a_refused_upgrade_reach_nobody(bed: &Bed) -> Result<()> {
    // CVE-2018-1002105: behind a refused upgrade the connection to the API server stayed open, and what followed was
    // answered as the proxy's own account.
    let carol = bed.gate().session("carol")?;
    let smuggled = "GET /api/v1/namespaces/dev/secrets/smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let path = format!("{PODS}/{POD}/exec?command=id&stdout=true");
    for protocol in ["websocket", "SPDY/3.1"] {
        let extra = format!(
            "Connection: Upgrade\r\nUpgrade: {protocol}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
        );
        let method = if protocol == "websocket" { "GET" } else { "POST" };
        let answer = Raw { method, path: &path, extra: &extra, body: smuggled }.send(bed, &carol)?;
        ensure!(answer.starts_with("HTTP/1.1 403"), "{protocol}: {answer}");
    }
    let last = bed.gate().get(Protocol::Http1, "/k8s/clusters/east/version?behind", &carol)?;
    let last = last.header("audit-id");
    bed.audit("east").wait_for("a later call", |event| event.audit_id == last)?;
    let reached = bed.audit("east").events()?.into_iter().find(|event| event.request_uri.contains("secrets/smuggled"));
    ensure!(reached.is_none(), "{reached:?}");
    Ok(())
}

pub(crate) fn two_lengths_are_no_request(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    let answer = |extra: &str| Raw { method: "POST", path: PODS, extra, body: "0\r\n\r\n" }.send(bed, &alice);
    for extra in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 0x5\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X-Folded: a\r\n b\r\n",
        "Host: elsewhere\r\n",
    ] {
        let answer = answer(&format!("{extra}Connection: close\r\n"))?;
        ensure!(answer.starts_with("HTTP/1.1 400"), "{extra:?}: {answer}");
    }
    // RFC 9112 §6.1: the encoding counts, and the connection ends behind the answer, so that nothing can follow it.
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    for extra in [both, "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"] {
        let answer = answer(extra)?;
        ensure!(
            answer.matches("HTTP/1.1 ").count() == 1 && answer.contains("connection: close"),
            "{extra:?}: {answer}"
        );
    }
    Ok(())
}

pub(crate) fn a_body_behind_a_refusal_is_no_request(bed: &Bed) -> Result<()> {
    // The second "request" is the body of the first; a server that answers early and reads on would take it for one.
    let inner = format!("GET {PODS} HTTP/1.1\r\nHost: x\r\n\r\n");
    let nobody = Session { token: "gwt-abcdefghijkl:AAAA".to_owned(), user: String::new() };
    let extra = format!("Content-Length: {}\r\nConnection: close\r\n", inner.len());
    let answer = Raw { method: "POST", path: PODS, extra: &extra, body: &inner }.send(bed, &nobody)?;
    ensure!(answer.matches("HTTP/1.1 ").count() == 1 && answer.starts_with("HTTP/1.1 401"), "{answer}");
    Ok(())
}

pub(crate) fn a_token_in_a_websocket_protocol_goes_no_further(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    let upgrade = |protocols: &str| {
        let path = format!("{PODS}?watch=1&timeoutSeconds=1");
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Origin: https://localhost\r\nSec-WebSocket-Protocol: {protocols}\r\n\r\n",
            bed.gate().authority()
        );
        bed.gate().https()?.raw_until(head.as_bytes(), |answer| answer.contains("\r\n\r\n"))
    };
    let token = bearer_protocol(&alice.token);
    let opened = upgrade(&format!("{token}, base64.binary.k8s.io"))?;
    ensure!(opened.starts_with("HTTP/1.1 101"), "{opened}");
    ensure!(!opened.contains(&token), "the token was sent back: {opened}");
    for protocols in [
        token.clone(),
        format!("{token}, {token}, base64.binary.k8s.io"),
        format!("{token}=, base64.binary.k8s.io"),
        format!("{}, base64.binary.k8s.io", bearer_protocol("gwt-abcdefghijkl:AAAA")),
        "base64.binary.k8s.io".to_owned(),
    ] {
        let refused = upgrade(&protocols)?;
        ensure!(refused.starts_with("HTTP/1.1 401") || refused.starts_with("HTTP/1.1 400"), "{protocols}: {refused}");
    }
    Ok(())
}

pub(crate) fn an_upgrade_to_another_protocol_is_refused(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    for protocol in ["h2c", "TLS/1.0", "websocket, h2c", "anything"] {
        let extra = format!("Connection: Upgrade, close\r\nUpgrade: {protocol}\r\n");
        let answer = Raw { method: "GET", path: PODS, extra: &extra, body: "" }.send(bed, &alice)?;
        ensure!(!answer.starts_with("HTTP/1.1 101"), "{protocol}: {answer}");
    }
    Ok(())
}

pub(crate) fn nobody_ends_the_token_of_another(bed: &Bed) -> Result<()> {
    let (alice, bob) = (bed.gate().session("alice")?, bed.gate().fresh_session("bob")?);
    for name in [bob.token_name()?, "gwt-abcdefghijkl", "..", "current%2f", ""] {
        let path = format!("/api/v1/tokens/{name}");
        let request = bed.gate().request("DELETE", &path, &alice).body(Default::default())?;
        let answer = bed.gate().https()?.send(Protocol::Http1, request)?;
        ensure!(matches!(answer.status.as_u16(), 400 | 404 | 405), "{name}: {} {}", answer.status, answer.text());
    }
    for session in [&alice, &bob] {
        ensure!(bed.gate().get(Protocol::Http2, "/api/v1/me", session)?.status == 200);
    }
    Ok(())
}

pub(crate) fn the_management_api_knows_no_impersonation(bed: &Bed) -> Result<()> {
    let erin = bed.gate().session("erin")?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let request = bed.gate().request("GET", "/api/v1/me", &erin).header("impersonate-user", "corp:alice");
        let answer = bed.gate().https()?.send(protocol, request.body(Default::default())?)?;
        ensure!(answer.status == 400, "{} {}", answer.status, answer.text());
        ensure!(answer.header("content-type") == "application/problem+json", "{:?}", answer.headers);
    }
    Ok(())
}

pub(crate) fn a_login_takes_no_strange_body(bed: &Bed) -> Result<()> {
    let deep = "[".repeat(100_000);
    let long = format!(r#"{{"username":"alice","password":"{}"}}"#, "x".repeat(2_000_000));
    for body in [
        "",
        "null",
        "[]",
        r#"{"username":"alice"}"#,
        r#"{"username":["alice"],"password":"alice-secret"}"#,
        r#"{"username":"alice","username":"bob","password":"alice-secret"}"#,
        r#"{"username":"alice","password":"alice-secret","admin":true}"#,
        &deep,
        &long,
    ] {
        let request = http::Request::post("/api/v1/providers/corp/login").header("content-type", "application/json");
        let answer = bed.gate().https()?.send(Protocol::Http2, request.body(body.to_owned().into())?)?;
        let status = answer.status.as_u16();
        let shown = body.get(..body.len().min(60)).unwrap_or_default();
        ensure!(matches!(status, 400 | 413 | 422), "{shown}: {status} {}", answer.text());
        ensure!(!answer.text().contains("alice-secret"), "{}", answer.text());
    }
    let form = http::Request::post("/api/v1/providers/corp/login").header("content-type", "text/plain");
    let form = form.body(r#"{"username":"alice","password":"alice-secret"}"#.into())?;
    let answer = bed.gate().https()?.send(Protocol::Http2, form)?;
    ensure!(matches!(answer.status.as_u16(), 400 | 415), "a page elsewhere could send this: {}", answer.status);
    let unknown = bed.gate().login_at("nowhere", "alice", "alice-secret")?;
    ensure!(matches!(unknown.status.as_u16(), 401 | 404), "{} {}", unknown.status, unknown.text());
    Ok(())
}

pub(crate) fn a_group_with_a_comma_is_one_group(bed: &Bed) -> Result<()> {
    let jsmith = bed.gate().fresh_session("jsmith")?;
    let me = bed.gate().get(Protocol::Http2, "/api/v1/me", &jsmith)?.json()?;
    let groups = me["identity"]["groups"].as_array().context("groups")?;
    ensure!(groups.iter().any(|group| group == "corp:R&D (C++, Rust)"), "{groups:?}");
    ensure!(groups.len() == 1, "{groups:?}");
    Ok(())
}

/// Exactly these bytes around an ordinary head.
struct Raw<'a> {
    method: &'a str,
    path: &'a str,
    extra: &'a str,
    body: &'a str,
}

impl Raw<'_> {
    /// Sends them and reads until the server closes, by its own rules or because it was asked to.
    fn send(&self, bed: &Bed, session: &Session) -> Result<String> {
        let Self { method, path, extra, body } = self;
        let (authority, token) = (bed.gate().authority(), &session.token);
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\n");
        bed.gate().https()?.raw(format!("{head}{extra}\r\n{body}").as_bytes())
    }
}
