//! `doctor`: looks at everything that a login needs, and says what mends what is wrong.

use jiff::Timestamp;

use super::{print, session};
use crate::arguments;
use crate::cache::Lock;
use crate::environment;
use crate::failure::Failure;
use crate::http::Http;
use crate::issuer::Issuer;
use crate::session::Session;

/// What was found out about one thing.
type Found = Result<String, String>;

pub(super) fn run(given: &arguments::Gateway) -> Result<(), Failure> {
    let session = session(given)?;
    let http = session.http();
    let checks = [
        ("version", Ok(env!("CARGO_PKG_VERSION").to_owned())),
        ("files", files(&session)),
        ("lock", lock(&session)),
        ("login", login(&session)),
        ("gateway", told(http.as_ref(), |http| gateway(http, &session))),
        ("clock", told(http.as_ref(), |http| clock(http, &session))),
        ("issuer", told(http.as_ref(), |http| issuer(http, &session))),
    ];
    let mut text = format!("gateway {}\n", session.url());
    for (name, found) in &checks {
        let (mark, words) = match found {
            Ok(words) => ("ok  ", words),
            Err(words) => ("FAIL", words),
        };
        text += &format!("{mark} {name:8} {words}\n");
    }
    print(&text)?;
    let failed = checks.iter().filter(|(_, found)| found.is_err()).count();
    if failed == 0 { Ok(()) } else { Err(Failure::other(format!("{failed} of {} checks failed", checks.len()))) }
}

fn told(http: Result<&Http, &Failure>, check: impl FnOnce(&Http) -> Found) -> Found {
    http.map_err(ToString::to_string).and_then(check)
}

fn files(session: &Session) -> Found {
    let folder = session.folder();
    let unfit = folder.unfit().map_err(|error| error.to_string())?;
    if unfit.is_empty() {
        return Ok(folder.path().display().to_string());
    }
    let unfit: Vec<String> = unfit.iter().map(|(name, why)| format!("{name} {why}")).collect();
    Err(format!("{}: {}; the next login puts it aside", folder.path().display(), unfit.join(", ")))
}

fn lock(session: &Session) -> Found {
    match session.folder().lock().and_then(Lock::try_take) {
        Ok(Ok(_held)) => Ok("free".to_owned()),
        Ok(Err(mut busy)) => match busy.holder() {
            Some(holder) => Err(format!("held by {holder}; wait, or end it")),
            None => Err("another process logs in or refreshes; wait, or end it".to_owned()),
        },
        Err(error) => Err(error.to_string()),
    }
}

fn login(session: &Session) -> Found {
    let access = session.folder().access().map_err(|error| error.to_string())?;
    let now = environment::now();
    match access {
        Some(access) if access.expires_at > now => Ok(format!("the token is good until {}", access.expires_at)),
        _ if matches!(session.folder().refresh(), Ok(Some(_))) => {
            Ok("the token is over, and is renewed when needed".to_owned())
        }
        _ => Err(format!("you are not logged in: kubectl gatewarden login --gateway {}", session.url())),
    }
}

fn gateway(http: &Http, session: &Session) -> Found {
    let answer = http.get(&format!("{}/api/v1/health", session.url()), None).map_err(|error| error.to_string())?;
    answer
        .ok("the gateway is not well")
        .map(|_| "answers, and its certificate is trusted".to_owned())
        .map_err(|error| error.to_string())
}

/// More than that, and tokens are over before they are used, or not yet good.
const SKEW: i64 = 60;

fn clock(http: &Http, session: &Session) -> Found {
    let answer = http.get(&format!("{}/api/v1/health", session.url()), None).map_err(|error| error.to_string())?;
    let theirs = answer.date.ok_or("the gateway does not say what time it is")?;
    let off = off(theirs, environment::now());
    if off.abs() <= SKEW {
        return Ok(format!("{off} s from the gateway's"));
    }
    Err(format!(
        "this machine's clock is {off} s from the gateway's: set it, by `timedatectl set-ntp true` or your own way"
    ))
}

fn off(theirs: Timestamp, ours: Timestamp) -> i64 {
    ours.as_second() - theirs.as_second()
}

fn issuer(http: &Http, session: &Session) -> Found {
    let found = Issuer::find(http, session.url()).map_err(|error| error.to_string())?;
    Ok(format!("{} answers", found.name))
}
