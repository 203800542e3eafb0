//! What Active Directory hides in the text of a rejected bind.

use auth_core::AuthError;

/// Reads `…, comment: AcceptSecurityContext error, data 52e, v…`.
pub(super) fn rejection(text: &str) -> AuthError {
    match sub_code(text) {
        Some(0x52f) => AuthError::PolicyDenied("the account is restricted".to_owned()),
        Some(0x530) => AuthError::PolicyDenied("not at this time".to_owned()),
        Some(0x531) => AuthError::PolicyDenied("not from this computer".to_owned()),
        Some(0x532) => AuthError::PasswordExpired,
        Some(0x533) => AuthError::Disabled,
        Some(0x701) => AuthError::AccountExpired,
        Some(0x773) => AuthError::MustChangePassword,
        Some(0x775) => {
            // Comes whatever the password was.
            tracing::info!("the directory reports a locked account");
            AuthError::BadCredentials
        }
        // 52e is a wrong password, 525 an unknown name; a code that we do not know tells nobody anything.
        _ => AuthError::BadCredentials,
    }
}

fn sub_code(text: &str) -> Option<u32> {
    let lower = text.get(..text.len().min(512))?.to_ascii_lowercase();
    let (_, after) = lower.split_once("data ")?;
    let end = after.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(after.len());
    u32::from_str_radix(after.get(..end.min(8))?, 16).ok()
}
