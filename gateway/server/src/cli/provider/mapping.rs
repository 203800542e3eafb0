//! What clusters would see of whom was tried, rule by rule, by the code of a login.

use auth_core::{Context, PrincipalType, Refetch, Report, Search, Step};
use gatewarden_control::ProviderEntry;

/// How many of those whose name begins alike are looked through.
const ALIKE: usize = 50;

/// Stands for the id that the gateway gives at the first login, which no provider knows.
const OWN_UID: &str = "u-…";

/// Adds a step for each rule. Nothing is added for somebody whom the provider shows only to themselves: why their
/// groups cannot be read has been told before.
pub(super) async fn walk(entry: &ProviderEntry, context: &Context, user: &str, report: &Report) {
    let search = Search::new(user, ALIKE).of_kind(PrincipalType::User);
    let Ok(page) = entry.provider.search_principals(context, search).await else { return };
    let Some(found) = page.principals.into_iter().find(|one| one.goes_by(user)) else { return };
    let Ok(Refetch::Current(person)) = entry.provider.refetch_group_principals(context, &found.id, None).await else {
        return;
    };
    for step in entry.mapping.steps(OWN_UID, &person.user, &person.groups, &person.extra) {
        report.add(Step::good("mapping", step.to_string()));
    }
    if let Err(why) = entry.mapping.map(OWN_UID, &person.user, &person.groups, &person.extra) {
        report.add(Step::bad("mapping", format!("a login is refused: {why}")));
    }
}
