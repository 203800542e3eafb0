//! A token that was never seen before, against the same one afterwards.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::Value;
use testbed::programs::say;

use crate::client::Client;
use crate::contender::{Gatewarden, Ground};
use crate::table::{median, micros, tell};
use crate::{Plan, spent};

/// Tokens for a round, each used once. Below the tick of the kernel's count a few would not show.
const TOKENS: usize = 1_000;

/// Measures, and prints what came of it.
///
/// # Errors
/// When a token is refused.
pub(crate) fn run(plan: &Plan, ground: &Ground) -> Result<()> {
    let gateway = Gatewarden::start_alone(ground, "tokens")?;
    let who = gateway.contender()?;
    let mut visitor = gateway.visitor()?;
    let mut last = visitor.tokens()?;
    let (mut cold, mut warm, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        say(&format!("round {round} of {}: {TOKENS} tokens", plan.rounds));
        let mut tokens = Vec::with_capacity(TOKENS);
        for _ in 0..TOKENS {
            last = visitor.refresh(&last.refresh)?;
            tokens.push(last.access.clone());
        }
        let mut client = Client::open(&who)?;
        // What a connection needs once is no cost of a token.
        client.ask()?;
        for times in [&mut cold, &mut warm] {
            let before = who.group.cpu()?;
            tokens.iter().try_for_each(|token| client.ask_by(token))?;
            times.push(who.group.cpu()?.saturating_sub(before) / TOKENS as u32);
        }
        checks.push(check(&visitor.json("/oidc/jwks")?, &tokens)?);
    }
    let [cold, warm, check] = [cold, warm, checks].map(|times| median(times.into_iter()));
    tell(&format!(
        "\na token never seen before: {} us of processor time for a request, a known one {} us: {} us more. Its signature \
         alone: {} us.",
        micros(cold),
        micros(warm),
        micros(cold.saturating_sub(warm)),
        micros(check)
    ));
    Ok(())
}

/// The processor time of one check of a signature, in this thread.
fn check(keys: &Value, tokens: &[String]) -> Result<Duration> {
    let keys = keys.get("keys").and_then(Value::as_array).context("keys")?;
    let keys = keys.iter().filter(|key| key["kty"] == "EC").map(public_key).collect::<Result<Vec<_>>>()?;
    let signed = tokens.iter().map(|token| parts(token)).collect::<Result<Vec<_>>>()?;
    let before = spent::by_thread()?;
    let good =
        signed.iter().filter(|(text, signature)| keys.iter().any(|key| key.verify(text, signature).is_ok())).count();
    let spent = spent::by_thread()?.saturating_sub(before);
    ensure!(good == tokens.len(), "{good} of {} signatures are good", tokens.len());
    Ok(spent / u32::try_from(tokens.len())?)
}

/// A key as JWKS writes it (RFC 7518 §6.2), as a point of its curve.
fn public_key(key: &Value) -> Result<UnparsedPublicKey<Vec<u8>>> {
    let mut point = vec![4]; // uncompressed: both numbers follow
    for number in ["x", "y"] {
        point.extend(BASE64URL.decode(key[number].as_str().context(number)?)?);
    }
    Ok(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))
}

/// What was signed, and the signature.
type Parts<'a> = (&'a [u8], Vec<u8>);

fn parts(token: &str) -> Result<Parts<'_>> {
    let (text, signature) = token.rsplit_once('.').context("a signature")?;
    Ok((text.as_bytes(), BASE64URL.decode(signature)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7515, appendix A.3: a token that others signed, and their key.
    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb\
                         S9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT\
                         UJqPP3-Kg6NU1Q";

    #[test]
    fn only_a_signature_that_is_good_is_timed() {
        let keys = serde_json::json!({ "keys": [{
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }] });
        assert!(check(&keys, &[TOKEN.to_owned()]).is_ok());
        assert!(check(&keys, &[TOKEN.replace("eyJpc3Mi", "eyJpc3Mj")]).is_err());
    }
}
