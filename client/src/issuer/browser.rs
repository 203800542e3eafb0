//! The code flow with the browser of this machine (RFC 8252): the answer comes back to a port that only we listen on.

use std::time::Duration;

use url::Url;

use super::callback::Callback;
use super::landing::Outcome;
use super::{CLIENT, Issuer, SCOPE, Tokens, challenge, random};
use crate::cache::{Held, eprint};
use crate::failure::Failure;
use crate::http::{Http, TIMEOUT};

/// How long somebody may take.
const PATIENCE: Duration = Duration::from_mins(5);

pub(super) fn log_in(issuer: &Issuer, http: &Http, held: &Held) -> Result<Tokens, Failure> {
    let callback = Callback::open()?;
    let (state, verifier, back) = (random()?, random()?, callback.url());
    let page = page(issuer, &back, &state, &verifier)?;
    held.promise("waits for somebody to log in in a browser", PATIENCE + TIMEOUT)?;
    // What a browser prints goes nowhere: standard output belongs to kubectl.
    match webbrowser::open(page.as_str()) {
        Ok(()) => eprint(&format!("Log in in the browser that opens. If none does: {page}")),
        Err(_) => eprint(&format!("Open this address in a browser on this machine: {page}")),
    }
    let (code, visitor) = callback.wait(&state, &issuer.name, PATIENCE)?;
    let fields = [
        ("client_id", CLIENT),
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", back.as_str()),
        ("code_verifier", verifier.as_str()),
    ];
    let answer = http.post_form(&issuer.token, &fields);
    let tokens = answer.and_then(|answer| issuer.tokens(answer, "the login does not work"));
    // Whoever reads that they are logged in is.
    visitor.show(if tokens.is_ok() { Outcome::Done } else { Outcome::Failed });
    tokens
}

fn page(issuer: &Issuer, callback: &str, state: &str, verifier: &str) -> Result<Url, Failure> {
    let broken = |_| Failure::other(format!("{} is no address", issuer.authorization));
    let mut page = Url::parse(&issuer.authorization).map_err(broken)?;
    page.query_pairs_mut()
        .append_pair("client_id", CLIENT)
        .append_pair("response_type", "code")
        .append_pair("scope", SCOPE)
        .append_pair("redirect_uri", callback)
        .append_pair("state", state)
        .append_pair("code_challenge", &challenge(verifier))
        .append_pair("code_challenge_method", "S256");
    Ok(page)
}
