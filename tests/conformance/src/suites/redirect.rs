//! A browser goes to the identity system's page and comes back: what it is sent with, and what it may bring.

use std::collections::BTreeMap;

use auth_core::{LoginForm, LoginInput, Password};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use crate::bench::{BEGIN_AGAIN, Journey, NONSENSE, OUTAGE, REFUSED, refused};
use crate::run::{Suite, Verdict, broken, ensure, sends_nobody};
use crate::{Bench, Visitor};

pub(super) const SUITE: Suite = Suite {
    name: "redirect",
    inapplicable: sends_nobody,
    facts: facts![
        a_trip_is_offered_where_there_is_one,
        what_it_does_not_offer_is_refused,
        the_address_is_one_that_a_browser_may_be_sent_to,
        each_trip_is_another,
        the_browser_comes_back_under_the_state,
        the_request_carries_state_nonce_and_an_s256_challenge,
        the_browser_comes_back_to_the_very_address,
        no_secret_is_in_the_address,
        an_answer_under_another_state_or_none_is_refused,
        an_answer_of_another_issuer_is_refused,
        an_issuer_that_says_its_name_must_say_it,
        a_parameter_that_comes_twice_is_refused,
        an_answer_without_a_code_is_refused,
        a_refused_answer_spends_nothing,
        a_code_is_good_once,
        a_code_of_another_trip_is_refused,
        a_no_is_told_as_a_no_and_trouble_as_trouble,
        a_person_who_turns_back_is_told_so,
        nothing_that_anybody_can_write_is_shown,
        no_answer_is_an_outage,
        an_outage_is_no_refusal,
        no_secret_is_printed,
    ],
};

/// What the core takes of an address, a state and a memo.
const LOCATION_MAX: usize = 8_192;
const STATE: std::ops::RangeInclusive<usize> = 16..=512;
const MEMO_MAX: usize = 65_536;
/// 128 bits in base64url.
const UNGUESSABLE: usize = 22;
/// 256 bits in base64url: RFC 7636 §4.2.
const CHALLENGE: usize = 43;

async fn a_trip_is_offered_where_there_is_one(bench: &Bench<'_>) -> Result<(), Verdict> {
    let offered = bench.provider().transform_to_auth_provider().login.contains(&LoginForm::Redirect);
    let there = bench.provider().redirect().is_some();
    ensure!(offered == there, "the descriptor offers it: {offered}; there is one: {there}");
    Ok(())
}

async fn what_it_does_not_offer_is_refused(bench: &Bench<'_>) -> Result<(), Verdict> {
    if bench.takes_passwords() {
        return Err(Verdict::Skipped("it takes passwords as well".to_owned()));
    }
    let person = &bench.known().person;
    let input = LoginInput::Password { login: person.login.clone(), password: Password::new(&person.password) };
    let told = bench.provider().authenticate_user(&bench.context(), input).await;
    refused(&told, "a password", &["unsupported-input"])
}

async fn the_address_is_one_that_a_browser_may_be_sent_to(bench: &Bench<'_>) -> Result<(), Verdict> {
    let Journey { location, state, memo, .. } = bench.begun().await?;
    let web = Url::parse(&location).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some());
    ensure!(web && location.bytes().all(|byte| byte.is_ascii_graphic()), "{location:?} is no address of the web");
    let names: Vec<String> =
        Url::parse(&location).iter().flat_map(Url::query_pairs).map(|(name, _)| name.into_owned()).collect();
    let twice = names.iter().find(|name| names.iter().filter(|other| other == name).count() > 1);
    // RFC 6749 §3.1: none comes twice. Of two, another reader might take the other.
    ensure!(twice.is_none(), "{twice:?} comes twice in {location:?}");
    ensure!(location.len() <= LOCATION_MAX, "the address has {} bytes", location.len());
    let plain = state.bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(plain && STATE.contains(&state.len()), "{state:?} names no trip");
    ensure!(memo.len() <= MEMO_MAX, "the memo has {} bytes", memo.len());
    Ok(())
}

async fn each_trip_is_another(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (one, two) = (bench.begun().await?, bench.begun().await?);
    ensure!(one.state != two.state, "two trips have one state");
    ensure!(one.memo != two.memo, "two trips have one memo");
    let (one, two) = (parameters(&one)?, parameters(&two)?);
    for name in ["nonce", "code_challenge", "request_uri"] {
        ensure!(one.get(name).is_none_or(|value| two.get(name) != Some(value)), "two trips have one {name}");
    }
    Ok(())
}

async fn the_browser_comes_back_under_the_state(bench: &Bench<'_>) -> Result<(), Verdict> {
    let journey = bench.journey(&bench.known().person).await?;
    let under = journey.says("state");
    ensure!(under == Some(&journey.state), "the trip is {:?}, and its answer comes under {under:?}", journey.state);
    Ok(())
}

async fn the_request_carries_state_nonce_and_an_s256_challenge(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (journey, request) = requested(bench).await?;
    let said = |name: &str| request.get(name).map(String::as_str).unwrap_or_default();
    ensure!(said("response_type") == "code", "response_type is {:?}", said("response_type"));
    ensure!(said("state") == journey.state, "state is {:?}", said("state"));
    ensure!(journey.state.len() >= UNGUESSABLE, "the state {:?} can be guessed", journey.state);
    ensure!(said("nonce").len() >= UNGUESSABLE, "the nonce {:?} can be guessed", said("nonce"));
    ensure!(said("code_challenge_method") == "S256", "the challenge is made by {:?}", said("code_challenge_method"));
    ensure!(said("code_challenge").len() == CHALLENGE, "{:?} is no hash", said("code_challenge"));
    Ok(())
}

async fn the_browser_comes_back_to_the_very_address(bench: &Bench<'_>) -> Result<(), Verdict> {
    requested(bench).await?;
    for more in ["", "-of-another-instance"] {
        let callback = format!("{}{more}", bench.travels()?.callback());
        let begun = bench.begun_by(bench.provider(), &callback).await.map_err(|fault| broken(fault.audit_text()))?;
        let named = parameters(&Journey::of(&begun))?.remove("redirect_uri");
        ensure!(named.as_ref() == Some(&callback), "the browser is to come back to {named:?}, and not to {callback:?}");
    }
    Ok(())
}

async fn no_secret_is_in_the_address(bench: &Bench<'_>) -> Result<(), Verdict> {
    let journey = bench.begun().await?;
    let request = parameters(&journey)?;
    let challenge = request.get("code_challenge").cloned().unwrap_or_default();
    for (name, value) in &request {
        ensure!(!value.contains(&journey.memo), "{name} holds the memo");
        for secret in &bench.known().secrets {
            ensure!(!value.contains(secret.as_str()), "{name} holds a secret");
        }
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, value.as_bytes()));
        ensure!(hash != challenge, "{name} is the code verifier");
    }
    Ok(())
}

async fn an_answer_under_another_state_or_none_is_refused(bench: &Bench<'_>) -> Result<(), Verdict> {
    let journey = bench.journey(&bench.known().person).await?;
    let longer = format!("{}x", journey.state);
    let (shorter, _) = journey.state.split_at(journey.state.len() / 2);
    for (what, answer) in [
        ("an answer without a state", journey.without("state")),
        ("an answer with an empty state", journey.with("state", "")),
        ("an answer under a state of nobody", journey.with("state", "a-state-that-nobody-ever-had")),
        ("an answer under a longer state", journey.with("state", &longer)),
        ("an answer under half of the state", journey.with("state", shorter)),
    ] {
        refused(&bench.finish(&journey.memo, answer).await, what, BEGIN_AGAIN)?;
    }
    Ok(())
}

async fn an_answer_of_another_issuer_is_refused(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.openid()?;
    let journey = bench.journey(&bench.known().person).await?;
    let slash = format!("{}/", journey.says("iss").unwrap_or_default());
    for issuer in ["https://mallory.example.org", "", slash.as_str()] {
        let told = bench.finish(&journey.memo, journey.with("iss", issuer)).await;
        refused(&told, &format!("an answer of the issuer {issuer:?}"), NONSENSE)?;
    }
    Ok(())
}

async fn an_issuer_that_says_its_name_must_say_it(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.openid()?;
    let journey = bench.journey(&bench.known().person).await?;
    if journey.says("iss").is_none() {
        return Err(Verdict::Skipped("the issuer does not say its name".to_owned()));
    }
    // RFC 9207 §2.4: else leaving it out were the way around it.
    refused(&bench.finish(&journey.memo, journey.without("iss")).await, "an answer of nobody", NONSENSE)
}

async fn a_parameter_that_comes_twice_is_refused(bench: &Bench<'_>) -> Result<(), Verdict> {
    let journey = bench.journey(&bench.known().person).await?;
    for (name, value) in &journey.answer {
        if !["code", "state", "iss"].contains(&name.as_str()) {
            continue;
        }
        for second in [value, "another"] {
            let told = bench.finish(&journey.memo, journey.and(name, second)).await;
            refused(&told, &format!("an answer with two of {name}"), NONSENSE)?;
        }
        let mut first = vec![(name.clone(), "another".to_owned())];
        first.extend(journey.answer.clone());
        refused(&bench.finish(&journey.memo, first).await, &format!("an answer with {name} before {name}"), NONSENSE)?;
    }
    Ok(())
}

async fn an_answer_without_a_code_is_refused(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.openid()?;
    let journey = bench.journey(&bench.known().person).await?;
    for answer in [journey.without("code"), journey.with("code", "")] {
        refused(&bench.finish(&journey.memo, answer).await, "an answer without a code", NONSENSE)?;
    }
    let told = bench.finish(&journey.memo, Vec::new()).await;
    refused(&told, "an answer of nothing", REFUSED)
}

async fn a_refused_answer_spends_nothing(bench: &Bench<'_>) -> Result<(), Verdict> {
    let journey = bench.journey(&bench.known().person).await?;
    // Anybody can call the callback; what they bring must not use up what the person is about to bring.
    let theirs = journey.with("state", "a-state-that-nobody-ever-had");
    refused(&bench.finish(&journey.memo, theirs).await, "an answer of somebody else", REFUSED)?;
    let told = bench.finish(&journey.memo, journey.answer.clone()).await;
    told.map_err(|fault| broken(format!("the true answer came too late: {}", fault.audit_text())))?;
    Ok(())
}

async fn a_code_is_good_once(bench: &Bench<'_>) -> Result<(), Verdict> {
    let journey = bench.journey(&bench.known().person).await?;
    let first = bench.finish(&journey.memo, journey.answer.clone()).await;
    first.map_err(|fault| broken(format!("the first time it is refused: {}", fault.audit_text())))?;
    refused(&bench.finish(&journey.memo, journey.answer.clone()).await, "a spent code", BEGIN_AGAIN)
}

async fn a_code_of_another_trip_is_refused(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.openid()?;
    let known = bench.known();
    let (mine, theirs) = (bench.journey(&known.person).await?, bench.journey(&known.other).await?);
    let code = theirs.says("code").unwrap_or_default();
    // Whoever lures a browser to the callback with their own code would log it in as themselves.
    refused(&bench.finish(&mine.memo, mine.with("code", code)).await, "the code of another trip", REFUSED)
}

async fn a_no_is_told_as_a_no_and_trouble_as_trouble(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.openid()?;
    let journey = bench.journey(&bench.known().person).await?;
    for (error, codes) in [
        ("access_denied", &["policy-denied"][..]),
        ("server_error", OUTAGE),
        ("temporarily_unavailable", OUTAGE),
        ("invalid_request", NONSENSE),
        ("a_word_that_nobody_knows", NONSENSE),
    ] {
        refused(&bench.finish(&journey.memo, journey.refusal(error)).await, error, codes)?;
        let other = Journey { answer: journey.with("state", "a-state-that-nobody-ever-had"), ..journey.clone() };
        let told = bench.finish(&journey.memo, other.refusal(error)).await;
        refused(&told, &format!("{error} of another trip"), BEGIN_AGAIN)?;
    }
    Ok(())
}

async fn a_person_who_turns_back_is_told_so(bench: &Bench<'_>) -> Result<(), Verdict> {
    let begun = bench.begun().await?;
    let answer = bench.travels()?.travel(&begun.location, Visitor::SaysNo).await;
    let answer = answer.map_err(|unable| Verdict::Skipped(unable.0))?;
    refused(&bench.finish(&begun.memo, answer).await, "whoever turns back", &["policy-denied"])
}

async fn nothing_that_anybody_can_write_is_shown(bench: &Bench<'_>) -> Result<(), Verdict> {
    const LURE: &str = "Your account is locked, call Mallory";
    bench.openid()?;
    let journey = bench.journey(&bench.known().person).await?;
    for error in ["access_denied", "server_error", LURE] {
        let mut answer = journey.refusal(error);
        answer.push(("error_description".to_owned(), LURE.to_owned()));
        answer.push(("error_uri".to_owned(), "https://mallory.example.org".to_owned()));
        let Err(fault) = bench.finish(&journey.memo, answer).await else { return Err(broken("a no logs in")) };
        let shown = format!("{} {}", fault.public_message(), fault.code());
        ensure!(!shown.to_lowercase().contains("mallory"), "{error}: people are shown {shown:?}");
    }
    Ok(())
}

async fn no_answer_is_an_outage(bench: &Bench<'_>) -> Result<(), Verdict> {
    const LONG: usize = 16_000;
    let journey = bench.journey(&bench.known().person).await?;
    let long = "x".repeat(LONG);
    let codes = ["*", "\0", "\r\nSet-Cookie: a=b", "%00", "' OR '1'='1", "../..", "한글", "{}", "null", long.as_str()];
    for code in codes {
        let shown: String = code.chars().take(20).collect();
        let told = bench.finish(&journey.memo, journey.with("code", code)).await;
        refused(&told, &format!("the code {shown:?}"), REFUSED)?;
        let told = bench.finish(&journey.memo, journey.with("state", code)).await;
        refused(&told, &format!("the state {shown:?}"), REFUSED)?;
    }
    let many = (0..LONG).map(|number| (format!("p{number}"), String::new())).collect();
    refused(&bench.finish(&journey.memo, many).await, "an answer of many parameters", REFUSED)
}

async fn an_outage_is_no_refusal(bench: &Bench<'_>) -> Result<(), Verdict> {
    let journey = bench.journey(&bench.known().person).await?;
    let asked = async || {
        let told = bench.finish(&journey.memo, journey.answer.clone()).await;
        // What is known of the system may be enough to begin.
        let begun = bench.begun_by(bench.provider(), &bench.travels()?.callback()).await;
        Ok::<_, Verdict>((told, begun.err()))
    };
    let (told, begun) = bench.during_an_outage(asked).await??;
    refused(&told, "an answer during an outage", OUTAGE)?;
    ensure!(begun.as_ref().is_none_or(|fault| fault.audit_code() == "unavailable"), "no trip begins: {begun:?}");
    Ok(())
}

async fn no_secret_is_printed(bench: &Bench<'_>) -> Result<(), Verdict> {
    let journey = bench.journey(&bench.known().person).await?;
    let code = journey.says("code").unwrap_or("a-code-of-nobody").to_owned();
    let wrong = [journey.and("code", &code), journey.with("state", "another"), journey.with("iss", &code)];
    let mut printed = String::new();
    for answer in wrong {
        if let Err(fault) = bench.finish(&journey.memo, answer).await {
            printed.push_str(&format!("{fault:?} {} {}", fault.audit_text(), fault.public_message()));
        }
    }
    let login = bench.finish(&journey.memo, journey.answer.clone()).await;
    let spent = bench.finish(&journey.memo, journey.answer.clone()).await;
    printed.push_str(&format!("{:?} {login:?} {spent:?}", bench.provider()));
    let left = login.ok().and_then(|login| login.secret).map(|secret| secret.expose().to_owned());
    let secrets = bench.known().secrets.iter().chain([&code, &journey.memo]).chain(&left);
    for secret in secrets {
        ensure!(!printed.contains(secret.as_str()), "a secret is printed, at {:?}", printed.find(secret.as_str()));
    }
    Ok(())
}

/// A trip and its authorization request, where the browser carries that.
async fn requested(bench: &Bench<'_>) -> Result<(Journey, BTreeMap<String, String>), Verdict> {
    bench.openid()?;
    let journey = bench.begun().await?;
    let request = parameters(&journey)?;
    if request.contains_key("request_uri") {
        let rest: Vec<_> =
            request.keys().filter(|name| !["request_uri", "client_id"].contains(&name.as_str())).collect();
        // RFC 9126 §4: what stands beside the name of a pushed request can be read and changed.
        ensure!(rest.is_empty(), "beside the name of a pushed request stand {rest:?}");
        return Err(Verdict::Skipped("the request is pushed: the browser carries its name alone".to_owned()));
    }
    Ok((journey, request))
}

/// The query of an address.
fn parameters(journey: &Journey) -> Result<BTreeMap<String, String>, Verdict> {
    let url = Url::parse(&journey.location).map_err(|_| broken(format!("{:?} is no address", journey.location)))?;
    Ok(url.query_pairs().into_owned().collect())
}
