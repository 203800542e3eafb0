//! What an issuer may say and what not: forged tokens, trouble and nonsense, each by its name.

mod answers;
mod documents;
mod forged;

use crate::bench::{REFUSED, Told, refused};
use crate::run::{Suite, Verdict, broken, hears_no_lies};
use crate::{Answer, Bench, Endpoint, Lie, issuer};

use answers::*;
use documents::*;
use forged::*;

pub(super) const SUITE: Suite = Suite {
    name: "token",
    inapplicable: hears_no_lies,
    facts: facts![
        what_the_rules_allow_logs_in,
        a_token_of_another_issuer_logs_nobody_in,
        a_token_for_another_client_logs_nobody_in,
        a_token_for_another_party_logs_nobody_in,
        a_token_of_another_trip_logs_nobody_in,
        a_token_that_is_over_logs_nobody_in,
        a_token_that_is_not_yet_logs_nobody_in,
        a_time_that_is_no_number_is_no_time,
        a_token_about_nobody_logs_nobody_in,
        a_token_that_nobody_signed_logs_nobody_in,
        a_token_that_a_stranger_signed_logs_nobody_in,
        a_key_that_a_token_brings_is_none,
        what_both_sides_know_signs_nothing,
        a_token_for_another_use_logs_nobody_in,
        a_token_with_unknown_demands_logs_nobody_in,
        a_claim_that_comes_twice_logs_nobody_in,
        a_token_beside_another_access_token_logs_nobody_in,
        what_is_no_signed_token_logs_nobody_in,
        groups_of_a_wrong_type_are_not_none,
        userinfo_of_another_person_says_nothing,
        userinfo_in_trouble_is_an_outage,
        trouble_at_the_issuer_is_an_outage,
        an_issuer_that_does_not_end_is_given_up,
        nonsense_is_no_login_and_no_outage,
        a_redirect_is_not_followed,
        a_code_is_shown_once,
        a_client_that_the_issuer_does_not_know_is_the_operators_to_mend,
        a_document_of_another_issuer_is_refused,
        a_document_that_makes_no_sense_is_refused,
        documents_that_cannot_be_read_are_an_outage,
        a_key_for_another_purpose_signs_nothing,
        a_new_key_is_found,
        forged_names_of_keys_make_no_flood,
    ],
};

const JSON: &str = "application/json";

/// What is wrong with a token, and how it gets so.
type Row = (&'static str, issuer::Forging);
/// What is wrong with a body, and how it gets so.
type Body = (&'static str, issuer::Retell);
/// What comes in place of an answer, and what it is called.
type Odd = (&'static str, Answer);

/// None of these logs in, and none is called an outage; the truth logs in still.
async fn refuses(bench: &Bench<'_>, rows: &[Row]) -> Result<(), Verdict> {
    for (name, change) in rows {
        let told = with(bench, &[Lie::Token(*change)]).await?;
        refused(&told, &format!("a token {name}"), REFUSED)?;
    }
    bench.enters(&bench.known().person).await?;
    Ok(())
}

/// Whatever an endpoint does of these is told by one of these words; the truth logs in still.
async fn tells(bench: &Bench<'_>, at: Endpoint, rows: &[Odd], codes: &[&str]) -> Result<(), Verdict> {
    for (name, answer) in rows {
        let told = with(bench, &[Lie::Answer(at, *answer)]).await?;
        refused(&told, name, codes)?;
    }
    bench.enters(&bench.known().person).await?;
    Ok(())
}

/// A login at an issuer that begins to lie when the browser is back.
async fn with(bench: &Bench<'_>, lies: &[Lie]) -> Result<Told, Verdict> {
    let issuer = bench.liar()?;
    let journey = bench.journey(&bench.known().person).await?;
    lies.iter().for_each(|lie| issuer.lie(*lie));
    let told = bench.finish(&journey.memo, journey.answer).await;
    issuer.tell_the_truth();
    Ok(told)
}

fn let_in(told: Told, what: &str) -> Result<(), Verdict> {
    told.map(drop).map_err(|fault| broken(format!("{what} is refused: {}", fault.audit_text())))
}
