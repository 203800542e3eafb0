use serde_json::{Value, json};

use super::*;

fn read(problem: Problem) -> (Response<()>, Value) {
    let (head, body) = problem.into_response().into_parts();
    (Response::from_parts(head, ()), serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_problem_has_the_members_of_the_standard_and_names_the_provider_it_is_about() {
    let (head, body) = read(Problem::new(StatusCode::FORBIDDEN, "no-grant", "Ask."));
    let expected =
        json!({"type": "urn:gatewarden:error:no-grant", "title": "Forbidden", "status": 403, "detail": "Ask."});
    assert_eq!((head.status(), body), (StatusCode::FORBIDDEN, expected));
    let (_, body) = read(Problem::new(StatusCode::FORBIDDEN, "no-grant", "Ask.").of_provider("corp"));
    assert_eq!(body["provider"], "corp");
}

#[test]
fn no_answer_is_kept_or_taken_for_something_else() {
    let (head, _) = read(Problem::new(StatusCode::BAD_REQUEST, "bad-request", "?"));
    assert_eq!(head.headers()["content-type"], "application/problem+json");
    assert_eq!(head.headers()["cache-control"], "no-store");
    assert_eq!(head.headers()["x-content-type-options"], "nosniff");
    assert!(!head.headers().contains_key("retry-after") && !head.headers().contains_key("www-authenticate"));
}

#[test]
fn a_401_names_its_challenge() {
    let (head, _) = read(Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Log in."));
    assert_eq!(head.headers()["www-authenticate"], "Bearer realm=\"gatewarden\"");
}

#[test]
fn whoever_waits_as_long_as_told_does_not_come_too_early() {
    for (millis, told) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2")] {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Away.");
        let (head, _) = read(problem.retried_after(Duration::from_millis(millis)));
        assert_eq!(head.headers()["retry-after"], told);
    }
}
