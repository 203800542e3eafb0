//! The device flow (RFC 8628): a code here, a browser anywhere.

use std::time::Duration;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::Value;

use super::{CLIENT, Issuer, SCOPE, Tokens, own_page};
use crate::cache::{Held, eprint};
use crate::environment::{Deadline, pause};
use crate::failure::Failure;
use crate::http::{Http, TIMEOUT};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// How often to ask where the issuer does not say (RFC 8628 §3.2).
const INTERVAL: u64 = 5;

pub(super) fn log_in(issuer: &Issuer, http: &Http, held: &Held) -> Result<Tokens, Failure> {
    let begun = http.post_form(&issuer.device, &[("client_id", CLIENT), ("scope", SCOPE)])?;
    let begun = begun.ok("no login can be begun")?;
    let text = |key: &str| begun.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str, usual: u64| begun.get(key).and_then(Value::as_u64).unwrap_or(usual);
    let page = own_page(&issuer.name, text("verification_uri"))?;
    let complete = own_page(&issuer.name, text("verification_uri_complete"))?;
    eprint(&format!(
        "Open {page} on any machine and type this code: {}\nor scan:\n{}",
        text("user_code"),
        drawn(complete.as_str())
    ));
    let life = Duration::from_secs(number("expires_in", 600));
    let until = Deadline::after(life);
    held.promise(&format!("waits for the code {} to be typed", text("user_code")), life + TIMEOUT)?;
    let mut interval = Duration::from_secs(number("interval", INTERVAL).clamp(1, 60));
    let fields = [("client_id", CLIENT), ("grant_type", GRANT), ("device_code", text("device_code"))];
    loop {
        pause(interval);
        if until.is_over() {
            return Err(Failure::LoginNeeded("nobody logged in in time; run it again for a new code".to_owned()));
        }
        let answer = match http.post_form(&issuer.token, &fields) {
            // A network that comes and goes: the code is good for minutes.
            Err(Failure::Network(_)) => continue,
            answer => answer?,
        };
        match (answer.status, answer.error()) {
            (400, "authorization_pending") => {}
            (400, "slow_down") => interval += Duration::from_secs(5),
            (400, "access_denied") => return Err(Failure::Denied("the login was stopped on the page".to_owned())),
            (400, "expired_token") => {
                return Err(Failure::LoginNeeded("nobody logged in in time; run it again for a new code".to_owned()));
            }
            _ => return issuer.tokens(answer, "the login does not work"),
        }
    }
}

/// The address as a picture for a phone; nothing when it is too long for one.
fn drawn(address: &str) -> String {
    // Most terminals are dark: what is light in the picture must be lit there.
    let draw = |code: QrCode| code.render().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    QrCode::new(address).map(draw).unwrap_or_default()
}
