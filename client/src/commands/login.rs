//! `login` and `logout`.

use serde_json::{Value, json};

use super::{find, session};
use crate::arguments;
use crate::cache::{Access, Folder, eprint};
use crate::environment;
use crate::failure::Failure;
use crate::session::{How, Session};

pub(super) fn run(
    given: &arguments::Gateway,
    device: bool,
    username: Option<String>,
    provider: &str,
) -> Result<(), Failure> {
    let session = Session::of(find(given, None)?)?;
    let access = match username {
        Some(username) => by_password(&session, &username, provider)?,
        None => session.log_in(if device { How::ByDevice } else { How::AsItFits })?,
    };
    let answer = session.http()?.get(&format!("{}/api/v1/me", session.url()), Some(&access.token))?;
    let me = answer.ok("you are logged in, and the gateway does not say as whom")?;
    let name = me.pointer("/identity/username").and_then(Value::as_str).unwrap_or("?");
    eprint(&format!("Logged in to {} as {name}. Next: kubectl gatewarden kubeconfig --merge", session.url()));
    Ok(())
}

/// For where neither a browser nor a second machine is at hand. The token that comes is not renewed.
fn by_password(session: &Session, username: &str, provider: &str) -> Result<Access, Failure> {
    if !environment::is_terminal() {
        return Err(Failure::LoginNeeded("a password is asked for at a terminal".to_owned()));
    }
    let password = rpassword::prompt_password(format!("Password of {username} at {provider}: "))?;
    let url = format!("{}/api/v1/providers/{provider}/login", session.url());
    let answer = session.http()?.post_json(&url, &json!({ "username": username, "password": password }))?;
    let body = answer.ok("the login does not work")?;
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let expires_at = text("expiresAt").and_then(|text| text.parse().ok());
    let (Some(token), Some(expires_at)) = (text("token"), expires_at) else {
        return Err(Failure::other("the gateway gave no token"));
    };
    let access = Access { token: token.to_owned(), expires_at };
    session.keep_token(&access)?;
    Ok(access)
}

pub(super) fn out(given: &arguments::Gateway, all: bool) -> Result<(), Failure> {
    if !all {
        return end(&session(given)?);
    }
    let mut failed = None;
    for gateway in Folder::all()? {
        if let Err(failure) = end(&Session::of(gateway)?) {
            eprint(&format!("kubectl-gatewarden: {failure}"));
            failed = Some(failure);
        }
    }
    failed.map_or(Ok(()), Err)
}

fn end(session: &Session) -> Result<(), Failure> {
    session.log_out()?;
    eprint(&format!("Logged out of {}.", session.url()));
    Ok(())
}
