//! Argon2id: from a password to what is stored, and back to yes or no.

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use auth_core::{Password, PasswordHash};
use aws_lc_rs::rand;

use crate::Cost;

/// Hashes a password that an administrator or its owner has chosen.
///
/// Takes about 20 ms of one core and the memory of `cost`: call it where blocking is allowed.
///
/// # Errors
/// When the password is too short, too long or easily guessed, holds a NUL, or when the machine has no randomness or
/// memory.
///
/// ```
/// use auth_core::Password;
/// use auth_local::{Cost, hash_password};
///
/// let hash = hash_password(&Password::new("correct horse battery"), Cost::default())?;
/// assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
/// assert!(hash_password(&Password::new("short"), Cost::default()).is_err());
/// # Ok::<(), auth_local::UnfitPassword>(())
/// ```
pub fn hash_password(password: &Password, cost: Cost) -> Result<PasswordHash, UnfitPassword> {
    check(password.expose())?;
    run(password, cost)
}

/// Why a password cannot be set. The person chooses another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnfitPassword {
    /// Length is what makes guessing expensive; rules about digits and signs are not asked for (NIST SP 800-63B).
    #[error("the password has {0} characters; use at least {MIN_CHARACTERS}, for example four random words")]
    TooShort(usize),
    /// Nobody types this much, and hashing it would be work for nothing.
    #[error("the password has {0} bytes; use at most {MAX_BYTES}")]
    TooLong(usize),
    /// Some systems stop reading at a NUL.
    #[error("the password holds a NUL character; use one without")]
    Nul,
    /// A pattern, or a word that everybody tries first, whatever digits and signs stand around it.
    #[error("the password is among the first that anybody would try; use several unrelated words")]
    Guessable,
    /// The machine gave no randomness or memory. Nothing is wrong with the password.
    #[error("the password could not be hashed: {0}")]
    Machine(&'static str),
}

const MIN_CHARACTERS: usize = 12;
const MAX_BYTES: usize = 1024;

fn check(text: &str) -> Result<(), UnfitPassword> {
    let characters = text.chars().count();
    if characters < MIN_CHARACTERS {
        return Err(UnfitPassword::TooShort(characters));
    }
    if text.len() > MAX_BYTES {
        return Err(UnfitPassword::TooLong(text.len()));
    }
    if text.contains('\0') {
        return Err(UnfitPassword::Nul);
    }
    if is_guessable(&text.to_lowercase()) { Err(UnfitPassword::Guessable) } else { Ok(()) }
}

/// A password of fewer different characters is a pattern.
const MIN_DISTINCT: usize = 5;

const WORDS: [&str; 12] = [
    "password",
    "passwort",
    "qwerty",
    "qwertyuiop",
    "asdfghjkl",
    "letmein",
    "welcome",
    "iloveyou",
    "admin",
    "administrator",
    "changeme",
    "gatewarden",
];

/// NIST SP 800-63B §3.1.1.2: compare with what is commonly used, repeated or sequential, instead of asking for signs.
fn is_guessable(lower: &str) -> bool {
    let mut distinct: Vec<char> = lower.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let letters: String = lower.chars().filter(|c| c.is_alphabetic()).collect();
    let is_word = |word: &&str| !letters.is_empty() && letters.replace(*word, "").is_empty();
    let goes_by = |step: i64| {
        let code = |c: char| i64::from(u32::from(c));
        lower.chars().zip(lower.chars().skip(1)).all(|(a, b)| code(b) - code(a) == step)
    };
    distinct.len() < MIN_DISTINCT || WORDS.iter().any(is_word) || goes_by(1) || goes_by(-1)
}

/// Hashes without asking whether the password is a good one: for one that was right a moment ago.
pub(crate) fn run(password: &Password, cost: Cost) -> Result<PasswordHash, UnfitPassword> {
    let mut salt = [0; 16];
    rand::fill(&mut salt).map_err(|_| UnfitPassword::Machine("no randomness"))?;
    let params = Params::new(cost.memory_kib, cost.iterations, cost.parallelism, None)
        .map_err(|_| UnfitPassword::Machine("the cost is out of range"))?;
    let phc: Phc = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.expose().as_bytes(), &salt)
        .map_err(|_| UnfitPassword::Machine("hashing failed"))?;
    Ok(PasswordHash::new(phc.to_string()))
}

/// What one run says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    /// Right, and stored at a lower cost than is wanted now.
    RightButWeak,
    Wrong,
    /// The stored text is no hash of ours, or one that would cost more than we bear.
    Unreadable,
}

/// Runs the hash once and compares in constant time. What is unreadable is told without a run.
pub(crate) fn verify(password: &Password, hash: &PasswordHash, wanted: Cost) -> Verdict {
    let Ok(phc) = Phc::new(hash.expose()) else { return Verdict::Unreadable };
    let Some(cost) = cost_of(&phc).filter(|cost| cost.is_bearable()) else { return Verdict::Unreadable };
    match Argon2::default().verify_password(password.expose().as_bytes(), &phc) {
        Ok(()) if cost.is_below(wanted) => Verdict::RightButWeak,
        Ok(()) => Verdict::Right,
        Err(_) => Verdict::Wrong,
    }
}

fn cost_of(phc: &Phc) -> Option<Cost> {
    let params = Params::try_from(phc).ok()?;
    Some(Cost { memory_kib: params.m_cost(), iterations: params.t_cost(), parallelism: params.p_cost() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, iterations: 1, parallelism: 1 };

    #[test]
    fn a_password_fits_its_own_hash_and_no_other() {
        let hash = run(&Password::new("correct horse"), CHEAP).unwrap();
        assert_eq!(verify(&Password::new("correct horse"), &hash, CHEAP), Verdict::Right);
        assert_eq!(verify(&Password::new("correct horsf"), &hash, CHEAP), Verdict::Wrong);
        assert_eq!(verify(&Password::new(""), &hash, CHEAP), Verdict::Wrong);
    }

    #[test]
    fn equal_passwords_have_different_hashes() {
        let hash = || run(&Password::new("correct horse"), CHEAP).unwrap().expose().to_owned();
        assert_ne!(hash(), hash());
    }

    #[test]
    fn a_hash_below_the_wanted_cost_is_right_and_weak() {
        let hash = run(&Password::new("correct horse"), CHEAP).unwrap();
        let dearer = Cost { iterations: 2, ..CHEAP };
        assert_eq!(verify(&Password::new("correct horse"), &hash, dearer), Verdict::RightButWeak);
    }

    #[test]
    fn a_stored_text_that_is_no_hash_or_too_dear_is_never_right() {
        let dear =
            "$argon2id$v=19$m=4194304,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for stored in ["", "plain", "$2b$10$abc", dear] {
            let verdict = verify(&Password::new("correct horse"), &PasswordHash::new(stored), CHEAP);
            assert_eq!(verdict, Verdict::Unreadable, "{stored}");
        }
    }

    #[test]
    fn unfit_passwords_are_refused_with_the_number() {
        let refusal = |text: &str| hash_password(&Password::new(text), CHEAP).unwrap_err();
        assert_eq!(refusal("elevenchars"), UnfitPassword::TooShort(11));
        assert_eq!(refusal(&"x".repeat(1025)), UnfitPassword::TooLong(1025));
        assert_eq!(refusal("twelve chars\0"), UnfitPassword::Nul);
        assert!(hash_password(&Password::new("열두글자넘는비밀번호입니다"), CHEAP).is_ok());
    }

    #[test]
    fn what_anybody_would_try_first_is_refused() {
        let patterns =
            ["aaaaaaaaaaaaaa", "123123123123", "abcdefghijklmn", "zyxwvutsrqponm", "열두글자열두글자열두글자"];
        let words = ["Password2026!", "passwordpassword", "Gatewarden#2026", "!!Administrator1"];
        for text in patterns.into_iter().chain(words) {
            assert_eq!(check(text), Err(UnfitPassword::Guessable), "{text}");
        }
        for text in ["correct horse battery", "xK9#mQ2$vL5!", "my password is a song", "20260101 boats rain"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }
}
