//! Asking for a password without showing it.

use std::io::{self, Read};

use auth_core::Password;

use super::CommandError;

/// Reads a password: twice from the terminal without echo, or once from standard input.
pub(super) fn read(from_stdin: bool) -> Result<Password, CommandError> {
    let text = if from_stdin { stdin("password")? } else { terminal()? };
    if text.is_empty() {
        return Err(CommandError::Input("the password is empty; type one".to_owned()));
    }
    if text.contains('\0') {
        return Err(CommandError::Input(
            "the password holds a NUL, which no login form can send; choose another".to_owned(),
        ));
    }
    Ok(Password::new(text))
}

/// Reads a secret from standard input. One line end after it is not part of it.
pub(super) fn stdin(what: &str) -> Result<String, CommandError> {
    let mut text = String::new();
    let read = io::stdin().lock().take(64 * 1024).read_to_string(&mut text);
    read.map_err(|error| CommandError::Input(format!("cannot read the {what} from standard input: {error}")))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn terminal() -> Result<String, CommandError> {
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt).map_err(|error| {
            CommandError::Input(format!("cannot ask for the password ({error}); use --password-stdin"))
        })
    };
    let first = ask("Password: ")?;
    if first != ask("Again: ")? {
        return Err(CommandError::Input("the two passwords differ; try again".to_owned()));
    }
    Ok(first)
}
