//! What never reaches a provider.

use crate::{AuthError, LogoutNotice, Password, RedirectAnswer, Search};

const LOGIN_MAX: usize = 256;
const PASSWORD_MAX: usize = 4_096;
const SEARCH_MAX: usize = 256;
const PARAMETERS_MAX: usize = 32;
const ANSWER_MAX: usize = 16_384;

/// Refuses logins and passwords that no account can have, with the answer of a wrong password.
///
/// RFC 4513 §5.1.2: a bind with a name and an empty password is an *unauthenticated* bind, which some directories
/// answer with success. Software that stops at a NUL sees `"\0"` as empty.
pub(super) fn vet(login: &str, password: &Password) -> Result<(), AuthError> {
    let password = password.expose();
    let password_is_odd = password.is_empty() || password.len() > PASSWORD_MAX || password.contains('\0');
    let login_is_odd = login.is_empty()
        || login.len() > LOGIN_MAX
        || login.starts_with(char::is_whitespace)
        || login.ends_with(char::is_whitespace)
        || login.contains(|c: char| c.is_control() || is_invisible(c));
    if password_is_odd || login_is_odd { Err(AuthError::BadCredentials) } else { Ok(()) }
}

/// Bounds what a browser brought back: anybody can call the callback with anything.
pub(super) fn vet_answer(answer: &RedirectAnswer) -> Result<(), AuthError> {
    vet_parameters(&answer.parameters)
}

/// Bounds a notice of a logout: the same.
pub(super) fn vet_notice(notice: &LogoutNotice) -> Result<(), AuthError> {
    vet_parameters(&notice.parameters)
}

fn vet_parameters(parameters: &[(String, String)]) -> Result<(), AuthError> {
    let bytes: usize = parameters.iter().map(|(key, value)| key.len() + value.len()).sum();
    let odd = parameters.len() > PARAMETERS_MAX || bytes > ANSWER_MAX;
    if odd { Err(AuthError::UnsupportedInput) } else { Ok(()) }
}

/// Bounds a search. `None`: nobody has such a name.
pub(super) fn vet_search(search: Search) -> Option<Search> {
    let odd = search.text.len() > SEARCH_MAX || search.text.contains(char::is_control);
    let cursor_is_odd = search.cursor.as_ref().is_some_and(|cursor| cursor.len() > 4_096 || cursor.contains('\0'));
    (!odd && !cursor_is_odd).then_some(search)
}

/// Characters that change the direction of text or show nothing: two logins could look like one.
/// (The joiners U+200C and U+200D are letters' company in several scripts and stay.)
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}
