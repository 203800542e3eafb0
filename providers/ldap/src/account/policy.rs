//! The response control of the LDAP password policy draft.

use crate::ber::{BerFault, Reader, SEQUENCE};

const WARNING: u8 = 0xa0;
const ERROR: u8 = 0x81;

/// What a server's password policy objects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PolicyError {
    PasswordExpired,
    AccountLocked,
    /// Good for setting another password only. May come with a bind that succeeded.
    ChangeAfterReset,
    /// The others are about setting a password, which is not done here.
    Other,
}

/// `SEQUENCE { warning [0] CHOICE … OPTIONAL, error [1] ENUMERATED OPTIONAL }`. Warnings are not used.
pub(super) fn decode(value: &[u8]) -> Result<Option<PolicyError>, BerFault> {
    let mut outer = Reader::new(value);
    let mut fields = outer.expect(SEQUENCE)?.inside();
    outer.end()?;
    fields.accept(WARNING)?;
    let error = fields.accept(ERROR)?.map(|error| error.unsigned()).transpose()?;
    fields.end()?;
    Ok(error.map(|error| match error {
        0 => PolicyError::PasswordExpired,
        1 => PolicyError::AccountLocked,
        2 => PolicyError::ChangeAfterReset,
        _ => PolicyError::Other,
    }))
}
