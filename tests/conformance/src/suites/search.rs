//! People and groups are found by their names, page by page, and an outage is no empty page.

use std::collections::BTreeSet;

use auth_core::{PrincipalType, Search};

use crate::run::{Suite, Verdict, broken, ensure};
use crate::{Bench, Change};

pub(super) const SUITE: Suite = Suite {
    name: "search",
    inapplicable: |_| None,
    facts: facts![
        a_person_is_found_by_the_beginning_of_a_name,
        whoever_is_found_has_the_id_of_a_login,
        a_group_is_found,
        one_kind_is_found_where_one_was_asked_for,
        a_page_holds_no_more_than_was_asked_for,
        pages_bring_everybody_once,
        nobody_is_an_empty_page,
        whoever_is_deleted_is_not_found,
        an_outage_is_no_empty_page,
    ],
};

/// More than a page holds anywhere: how many a search of facts asks for.
const MANY: usize = 50;

async fn a_person_is_found_by_the_beginning_of_a_name(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.whole_directory().await?;
    let newcomer = bench.newcomer().await?;
    let (beginning, _) = newcomer.login.split_at(newcomer.login.len() - 1);
    let found = bench.everybody(beginning, PrincipalType::User, MANY).await?;
    let there = found.iter().any(|user| user.login.as_ref() == Some(&newcomer.login));
    ensure!(there, "{beginning:?} finds {} people, and {:?} is not among them", found.len(), newcomer.login);
    Ok(())
}

async fn whoever_is_found_has_the_id_of_a_login(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.whole_directory().await?;
    let user = bench.enters(&bench.known().person).await?.user;
    let text = user.login.clone().unwrap_or_else(|| user.name.clone());
    let found = bench.everybody(&text, PrincipalType::User, MANY).await?;
    ensure!(found.iter().any(|found| found.id == user.id), "{text:?} does not find {}", user.id);
    Ok(())
}

async fn a_group_is_found(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.whole_directory().await?;
    let Some(group) = bench.enters(&bench.known().person).await?.groups.into_iter().next() else {
        return Err(Verdict::Skipped("it knows no groups".to_owned()));
    };
    let found = bench.everybody(&group.name, PrincipalType::Group, MANY).await?;
    ensure!(found.iter().any(|found| found.id == group.id), "{:?} does not find {}", group.name, group.id);
    Ok(())
}

async fn one_kind_is_found_where_one_was_asked_for(bench: &Bench<'_>) -> Result<(), Verdict> {
    let known = bench.known();
    let texts = known.groups.iter().map(String::as_str).chain([known.person.login.as_str()]);
    for text in texts {
        for kind in [PrincipalType::User, PrincipalType::Group] {
            let found = bench.everybody(text, kind, MANY).await?;
            let other = found.iter().find(|principal| principal.id.kind() != kind);
            ensure!(other.is_none(), "a search for {kind:?} finds {other:?}");
        }
    }
    Ok(())
}

async fn a_page_holds_no_more_than_was_asked_for(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.whole_directory().await?;
    for _ in 0..3 {
        bench.newcomer().await?;
    }
    let page = bench.search(Search::new("newcomer", 2)).await.map_err(|fault| broken(fault.to_string()))?;
    ensure!(page.principals.len() <= 2, "{} on a page of 2", page.principals.len());
    Ok(())
}

async fn pages_bring_everybody_once(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.whole_directory().await?;
    let mut expected = BTreeSet::new();
    for _ in 0..5 {
        expected.insert(bench.newcomer().await?.login);
    }
    for limit in [1, 2, MANY] {
        let found = bench.everybody("newcomer", PrincipalType::User, limit).await?;
        let logins: BTreeSet<String> = found.iter().filter_map(|user| user.login.clone()).collect();
        let ids: BTreeSet<String> = found.iter().map(|user| user.id.to_string()).collect();
        ensure!(ids.len() == found.len(), "pages of {limit} bring somebody twice");
        let missing: Vec<_> = expected.difference(&logins).collect();
        ensure!(missing.is_empty(), "pages of {limit} leave out {missing:?}");
    }
    Ok(())
}

async fn nobody_is_an_empty_page(bench: &Bench<'_>) -> Result<(), Verdict> {
    for kind in [PrincipalType::User, PrincipalType::Group] {
        let found = bench.everybody("nobody-of-this-name", kind, 10).await?;
        ensure!(found.is_empty(), "{found:?}");
    }
    Ok(())
}

async fn whoever_is_deleted_is_not_found(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.whole_directory().await?;
    let newcomer = bench.newcomer().await?;
    bench.change(Change::Delete(&newcomer.login)).await?;
    let found = bench.everybody(&newcomer.login, PrincipalType::User, MANY).await?;
    let there = found.iter().find(|user| user.login.as_ref() == Some(&newcomer.login));
    ensure!(there.is_none(), "{there:?}");
    Ok(())
}

async fn an_outage_is_no_empty_page(bench: &Bench<'_>) -> Result<(), Verdict> {
    bench.whole_directory().await?;
    let login = bench.known().person.login.clone();
    let page = bench.during_an_outage(async || bench.search(Search::new(login, 10)).await).await?;
    ensure!(page.is_err(), "{page:?}");
    Ok(())
}
