//! The steps of a provider that shows none of its own: the calls of the contract, one by one.

use auth_core::{
    Completeness, Contained, Context, Login, LoginInput, Password, PrincipalType, Refetch, Report, Search, Step,
};

use super::failed;

/// How many of those whose name begins alike are looked through.
const ALIKE: usize = 50;

/// What is tried beside the way to the provider.
pub(super) struct Wanted {
    pub(super) user: Option<String>,
    pub(super) password: Option<Password>,
}

/// Looks for the person, reads their groups, and tries the password.
pub(super) async fn walk(provider: &Contained, context: &Context, wanted: Wanted, report: &Report) {
    let name = wanted.user.clone().unwrap_or_else(|| "gatewarden-check".to_owned());
    let search = Search::new(name.clone(), ALIKE).of_kind(PrincipalType::User);
    let page = match provider.search_principals(context, search).await {
        Ok(page) => page,
        Err(error) => return report.add(failed("search", &error)),
    };
    report.add(Step::good("search", format!("answers: {} people", page.principals.len())).fact("text", &name));
    let Some(user) = wanted.user else { return };
    let Some(found) = page.principals.iter().find(|one| one.goes_by(&user)) else {
        let step = Step::bad("user", format!("nobody has the login name {user:?}"));
        return report.add(step.hint("`gatewarden user list` shows who is known"));
    };
    report.add(Step::good("user", found.id.to_string()));
    match provider.refetch_group_principals(context, &found.id, None).await {
        Err(error) => report.add(failed("groups", &error)),
        Ok(Refetch::UserGone) => report.add(Step::bad("account", "the provider does not know them")),
        Ok(Refetch::UserDisabled) => report.add(Step::bad("account", "disabled")),
        Ok(Refetch::NeedsLogin) => report.add(Step::odd("account", "only a login tells more")),
        Ok(Refetch::Current(current)) => {
            let names: Vec<&str> = current.groups.iter().map(|group| group.name.as_str()).collect();
            let told = format!("{} {}", names.len(), names.join(", "));
            report.add(match &current.completeness {
                Completeness::Complete => Step::good("groups", told.trim_end()),
                Completeness::Incomplete(why) => Step::bad("groups", format!("{told}, and not all: {why}")),
            });
        }
    }
    if let Some(password) = wanted.password {
        let login = provider.authenticate_user(context, LoginInput::Password { login: user, password }).await;
        report.add(match login {
            Ok(Login { .. }) => Step::good("password", "right"),
            Err(error) => failed("password", &error),
        });
    }
}
