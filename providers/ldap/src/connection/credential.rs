//! What may be sent in a bind.

/// A name and a password that are both really there.
///
/// RFC 4513 §5.1.2: a bind with a name and an empty password is *unauthenticated*, and a server may
/// answer success. Active Directory does. So an empty password, one that a server written in C may
/// take for empty, and an empty name cannot be put into a bind at all.
#[derive(Clone, Copy)]
pub(crate) struct Credential<'a> {
    dn: &'a str,
    password: &'a str,
}

impl<'a> Credential<'a> {
    /// The only way to make one; `None` for what must never reach the wire.
    pub(crate) fn new(dn: &'a str, password: &'a str) -> Option<Self> {
        const MAX_PASSWORD: usize = 4_096;
        let sound = !dn.trim().is_empty()
            && !dn.contains('\0')
            && !password.is_empty()
            && !password.contains('\0')
            && password.len() <= MAX_PASSWORD;
        sound.then_some(Self { dn, password })
    }

    pub(super) const fn dn(&self) -> &'a str {
        self.dn
    }

    pub(super) const fn password(&self) -> &'a str {
        self.password
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_password_or_name_makes_no_credential() {
        for (dn, password) in [("cn=a", ""), ("", "x"), ("  ", "x"), ("cn=a", "\0"), ("cn=a", "x\0y"), ("c\0", "x")] {
            assert!(Credential::new(dn, password).is_none(), "{dn:?} {password:?}");
        }
        assert!(Credential::new("cn=a", " ").is_some(), "a space is a password");
    }
}
