//! The whole line: a person of a directory, a token, the real kubectl, the gateway, real clusters.
//!
//! `cargo test -p e2e` runs everything; `cargo test -p e2e -- exec` what has that in its name. All cases share two
//! clusters, a directory and a gateway, and run at once, so each one makes what it changes: its own objects, its own
//! people, and where it stops or cuts something, its own gateway.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests")]

/// Makes cases of a module's functions, named as the functions are.
macro_rules! facts {
    ($($fact:ident),+ $(,)?) => {
        vec![$(Case::new(concat!(module_path!(), "::", stringify!($fact)), $fact)),+]
    };
}

mod bed;
mod gate;
mod people;

mod access;
mod api;
mod bearers;
mod clients;
mod disk;
mod explain;
mod faults;
mod hostile;
mod identity;
mod impersonation;
mod isolation;
mod issuer;
mod keycloak;
mod kills;
mod lifecycle;
mod logouts;
mod mapping;
mod monitoring;
mod openid;
mod outages;
mod pages;
mod plugin;
mod probes;
mod protocols;
mod providers;
mod reads;
mod refusals;
mod revocation;
mod service_accounts;
mod streams;
mod trust;
mod writes;

use std::process::ExitCode;

use e2e::Case;

use crate::bed::Bed;

fn main() -> ExitCode {
    // What the standard harness would be told, such as `--nocapture`, has no meaning here.
    let filters: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    e2e::run(cases(), &filters, Bed::make)
}

fn cases() -> Vec<Case<Bed>> {
    // The longest waits first.
    let modules = [
        keycloak::facts(),
        logouts::facts(),
        kills::facts(),
        faults::facts(),
        revocation::facts(),
        disk::facts(),
        monitoring::facts(),
        openid::facts(),
        bearers::facts(),
        service_accounts::facts(),
        clients::facts(),
        pages::facts(),
        probes::facts(),
        trust::facts(),
        explain::facts(),
        providers::facts(),
        plugin::facts(),
        issuer::facts(),
        access::facts(),
        api::facts(),
        mapping::facts(),
        outages::facts(),
        lifecycle::facts(),
        streams::facts(),
        reads::facts(),
        writes::facts(),
        identity::facts(),
        impersonation::facts(),
        isolation::facts(),
        hostile::facts(),
        refusals::facts(),
        protocols::facts(),
    ];
    modules.into_iter().flatten().chain(by_token()).collect()
}

/// What kubectl does, once more through a gateway whose clusters read tokens instead of impersonation headers.
fn by_token() -> impl Iterator<Item = Case<Bed>> {
    let modules = [
        streams::facts(),
        reads::facts(),
        writes::facts(),
        identity::facts(),
        impersonation::facts(),
        isolation::facts(),
        protocols::facts(),
    ];
    modules.into_iter().flatten().map(|case| case.on("bearer", Bed::bearer))
}
