//! What is on this machine, and what the gateway says of it: versions, files, the lock, the login, the clock.

use super::{Check, Fault, Found};
use crate::cache::Lock;
use crate::clock;
use crate::environment;
use crate::http::Http;
use crate::session::Session;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What can be known without a network.
pub(super) fn checks(session: &Session) -> Vec<Check> {
    vec![
        Check::new("plugin", Ok(format!("{VERSION}, {}", environment::program().display()))),
        Check::new("cache", cache(session)),
        Check::new("lock", lock(session)),
        Check::new("login", login(session)),
    ]
}

/// What the gateway has to say.
pub(super) fn asked(session: &Session, http: &Http) -> Vec<Check> {
    let answer = match http.get(&format!("{}/api/v1/health", session.url()), None) {
        Ok(answer) => answer,
        Err(error) => return vec![Check::new("gateway", Err(Fault::new(error, "tell your operators")))],
    };
    let clock =
        answer.date.ok_or_else(|| Fault::new("the gateway does not say what time it is", "tell your operators"));
    let well =
        answer.ok("the gateway is not well").map_err(|error| Fault::new(error, "try again, then tell your operators"));
    vec![
        Check::new("clock", clock.and_then(clock_of)),
        Check::new("gateway", well.and_then(|_| version(session, http))),
    ]
}

fn clock_of(theirs: jiff::Timestamp) -> Found {
    match clock::fault(theirs) {
        None => Ok(format!("{} s from the gateway's", clock::off(theirs))),
        Some(what) => Err(Fault::new(what, clock::FIX)),
    }
}

/// Known to those who are logged in.
fn version(session: &Session, http: &Http) -> Found {
    let access = session.folder().access().ok().flatten().filter(|access| access.expires_at > environment::now());
    let Some(access) = access else { return Ok("answers; log in to see its version".to_owned()) };
    let me = http.get(&format!("{}/api/v1/me", session.url()), Some(&access.token));
    let me = me.and_then(|answer| answer.ok("your login is not known there"));
    let me = me.map_err(|error| Fault::new(error, "kubectl gatewarden login"))?;
    let theirs = me.get("gatewayVersion").and_then(serde_json::Value::as_str).unwrap_or("unknown");
    if release(theirs) == release(VERSION) {
        return Ok(format!("{theirs} answers"));
    }
    let fix = "put the plugin of the gateway's release into your PATH; your operators have it";
    Err(Fault::new(format!("the gateway is {theirs}, this plugin is {VERSION}"), fix))
}

/// What has to be the same: a patch changes nothing between the two.
fn release(version: &str) -> Vec<&str> {
    version.split('.').take(2).collect()
}

fn cache(session: &Session) -> Found {
    let (folder, advice) = (session.folder(), "the next login puts it aside; remove it to be rid of it at once");
    let unfit = folder.unfit().map_err(|error| Fault::new(error, "then try again"))?;
    if unfit.is_empty() {
        return Ok(folder.path().display().to_string());
    }
    let unfit: Vec<String> = unfit.iter().map(|(name, why)| format!("{name} {why}")).collect();
    Err(Fault::new(format!("{}: {}", folder.path().display(), unfit.join(", ")), advice))
}

fn lock(session: &Session) -> Found {
    match session.folder().lock().and_then(Lock::try_take) {
        Ok(Ok(_held)) => Ok("free".to_owned()),
        Ok(Err(mut busy)) => Err(match busy.holder() {
            Some(holder) => Fault::new(format!("held by {holder}"), holder.fix()),
            None => Fault::new("another process logs in or refreshes", "wait for it"),
        }),
        Err(error) => Err(Fault::new(error, "then try again")),
    }
}

fn login(session: &Session) -> Found {
    let again = format!("kubectl gatewarden login --gateway {}", session.url());
    let access = session.folder().access().map_err(|error| Fault::new(error, &again))?;
    match access {
        Some(access) if access.expires_at > environment::now() => {
            Ok(format!("the token is good until {}", access.expires_at))
        }
        _ if matches!(session.folder().refresh(), Ok(Some(_))) => {
            Ok("the token is over, and is renewed when needed".to_owned())
        }
        _ => Err(Fault::new("you are not logged in", again)),
    }
}
