//! What an issuer says of itself, and its keys.

use std::time::Duration;

use auth_core::AuthProvider;
use serde_json::{Value, json};

use super::{Body, JSON, Odd};
use crate::bench::{NONSENSE, OUTAGE, REFUSED, Told, refused};
use crate::run::{Verdict, broken, ensure};
use crate::{Answer, Bench, Endpoint, Lie, Sign};

pub(super) async fn a_document_of_another_issuer_is_refused(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Body] = &[
        ("of another issuer", |document| put(document, "issuer", json!("https://mallory.example.org"))),
        ("of an issuer with a slash more", |document| {
            let issuer = document.get("issuer").and_then(Value::as_str).unwrap_or_default();
            let slash = json!(format!("{issuer}/"));
            put(document, "issuer", slash)
        }),
        ("of no issuer", |document| put(document, "issuer", json!(null))),
    ];
    nonsense(bench, ROWS).await
}

pub(super) async fn a_document_that_makes_no_sense_is_refused(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Body] = &[
        ("without an authorization endpoint", |document| put(document, "authorization_endpoint", json!(null))),
        ("without a token endpoint", |document| put(document, "token_endpoint", json!(null))),
        ("that sends browsers to a script", |document| {
            put(document, "authorization_endpoint", json!("javascript:alert(1)"))
        }),
        ("that is a list", |_| "[]".to_owned()),
        ("that is no JSON", |_| "<h1>Welcome</h1>".to_owned()),
    ];
    nonsense(bench, ROWS).await
}

async fn nonsense(bench: &Bench<'_>, rows: &[Body]) -> Result<(), Verdict> {
    let issuer = bench.liar()?;
    for (name, body) in rows {
        issuer.lie(Lie::Body(Endpoint::Document, *body));
        let told = fresh(bench, None).await;
        issuer.tell_the_truth();
        refused(&told, &format!("a document {name}"), NONSENSE)?;
    }
    Ok(())
}

pub(super) async fn documents_that_cannot_be_read_are_an_outage(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Odd] = &[
        ("503", Answer::Says(503, "text/plain", "")),
        ("500", Answer::Says(500, JSON, "{}")),
        ("an answer that is cut off", Answer::Cut),
    ];
    let issuer = bench.liar()?;
    for at in [Endpoint::Document, Endpoint::Keys] {
        for (name, answer) in ROWS {
            issuer.lie(Lie::Answer(at, *answer));
            let told = fresh(bench, None).await;
            issuer.tell_the_truth();
            refused(&told, &format!("{at:?} that answers {name}"), OUTAGE)?;
        }
    }
    Ok(())
}

pub(super) async fn a_key_for_another_purpose_signs_nothing(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Body] = &[
        ("for encryption", |keys| each(keys, "use", json!("enc"))),
        ("for another algorithm", |keys| each(keys, "alg", json!("RS512"))),
        ("of another kind", |keys| each(keys, "kty", json!("oct"))),
        ("without a modulus", |keys| each(keys, "n", json!(""))),
    ];
    let issuer = bench.liar()?;
    for (name, body) in ROWS {
        issuer.lie(Lie::Body(Endpoint::Keys, *body));
        let told = fresh(bench, None).await;
        issuer.tell_the_truth();
        refused(&told, &format!("a key {name}"), REFUSED)?;
    }
    Ok(())
}

pub(super) async fn a_new_key_is_found(bench: &Bench<'_>) -> Result<(), Verdict> {
    const TRIES: usize = 40;
    const PAUSE: Duration = Duration::from_millis(500);
    let replica = bench.travels()?.replica(Duration::ZERO);
    let issuer = bench.liar()?;
    let before = fresh(bench, Some(&*replica)).await;
    before.map_err(|fault| broken(format!("with the first key nobody is in: {}", fault.audit_text())))?;
    issuer.rotate_keys();
    let mut told = fresh(bench, Some(&*replica)).await;
    // Keys may be asked for no more than every so often.
    for _ in 0..TRIES {
        if told.is_ok() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        told = fresh(bench, Some(&*replica)).await;
    }
    // For who knows the first ones.
    issuer.rotate_keys();
    told.map(drop).map_err(|fault| broken(format!("the new key is not found: {}", fault.audit_text())))
}

pub(super) async fn forged_names_of_keys_make_no_flood(bench: &Bench<'_>) -> Result<(), Verdict> {
    const FORGED: usize = 30;
    const FEW: usize = 10;
    let replica = bench.travels()?.replica(Duration::ZERO);
    let issuer = bench.liar()?;
    let person = &bench.known().person;
    let before = fresh(bench, Some(&*replica)).await;
    before.map_err(|fault| broken(format!("with the true key nobody is in: {}", fault.audit_text())))?;
    let mut journeys = Vec::new();
    for _ in 0..FORGED {
        let journey = bench.journey_by(&*replica, person).await;
        journeys.push(journey.map_err(|fault| broken(format!("no trip: {}", fault.audit_text())))?);
    }
    let before = issuer.asked(Endpoint::Keys);
    issuer.lie(Lie::Token(|f| {
        let name = json!(format!("forged-{}", f.claims.get("nonce").cloned().unwrap_or_default()));
        f.head("kid", name);
        f.sign = Sign::Stranger;
    }));
    // One after the other: those that come together may share a question.
    for journey in journeys {
        let told = bench.finish_by(&*replica, &journey.memo, journey.answer).await;
        refused(&told, "a token of a forged key", REFUSED)?;
    }
    let asked = issuer.asked(Endpoint::Keys) - before;
    ensure!(asked <= FEW, "{FORGED} forged tokens had the keys asked for {asked} times");
    Ok(())
}

/// A login by a provider that knows nothing of the issuer yet, or by this one.
async fn fresh(bench: &Bench<'_>, provider: Option<&dyn AuthProvider>) -> Told {
    let person = &bench.known().person;
    match (provider, bench.trips()) {
        (Some(provider), _) => bench.by_trip_of(provider, person).await,
        (None, Some(trips)) => bench.by_trip_of(&*trips.replica(Duration::ZERO), person).await,
        (None, None) => bench.by_trip_of(bench.provider(), person).await,
    }
}

fn put(mut of: Value, name: &str, value: Value) -> String {
    if let Some(object) = of.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
    of.to_string()
}

fn each(mut keys: Value, name: &str, value: Value) -> String {
    for key in keys.get_mut("keys").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(key) = key.as_object_mut() {
            key.insert(name.to_owned(), value.clone());
        }
    }
    keys.to_string()
}
