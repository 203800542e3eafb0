//! What people read of their account on the pages, and what the audit log reads of it.

use auth_core::AuthError;

use super::*;

/// A state, with its word, and a piece of its text in English and in Korean.
type State = (fn() -> AuthError, &'static str, &'static str, &'static str);

const STATES: [State; 5] = [
    (|| AuthError::Disabled, "disabled", "This account is disabled.", "사용이 중지된 계정입니다."),
    (|| AuthError::Locked, "locked", "This account is locked.", "잠긴 계정입니다."),
    (|| AuthError::PasswordExpired, "password-expired", "The password has expired.", "비밀번호가 만료되었습니다."),
    (|| AuthError::MustChangePassword, "must-change-password", "must be changed", "비밀번호를 바꿔야"),
    (|| AuthError::AccountExpired, "account-expired", "This account has expired.", "만료된 계정입니다."),
];
const WRONG: [&str; 2] = ["The user name or password is not right.", "사용자 이름 또는 비밀번호가 맞지 않습니다."];

/// Types a password on the page, in a language.
async fn typed(browser: &mut Visitor<'_>, language: &str, password: &str) -> Seen {
    let sent = browser.authorize(&[]).await;
    let page = browser.get(&sent.location).await;
    let fields = [
        ("flow", page.field("flow")),
        ("form", page.field("form")),
        ("provider", "corp".to_owned()),
        ("username", "alice".to_owned()),
        ("password", password.to_owned()),
    ];
    let body = Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = Request::post("/login").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    browser.send(request.header(header::ACCEPT_LANGUAGE, language), body).await
}

#[tokio::test]
async fn the_state_of_an_account_is_told_after_the_right_password_and_never_before() {
    for (state, word, english, korean) in STATES {
        for (language, text, wrong) in [("en", english, WRONG[0]), ("ko", korean, WRONG[1])] {
            let site = Site::open().await;
            site.corp.set_state(state);
            let mut browser = Visitor::new(&site);
            let before = typed(&mut browser, language, "wrong").await;
            assert_eq!(before.status, 401, "{word}");
            assert!(before.text.contains(wrong) && !before.text.contains(text), "{word}: {}", before.text);
            let after = typed(&mut browser, language, "right").await;
            assert_eq!(after.status, 403, "{word}");
            assert!(after.text.contains(text) && !after.text.contains(wrong), "{word}: {}", after.text);
            assert!(after.text.contains("the-audit-id"), "an id to quote: {}", after.text);
            assert!(site.admin().sessions(None).await.expect("listed").is_empty());
        }
    }
}

#[tokio::test]
async fn the_cause_of_a_refused_login_is_told_to_the_audit_log_alone() {
    let site = Site::open().await;
    let mut browser = Visitor::new(&site);
    let cause = |browser: &Visitor<'_>| browser.noted.clone().expect("noted").refused.expect("refused");
    let wrong = typed(&mut browser, "en", "wrong").await;
    assert_eq!(cause(&browser), ("login-bad-credentials".to_owned(), "corp: bad credentials".to_owned()));
    // The person is told of a typo, and the operator what it is.
    site.corp.set_state(|| AuthError::Ambiguous);
    let ambiguous = typed(&mut browser, "en", "right").await;
    assert_eq!(cause(&browser).0, "login-ambiguous");
    let without_codes = |seen: &Seen| seen.text.replace(&seen.field("flow"), "").replace(&seen.field("form"), "");
    assert_eq!((ambiguous.status, without_codes(&ambiguous)), (wrong.status, without_codes(&wrong)));
    *site.corp.mood() = Mood::Down;
    let down = typed(&mut browser, "en", "right").await;
    assert_eq!(cause(&browser).0, "login-unavailable");
    assert!(cause(&browser).1.contains("the directory is down") && !down.text.contains("the directory is down"));
}

#[tokio::test]
async fn the_audit_log_learns_which_session_a_login_and_its_tokens_belong_to() {
    let site = Site::open().await;
    let mut client = Visitor::new(&site);
    let code = client.code().await;
    let session = site.admin().sessions(None).await.expect("listed").remove(0);
    let noted = |client: &Visitor<'_>| client.noted.clone().expect("noted").session.expect("a session");
    let expected = (session.id.to_string(), "corp".to_owned(), "corp_user://alice".to_owned());
    let of = |noted: crate::NotedSession| (noted.id, noted.provider, noted.principal);
    assert_eq!(of(noted(&client)), expected, "the login");
    let given = client.redeem(&code, &[]).await;
    assert_eq!(of(noted(&client)), expected, "the code");
    client.refresh(&given.word("refresh_token")).await;
    assert_eq!(of(noted(&client)), expected, "the refresh");
    client.refresh("gwr-x:y").await;
    assert_eq!(client.noted.clone().expect("noted").refused.expect("refused").0, "no-token");
}
