//! The state of an account, read from its entry: for a refetch nobody's password is at hand.

use auth_core::AuthError;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::config::Preset;
use crate::entry::Entry;
use crate::failure::Failure;

/// Whether an account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountState {
    Active,
    Disabled,
    Expired,
    Locked,
    PasswordExpired,
    MustChangePassword,
}

impl AccountState {
    /// What somebody is told who has just given the right password.
    pub(crate) fn after_right_password(self) -> Result<(), AuthError> {
        match self {
            Self::Active => Ok(()),
            Self::Disabled => Err(AuthError::Disabled),
            Self::Expired => Err(AuthError::AccountExpired),
            Self::Locked => Err(AuthError::Locked),
            Self::PasswordExpired => Err(AuthError::PasswordExpired),
            Self::MustChangePassword => Err(AuthError::MustChangePassword),
        }
    }
}

/// The attributes from which the state is read.
pub(crate) fn attributes(preset: Preset) -> impl Iterator<Item = String> {
    let names: &[&str] = match preset {
        Preset::Openldap => &["pwdReset", "pwdAccountLockedTime", "pwdEndTime", "nsAccountLock"],
        Preset::ActiveDirectory => {
            &["userAccountControl", "msDS-User-Account-Control-Computed", "pwdLastSet", "accountExpires"]
        }
    };
    names.iter().map(ToString::to_string)
}

/// Reads the state; the worst one counts.
pub(crate) fn state(entry: &Entry, preset: Preset, now: Timestamp) -> Result<AccountState, Failure> {
    match preset {
        Preset::Openldap => Ok(openldap(entry, now)),
        Preset::ActiveDirectory => active_directory(entry, now),
    }
}

fn openldap(entry: &Entry, now: Timestamp) -> AccountState {
    // "Locked since the year 0" is how an administrator locks for good.
    const LOCKED_FOR_GOOD: &str = "000001010000Z";
    let is = |name: &str, value: &str| entry.texts(name).any(|text| text.eq_ignore_ascii_case(value));
    if is("nsAccountLock", "TRUE") || is("pwdAccountLockedTime", LOCKED_FOR_GOOD) {
        AccountState::Disabled
    } else if entry.texts("pwdEndTime").filter_map(generalized_time).any(|end| end <= now) {
        AccountState::Expired
    } else if is("pwdReset", "TRUE") {
        AccountState::MustChangePassword
    } else {
        AccountState::Active
    }
}

/// `20261231235959Z`, with or without fractions of a second.
fn generalized_time(text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z')?;
    let whole = digits.split(['.', ',']).next()?;
    let time = DateTime::strptime("%Y%m%d%H%M%S", whole).ok()?;
    time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn active_directory(entry: &Entry, now: Timestamp) -> Result<AccountState, Failure> {
    const DISABLED: i64 = 0x2;
    const LOCKED: i64 = 0x10;
    const PASSWORD_EXPIRED: i64 = 0x80_0000;
    let Some(control) = number(entry, "userAccountControl")? else {
        return Err(Failure::Misfit {
            field: "bind.dn",
            message: "the account may not read userAccountControl, so nobody could be seen to be disabled".to_owned(),
        });
    };
    let computed = number(entry, "msDS-User-Account-Control-Computed")?.unwrap_or(0);
    let expires = number(entry, "accountExpires")?.unwrap_or(0);
    Ok(if control & DISABLED != 0 {
        AccountState::Disabled
    } else if expires != 0 && expires != i64::MAX && expires <= file_time(now) {
        AccountState::Expired
    } else if computed & LOCKED != 0 {
        AccountState::Locked
    } else if number(entry, "pwdLastSet")? == Some(0) {
        AccountState::MustChangePassword
    } else if computed & PASSWORD_EXPIRED != 0 {
        AccountState::PasswordExpired
    } else {
        AccountState::Active
    })
}

fn number(entry: &Entry, name: &str) -> Result<Option<i64>, Failure> {
    let parse = |text: &str| text.parse().map_err(|_| Failure::Nonsense("a number that is none"));
    entry.first_text(name).map(parse).transpose()
}

/// Steps of 100 ns since 1601.
fn file_time(time: Timestamp) -> i64 {
    const SECONDS_1601_TO_1970: i64 = 11_644_473_600;
    time.as_second().saturating_add(SECONDS_1601_TO_1970).saturating_mul(10_000_000)
}
