//! What is on this machine, and what the gateway says of it: versions, files, the lock, the login, the clock.

use jiff::Timestamp;

use super::{Check, Fault, Found};
use crate::cache::Lock;
use crate::clock;
use crate::environment;
use crate::http::{Answer, Http};
use crate::session::Session;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What can be known without a network.
pub(super) fn checks(session: &Session) -> Vec<Check> {
    vec![
        Check::new("plugin", Ok(format!("{VERSION}, {}", environment::program().display()))),
        Check::new("cache", cache(session)),
        Check::new("lock", lock(session)),
        Check::new("login", login(session)),
        Check::new("keyring", keyring(session)),
    ]
}

/// What the gateway has to say.
pub(super) fn asked(session: &Session, http: &Http) -> Vec<Check> {
    let answer = match http.get(&format!("{}/api/v1/health", session.url()), None) {
        Ok(answer) => answer,
        Err(error) => return vec![Check::new("gateway", Err(Fault::new(error, "tell your operators")))],
    };
    let clock = clock_of(answer.date);
    let well = well(answer);
    vec![Check::new("clock", clock), Check::new("gateway", well.and_then(|()| version(session, http)))]
}

fn clock_of(theirs: Option<Timestamp>) -> Found {
    let unknown = || Fault::new("the gateway does not say what time it is", "tell your operators");
    let theirs = theirs.ok_or_else(unknown)?;
    match clock::fault(theirs) {
        None => Ok(format!("{} s from the gateway's", clock::off(theirs))),
        Some(what) => Err(Fault::new(what, clock::FIX)),
    }
}

fn well(answer: Answer) -> Result<(), Fault> {
    let well = answer.ok("the gateway is not well").map(drop);
    well.map_err(|error| Fault::new(error, "try again, then tell your operators"))
}

/// Where the refresh token is. Without a keyring all goes on; one that has the token and keeps it to itself ends that.
fn keyring(session: &Session) -> Found {
    let place = session.folder().is_in_keyring().map_err(|error| Fault::new(error, "then try again"))?;
    let read = session.folder().keyring().read(&session.folder().account());
    match (place, read) {
        (Some(true), Ok(Some(_))) => Ok("it has your refresh token".to_owned()),
        (Some(true), Ok(None)) => {
            Err(Fault::new("it should have your refresh token, and does not", "kubectl gatewarden login"))
        }
        (Some(true), Err(why)) => {
            Err(Fault::new(format!("{why}, and your login is in it"), "unlock it, or run kubectl gatewarden login"))
        }
        (_, Ok(_)) => Ok("the next login puts the refresh token into it".to_owned()),
        (_, Err(why)) => Ok(format!("{why}: the refresh token is kept in a file that only you can read")),
    }
}

/// Known to those who are logged in.
fn version(session: &Session, http: &Http) -> Found {
    let access = session.folder().access().ok().flatten().filter(|access| access.expires_at > environment::now());
    let Some(access) = access else { return Ok("answers; log in to see its version".to_owned()) };
    let me = http.get(&format!("{}/api/v1/me", session.url()), Some(&access.token));
    version_of(me.map_err(|error| Fault::new(error, "tell your operators"))?)
}

fn version_of(me: Answer) -> Found {
    let me = me.ok("your login is not known there").map_err(|error| Fault::new(error, "kubectl gatewarden login"))?;
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
        _ if matches!(session.folder().is_in_keyring(), Ok(Some(_))) => {
            Ok("the token is over, and is renewed when needed".to_owned())
        }
        _ => Err(Fault::new("you are not logged in", again)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::{Value, json};

    use super::*;

    fn answer(status: u16, body: Value) -> Answer {
        Answer { status, body, audit_id: "id-1".to_owned(), date: None }
    }

    /// What is wrong, and what mends it.
    fn told<T: std::fmt::Debug>(found: Result<T, Fault>) -> String {
        let Fault { what, fix } = found.err().unwrap();
        format!("{what} -> {fix}")
    }

    #[test]
    fn a_gateway_of_another_release_is_told_and_one_of_another_patch_is_not() {
        let of = |version: &str| version_of(answer(200, json!({ "gatewayVersion": version })));
        assert_eq!(of(VERSION).ok(), Some(format!("{VERSION} answers")));
        assert!(of(&format!("{}.99", release(VERSION).join("."))).is_ok());
        for other in ["99.0.0", &VERSION.replacen(release(VERSION)[1], "99", 1), "", "unknown"] {
            let told = told(of(other));
            assert!(told.contains("the gateway is ") && told.contains("of the gateway's release"), "{told}");
        }
        assert!(version_of(answer(200, Value::Null)).is_err(), "one that does not say it is an older one");
    }

    #[test]
    fn a_login_that_the_gateway_does_not_know_is_told_with_what_mends_it() {
        let told = told(version_of(answer(401, Value::Null)));
        assert!(told.contains("your login is not known there") && told.ends_with("kubectl gatewarden login"), "{told}");
    }

    #[test]
    fn a_gateway_that_is_not_well_is_told_with_its_own_words() {
        let told = told(well(answer(503, json!({ "detail": "The store does not answer." }))));
        assert!(told.contains("The store does not answer. 503 (id id-1)"), "{told}");
        assert!(well(answer(200, Value::Null)).is_ok());
    }

    #[test]
    fn a_clock_that_is_off_is_told_and_so_is_a_gateway_without_one() {
        let off = |seconds| clock_of(Some(environment::now() + SignedDuration::from_secs(seconds)));
        assert!(off(0).is_ok_and(|text| text.ends_with("s from the gateway's")));
        assert!(told(off(600)).contains("behind the gateway's"));
        assert!(told(off(-600)).contains("ahead of the gateway's"));
        assert!(told(clock_of(None)).contains("does not say what time it is"));
    }
}
