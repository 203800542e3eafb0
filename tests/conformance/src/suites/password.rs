//! What logs in and what does not, and who is told why.

use crate::run::{Suite, Verdict, ensure, takes_no_password};
use crate::{Bench, Person, State};

pub(super) const SUITE: Suite = Suite {
    name: "password",
    inapplicable: takes_no_password,
    facts: facts![
        the_right_one_logs_in,
        a_wrong_one_does_not,
        nearly_the_right_one_does_not,
        somebody_elses_does_not,
        an_unknown_person_is_told_the_same,
        an_empty_one_never_logs_in,
        one_with_a_nul_never_logs_in,
        a_huge_one_never_logs_in,
        the_state_of_an_account_is_told_after_the_right_one_alone,
        an_outage_is_no_wrong_password,
        no_secret_is_printed,
    ],
};

const REFUSED: &str = "bad-credentials";

async fn the_right_one_logs_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.enters(&bench.known().person).await?;
    bench.enters(&bench.known().other).await?;
    Ok(())
}

async fn a_wrong_one_does_not(bench: &Bench<'_>) -> Result<(), Verdict> {
    let told = bench.refusal(&bench.known().person.login, "this is not it").await?;
    ensure!(told == REFUSED, "a wrong password is called {told}");
    Ok(())
}

async fn nearly_the_right_one_does_not(bench: &Bench<'_>) -> Result<(), Verdict> {
    let newcomer = bench.newcomer().await?;
    let right = &newcomer.password;
    let shorter: String = right.chars().take(right.chars().count() - 1).collect();
    for wrong in [format!("{right}x"), format!(" {right}"), format!("{right} "), shorter, right.to_lowercase()] {
        let told = bench.refusal(&newcomer.login, &wrong).await?;
        ensure!(told == REFUSED, "{wrong:?} is called {told}");
    }
    bench.enters(&Person::new(newcomer.login, newcomer.password)).await?;
    Ok(())
}

async fn somebody_elses_does_not(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (one, other) = (bench.newcomer().await?, bench.newcomer().await?);
    let told = bench.refusal(&one.login, &other.password).await?;
    ensure!(told == REFUSED, "called {told}");
    Ok(())
}

async fn an_unknown_person_is_told_the_same(bench: &Bench<'_>) -> Result<(), Verdict> {
    let told = bench.refusal("nobody-of-this-name", "this is not it").await?;
    ensure!(told == REFUSED, "an unknown person is called {told}");
    Ok(())
}

async fn an_empty_one_never_logs_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.refusal(&bench.known().person.login, "").await?;
    bench.refusal("nobody-of-this-name", "").await?;
    Ok(())
}

async fn one_with_a_nul_never_logs_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    let person = &bench.known().person;
    for wrong in [format!("{}\0", person.password), format!("{}\0x", person.password), "\0".to_owned()] {
        bench.refusal(&person.login, &wrong).await?;
    }
    Ok(())
}

async fn a_huge_one_never_logs_in(bench: &Bench<'_>) -> Result<(), Verdict> {
    const MIB: usize = 1024 * 1024;
    bench.refusal(&bench.known().person.login, &"x".repeat(MIB)).await?;
    bench.enters(&bench.known().person).await?;
    Ok(())
}

async fn the_state_of_an_account_is_told_after_the_right_one_alone(bench: &Bench<'_>) -> Result<(), Verdict> {
    if bench.known().states.is_empty() {
        return Err(Verdict::Skipped("accounts have no states".to_owned()));
    }
    for (state, person) in &bench.known().states {
        let told = bench.refusal(&person.login, "this is not it").await?;
        ensure!(told == REFUSED, "{state:?}: a wrong password is told {told}");
        let told = bench.refusal(&person.login, &person.password).await?;
        // Servers say "locked" whatever the password was, so that it must not be told.
        let silent = *state == State::Locked && told == REFUSED;
        ensure!(told == state.code() || silent, "{state:?}: the right password is told {told}");
    }
    Ok(())
}

async fn an_outage_is_no_wrong_password(bench: &Bench<'_>) -> Result<(), Verdict> {
    let person = &bench.known().person;
    let asked = bench
        .during_an_outage(async || {
            Ok([
                bench.refusal(&person.login, &person.password).await?,
                bench.refusal(&person.login, "this is not it").await?,
                bench.refusal("nobody-of-this-name", "this is not it").await?,
            ])
        })
        .await?;
    let told = asked?;
    ensure!(told == ["unavailable"; 3], "right, wrong and unknown are told {told:?}");
    Ok(())
}

async fn no_secret_is_printed(bench: &Bench<'_>) -> Result<(), Verdict> {
    let person = &bench.known().person;
    let login = bench.login(&person.login, &person.password).await;
    let refused = bench.login(&person.login, "this-is-not-it").await;
    let printed = format!("{:?} {login:?} {refused:?}", bench.provider());
    for secret in bench.known().secrets.iter().chain([&person.password, &"this-is-not-it".to_owned()]) {
        ensure!(!printed.contains(secret.as_str()), "a secret shows in Debug, at {:?}", printed.find(secret.as_str()));
    }
    Ok(())
}
