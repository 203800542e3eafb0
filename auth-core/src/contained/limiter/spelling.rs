//! What all spellings of a login have in common.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// The login without anything that some directory overlooks when it looks for the account.
///
/// Directories find `alice` by `ALICE`, by `ａｌｉｃｅ` and `ⓐlice` (compatibility forms), some also by `álice`, by
/// `al\u{ad}ice` (RFC 4518 §2.2 maps such characters to nothing) and with spaces anywhere. Whatever tells accounts apart
/// here that the directory holds to be one gives a guesser a fresh bucket. Two accounts in one bucket wait together, and no more
/// may come of it: a success of one must not empty the bucket for guesses at the other, nor make a home for it. So this
/// keeps letters, digits and ASCII punctuation, and nothing else.
pub(super) fn skeleton(login: &str) -> String {
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize(login);
    // To upper case and not to lower: it also makes one of `ß` and `ss`, of both sigmas, of `ı` and `i`.
    let folded = decomposed.to_uppercase();
    folded.chars().filter(|letter| letter.is_alphanumeric() || letter.is_ascii_punctuation()).collect()
}
