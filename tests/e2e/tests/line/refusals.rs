//! Bad input, and what it gets.

use anyhow::{Context as _, Result, ensure};
use e2e::{Case, Protocol};

use crate::bed::Bed;

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        a_wrong_password_and_an_unknown_user_are_told_apart_by_nobody,
        an_empty_password_is_refused,
        guessing_is_slowed_down_for_that_account_alone,
        an_unknown_token_is_a_401_that_says_what_logs_in,
        kubectl_understands_a_refused_watch,
        a_token_in_a_cookie_or_query_is_no_token,
        too_many_headers_are_a_431,
        a_path_with_dots_is_refused,
        the_operations_port_shows_no_secret,
    ]
}

pub(crate) fn a_wrong_password_and_an_unknown_user_are_told_apart_by_nobody(bed: &Bed) -> Result<()> {
    let wrong = bed.gate().login("aplus", "not it")?;
    let unknown = bed.gate().login("nobody-at-all", "not it")?;
    let strange = bed.gate().login("*)(uid=*", "not it")?;
    for answer in [&wrong, &unknown, &strange] {
        ensure!(answer.status == 401, "{} {}", answer.status, answer.text());
        ensure!(answer.body == wrong.body, "{}\n{}", wrong.text(), answer.text());
        ensure!(answer.header("content-type") == "application/problem+json", "{:?}", answer.headers);
        let names = |answer: &e2e::Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        ensure!(names(answer) == names(&wrong), "{:?}\n{:?}", wrong.headers, answer.headers);
    }
    Ok(())
}

pub(crate) fn an_empty_password_is_refused(bed: &Bed) -> Result<()> {
    // To a directory an empty password is no question, and it says yes to everybody.
    for password in ["", "\0", "aplus-secret\0"] {
        let answer = bed.gate().login("aplus", password)?;
        ensure!(matches!(answer.status.as_u16(), 400 | 401), "{password:?}: {} {}", answer.status, answer.text());
    }
    Ok(())
}

pub(crate) fn guessing_is_slowed_down_for_that_account_alone(bed: &Bed) -> Result<()> {
    let person = bed.new_person("guessed", &["dev"])?;
    let slowed = (0..20).find_map(|_| match bed.gate().login(&person, "a guess") {
        Ok(answer) if answer.status == 401 => None,
        other => Some(other),
    });
    let answer = slowed.context("twenty guesses were all answered")??;
    ensure!(answer.status == 429, "{} {}", answer.status, answer.text());
    ensure!(answer.header("retry-after").parse::<u32>().is_ok(), "{:?}", answer.headers);
    ensure!(bed.gate().login_as("bob")?.status == 201, "another account was hit");
    Ok(())
}

pub(crate) fn an_unknown_token_is_a_401_that_says_what_logs_in(bed: &Bed) -> Result<()> {
    for token in ["gwt-abcdefghijkl:AAAA", "eyJhbGciOiJub25lIn0.e30.", "x", "gwt-", &"x".repeat(20_000)] {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let request =
                http::Request::get("/k8s/clusters/east/api/v1/pods").header("authorization", format!("Bearer {token}"));
            let answer = bed.gate().https()?.send(protocol, request.body(Default::default())?)?;
            ensure!(answer.status == 401 && answer.json()?["kind"] == "Status", "{token}: {}", answer.text());
            ensure!(answer.json()?["reason"] == "Unauthorized", "{}", answer.text());
            let told = format!("{}{:?}", answer.text(), answer.headers);
            ensure!(told.contains("/login") || told.contains("log in"), "nothing says what logs in: {told}");
        }
    }
    Ok(())
}

pub(crate) fn kubectl_understands_a_refused_watch(bed: &Bed) -> Result<()> {
    let dave = bed.kubectl("dave", "east")?;
    let refused = dave.refused(&["get", "pods", "--watch"])?;
    ensure!(refused.contains("(Forbidden)"), "{refused}");
    let stranger = bed.gate().kubectl_with_token("gwt-abcdefghijkl:AAAA", "east")?;
    let refused = stranger.refused(&["get", "pods", "--watch"])?;
    ensure!(refused.contains("Unauthorized") || refused.contains("logged in"), "{refused}");
    Ok(())
}

pub(crate) fn a_token_in_a_cookie_or_query_is_no_token(bed: &Bed) -> Result<()> {
    let token = bed.gate().session("alice")?.token;
    let path = "/k8s/clusters/east/api/v1/namespaces/dev/pods";
    let requests = [
        http::Request::get(path).header("cookie", format!("token={token}; gatewarden={token}")),
        http::Request::get(format!("{path}?access_token={token}")),
        http::Request::get(path).header("authorization", format!("Basic {token}")),
        http::Request::get(path).header("authorization", format!("Bearer {token}")).header("authorization", "Bearer x"),
    ];
    for request in requests {
        let answer = bed.gate().https()?.send(Protocol::Http1, request.body(Default::default())?)?;
        ensure!(answer.status == 401 || answer.status == 400, "{} {}", answer.status, answer.text());
    }
    let log = bed.gate().log()?;
    let secret = token.split_once(':').context("name:secret")?.1;
    ensure!(!log.contains(secret), "a token stands in the log");
    let audit = std::fs::read_to_string(bed.gate().audit_file())?;
    ensure!(!audit.contains(secret), "a token stands in the audit log");
    Ok(())
}

pub(crate) fn too_many_headers_are_a_431(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    let request = || bed.gate().request("GET", "/k8s/clusters/east/api/v1/pods", &alice);
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let long = request().header("x-long", "x".repeat(80_000)).body(Default::default())?;
        let mut many = request();
        for number in 0..400 {
            many = many.header(format!("x-{number}"), "x");
        }
        for request in [long, many.body(Default::default())?] {
            let answer = bed.gate().https()?.send(protocol, request)?;
            ensure!(answer.status == 431, "{protocol:?}: {} {}", answer.status, answer.text());
            ensure!(answer.json()?["kind"] == "Status", "{}", answer.text());
        }
        let fitting = request().header("x-long", "x".repeat(20_000)).body(Default::default())?;
        let answer = bed.gate().https()?.send(protocol, fitting)?;
        ensure!(answer.status == 200 || answer.status == 403, "{protocol:?}: {}", answer.status);
    }
    Ok(())
}

pub(crate) fn a_path_with_dots_is_refused(bed: &Bed) -> Result<()> {
    let alice = bed.gate().session("alice")?;
    for path in [
        "/k8s/clusters/west/../east/api/v1/pods",
        "/k8s/clusters/west/%2e%2e/east/api/v1/pods",
        "/k8s/clusters/west/.%2E/east/api/v1/pods",
        "/k8s/clusters/east%2fapi/v1/pods",
        "/k8s/clusters//east/api/v1/pods",
        "/k8s//clusters/east/api/v1/pods",
        "/k8s/clusters/EAST/api/v1/pods",
    ] {
        let raw = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            bed.gate().authority(),
            alice.token
        );
        let answer = bed.gate().https()?.raw(raw.as_bytes())?;
        let status = answer.split_whitespace().nth(1).unwrap_or_default();
        ensure!(matches!(status, "400" | "403" | "404"), "{path}: {answer}");
    }
    Ok(())
}

pub(crate) fn the_operations_port_shows_no_secret(bed: &Bed) -> Result<()> {
    let token = bed.gate().session("alice")?.token;
    let secret = token.split_once(':').context("name:secret")?.1;
    for (path, expected) in [("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/k8s/clusters/east/version", 404)]
    {
        let (status, body) = bed.gate().operations(path)?;
        ensure!(status == expected, "{path}: {status} {body}");
        ensure!(!body.contains(secret), "{path} shows a token");
    }
    ensure!(bed.gate().operations("/metrics")?.1.contains("gatewarden_"));
    Ok(())
}
