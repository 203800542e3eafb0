//! Asking about somebody again, with what their login left here.

use std::collections::BTreeSet;
use std::time::Duration;

use auth_core::{
    AuthError, Completeness, Current, Login, Principal, PrincipalId, PrincipalType, ProviderSecret, Refetch,
};
use serde_json::{Value, json};

use crate::bench::{GIVEN_UP, never};
use crate::run::{Suite, Verdict, broken, ensure, sends_nobody};
use crate::{Answer, Bench, Change, Endpoint, Issuer, Lie};

pub(super) const SUITE: Suite = Suite {
    name: "refresh",
    inapplicable: sends_nobody,
    facts: facts![
        a_refetch_says_what_a_login_says,
        each_refetch_goes_on_from_the_one_before,
        a_spent_secret_needs_a_login,
        no_secret_and_an_odd_one_need_a_login,
        somebody_elses_secret_says_nothing,
        another_process_takes_a_secret,
        another_client_does_not,
        an_outage_takes_nothing_away,
        whoever_has_run_out_needs_a_login,
        trouble_at_the_issuer_ends_nobody,
        an_issuer_that_does_not_end_is_given_up,
        nonsense_ends_nobody,
        tokens_that_prove_nothing_say_nothing,
        tokens_of_somebody_else_say_nothing,
        userinfo_of_somebody_else_says_nothing,
        groups_that_cannot_be_read_are_not_none,
        a_secret_is_not_lost_in_trouble,
        a_secret_is_shown_once,
    ],
};

const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(500);

async fn a_refetch_says_what_a_login_says(bench: &Bench<'_>) -> Result<(), Verdict> {
    let mut login = bench.enters(&bench.known().person).await?;
    let current = bench.current(&mut login).await?;
    ensure!(current.user == login.user, "{:?} became {:?}", login.user, current.user);
    ensure!(current.extra == login.extra, "{:?} became {:?}", login.extra, current.extra);
    ensure!(current.completeness == login.completeness, "{:?}", current.completeness);
    ensure!(names(&current.groups) == names(&login.groups), "{:?}", names(&current.groups));
    Ok(())
}

async fn each_refetch_goes_on_from_the_one_before(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (person, mut login) = bench.entered_newcomer().await?;
    let group = bench.known().joinable.clone().unwrap_or_default();
    let everybody: BTreeSet<String> = bench.known().everybody.iter().cloned().collect();
    for round in 0..4 {
        let is_in = !group.is_empty() && round % 2 == 1;
        match round {
            0 => {}
            _ if group.is_empty() => {}
            _ if is_in => bench.change(Change::Join(&person.login, &group)).await?,
            _ => bench.change(Change::Leave(&person.login, &group)).await?,
        }
        let mut expected = everybody.clone();
        expected.extend(is_in.then(|| group.clone()));
        let current = bench.current(&mut login).await?;
        ensure!(names(&current.groups) == expected, "the refetch {round} says {:?}", names(&current.groups));
    }
    Ok(())
}

async fn a_spent_secret_needs_a_login(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (_, mut login) = bench.entered_newcomer().await?;
    let first = kept(&login)?;
    bench.current(&mut login).await?;
    if kept(&login)?.expose() == first.expose() {
        return Err(Verdict::Skipped("secrets stay as they are".to_owned()));
    }
    // Some systems count in seconds, and take a spent one again in the second that it was spent in.
    for _ in 0..TRIES {
        let state = bench.refetch_as(bench.provider(), &login.user.id, Some(&first)).await;
        if !matches!(state, Ok(Refetch::Current(_))) {
            return needs_login(&state, "a spent secret");
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Verdict::Skipped("the identity system takes spent ones".to_owned()))
}

async fn no_secret_and_an_odd_one_need_a_login(bench: &Bench<'_>) -> Result<(), Verdict> {
    let login = bench.enters(&bench.known().person).await?;
    let secret = kept(&login)?;
    let half: String = secret.expose().chars().take(secret.expose().chars().count() / 2).collect();
    let long = "x".repeat(60_000);
    needs_login(&bench.refetch_as(bench.provider(), &login.user.id, None).await, "no secret")?;
    for odd in ["", "null", "{}", "[]", "a secret", "\0", half.as_str(), long.as_str()] {
        let odd = ProviderSecret::new(odd);
        let state = bench.refetch_as(bench.provider(), &login.user.id, Some(&odd)).await;
        needs_login(&state, "an odd secret")?;
    }
    Ok(())
}

async fn somebody_elses_secret_says_nothing(bench: &Bench<'_>) -> Result<(), Verdict> {
    let known = bench.known();
    let (mut mine, theirs) = (bench.enters(&known.person).await?, bench.enters(&known.other).await?);
    let secret = kept(&mine)?;
    let mut ids = vec![theirs.user.id.clone()];
    let instance = "some-other-instance".parse().map_err(|_| broken("an id"))?;
    ids.extend(PrincipalId::new(&instance, PrincipalType::User, mine.user.id.external_id()));
    ids.extend(PrincipalId::new(bench.provider().name(), PrincipalType::Group, mine.user.id.external_id()));
    for id in &ids {
        let state = bench.refetch_as(bench.provider(), id, Some(&secret)).await;
        ensure!(!matches!(state, Ok(Refetch::Current(_))), "{id} is refetched with what is not theirs: {state:?}");
        ensure!(!matches!(state, Ok(Refetch::UserGone | Refetch::UserDisabled)), "{id}: {state:?}");
    }
    bench.current(&mut mine).await?;
    Ok(())
}

async fn another_process_takes_a_secret(bench: &Bench<'_>) -> Result<(), Verdict> {
    let login = bench.enters(&bench.known().person).await?;
    let replica = bench.travels()?.replica(Duration::ZERO);
    let state = bench.refetch_as(&*replica, &login.user.id, login.secret.as_ref()).await;
    ensure!(matches!(state, Ok(Refetch::Current(_))), "{state:?}");
    Ok(())
}

async fn another_client_does_not(bench: &Bench<'_>) -> Result<(), Verdict> {
    let mut login = bench.enters(&bench.known().person).await?;
    let elsewhere = bench.travels()?.elsewhere();
    let state = bench.refetch_as(&*elsewhere, &login.user.id, login.secret.as_ref()).await;
    needs_login(&state, "what another client left")?;
    // Nor is it shown there: that would spend it.
    bench.current(&mut login).await?;
    Ok(())
}

async fn an_outage_takes_nothing_away(bench: &Bench<'_>) -> Result<(), Verdict> {
    let mut login = bench.enters(&bench.known().person).await?;
    let state = bench.during_an_outage(async || bench.refetch(&mut login).await).await?;
    outage(&state, "an outage")
}

async fn whoever_has_run_out_needs_a_login(bench: &Bench<'_>) -> Result<(), Verdict> {
    const OVER: Answer = Answer::Says(400, JSON, r#"{"error":"invalid_grant"}"#);
    let (issuer, mut login) = lied_to(bench).await?;
    issuer.lie(Lie::Answer(Endpoint::Token, OVER));
    needs_login(&bench.refetch(&mut login).await, "invalid_grant")
}

const JSON: &str = "application/json";

async fn trouble_at_the_issuer_ends_nobody(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (issuer, _) = lied_to(bench).await?;
    for (name, answer) in [
        ("500", Answer::Says(500, "text/html", "<h1>Oh</h1>")),
        ("500 that blames the person", Answer::Says(500, JSON, r#"{"error":"invalid_grant"}"#)),
        ("503", Answer::Says(503, "text/plain", "")),
        ("429", Answer::Says(429, JSON, r#"{"error":"slow_down"}"#)),
        ("an answer that is cut off", Answer::Cut),
    ] {
        let mut login = bench.enters(&bench.known().person).await?;
        issuer.lie(Lie::Answer(Endpoint::Token, answer));
        outage(&bench.refetch(&mut login).await, name)?;
        issuer.tell_the_truth();
    }
    let mut login = bench.enters(&bench.known().person).await?;
    issuer.lie(Lie::Answer(Endpoint::Token, Answer::Says(401, JSON, r#"{"error":"invalid_client"}"#)));
    let state = bench.refetch(&mut login).await;
    let operators = matches!(&state, Err(fault) if fault.audit_code() == "misconfigured");
    ensure!(operators, "a client that the issuer does not know: {state:?}");
    Ok(())
}

async fn an_issuer_that_does_not_end_is_given_up(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (issuer, login) = lied_to(bench).await?;
    for (name, answer) in [("silence", Answer::Silence), ("an answer without an end", Answer::Endless)] {
        issuer.lie(Lie::Answer(Endpoint::Token, answer));
        let context = bench.in_haste();
        let asked = bench.provider().refetch_group_principals(&context, &login.user.id, login.secret.as_ref());
        let state = tokio::time::timeout(GIVEN_UP, asked).await.map_err(|_| never())?;
        outage(&state, name)?;
        issuer.tell_the_truth();
    }
    Ok(())
}

async fn nonsense_ends_nobody(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (issuer, _) = lied_to(bench).await?;
    for (name, answer) in [
        ("a page", Answer::Says(200, "text/html", "<h1>Welcome</h1>")),
        ("404", Answer::Says(404, "text/html", "<h1>Where?</h1>")),
        ("nothing", Answer::Says(200, JSON, "")),
        ("a list", Answer::Says(200, JSON, "[]")),
        ("no tokens", Answer::Says(200, JSON, "{}")),
        ("a redirect", Answer::Redirect),
        ("two million bytes", Answer::Huge),
    ] {
        let mut login = bench.enters(&bench.known().person).await?;
        issuer.lie(Lie::Answer(Endpoint::Token, answer));
        let state = bench.refetch(&mut login).await;
        ensure!(state.is_err(), "{name}: {state:?}");
        issuer.tell_the_truth();
    }
    ensure!(issuer.asked(Endpoint::Elsewhere) == 0, "a refresh token went where a redirect leads");
    Ok(())
}

async fn tokens_that_prove_nothing_say_nothing(bench: &Bench<'_>) -> Result<(), Verdict> {
    unproven(
        bench,
        &[
            ("of another issuer", |f| f.set("iss", json!("https://mallory.example.org"))),
            ("for another client", |f| f.set("aud", json!("another"))),
            ("that is over", |f| f.shift("exp", -86_400)),
            ("of another login", |f| f.set("nonce", json!("the-nonce-of-another-login"))),
            ("that a stranger signed", |f| f.sign = crate::Sign::Stranger),
            ("that nobody signed", |f| {
                f.head("alg", json!("none"));
                f.sign = crate::Sign::Bytes(Vec::new());
            }),
        ],
    )
    .await
}

async fn tokens_of_somebody_else_say_nothing(bench: &Bench<'_>) -> Result<(), Verdict> {
    unproven(
        bench,
        &[("about another person", |f| f.set("sub", json!("person-2"))), ("about nobody", |f| f.without("sub"))],
    )
    .await
}

async fn userinfo_of_somebody_else_says_nothing(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (issuer, mut login) = lied_to(bench).await?;
    issuer.lie(Lie::Token(|f| f.without("groups")));
    issuer.lie(Lie::Body(Endpoint::Userinfo, |mut claims| {
        put(&mut claims, "sub", json!("person-2"));
        put(&mut claims, "groups", json!(["wheel"]));
        claims.to_string()
    }));
    let state = bench.refetch(&mut login).await;
    let stolen = current(&state).is_some_and(|current| names(&current.groups).contains("wheel"));
    ensure!(!stolen, "groups of another person: {state:?}");
    Ok(())
}

async fn groups_that_cannot_be_read_are_not_none(bench: &Bench<'_>) -> Result<(), Verdict> {
    unproven(
        bench,
        &[
            ("whose groups are a number", |f| f.set("groups", json!(7))),
            ("whose groups hold a number", |f| f.set("groups", json!(["dev", 7]))),
        ],
    )
    .await?;
    let (issuer, mut login) = lied_to(bench).await?;
    issuer.lie(Lie::Token(|f| f.without("groups")));
    issuer.lie(Lie::Answer(Endpoint::Userinfo, Answer::Says(503, "text/plain", "")));
    says_nothing(bench, &mut login, "a token without groups, and userinfo in trouble").await
}

async fn a_secret_is_not_lost_in_trouble(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (issuer, mut login) = lied_to(bench).await?;
    // The old one is spent, the new one has come, and then something goes wrong.
    issuer.lie(Lie::Token(|f| f.without("groups")));
    issuer.lie(Lie::Answer(Endpoint::Userinfo, Answer::Says(503, "text/plain", "")));
    let during = bench.refetch(&mut login).await;
    issuer.tell_the_truth();
    let after = bench.refetch(&mut login).await;
    ensure!(matches!(after, Ok(Refetch::Current(_))), "{during:?}, and then {after:?}");
    Ok(())
}

async fn a_secret_is_shown_once(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (issuer, mut login) = lied_to(bench).await?;
    issuer.lie(Lie::Answer(Endpoint::Token, Answer::Says(503, "text/plain", "")));
    let before = issuer.asked(Endpoint::Token);
    let _state = bench.refetch(&mut login).await;
    let shown = issuer.asked(Endpoint::Token) - before;
    // Shown again, one that rotates looks stolen, and ends everything.
    ensure!(shown == 1, "it was shown {shown} times");
    Ok(())
}

type Row = (&'static str, crate::issuer::Forging);

/// New tokens that are wrong change nothing, and end nobody.
async fn unproven(bench: &Bench<'_>, rows: &[Row]) -> Result<(), Verdict> {
    for (name, change) in rows {
        let (issuer, mut login) = lied_to(bench).await?;
        issuer.lie(Lie::Token(*change));
        says_nothing(bench, &mut login, &format!("a token {name}")).await?;
        issuer.tell_the_truth();
    }
    Ok(())
}

/// An error, or an answer that is called incomplete: the core keeps what it knew.
async fn says_nothing(bench: &Bench<'_>, login: &mut Login, what: &str) -> Result<(), Verdict> {
    let state = bench.refetch(login).await;
    let nothing = match &state {
        Ok(Refetch::Current(current)) => current.completeness != Completeness::Complete,
        Ok(_) => false,
        Err(_) => true,
    };
    ensure!(nothing, "{what}: {state:?}");
    let id = current(&state).map(|current| &current.user.id);
    ensure!(id.is_none_or(|id| *id == login.user.id), "{what} is about {id:?}");
    Ok(())
}

/// The issuer, and somebody who is in.
async fn lied_to<'a>(bench: &'a Bench<'_>) -> Result<(&'a Issuer, Login), Verdict> {
    let issuer = bench.liar()?;
    Ok((issuer, bench.enters(&bench.known().person).await?))
}

fn kept(login: &Login) -> Result<ProviderSecret, Verdict> {
    let secret = login.secret.as_ref().map(|secret| ProviderSecret::new(secret.expose()));
    secret.ok_or_else(|| Verdict::Skipped("a login leaves nothing to ask with".to_owned()))
}

fn needs_login(state: &Result<Refetch, AuthError>, what: &str) -> Result<(), Verdict> {
    ensure!(matches!(state, Ok(Refetch::NeedsLogin)), "{what}: {state:?}");
    Ok(())
}

fn outage(state: &Result<Refetch, AuthError>, what: &str) -> Result<(), Verdict> {
    ensure!(matches!(state, Err(AuthError::Unavailable { .. })), "{what}: {state:?}");
    Ok(())
}

fn current(state: &Result<Refetch, AuthError>) -> Option<&Current> {
    if let Ok(Refetch::Current(current)) = state { Some(current) } else { None }
}

fn put(of: &mut Value, name: &str, value: Value) {
    if let Some(object) = of.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

fn names(groups: &[Principal]) -> BTreeSet<String> {
    groups.iter().map(|group| group.name.clone()).collect()
}
