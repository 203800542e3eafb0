//! The page on which a browser ends after a login: on our own port, so of one piece, without a script, and with nothing from
//! elsewhere.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a page is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Somebody is logged in.
    Done,
    /// Somebody said no, on the login page.
    Stopped,
    /// The gateway gave no token for the answer.
    Failed,
    /// It is not what we wait for, such as the page of an older login.
    Unasked,
    /// It looks for something else.
    Lost,
}

/// A language that a page can be read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Korean,
}

impl Language {
    /// The first that a browser names and we have (RFC 9110 §12.5.4, by order).
    pub(super) fn wanted(accepted: &str) -> Self {
        let known = |word: &str| match word.trim().split(['-', ';']).next() {
            Some("ko") => Some(Self::Korean),
            Some("en") => Some(Self::English),
            _ => None,
        };
        accepted.split(',').find_map(known).unwrap_or(Self::English)
    }

    const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Korean => "ko",
        }
    }
}

impl Outcome {
    const fn status(self) -> &'static str {
        match self {
            Self::Done | Self::Stopped => "200 OK",
            Self::Failed => "502 Bad Gateway",
            Self::Unasked => "400 Bad Request",
            Self::Lost => "404 Not Found",
        }
    }

    /// By which it is told apart at a glance.
    const fn mark(self) -> (&'static str, &'static str) {
        if matches!(self, Self::Done) { ("good", "✓") } else { ("bad", "✕") }
    }

    /// The heading, and what to do.
    const fn texts(self, language: Language) -> (&'static str, &'static str) {
        match (self, language) {
            (Self::Done, Language::English) => {
                ("You are logged in", "Go back to the terminal; you may close this window.")
            }
            (Self::Done, Language::Korean) => ("로그인되었습니다", "터미널로 돌아가세요. 이 창은 닫아도 됩니다."),
            (Self::Stopped, Language::English) => {
                ("The login was stopped", "Nobody was logged in. Go back to the terminal; you may close this window.")
            }
            (Self::Stopped, Language::Korean) => {
                ("로그인을 중단했습니다", "로그인하지 않았습니다. 터미널로 돌아가세요. 이 창은 닫아도 됩니다.")
            }
            (Self::Failed, Language::English) => {
                ("The login did not work", "The terminal says why; you may close this window.")
            }
            (Self::Failed, Language::Korean) => {
                ("로그인하지 못했습니다", "이유는 터미널에 나와 있습니다. 이 창은 닫아도 됩니다.")
            }
            (Self::Unasked, Language::English) => (
                "Not this login",
                "This is not the login that your terminal waits for. Begin again there; you may close this window.",
            ),
            (Self::Unasked, Language::Korean) => (
                "다른 로그인입니다",
                "터미널이 기다리는 로그인이 아닙니다. 터미널에서 다시 시작하세요. 이 창은 닫아도 됩니다.",
            ),
            (Self::Lost, Language::English) => ("There is nothing here", "You may close this window."),
            (Self::Lost, Language::Korean) => ("아무것도 없습니다", "이 창은 닫아도 됩니다."),
        }
    }
}

/// As the gateway's own pages look.
const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#f4f5f7;--card:#fff;--ink:#1c2430;--soft:#5a6473;--line:#c4cad3;--good:#146c2e;--bad:#a4161a}\
@media(prefers-color-scheme:dark){:root{--paper:#14181f;--card:#1d232c;--ink:#e8ebf0;--soft:#a6afbd;--line:#4a5463;--good:#7ddc94;--bad:#ffb4ab}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}\
main{width:100%;max-width:25rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}\
.brand{margin:0;color:var(--soft);font-weight:600}\
h1{margin:.25rem 0 1rem;font-size:1.5rem;line-height:1.25}\
.good{color:var(--good)}.bad{color:var(--bad)}\
:lang(ko){word-break:keep-all}";

/// A whole response. Nothing of the request is in it.
pub(super) fn response(outcome: Outcome, language: Language) -> String {
    let ((title, text), (class, mark), lang) = (outcome.texts(language), outcome.mark(), language.tag());
    let body = format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · kubectl gatewarden</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <p class=\"brand\">kubectl gatewarden</p>\n\
         <h1 class=\"{class}\"><span aria-hidden=\"true\">{mark}</span> {title}</h1>\n<p>{text}</p>\n\
         </main>\n</body>\n</html>\n"
    );
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nContent-Language: {lang}\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
         Cache-Control: no-store\r\nVary: Accept-Language\r\nConnection: close\r\n\r\n{body}",
        outcome.status(),
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOMES: [Outcome; 5] = [Outcome::Done, Outcome::Stopped, Outcome::Failed, Outcome::Unasked, Outcome::Lost];

    #[test]
    fn the_first_language_that_we_have_wins() {
        assert_eq!(Language::wanted("fr, ko-KR;q=0.5, en;q=0.4"), Language::Korean);
        assert_eq!(Language::wanted("en-US,ko"), Language::English);
        for other in ["", "de", "*", "kok"] {
            assert_eq!(Language::wanted(other), Language::English, "{other}");
        }
    }

    #[test]
    fn only_a_login_looks_like_one() {
        for language in [Language::English, Language::Korean] {
            let pages = OUTCOMES.map(|outcome| response(outcome, language));
            let good = pages.iter().filter(|page| page.contains("class=\"good\"") && page.contains('✓')).count();
            assert_eq!(good, 1, "{language:?}");
            assert!(pages[0].contains("class=\"good\""));
            let titles = OUTCOMES.map(|outcome| outcome.texts(language).0);
            assert!(titles.iter().enumerate().all(|(at, title)| !titles[..at].contains(title)), "{titles:?}");
        }
    }

    #[test]
    fn a_page_is_of_one_piece_and_may_load_nothing() {
        for (outcome, language) in OUTCOMES.iter().flat_map(|one| [(*one, Language::English), (*one, Language::Korean)])
        {
            let page = response(outcome, language);
            let (head, body) = page.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
            assert!(head.contains("Content-Security-Policy: default-src 'none'; style-src 'sha256-"), "{head}");
            assert!(head.contains("form-action 'none'") && head.contains("frame-ancestors 'none'"), "{head}");
            for word in ["<script", "<link", "<img", "src=", "href=", "url(", "@import", "http"] {
                assert!(!body.contains(word), "{word}: {body}");
            }
            assert!(body.contains(&format!("<html lang=\"{}\">", language.tag())));
        }
    }
}
