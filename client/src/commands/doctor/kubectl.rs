//! kubectl itself, and whether its file leads to this program.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Check, Fault, Found};
use crate::environment;
use crate::session::Session;

/// The first that knows `client.authentication.k8s.io/v1`.
const OLDEST: u64 = 22;

pub(super) fn checks(session: &Session) -> Vec<Check> {
    let version = version();
    let goes_on = version.is_ok();
    let mut checks = vec![Check::new("kubectl", version)];
    if goes_on {
        checks.push(Check::new("kubeconfig", entries(session)));
    }
    checks
}

fn version() -> Found {
    version_of(&json(&["version", "--client", "-o", "json"])?)
}

fn version_of(told: &Value) -> Found {
    let version = told.pointer("/clientVersion/gitVersion").and_then(Value::as_str).unwrap_or("unknown");
    let mut numbers = version.trim_start_matches('v').split('.').map(|number| number.parse::<u64>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(1), Some(minor)) if minor < OLDEST => {
            let what = format!("{version} does not know credentials of {}", super::super::kubeconfig::API);
            Err(Fault::new(what, format!("install kubectl 1.{OLDEST} or newer")))
        }
        _ => Ok(version.to_owned()),
    }
}

/// What kubectl reads; secrets are left out of it.
fn json(arguments: &[&str]) -> Result<Value, Fault> {
    let ran = Command::new("kubectl").args(arguments).stdin(Stdio::null()).output();
    let ran = ran.map_err(|error| Fault::new(format!("cannot be run: {error}"), "put kubectl into your PATH"))?;
    let line = format!("kubectl {}", arguments.join(" "));
    if !ran.status.success() {
        let why = String::from_utf8_lossy(&ran.stderr);
        let why = why.trim().lines().last().unwrap_or("it does not say why").to_owned();
        return Err(Fault::new(format!("{line}: {why}"), "mend your kubeconfig (KUBECONFIG, or ~/.kube/config)"));
    }
    serde_json::from_slice(&ran.stdout)
        .map_err(|_| Fault::new(format!("{line} prints no JSON"), "install another kubectl"))
}

/// The users in the file whose credential comes of this gateway: each must lead to a program, and to this one.
fn entries(session: &Session) -> Found {
    entries_of(&json(&["config", "view", "-o", "json"])?, session.url())
}

fn entries_of(config: &Value, gateway: &str) -> Found {
    let add = "kubectl gatewarden kubeconfig --merge";
    let users = config.get("users").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut count = 0;
    for user in &users {
        let Some(command) = command_of(user, gateway) else { continue };
        count += 1;
        if let Err(why) = leads_here(command) {
            let name = user.get("name").and_then(Value::as_str).unwrap_or("?");
            return Err(Fault::new(format!("user {name} runs {command:?}, {why}"), add));
        }
    }
    match count {
        0 => Ok(format!("no user of this gateway yet; `{add}` adds one")),
        _ => Ok(format!("{count} user(s) of this gateway, by this program")),
    }
}

/// The program of a user whose credential is for this gateway.
fn command_of<'a>(user: &'a Value, gateway: &str) -> Option<&'a str> {
    let exec = user.pointer("/user/exec")?;
    let args = exec.get("args")?.as_array()?;
    let is = |word: &str| args.iter().any(|arg| arg == word);
    exec.get("command")?.as_str().filter(|_| is("get-token") && is(gateway))
}

/// Whether kubectl finds this very program by these words.
fn leads_here(command: &str) -> Result<(), String> {
    let found = if Path::new(command).components().count() > 1 {
        Path::new(command).canonicalize().ok()
    } else {
        environment::found_in_path(command)
    };
    let found = found.ok_or("which is not there")?;
    let own = environment::program();
    if found == own { Ok(()) } else { Err(format!("which is {}, not {}", found.display(), own.display())) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kubectl_that_is_too_old_is_told() {
        let of = |version: &str| version_of(&json!({ "clientVersion": { "gitVersion": version } }));
        for good in ["v1.22.0", "v1.36.3", "v1.30.1-site.7", "v2.0.0"] {
            assert_eq!(of(good).ok().as_deref(), Some(good));
        }
        for old in ["v1.21.14", "v1.9.0"] {
            let fault = of(old).err().unwrap();
            assert!(fault.what.contains(old) && fault.fix.contains("1.22 or newer"), "{old}: {}", fault.what);
        }
    }

    #[test]
    fn a_user_must_lead_to_this_very_program() {
        let of = |command: &str| {
            let exec = json!({ "command": command, "args": ["get-token", "--gateway", "https://gw.test"] });
            entries_of(&json!({ "users": [{ "name": "u", "user": { "exec": exec } }] }), "https://gw.test")
        };
        let own = environment::program().display().to_string();
        assert_eq!(of(&own).ok().as_deref(), Some("1 user(s) of this gateway, by this program"));
        for (other, why) in
            [("/bin/sh", "which is /"), ("/nowhere/at/all", "not there"), ("no-such-program", "not there")]
        {
            let fault = of(other).err().unwrap();
            assert!(fault.what.contains(why) && fault.fix.contains("kubeconfig --merge"), "{}", fault.what);
        }
        let others = json!({ "users": [{ "name": "u", "user": { "exec": { "command": "/bin/sh", "args": ["get-token", "--gateway", "https://other.test"] } } }] });
        assert!(entries_of(&others, "https://gw.test").is_ok_and(|text| text.contains("no user of this gateway yet")));
    }
}
