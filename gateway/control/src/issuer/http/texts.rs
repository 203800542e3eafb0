//! Every text on the pages, in each language.

use axum::http::{HeaderMap, header};

use crate::issuer::scope;

/// The texts of one language.
#[derive(Debug)]
pub(super) struct Texts {
    /// The language, as HTML names it (BCP 47).
    pub(super) lang: &'static str,
    pub(super) log_in: &'static str,
    pub(super) for_client: &'static str,
    pub(super) account: &'static str,
    pub(super) user_name: &'static str,
    pub(super) password: &'static str,
    pub(super) go_on_with: &'static str,
    pub(super) no_provider: &'static str,
    pub(super) device_title: &'static str,
    pub(super) device_code: &'static str,
    pub(super) device_hint: &'static str,
    pub(super) go_on: &'static str,
    pub(super) device_warning: &'static str,
    pub(super) device_from: &'static str,
    pub(super) device_program: &'static str,
    pub(super) device_started: &'static str,
    pub(super) not_me: &'static str,
    pub(super) device_unknown: &'static str,
    pub(super) done_title: &'static str,
    pub(super) done: &'static str,
    pub(super) denied_title: &'static str,
    pub(super) denied: &'static str,
    pub(super) failed_title: &'static str,
    pub(super) id: &'static str,
    pub(super) nothing_here: &'static str,
    pub(super) bad_request: &'static str,
    pub(super) unknown_client: &'static str,
    pub(super) unknown_redirect: &'static str,
    pub(super) unavailable: &'static str,
    pub(super) over: &'static str,
    pub(super) foreign_form: &'static str,
    pub(super) consent_title: &'static str,
    pub(super) consent: &'static str,
    pub(super) consent_goes_to: &'static str,
    pub(super) agree: &'static str,
    pub(super) refuse: &'static str,
    pub(super) wants_clusters: &'static str,
    wants: &'static [(&'static str, &'static str)],
    pub(super) log_out: &'static str,
    pub(super) log_out_hint: &'static str,
    pub(super) stay: &'static str,
    pub(super) stayed_title: &'static str,
    pub(super) stayed: &'static str,
    pub(super) logged_out_title: &'static str,
    pub(super) logged_out: &'static str,
    pub(super) nobody_here: &'static str,
    pub(super) unknown_way_back: &'static str,
    problems: &'static [(&'static str, &'static str)],
    other_problem: &'static str,
}

const ENGLISH: Texts = Texts {
    lang: "en",
    log_in: "Log in",
    for_client: "You log in for",
    account: "Account",
    user_name: "User name",
    password: "Password",
    go_on_with: "Log in with",
    no_provider: "No way to log in is set up here. Tell your administrator.",
    device_title: "Log in a device",
    device_code: "Code",
    device_hint: "Type the code that the device or terminal shows.",
    go_on: "Go on",
    device_warning: "Whoever sent this code will act as you. Go on only if you began this yourself, and recognize what is below.",
    device_from: "Address",
    device_program: "Program",
    device_started: "Begun",
    not_me: "This was not me",
    device_unknown: "There is no such code, or it is over. Look at the device once more.",
    done_title: "You are logged in",
    done: "Go back to the device or terminal. You can close this page.",
    denied_title: "Stopped",
    denied: "Nobody was logged in. If somebody sent you that code, tell your administrator.",
    failed_title: "This did not work",
    id: "Id for your administrator",
    nothing_here: "There is nothing at this address.",
    bad_request: "The request cannot be read. Go back to the program that sent you here and start again.",
    unknown_client: "The program that sent you here is not known. Tell your administrator its name.",
    unknown_redirect: "The program that sent you here wants the answer at an address that is not registered for it. Nothing was sent there.",
    unavailable: "The gateway cannot do this now. Try again later.",
    over: "This login is over, or belongs to another browser. Start again in the program that sent you here.",
    foreign_form: "This form was not sent from this page. Start again in the program that sent you here.",
    consent_title: "Do you agree?",
    consent: "is not one of your site's own programs. It wants to know or do this:",
    consent_goes_to: "The answer goes to",
    agree: "Agree and log in",
    refuse: "Refuse",
    wants_clusters: "act as you in clusters",
    wants: &[
        (scope::OPENID, "your user name here"),
        (scope::PROFILE, "your user name here"),
        (scope::GROUPS, "your groups"),
        (scope::OFFLINE_ACCESS, "stay logged in as you until this login ends"),
    ],
    log_out: "Log out",
    log_out_hint: "This ends what is below, on every machine and in every program that uses it.",
    stay: "Stay logged in",
    stayed_title: "You are still logged in",
    stayed: "Nothing was ended. You can close this page.",
    logged_out_title: "You are logged out",
    logged_out: "You can close this page.",
    nobody_here: "Nobody is logged in from this browser.",
    unknown_way_back: "The program that sent you here wants you back at an address that is not registered for it. Nobody was logged out.",
    problems: &[
        ("bad-credentials", "The user name or password is not right."),
        ("disabled", "This account is disabled. Ask your administrator."),
        ("locked", "This account is locked. Wait, or ask your administrator."),
        ("password-expired", "The password has expired. Set a new one, then log in again."),
        ("must-change-password", "The password must be changed before it can be used here."),
        ("account-expired", "This account has expired. Ask your administrator."),
        ("not-in-required-groups", "You are not in a group that may log in here."),
        ("groups-incomplete", "Your groups could not be read completely, so nothing was decided. Try later."),
        ("policy-denied", "The identity system did not let you in. Try again, or ask your administrator."),
        ("throttled", "Too many attempts. Wait, then try again."),
        ("unavailable", "The identity system does not answer. Try again later."),
    ],
    other_problem: "You cannot be logged in. Tell your administrator the id below.",
};

const KOREAN: Texts = Texts {
    lang: "ko",
    log_in: "로그인",
    for_client: "로그인을 요청한 프로그램:",
    account: "계정",
    user_name: "사용자 이름",
    password: "비밀번호",
    go_on_with: "다음으로 로그인:",
    no_provider: "설정된 로그인 방법이 없습니다. 관리자에게 알려 주세요.",
    device_title: "장치 로그인",
    device_code: "코드",
    device_hint: "장치나 터미널에 표시된 코드를 입력하세요.",
    go_on: "계속",
    device_warning: "이 코드를 만든 사람이 내 권한으로 작업하게 됩니다. 직접 시작했고 아래 내용이 맞을 때만 계속하세요.",
    device_from: "주소",
    device_program: "프로그램",
    device_started: "시작 시각",
    not_me: "내가 한 것이 아닙니다",
    device_unknown: "없는 코드이거나 만료되었습니다. 장치에 표시된 코드를 다시 확인하세요.",
    done_title: "로그인되었습니다",
    done: "장치나 터미널로 돌아가세요. 이 페이지는 닫아도 됩니다.",
    denied_title: "중단했습니다",
    denied: "로그인하지 않았습니다. 누군가 그 코드를 보냈다면 관리자에게 알려 주세요.",
    failed_title: "요청을 처리하지 못했습니다",
    id: "관리자에게 알려 줄 번호",
    nothing_here: "이 주소에는 아무것도 없습니다.",
    bad_request: "요청을 읽을 수 없습니다. 원래 프로그램으로 돌아가 다시 시작하세요.",
    unknown_client: "이 페이지를 연 프로그램이 등록되어 있지 않습니다. 관리자에게 프로그램 이름을 알려 주세요.",
    unknown_redirect: "이 페이지를 연 프로그램이 등록되지 않은 주소로 응답을 요청했습니다. 아무것도 보내지 않았습니다.",
    unavailable: "지금은 처리할 수 없습니다. 잠시 뒤 다시 시도하세요.",
    over: "이 로그인은 만료되었거나 다른 브라우저에서 시작되었습니다. 원래 프로그램에서 다시 시작하세요.",
    foreign_form: "이 페이지에서 보낸 양식이 아닙니다. 원래 프로그램에서 다시 시작하세요.",
    consent_title: "동의하시겠습니까?",
    consent: "– 우리 기관의 프로그램이 아닙니다. 다음을 요청합니다:",
    consent_goes_to: "응답을 받는 곳:",
    agree: "동의하고 로그인",
    refuse: "거부",
    wants_clusters: "클러스터에서 내 권한으로 작업",
    wants: &[
        (scope::OPENID, "내 사용자 이름"),
        (scope::PROFILE, "내 사용자 이름"),
        (scope::GROUPS, "내가 속한 그룹"),
        (scope::OFFLINE_ACCESS, "이 로그인이 끝날 때까지 로그인 상태 유지"),
    ],
    log_out: "로그아웃",
    log_out_hint: "아래 로그인이 모든 장치와 프로그램에서 끝납니다.",
    stay: "로그인 유지",
    stayed_title: "로그인이 유지됩니다",
    stayed: "끝난 로그인이 없습니다. 이 페이지는 닫아도 됩니다.",
    logged_out_title: "로그아웃되었습니다",
    logged_out: "이 페이지는 닫아도 됩니다.",
    nobody_here: "이 브라우저에서 로그인한 사람이 없습니다.",
    unknown_way_back: "이 페이지를 연 프로그램이 등록되지 않은 주소로 돌아가려고 했습니다. 로그아웃하지 않았습니다.",
    problems: &[
        ("bad-credentials", "사용자 이름 또는 비밀번호가 맞지 않습니다."),
        ("disabled", "사용이 중지된 계정입니다. 관리자에게 문의하세요."),
        ("locked", "잠긴 계정입니다. 잠시 기다리거나 관리자에게 문의하세요."),
        ("password-expired", "비밀번호가 만료되었습니다. 새 비밀번호를 정한 뒤 다시 로그인하세요."),
        ("must-change-password", "비밀번호를 바꿔야 여기서 쓸 수 있습니다."),
        ("account-expired", "만료된 계정입니다. 관리자에게 문의하세요."),
        ("not-in-required-groups", "여기에 로그인할 수 있는 그룹에 속해 있지 않습니다."),
        ("groups-incomplete", "그룹을 모두 읽지 못해 결정하지 않았습니다. 나중에 다시 시도하세요."),
        ("policy-denied", "인증 시스템이 로그인을 허용하지 않았습니다. 다시 시도하거나 관리자에게 문의하세요."),
        ("throttled", "시도가 너무 많습니다. 잠시 기다린 뒤 다시 시도하세요."),
        ("unavailable", "계정 시스템이 응답하지 않습니다. 잠시 뒤 다시 시도하세요."),
    ],
    other_problem: "로그인할 수 없습니다. 아래 번호를 관리자에게 알려 주세요.",
};

impl Texts {
    /// The texts in the first language that a browser names and we have (RFC 9110 §12.5.4, by order).
    pub(super) fn wanted(headers: &HeaderMap) -> &'static Self {
        let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let known = |word: &str| match word.trim().split(['-', ';']).next() {
            Some("ko") => Some(&KOREAN),
            Some("en") => Some(&ENGLISH),
            _ => None,
        };
        wanted.split(',').find_map(known).unwrap_or(&ENGLISH)
    }

    /// What a client wants by a scope, in words.
    pub(super) fn wanted_by(&self, scope: &str) -> Option<&'static str> {
        self.wants.iter().find(|(known, _)| *known == scope).map(|(_, text)| *text)
    }

    /// Why a login did not work, by the word for it.
    pub(super) fn problem(&self, code: &str) -> &'static str {
        self.problems.iter().find(|(known, _)| *known == code).map_or(self.other_problem, |(_, text)| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_that_we_have_wins() {
        let lang = |wanted: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, wanted.parse().expect("a value"));
            Texts::wanted(&headers).lang
        };
        assert_eq!(lang("ko-KR,ko;q=0.9,en;q=0.8"), "ko");
        assert_eq!(lang("fr, ko;q=0.5"), "ko");
        assert_eq!(lang("en-US,ko"), "en");
        assert_eq!((lang("de"), lang("*")), ("en", "en"));
    }

    #[test]
    fn every_language_has_a_text_for_the_same_problems_and_for_each_scope() {
        let words = |texts: &Texts| texts.problems.iter().map(|(word, _)| *word).collect::<Vec<_>>();
        assert_eq!(words(&ENGLISH), words(&KOREAN));
        for texts in [ENGLISH, KOREAN] {
            assert_eq!(texts.wants.iter().map(|(scope, _)| *scope).collect::<Vec<_>>(), scope::ALL, "{}", texts.lang);
        }
    }
}
