//! An id stays with its person, whatever happens to names, and with nobody else.

use auth_core::{PrincipalId, PrincipalType, Refetch};

use crate::run::{Suite, Verdict, broken, ensure, lets_nobody_in};
use crate::{Bench, Change, Ending, Newcomer, Person};

pub(super) const SUITE: Suite = Suite {
    name: "identity",
    inapplicable: lets_nobody_in,
    facts: facts![
        an_id_is_of_this_instance_and_of_a_user,
        a_person_has_the_same_id_each_time,
        every_spelling_of_a_login_is_the_same_person,
        different_people_have_different_ids,
        an_id_outlives_a_rename,
        an_id_outlives_a_move,
        a_login_that_is_given_to_somebody_else_is_another_id,
        a_known_id_is_found_again,
        a_known_id_is_looked_up,
        an_id_that_nobody_has_is_nobody,
        an_id_of_a_user_is_no_group,
        whoever_is_deleted_is_gone,
        whoever_is_disabled_is_said_to_be,
    ],
};

async fn an_id_is_of_this_instance_and_of_a_user(bench: &Bench<'_>) -> Result<(), Verdict> {
    let user = bench.enters(&bench.known().person).await?.user;
    ensure!(user.id.instance() == bench.provider().name(), "{} is of another instance", user.id);
    ensure!(user.id.kind() == PrincipalType::User, "{} is no user", user.id);
    ensure!(!user.name.is_empty(), "{} has no name", user.id);
    Ok(())
}

async fn a_person_has_the_same_id_each_time(bench: &Bench<'_>) -> Result<(), Verdict> {
    let person = &bench.known().person;
    let (first, second) = (bench.enters(person).await?.user.id, bench.enters(person).await?.user.id);
    ensure!(first == second, "{first}, then {second}");
    Ok(())
}

async fn every_spelling_of_a_login_is_the_same_person(bench: &Bench<'_>) -> Result<(), Verdict> {
    let person = &bench.known().person;
    if person.spellings.is_empty() {
        return Err(Verdict::Skipped("a login has one spelling".to_owned()));
    }
    let id = bench.enters(person).await?.user.id;
    for spelling in &person.spellings {
        let other = bench.enters(&Person::new(spelling, &person.password)).await?.user.id;
        ensure!(other == id, "{spelling:?} is {other}, and {:?} is {id}", person.login);
    }
    Ok(())
}

async fn different_people_have_different_ids(bench: &Bench<'_>) -> Result<(), Verdict> {
    let known = bench.known();
    let (one, other) = (bench.enters(&known.person).await?.user.id, bench.enters(&known.other).await?.user.id);
    ensure!(one != other, "both are {one}");
    Ok(())
}

async fn an_id_outlives_a_rename(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (person, mut before) = bench.entered_newcomer().await?;
    let renamed = Person::new(format!("{}x", person.login), &person.password);
    bench.change(Change::Rename(&person.login, &renamed.login)).await?;
    let after = bench.enters(&renamed).await?.user.id;
    ensure!(after == before.user.id, "{} became {after}", before.user.id);
    let current = bench.current(&mut before).await?.user;
    ensure!(current.login.as_ref() == Some(&renamed.login), "a refetch still says {:?}", current.login);
    Ok(())
}

async fn an_id_outlives_a_move(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (person, mut before) = bench.entered_newcomer().await?;
    bench.change(Change::Move(&person.login)).await?;
    let after = bench.enters(&person).await?.user.id;
    ensure!(after == before.user.id, "{} became {after}", before.user.id);
    bench.current(&mut before).await?;
    Ok(())
}

async fn a_login_that_is_given_to_somebody_else_is_another_id(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (person, mut first) = bench.entered_newcomer().await?;
    bench.change(Change::Delete(&person.login)).await?;
    let heir = Newcomer { login: person.login.clone(), password: format!("{}-heir", person.password) };
    bench.change(Change::Create(&heir)).await?;
    let second = bench.enters(&Person::new(heir.login, heir.password)).await?.user.id;
    ensure!(first.user.id != second, "the heir of {:?} is {second} too", person.login);
    let state = bench.refetch(&mut first).await;
    ensure!(bench.has_ended(&state, Ending::Gone), "a refetch of the first one says {state:?}");
    Ok(())
}

async fn a_known_id_is_found_again(bench: &Bench<'_>) -> Result<(), Verdict> {
    let mut login = bench.enters(&bench.known().person).await?;
    let current = bench.current(&mut login).await?.user;
    ensure!(current.id == login.user.id, "{} is refetched as {}", login.user.id, current.id);
    Ok(())
}

async fn a_known_id_is_looked_up(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.whole_directory().await?;
    let user = bench.enters(&bench.known().person).await?.user;
    let found = bench.principal(&user.id).await.map_err(|fault| broken(fault.to_string()))?;
    ensure!(found.as_ref().is_some_and(|found| found.id == user.id), "{} is looked up as {found:?}", user.id);
    Ok(())
}

async fn an_id_that_nobody_has_is_nobody(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (person, login) = bench.entered_newcomer().await?;
    bench.change(Change::Delete(&person.login)).await?;
    let found = bench.principal(&login.user.id).await;
    ensure!(matches!(found, Ok(None)), "{} is looked up as {found:?}", login.user.id);
    Ok(())
}

async fn an_id_of_a_user_is_no_group(bench: &Bench<'_>) -> Result<(), Verdict> {
    let login = bench.enters(&bench.known().person).await?;
    let user = login.user;
    let Ok(group) = PrincipalId::new(bench.provider().name(), PrincipalType::Group, user.id.external_id()) else {
        return Ok(());
    };
    let found = bench.principal(&group).await;
    ensure!(matches!(found, Ok(None)), "{group} is looked up as {found:?}");
    let state = bench.refetch_as(bench.provider(), &group, login.secret.as_ref()).await;
    ensure!(!matches!(state, Ok(Refetch::Current(_))), "{group} is refetched as a person: {state:?}");
    Ok(())
}

async fn whoever_is_deleted_is_gone(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (person, mut login) = bench.entered_newcomer().await?;
    bench.change(Change::Delete(&person.login)).await?;
    let state = bench.refetch(&mut login).await;
    ensure!(bench.has_ended(&state, Ending::Gone), "{state:?}");
    Ok(())
}

async fn whoever_is_disabled_is_said_to_be(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (person, mut login) = bench.entered_newcomer().await?;
    bench.change(Change::Disable(&person.login)).await?;
    let state = bench.refetch(&mut login).await;
    ensure!(bench.has_ended(&state, Ending::Disabled), "{state:?}");
    Ok(())
}
