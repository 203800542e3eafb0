//! Answers that are none, and what each is called.

use serde_json::{Value, json};

use super::{Body, JSON, Odd, tells, with};
use crate::bench::{NONSENSE, OUTAGE, refused};
use crate::run::{Verdict, ensure};
use crate::{Answer, Bench, Endpoint, Lie};

const TROUBLE: &[Odd] = &[
    ("500", Answer::Says(500, "text/html", "<h1>Oh</h1>")),
    ("500 that blames the code", Answer::Says(500, JSON, r#"{"error":"invalid_grant"}"#)),
    ("502", Answer::Says(502, "text/html", "<h1>Bad gateway</h1>")),
    ("503", Answer::Says(503, "text/plain", "")),
    ("429", Answer::Says(429, JSON, r#"{"error":"slow_down"}"#)),
    ("an answer that is cut off", Answer::Cut),
];

pub(super) async fn trouble_at_the_issuer_is_an_outage(bench: &Bench<'_>) -> Result<(), Verdict> {
    tells(bench, Endpoint::Token, TROUBLE, OUTAGE).await
}

pub(super) async fn an_issuer_that_does_not_end_is_given_up(bench: &Bench<'_>) -> Result<(), Verdict> {
    let issuer = bench.liar()?;
    for (name, answer) in [("silence", Answer::Silence), ("an answer without an end", Answer::Endless)] {
        let journey = bench.journey(&bench.known().person).await?;
        issuer.lie(Lie::Answer(Endpoint::Token, answer));
        let told = bench.finish_in_haste(&journey).await?;
        issuer.tell_the_truth();
        refused(&told, name, OUTAGE)?;
    }
    bench.enters(&bench.known().person).await?;
    Ok(())
}

pub(super) async fn nonsense_is_no_login_and_no_outage(bench: &Bench<'_>) -> Result<(), Verdict> {
    const ROWS: &[Odd] = &[
        ("a page", Answer::Says(200, "text/html", "<h1>Welcome</h1>")),
        ("404", Answer::Says(404, "text/html", "<h1>Where?</h1>")),
        ("nothing", Answer::Says(200, JSON, "")),
        ("half of an object", Answer::Says(200, JSON, r#"{"access_token":"#)),
        ("a list", Answer::Says(200, JSON, "[]")),
        ("no tokens", Answer::Says(200, JSON, "{}")),
        ("no ID token", Answer::Says(200, JSON, r#"{"access_token":"a","token_type":"Bearer"}"#)),
        (
            "tokens of another type",
            Answer::Says(200, JSON, r#"{"access_token":"a","token_type":"mac","id_token":"a.b.c"}"#),
        ),
        ("two million bytes", Answer::Huge),
    ];
    tells(bench, Endpoint::Token, ROWS, NONSENSE).await
}

pub(super) async fn a_redirect_is_not_followed(bench: &Bench<'_>) -> Result<(), Verdict> {
    let issuer = bench.liar()?;
    let before = issuer.asked(Endpoint::Elsewhere);
    let told = with(bench, &[Lie::Answer(Endpoint::Token, Answer::Redirect)]).await?;
    refused(&told, "a redirect", NONSENSE)?;
    let silent: [Lie; 2] = [Lie::Token(|f| f.without("groups")), Lie::Answer(Endpoint::Userinfo, Answer::Redirect)];
    // Whoever asks no userinfo may let the person in.
    let _told = with(bench, &silent).await?;
    let followed = issuer.asked(Endpoint::Elsewhere) - before;
    ensure!(followed == 0, "a redirect was followed {followed} times, with what is for the issuer alone");
    Ok(())
}

pub(super) async fn a_code_is_shown_once(bench: &Bench<'_>) -> Result<(), Verdict> {
    let issuer = bench.liar()?;
    for (name, answer) in [("503", Answer::Says(503, "text/plain", "")), ("a cut", Answer::Cut)] {
        let before = issuer.asked(Endpoint::Token);
        // What that is called is the question of another fact.
        let _told = with(bench, &[Lie::Answer(Endpoint::Token, answer)]).await?;
        let shown = issuer.asked(Endpoint::Token) - before;
        ensure!(shown == 1, "after {name} the code was shown {shown} times");
    }
    Ok(())
}

pub(super) async fn a_client_that_the_issuer_does_not_know_is_the_operators_to_mend(
    bench: &Bench<'_>,
) -> Result<(), Verdict> {
    const ROWS: &[Odd] = &[
        ("a wrong secret", Answer::Says(401, JSON, r#"{"error":"invalid_client"}"#)),
        ("a client that may not", Answer::Says(400, JSON, r#"{"error":"unauthorized_client"}"#)),
    ];
    tells(bench, Endpoint::Token, ROWS, &["misconfigured"]).await
}

pub(super) async fn userinfo_of_another_person_says_nothing(bench: &Bench<'_>) -> Result<(), Verdict> {
    const SWAPPED: &[Body] = &[
        ("of another person", |claims| stolen(claims, json!("person-2"))),
        ("of nobody", |claims| stolen(claims, json!(null))),
        ("of two people", |claims| stolen(claims, json!("person-1")).replacen('{', r#"{"sub":"person-2","#, 1)),
    ];
    for (name, body) in SWAPPED {
        let lies = [Lie::Token(|f| f.without("groups")), Lie::Body(Endpoint::Userinfo, *body)];
        // Whoever asks no userinfo may let the person in, without what it would have said.
        let Ok(login) = with(bench, &lies).await? else { continue };
        let wheel = login.groups.iter().any(|group| group.name == "wheel");
        ensure!(!wheel, "userinfo {name} is believed");
    }
    Ok(())
}

fn stolen(mut claims: Value, sub: Value) -> String {
    if let Some(claims) = claims.as_object_mut() {
        claims.insert("sub".to_owned(), sub);
        claims.insert("groups".to_owned(), json!(["wheel"]));
    }
    claims.to_string()
}

pub(super) async fn userinfo_in_trouble_is_an_outage(bench: &Bench<'_>) -> Result<(), Verdict> {
    for (name, answer) in TROUBLE {
        let lies = [Lie::Token(|f| f.without("groups")), Lie::Answer(Endpoint::Userinfo, *answer)];
        match with(bench, &lies).await? {
            Ok(login) => {
                let none = login.groups.is_empty() && login.completeness.is_complete();
                let asked = bench.liar()?.asked(Endpoint::Userinfo) > 0;
                ensure!(!(none && asked), "userinfo that answers {name} is read as no groups");
            }
            told => refused(&told, name, OUTAGE)?,
        }
    }
    Ok(())
}
