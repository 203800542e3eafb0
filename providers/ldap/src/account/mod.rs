//! May this account be used? From what a bind answered, and from the entry alone.

mod active_directory;
mod attributes;
mod policy;
#[cfg(test)]
mod tests;

use auth_core::AuthError;

use crate::config::Preset;
use crate::connection::BindReply;
use crate::failure::{Failure, code};
use policy::PolicyError;

pub(crate) use attributes::{AccountState, attributes, state};

/// What a bind says about a password.
///
/// Only what a server says *after* it found the password right may be told. "Locked" is not of that
/// kind: both OpenLDAP and Active Directory say it to anybody, so it counts as a wrong password here
/// and is written to the log for the operator.
pub(crate) fn judge(reply: &BindReply, preset: Preset) -> Result<(), AuthError> {
    let policy = match reply.policy.as_deref().map(policy::decode) {
        Some(Err(_)) => return Err(Failure::Nonsense("a password policy control that cannot be read").into()),
        Some(Ok(error)) => error,
        None => None,
    };
    match reply.code {
        code::SUCCESS => match policy {
            Some(PolicyError::ChangeAfterReset) => Err(AuthError::MustChangePassword),
            Some(PolicyError::PasswordExpired) => Err(AuthError::PasswordExpired),
            Some(PolicyError::AccountLocked) => Err(AuthError::Locked),
            Some(PolicyError::Other) | None => Ok(()),
        },
        code::INVALID_CREDENTIALS => Err(rejected(reply, policy, preset)),
        // No password set, too many attempts, "account inactivated": said without looking at the password.
        code::INAPPROPRIATE_AUTH | code::CONSTRAINT | code::UNWILLING | code::INVALID_DN | code::NO_SUCH_OBJECT => {
            tracing::info!(code = reply.code, "the directory refused to check a password");
            Err(AuthError::BadCredentials)
        }
        other => Err(Failure::refused("checking a password", other, &reply.text).into()),
    }
}

fn rejected(reply: &BindReply, policy: Option<PolicyError>, preset: Preset) -> AuthError {
    match policy {
        Some(PolicyError::PasswordExpired) => return AuthError::PasswordExpired,
        Some(PolicyError::ChangeAfterReset) => return AuthError::MustChangePassword,
        Some(PolicyError::AccountLocked) => {
            tracing::info!("the directory reports a locked account");
            return AuthError::BadCredentials;
        }
        Some(PolicyError::Other) | None => {}
    }
    match preset {
        Preset::ActiveDirectory => active_directory::rejection(&reply.text),
        Preset::Openldap => AuthError::BadCredentials,
    }
}
