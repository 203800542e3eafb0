//! Texts that mean something to a query language mean nothing here.

use auth_core::{AuthError, PrincipalId, PrincipalType, Refetch, Search};

use crate::Bench;
use crate::run::{Suite, Verdict, ensure, lets_nobody_in};

pub(super) const SUITE: Suite = Suite {
    name: "hostile",
    inapplicable: lets_nobody_in,
    facts: facts![
        no_text_logs_in_as_somebody,
        no_text_is_an_outage,
        no_text_finds_everybody,
        no_id_is_somebody,
        nobody_is_worse_off_afterwards,
    ],
};

/// Filters, DNs, SQL, templates, paths and formats.
const TEXTS: [&str; 28] = [
    "*",
    "**",
    "(",
    ")",
    "()",
    "a)(uid=*",
    "*)(uid=*))(|(uid=*",
    "*)(objectClass=*",
    "x)(|(cn=*",
    "admin)(&)",
    "\\2a",
    "\\",
    "\\zz",
    "a,dc=example",
    "a+uid=b",
    "#04024869",
    "\"quoted\"",
    "' OR '1'='1",
    "'; DROP TABLE users; --",
    "%",
    "_",
    "%00",
    "%s%s%n",
    "{input}",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "../../etc/passwd",
    "<script>",
];

/// Letters that look or compare oddly. A server may take some of them for others (RFC 4518 §2.4 has it so), and then they
/// are another spelling of one login.
const LETTERS: [&str; 6] = ["한글", "ﬁ", "𝔞𝔩𝔦𝔠𝔢", "ı", "\u{202e}ecila", "a\u{0301}"];

/// The hostile texts, and the person's login with each of them behind it.
fn texts(bench: &Bench<'_>) -> impl Iterator<Item = String> {
    let login = bench.known().person.login.clone();
    let behind = TEXTS.iter().map(move |text| format!("{login}{text}"));
    TEXTS.iter().map(ToString::to_string).chain(behind).chain(["x".repeat(256)])
}

/// What a server may take for another text.
fn letters(bench: &Bench<'_>) -> impl Iterator<Item = String> {
    let login = &bench.known().person.login;
    let unseen = [format!("{login}{}", " ".repeat(200)), format!("{login}\u{200b}")];
    LETTERS.iter().map(ToString::to_string).chain(unseen)
}

/// What people type at the page of the identity system is not ours to look at.
fn typed_here(bench: &Bench<'_>) -> Result<(), Verdict> {
    let typed = bench.takes_passwords();
    if typed { Ok(()) } else { Err(Verdict::Skipped("people type their names at the identity system".to_owned())) }
}

async fn no_text_logs_in_as_somebody(bench: &Bench<'_>) -> Result<(), Verdict> {
    typed_here(bench)?;
    let person = &bench.known().person;
    for text in texts(bench) {
        bench.refusal(&text, &person.password).await?;
    }
    let own = bench.enters(person).await?.user.id;
    for text in letters(bench) {
        let entered = bench.login(&text, &person.password).await.ok().map(|login| login.user.id);
        ensure!(entered.as_ref().is_none_or(|id| *id == own), "{text:?} logs in as {entered:?}");
    }
    Ok(())
}

async fn no_text_is_an_outage(bench: &Bench<'_>) -> Result<(), Verdict> {
    typed_here(bench)?;
    for text in texts(bench).chain(letters(bench)) {
        let told = bench.refusal(&text, "this is not it").await?;
        ensure!(told == "bad-credentials" || told == "unsupported-input", "{text:?} is called {told}");
    }
    Ok(())
}

async fn no_text_finds_everybody(bench: &Bench<'_>) -> Result<(), Verdict> {
    for text in texts(bench) {
        let found = match bench.search(Search::new(text.clone(), 10)).await {
            Ok(page) => page.principals,
            Err(fault @ (AuthError::Unavailable { .. } | AuthError::Misconfigured { .. } | AuthError::Protocol(_))) => {
                ensure!(false, "{text:?}: {fault}");
                return Ok(());
            }
            Err(_refused) => continue,
        };
        let own = bench.known().person.login.to_lowercase();
        let stranger = found.iter().find(|found| {
            let names = [Some(&found.name), found.login.as_ref(), found.display_name.as_ref()];
            let holds = |name: &String| name.to_lowercase().contains(&text.to_lowercase());
            !names.into_iter().flatten().any(holds) && found.name.to_lowercase() != own
        });
        ensure!(stranger.is_none(), "{text:?} finds {stranger:?}");
        // A pattern would find the person whose name it starts with.
        let pattern = text.starts_with(&bench.known().person.login) && !found.is_empty();
        ensure!(!pattern, "{text:?} finds {found:?}");
    }
    Ok(())
}

async fn no_id_is_somebody(bench: &Bench<'_>) -> Result<(), Verdict> {
    let login = bench.enters(&bench.known().person).await?;
    for text in texts(bench) {
        for kind in [PrincipalType::User, PrincipalType::Group] {
            let Ok(id) = PrincipalId::new(bench.provider().name(), kind, &text) else { continue };
            let found = bench.principal(&id).await;
            ensure!(matches!(found, Ok(None)), "{id} is looked up as {found:?}");
            for secret in [None, login.secret.as_ref()] {
                let state = bench.refetch_as(bench.provider(), &id, secret).await;
                ensure!(!matches!(state, Ok(Refetch::Current(_))), "{id} is refetched as {state:?}");
            }
        }
    }
    Ok(())
}

async fn nobody_is_worse_off_afterwards(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.enters(&bench.known().person).await?;
    bench.enters(&bench.known().other).await?;
    Ok(())
}
