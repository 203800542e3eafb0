//! All groups of a person, or an error: never some of them.

use std::collections::BTreeSet;

use auth_core::{Completeness, Principal, PrincipalType};

use crate::run::{Suite, Verdict, broken, ensure, lets_nobody_in};
use crate::{Bench, Change};

pub(super) const SUITE: Suite = Suite {
    name: "groups",
    inapplicable: |bench| lets_nobody_in(bench).or(bench.known().groups.is_empty().then_some("it knows no groups")),
    facts: facts![
        all_of_them_come_with_a_login,
        each_is_a_group_of_this_instance_and_comes_once,
        an_id_of_a_group_rests_on_no_name,
        whoever_joined_none_is_in_none,
        a_refetch_says_what_a_login_says,
        one_that_is_joined_is_seen,
        one_that_is_left_is_gone,
        each_can_be_looked_up,
        an_outage_takes_none_away,
    ],
};

async fn all_of_them_come_with_a_login(bench: &Bench<'_>) -> Result<(), Verdict> {
    let login = bench.enters(&bench.known().person).await?;
    ensure!(login.completeness == Completeness::Complete, "{:?}", login.completeness);
    let expected: BTreeSet<&str> = bench.known().groups.iter().map(String::as_str).collect();
    ensure!(names(&login.groups) == expected, "{:?} instead of {expected:?}", names(&login.groups));
    Ok(())
}

async fn each_is_a_group_of_this_instance_and_comes_once(bench: &Bench<'_>) -> Result<(), Verdict> {
    let groups = bench.enters(&bench.known().person).await?.groups;
    for group in &groups {
        ensure!(group.id.kind() != PrincipalType::User, "{} is a user", group.id);
        ensure!(group.id.instance() == bench.provider().name(), "{} is of another instance", group.id);
    }
    let ids: BTreeSet<String> = groups.iter().map(|group| group.id.to_string()).collect();
    ensure!(ids.len() == groups.len(), "{} ids for {} groups", ids.len(), groups.len());
    Ok(())
}

async fn an_id_of_a_group_rests_on_no_name(bench: &Bench<'_>) -> Result<(), Verdict> {
    if bench.trips().is_some_and(|trips| !trips.has_ids_for_groups()) {
        return Err(Verdict::Skipped("the identity system tells nothing of a group but its name".to_owned()));
    }
    let groups = bench.enters(&bench.known().person).await?.groups;
    let named = groups.iter().find(|group| group.id.external_id() == group.name);
    ensure!(named.is_none(), "{named:?} rests on a name");
    Ok(())
}

async fn whoever_joined_none_is_in_none(bench: &Bench<'_>) -> Result<(), Verdict> {
    let (_, login) = bench.entered_newcomer().await?;
    ensure!(login.completeness == Completeness::Complete, "{:?}", login.completeness);
    ensure!(names(&login.groups) == everybody(bench), "{:?}", names(&login.groups));
    Ok(())
}

async fn a_refetch_says_what_a_login_says(bench: &Bench<'_>) -> Result<(), Verdict> {
    let mut login = bench.enters(&bench.known().person).await?;
    let current = bench.current(&mut login).await?;
    ensure!(current.completeness == login.completeness, "{:?}", current.completeness);
    ensure!(names(&current.groups) == names(&login.groups), "{:?}", names(&current.groups));
    Ok(())
}

async fn one_that_is_joined_is_seen(bench: &Bench<'_>) -> Result<(), Verdict> {
    let group = joinable(bench)?;
    let (person, mut login) = bench.entered_newcomer().await?;
    bench.change(Change::Join(&person.login, group)).await?;
    let expected: BTreeSet<&str> = everybody(bench).into_iter().chain([group]).collect();
    let refetched = bench.current(&mut login).await?.groups;
    ensure!(names(&refetched) == expected, "a refetch says {:?}", names(&refetched));
    let again = bench.enters(&person).await?.groups;
    ensure!(names(&again) == expected, "a login says {:?}", names(&again));
    Ok(())
}

async fn one_that_is_left_is_gone(bench: &Bench<'_>) -> Result<(), Verdict> {
    let group = joinable(bench)?;
    let (person, mut login) = bench.entered_newcomer().await?;
    bench.change(Change::Join(&person.login, group)).await?;
    bench.enters(&person).await?;
    bench.change(Change::Leave(&person.login, group)).await?;
    let refetched = bench.current(&mut login).await?;
    ensure!(refetched.completeness == Completeness::Complete, "{:?}", refetched.completeness);
    ensure!(names(&refetched.groups) == everybody(bench), "a refetch says {:?}", names(&refetched.groups));
    Ok(())
}

async fn each_can_be_looked_up(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.whole_directory().await?;
    for group in bench.enters(&bench.known().person).await?.groups {
        let found = bench.principal(&group.id).await.map_err(|fault| broken(fault.to_string()))?;
        let same = found.as_ref().is_some_and(|found| found.id == group.id && found.name == group.name);
        ensure!(same, "{} ({}) is looked up as {found:?}", group.id, group.name);
    }
    Ok(())
}

async fn an_outage_takes_none_away(bench: &Bench<'_>) -> Result<(), Verdict> {
    let mut login = bench.enters(&bench.known().person).await?;
    let state = bench.during_an_outage(async || bench.refetch(&mut login).await).await?;
    ensure!(state.is_err(), "a refetch during an outage says {state:?}");
    Ok(())
}

fn names(groups: &[Principal]) -> BTreeSet<&str> {
    groups.iter().map(|group| group.name.as_str()).collect()
}

fn everybody<'a>(bench: &'a Bench<'_>) -> BTreeSet<&'a str> {
    bench.known().everybody.iter().map(String::as_str).collect()
}

fn joinable<'a>(bench: &'a Bench<'_>) -> Result<&'a str, Verdict> {
    let group = bench.known().joinable.as_deref();
    group.ok_or_else(|| Verdict::Skipped("there is no group that people could join".to_owned()))
}
