use http::Request;

use super::*;

fn head(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Parts {
    build(Request::builder().uri("/api")).body(()).unwrap().into_parts().0
}

type Line = (&'static str, &'static str);

fn host_of(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Result<String, Refusal> {
    host_within(&RequestLimits::default(), build)
}

fn host_within(
    limits: &RequestLimits,
    build: impl FnOnce(http::request::Builder) -> http::request::Builder,
) -> Result<String, Refusal> {
    let head = head(build);
    let host = check_target(&head, limits).map(Cow::into_owned)?;
    check_headers(&head, limits).map(|()| host)
}

#[test]
fn the_host_is_read_without_port_and_case() {
    for (line, name) in [
        ("gw.example.org", "gw.example.org"),
        ("GW.Example.org:8443", "gw.example.org"),
        ("192.0.2.1:8443", "192.0.2.1"),
        ("[2001:db8::1]:8443", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
    ] {
        assert_eq!(host_of(|request| request.header("host", line)).unwrap(), name, "{line}");
    }
}

#[test]
fn a_host_that_is_more_than_a_name_is_refused() {
    let lines = [
        "", ":8443", "u@h", "h/path", "h?q", "h:80:80", "h:", "h:+80", "h:99999", "h ", "a,b", "[::1", "[::1]x", "[]",
        "h\t", "[g::1]",
    ];
    for line in lines {
        assert!(matches!(host_of(|request| request.header("host", line)), Err(Refusal::BadRequest(_))), "{line:?}");
    }
}

#[test]
fn a_missing_or_second_host_is_refused() {
    assert!(host_of(|request| request).is_err());
    assert!(host_of(|request| request.header("host", "a").header("host", "a")).is_err());
}

#[test]
fn an_absolute_target_must_name_the_host() {
    let absolute = |target: &str, host: &str| host_of(|request| request.uri(target).header("host", host));
    assert_eq!(absolute("https://GW/api", "gw").unwrap(), "gw");
    assert!(absolute("https://other/api", "gw").is_err());
    assert!(absolute("ftp://gw/api", "gw").is_err());
    assert!(host_of(|request| request.uri("https://gw/api")).is_err(), "HTTP/1.1 needs a Host line");
}

#[test]
fn http2_takes_the_authority_and_a_host_only_if_equal() {
    let http2 = |host: Option<&str>| {
        host_of(|request| {
            let request = request.version(Version::HTTP_2).uri("https://gw/api");
            host.into_iter().fold(request, |request, host| request.header("host", host))
        })
    };
    assert_eq!(http2(None).unwrap(), "gw");
    assert_eq!(http2(Some("gw")).unwrap(), "gw");
    assert!(http2(Some("other")).is_err());
}

#[test]
fn http2_has_no_connection_headers() {
    for (name, value) in [("connection", "x"), ("upgrade", "websocket"), ("keep-alive", "1"), ("proxy-connection", "x")]
    {
        let refused = host_of(|request| request.version(Version::HTTP_2).uri("https://gw/").header(name, value));
        assert!(refused.is_err(), "{name}");
    }
}

#[test]
fn only_known_methods_pass() {
    for method in ["CONNECT", "TRACE", "get", "PROPFIND", "GETX"] {
        let refused = host_of(|request| request.method(method).header("host", "a"));
        assert!(matches!(refused, Err(Refusal::MethodNotAllowed)), "{method}");
    }
}

#[test]
fn a_body_whose_length_is_told_twice_is_refused() {
    let cases: [&[Line]; 7] = [
        &[("content-length", "1"), ("transfer-encoding", "chunked")],
        &[("content-length", "1"), ("content-length", "1")],
        &[("transfer-encoding", "gzip, chunked")],
        &[("transfer-encoding", "xchunked")],
        &[("transfer-encoding", "identity")],
        &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
        &[("expect", "200-ok")],
    ];
    for lines in cases {
        let refused = host_of(|request| {
            lines.iter().fold(request.header("host", "a"), |request, (name, value)| request.header(*name, *value))
        });
        assert!(matches!(refused, Err(Refusal::BadRequest(_))), "{lines:?}");
    }
    for (name, value) in [("transfer-encoding", "Chunked"), ("content-length", "1"), ("expect", "100-continue")] {
        assert!(host_of(|request| request.header("host", "a").header(name, value)).is_ok(), "{name}");
    }
}

#[test]
fn what_another_server_could_fold_into_impersonation_is_refused() {
    for name in ["impersonate_user", "impersonate.user", "Impersonate%2DUser", "impersonateuser", "impersonate_group"] {
        assert!(host_of(|request| request.header("host", "a").header(name, "root")).is_err(), "{name}");
    }
    assert!(host_of(|request| request.header("host", "a").header("impersonate", "x")).is_ok(), "dropped later");
}

#[test]
fn a_head_beyond_the_limits_is_too_large() {
    let many = host_of(|request| (0..256).fold(request.header("host", "a"), |request, _| request.header("x", "y")));
    assert!(matches!(many, Err(Refusal::HeadersTooLarge)));
    let large = "y".repeat(64 * 1024);
    assert!(matches!(host_of(|r| r.header("host", "a").header("x", &large)), Err(Refusal::HeadersTooLarge)));
    let long = format!("/{}", "y".repeat(16 * 1024));
    assert!(matches!(host_of(|r| r.uri(long).header("host", "a")), Err(Refusal::UriTooLong)));
}

#[test]
fn a_lowered_limit_of_the_head_acts() {
    let limits = RequestLimits { header_bytes: 100, header_lines: 3, uri_bytes: 10, ..RequestLimits::default() };
    // `host` with its value takes 9 bytes, `x` 5 more than its value.
    let sized = |size: usize| host_within(&limits, |r| r.header("host", "a").header("x", "y".repeat(size)));
    assert!(sized(86).is_ok());
    assert!(matches!(sized(87), Err(Refusal::HeadersTooLarge)));
    let lines = |count| host_within(&limits, |r| (0..count).fold(r.header("host", "a"), |r, _| r.header("x", "y")));
    assert!(lines(2).is_ok());
    assert!(matches!(lines(3), Err(Refusal::HeadersTooLarge)));
    let long = |count| host_within(&limits, |r| r.uri(format!("/{}", "y".repeat(count))).header("host", "a"));
    assert!(long(9).is_ok());
    assert!(matches!(long(10), Err(Refusal::UriTooLong)));
}

#[test]
fn a_target_that_is_no_path_is_refused() {
    assert!(host_of(|request| request.method("OPTIONS").uri("*").header("host", "a")).is_err());
}

#[test]
fn a_connection_header_names_a_few_things_only() {
    let named = |count: usize| host_of(|request| request.header("host", "a").header("connection", "x,".repeat(count)));
    assert!(named(31).is_ok());
    assert!(matches!(named(32), Err(Refusal::BadRequest(_))));
    let lines = host_of(|r| (0..33).fold(r.header("host", "a"), |request, _| request.header("connection", "x")));
    assert!(matches!(lines, Err(Refusal::BadRequest(_))));
}
