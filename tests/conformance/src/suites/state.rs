//! What a provider wants to have again at the end of a trip.
//!
//! The gateway seals it, gives it to nobody but the browser that was sent, once and within ten minutes. What is in it, and
//! that it fits the answer that comes, is the provider's.

use std::time::Duration;

use crate::Bench;
use crate::bench::{BEGIN_AGAIN, refused};
use crate::run::{Suite, Verdict, broken, sends_nobody};

pub(super) const SUITE: Suite = Suite {
    name: "state",
    inapplicable: sends_nobody,
    facts: facts![
        an_answer_of_another_trip_is_refused,
        another_process_finishes_a_trip,
        another_client_does_not,
        a_trip_is_over_after_ten_minutes,
        a_memo_that_makes_no_sense_begins_again,
        a_memo_of_another_version_begins_again,
    ],
};

async fn an_answer_of_another_trip_is_refused(bench: &Bench<'_>) -> Result<(), Verdict> {
    let known = bench.known();
    let (mine, theirs) = (bench.journey(&known.person).await?, bench.journey(&known.other).await?);
    refused(&bench.finish(&mine.memo, theirs.answer.clone()).await, "the answer of another trip", BEGIN_AGAIN)?;
    refused(&bench.finish(&theirs.memo, mine.answer.clone()).await, "the memo of another trip", BEGIN_AGAIN)
}

async fn another_process_finishes_a_trip(bench: &Bench<'_>) -> Result<(), Verdict> {
    let journey = bench.journey(&bench.known().person).await?;
    let replica = bench.travels()?.replica(Duration::ZERO);
    let told = bench.finish_by(&*replica, &journey.memo, journey.answer.clone()).await;
    told.map_err(|fault| broken(format!("it does not know what another began: {}", fault.audit_text())))?;
    Ok(())
}

async fn another_client_does_not(bench: &Bench<'_>) -> Result<(), Verdict> {
    let journey = bench.journey(&bench.known().person).await?;
    let elsewhere = bench.travels()?.elsewhere();
    let told = bench.finish_by(&*elsewhere, &journey.memo, journey.answer.clone()).await;
    refused(&told, "another client's answer", BEGIN_AGAIN)?;
    // A code that was shown for another client may be taken for stolen, and is spent.
    let told = bench.finish(&journey.memo, journey.answer.clone()).await;
    told.map_err(|fault| broken(format!("the other client used the code: {}", fault.audit_text())))?;
    Ok(())
}

async fn a_trip_is_over_after_ten_minutes(bench: &Bench<'_>) -> Result<(), Verdict> {
    const LATER: Duration = Duration::from_secs(11 * 60);
    let journey = bench.journey(&bench.known().person).await?;
    let later = bench.travels()?.replica(LATER);
    let told = bench.finish_by(&*later, &journey.memo, journey.answer.clone()).await;
    refused(&told, "a trip of eleven minutes", BEGIN_AGAIN)
}

async fn a_memo_that_makes_no_sense_begins_again(bench: &Bench<'_>) -> Result<(), Verdict> {
    let journey = bench.journey(&bench.known().person).await?;
    let long = "x".repeat(60_000);
    for memo in ["", " ", "null", "{}", "[]", "0", "\"\"", "a memo", "{\"state\":", "\0", long.as_str()] {
        let shown: String = memo.chars().take(20).collect();
        let told = bench.finish(memo, journey.answer.clone()).await;
        refused(&told, &format!("the memo {shown:?}"), BEGIN_AGAIN)?;
    }
    Ok(())
}

/// Gateways of two versions may serve one person during an upgrade.
async fn a_memo_of_another_version_begins_again(bench: &Bench<'_>) -> Result<(), Verdict> {
    let journey = bench.journey(&bench.known().person).await?;
    let end = journey.memo.len();
    for at in [1, end / 3, end / 2, end - 1].map(|at| (0..=at).rev().find(|at| journey.memo.is_char_boundary(*at))) {
        let Some((half, _)) = at.and_then(|at| journey.memo.split_at_checked(at)) else { continue };
        let told = bench.finish(half, journey.answer.clone()).await;
        refused(&told, "a part of a memo", BEGIN_AGAIN)?;
    }
    Ok(())
}
