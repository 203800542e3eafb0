use http::request::Builder;
use proptest::prelude::*;

use super::*;
use crate::boundary::{Home, Resolved, ServiceAccount, ServiceAccountTokens};
use crate::rehearsal;
use crate::testing::{World, request, snapshot_config};

const IMPERSONATED: Expected = Expected { users: 1, tokens: 0 };

/// The headers of a request after all stages but the last.
pub(super) fn outbound(world: &World, request: Builder) -> Result<HeaderMap, Refusal> {
    let request = request.body(Body::empty()).map_err(|_| Refusal::NotFound)?;
    let run = async { Ok(rehearsal::outbound(&world.gate, world.incoming(request)).await?.headers) };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run)
}

fn get() -> Builder {
    request("/k8s/clusters/east/api/v1/pods")
}

type Line<'a> = (&'a str, &'a [u8]);

fn with(lines: &[Line<'_>]) -> Builder {
    lines.iter().fold(get(), |request, (name, value)| request.header(*name, *value))
}

/// The identity lines of alice, in the order in which they are sent.
const ALICE: [(&str, &str); 7] = [
    ("impersonate-user", "corp:alice"),
    ("impersonate-uid", "u-alice"),
    ("impersonate-group", "corp:dev"),
    ("impersonate-group", "corp:a,b"),
    ("impersonate-extra-gatewarden%2fprovider", "corp"),
    ("impersonate-extra-gatewarden%2fprincipal", "corp_user://42"),
    ("impersonate-extra-gatewarden%2fsession-id", "s-1"),
];

fn identity(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let lines = headers.iter().filter(|(name, _)| name.as_str().starts_with("impersonate"));
    lines.map(|(name, value)| (name.as_str(), std::str::from_utf8(value.as_bytes()).unwrap())).collect()
}

#[test]
fn the_cluster_sees_who_asks_and_nothing_that_the_client_wrote_about_it() {
    let headers = outbound(
        &World::new(),
        with(&[
            ("accept", b"application/json"),
            ("user-agent", b"kubectl/v1.36"),
            ("if-none-match", b"\"x\""),
            ("cookie", b"a=b"),
            ("x-remote-user", b"admin"),
            ("x-remote-group", b"system:masters"),
            ("x-remote-extra-scopes", b"x"),
            ("x-forwarded-for", b"10.0.0.1"),
            ("x-forwarded-host", b"evil"),
            ("forwarded", b"for=10.0.0.1"),
            ("x-real-ip", b"10.0.0.1"),
            ("x-original-url", b"/"),
            ("x-rewrite-url", b"/"),
            ("x-http-method-override", b"DELETE"),
            ("audit-id", b"mine"),
            ("proxy-authorization", b"Basic x"),
            ("te", b"trailers"),
            ("impersonate", b"root"),
            ("x_remote_user", b"admin"),
            ("x.remote.user", b"admin"),
            ("x-gatewarden-user", b"admin"),
        ]),
    )
    .unwrap();
    assert_eq!(identity(&headers), ALICE);
    let mut others: Vec<&str> = headers.keys().map(HeaderName::as_str).filter(|n| !n.starts_with("imp")).collect();
    others.sort_unstable();
    assert_eq!(others, ["accept", "audit-id", "if-none-match", "user-agent", "x-forwarded-for"]);
    assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
    assert_ne!(headers["audit-id"], "mine");
}

#[test]
fn no_connection_header_takes_our_identity_away() {
    let lines: [&[&[u8]]; 8] = [
        &[b"Impersonate-User"],
        &[b"close, Impersonate-User"],
        &[b"foo,\tImpersonate-User"],
        &[b"", b"  impersonate-group"],
        &[b"\xff, Impersonate-User"],
        &[b"Impersonate-Extra-gatewarden%2Fprovider"],
        &[b"Authorization, Audit-Id, X-Forwarded-For"],
        &[b"Upgrade, Impersonate-User"],
    ];
    for connection in lines {
        let lines: Vec<Line<'_>> = connection.iter().map(|line| ("connection", *line)).collect();
        let headers = outbound(&World::new(), with(&lines)).unwrap();
        assert_eq!(identity(&headers), ALICE, "{connection:?}");
        assert!(!headers.contains_key("connection"));
        assert!(headers.contains_key("audit-id") && headers.contains_key("x-forwarded-for"));
    }
}

#[test]
fn what_connection_names_belongs_to_this_hop() {
    let headers = outbound(&World::new(), with(&[("connection", b"x-hop"), ("x-hop", b"1"), ("x-end", b"1")])).unwrap();
    assert!(!headers.contains_key("x-hop") && headers.contains_key("x-end"));
}

#[test]
fn impersonation_that_cannot_be_read_is_a_bad_request() {
    let cases: [&[Line<'_>]; 9] = [
        &[("impersonate-group", b"system:masters")],
        &[("impersonate-uid", b"1")],
        &[("impersonate-extra-x", b"y")],
        &[("impersonate-user", b"dev"), ("impersonate-user", b"root")],
        &[("impersonate-user", b"dev"), ("impersonate-uid", b"1"), ("impersonate-uid", b"2")],
        &[("impersonate-user", b""), ("impersonate-group", b"x")],
        &[("impersonate-user", b"dev"), ("impersonate-group", b"")],
        &[("impersonate-user", b"dev"), ("impersonate-ev", b"x")],
        &[("impersonate-", b"x")],
    ];
    for lines in cases {
        let refusal = outbound(&World::new(), with(lines)).unwrap_err();
        assert!(matches!(refusal, Refusal::BadRequest(_)), "{lines:?}: {refusal}");
    }
}

#[test]
fn a_service_account_that_the_cluster_keeps_to_itself_is_acted_as_by_nobody() {
    for pattern in ["system:serviceaccount:kube-system:*", "system:serviceaccounts:kube-system"] {
        let mut config = snapshot_config();
        config.clusters.iter_mut().for_each(|cluster| cluster.reserved = vec![pattern.to_owned()]);
        let world = World::with(config);
        let act = |user: &[u8]| outbound(&world, with(&[("impersonate-user", user)])).unwrap_err();
        let kept = act(b"system:serviceaccount:kube-system:deployer");
        assert!(matches!(kept, Refusal::MayNotActAs(_)), "{pattern}: {kept}");
        let other = act(b"system:serviceaccount:default:deployer");
        assert!(!matches!(other, Refusal::MayNotActAs(_)), "the cluster is asked: {other}");
    }
}

#[test]
fn nobody_acts_as_what_only_kubernetes_gives() {
    let cases: [&[Line<'_>]; 9] = [
        &[("impersonate-user", b"dev"), ("impersonate-extra-gatewarden%2Foriginal-user", b"bob")],
        &[("impersonate-user", b"dev"), ("impersonate-group", b"system:masters")],
        &[("impersonate-user", b"dev"), ("impersonate-group", b"x"), ("impersonate-group", b"system:nodes")],
        &[("impersonate-user", b"dev"), ("impersonate-group", b"kubeadm:cluster-admins")],
        &[("impersonate-user", b"system:admin")],
        &[("impersonate-user", b"system:node:n1")],
        &[("impersonate-user", b"system:serviceaccount:x")],
        &[("impersonate-user", b"system:serviceaccount:x:y:z")],
        &[("impersonate-user", b"system:serviceaccount:x:y"), ("impersonate-group", b"dev")],
    ];
    for lines in cases {
        let refusal = outbound(&World::new(), with(lines)).unwrap_err();
        assert!(matches!(refusal, Refusal::MayNotActAs(_)), "{lines:?}: {refusal}");
    }
}

#[test]
fn a_wish_that_the_cluster_cannot_be_asked_about_is_refused_and_not_dropped() {
    let refusal = outbound(&World::new(), with(&[("impersonate-user", b"dev")])).unwrap_err();
    assert!(matches!(refusal, Refusal::ClusterUnavailable { .. }), "{refusal}");
}

#[test]
fn a_target_is_sent_whole_with_the_caller_beside_it() {
    let world = World::new();
    let cluster = Arc::clone(world.gate.common.snapshot.load().cluster("east").unwrap());
    let session = crate::testing::alice("gwt-alice").session;
    let target = UserInfo {
        uid: Some("1".to_owned()),
        groups: vec!["a,b".to_owned(), nested::AUTHENTICATED.to_owned()],
        extra: [("x/y".to_owned(), vec!["1".to_owned(), "2".to_owned()])].into(),
        ..UserInfo::named("jürgen")
    };
    let mut headers = HeaderMap::new();
    add_nested(&mut headers, &target, &session, &cluster).unwrap();
    let expected = [
        ("impersonate-user", "jürgen"),
        ("impersonate-uid", "1"),
        ("impersonate-group", "a,b"),
        ("impersonate-extra-x%2fy", "1"),
        ("impersonate-extra-x%2fy", "2"),
        ("impersonate-extra-gatewarden%2foriginal-user", "corp:alice"),
    ];
    assert_eq!(identity(&headers), expected);
    let mut headers = HeaderMap::new();
    add_nested(&mut headers, &UserInfo::named("system:serviceaccount:x:y"), &session, &cluster).unwrap();
    assert_eq!(identity(&headers), [("impersonate-user", "system:serviceaccount:x:y")]);
}

#[test]
fn what_a_mapping_writes_under_our_keys_is_not_sent_beside_ours() {
    let world = World::new();
    let cluster = Arc::clone(world.gate.common.snapshot.load().cluster("east").unwrap());
    let key = |name: &str| (format!("gatewarden/{name}"), vec!["forged".to_owned(), "twice".to_owned()]);
    let identity =
        UserInfo { extra: ["provider", "principal", "session-id"].map(key).into(), ..UserInfo::named("corp:mallory") };
    let parts = crate::boundary::SessionParts {
        id: "s-2".to_owned(),
        user: "u-2".to_owned(),
        provider: "corp".to_owned(),
        principal: "corp_user://2".to_owned(),
        identity,
        subjects: Vec::new(),
    };
    let mut headers = HeaderMap::new();
    add_session(&mut headers, &Session::new(parts).unwrap(), &cluster).unwrap();
    let values: Vec<&str> = identity_of(&headers, "impersonate-extra-gatewarden");
    assert_eq!(values, ["corp_user://2", "corp", "s-2"]);
}

fn identity_of<'a>(headers: &'a HeaderMap, prefix: &str) -> Vec<&'a str> {
    let lines = identity(headers).into_iter().filter(|(name, _)| name.starts_with(prefix));
    lines.map(|(_, value)| value).collect()
}

#[test]
fn headers_without_exactly_one_identity_never_leave() {
    let user = HeaderValue::from_static("a");
    let mut headers = HeaderMap::new();
    assert!(check(&headers, false, &IMPERSONATED).is_err(), "none");
    headers.append(IMPERSONATE_USER, user.clone());
    assert!(check(&headers, false, &IMPERSONATED).is_ok());
    assert!(check(&headers, true, &IMPERSONATED).is_err(), "an upgrade without Connection");
    headers.append(CONNECTION, HeaderValue::from_static("Upgrade"));
    assert!(check(&headers, true, &IMPERSONATED).is_ok());
    assert!(check(&headers, false, &IMPERSONATED).is_err(), "a Connection header without an upgrade");
    headers.remove(CONNECTION);
    headers.append(IMPERSONATE_USER, user);
    assert!(check(&headers, false, &IMPERSONATED).is_err(), "two");
    headers.remove(IMPERSONATE_USER);
    let bearer = Expected { users: 0, tokens: 1 };
    assert!(check(&headers, false, &bearer).is_err(), "no token where one says who asks");
    headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer a"));
    assert!(check(&headers, false, &bearer).is_ok());
    assert!(check(&headers, false, &IMPERSONATED).is_err(), "a token where the account's goes");
}

fn hostile_name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "connection", "x-remote-user", "x-remote-group", "impersonate", "proxy-connection", "keep-alive", "te",
            "upgrade", "trailer", "audit-id", "x-forwarded-for", "cookie", "accept", "content-type",
            "sec-websocket-protocol",
        ]).prop_map(str::to_owned),
        1 => "[iI]mpersonate-(user|group|uid|extra-[a-z%/2f]{1,6}|[a-z]{0,4})",
        1 => "[iI]mpersonate[_.%a-z0-9]{0,6}",
        1 => "[!#$%&'*+.^_`|~0-9a-zA-Z-]{1,20}",
    ]
}

fn hostile_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "((Impersonate-User|impersonate-group|close|upgrade|Audit-Id|,|\\t| |x){1,4})".prop_map(String::into_bytes),
        prop::collection::vec(prop_oneof![Just(b'\t'), 0x20_u8..0x7f, 0x80_u8..=0xff], 0..24),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a client sends, the cluster sees alice as she is, or no request at all.
    #[test]
    fn no_bytes_of_a_client_change_who_a_cluster_sees(
        lines in prop::collection::vec((hostile_name(), hostile_value()), 0..12),
    ) {
        let world = World::new();
        let request = lines.iter().fold(get(), |request, (name, value)| request.header(name.as_str(), value.as_slice()));
        if let Ok(headers) = outbound(&world, request) {
            prop_assert_eq!(identity(&headers), ALICE);
            prop_assert!(!headers.contains_key("connection"));
            let folded = |name: &str| name.starts_with("x-remote-") || name.contains(['_', '.', '%']);
            let theirs = headers.keys().map(HeaderName::as_str).filter(|name| !name.starts_with("impersonate-"));
            prop_assert!(!theirs.into_iter().any(folded));
            prop_assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
            prop_assert_eq!(headers.get_all("audit-id").iter().count(), 1);
        }
    }
}

#[test]
fn nobody_acts_as_a_name_that_somebody_could_read_as_a_reserved_one() {
    let long = format!("system:serviceaccount:{}:default", "n".repeat(64));
    for name in [
        "System:masters",
        "SYSTEM:serviceaccount:dev:default",
        "system:serviceaccount:dev:Default",
        "system:serviceaccount:dev_1:default",
        "system:serviceaccount:dev:de fault",
        "system:serviceaccount:dev:a..b",
        "system:serviceaccount:-dev:default",
        "system:serviceaccount:dev/x:default",
        &long,
        "Kubeadm:x",
    ] {
        let refusal = outbound(&World::new(), with(&[("impersonate-user", name.as_bytes())])).unwrap_err();
        assert!(matches!(refusal, Refusal::MayNotActAs(_)), "{name}: {refusal}");
    }
    let group: &[Line<'_>] = &[("impersonate-user", b"bob"), ("impersonate-group", b"sYstem:masters")];
    assert!(matches!(outbound(&World::new(), with(group)), Err(Refusal::MayNotActAs(_))));
    for good in ["system:serviceaccount:dev:a.b-c", "system:serviceaccount:d:1"] {
        assert!(crate::boundary::service_account(good).is_some(), "{good}");
    }
}

#[test]
fn our_own_extra_keys_cannot_be_claimed_in_any_disguise() {
    for key in [
        "gatewarden%2foriginal-user",
        "GateWarden%2Fprincipal",
        "%67atewarden%2foriginal-user",
        "%47atewarden%2fprovider",
        "gatewarden%252foriginal-user",
        "%2567atewarden%2fother",
    ] {
        let header = format!("impersonate-extra-{key}");
        let lines: &[Line<'_>] = &[("impersonate-user", b"bob"), (&header, b"root")];
        let refusal = outbound(&World::new(), with(lines)).unwrap_err();
        assert!(matches!(refusal, Refusal::MayNotActAs(_)), "{key}: {refusal}");
    }
}

#[test]
fn a_service_account_without_its_own_token_reaches_no_cluster() {
    let account = ServiceAccount::parse("system:serviceaccount:ci:deployer").unwrap();
    let home = |cluster: &str| Home { cluster: cluster.to_owned(), issuer: "https://kube.test".to_owned() };
    let mut config = snapshot_config();
    let on = ServiceAccountTokens { issuer: "https://kube.test".to_owned(), audiences: vec!["kube".to_owned()] };
    config.clusters.iter_mut().for_each(|cluster| cluster.service_accounts = Some(on.clone()));
    config.grants[0].subjects.push(format!("user:{}", account.username()));
    let world = World::with(config);
    let resolved = |home| Resolved {
        session: Arc::new(Session::of_account(&account, "u-1", home)),
        ..crate::testing::alice("gwt-alice")
    };
    let known = |home| world.resolve.known.lock().unwrap().insert(crate::testing::TOKEN.to_owned(), Ok(resolved(home)));
    known(home("west"));
    let refused = outbound(&world, get());
    assert!(matches!(refused, Err(Refusal::NoGrant { .. })), "another cluster's account: {refused:?}");
    world.revoke.send(&crate::boundary::Revocation::Everything);
    known(home("east"));
    let refused = outbound(&world, get());
    assert!(matches!(refused, Err(Refusal::Internal(_))), "{refused:?}");
}
