//! Only our codes pass, and nothing that arrives can hurt.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

fn tokens() -> Tokens {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let keys = KeyFile::open_or_create(&folder.path().join("key")).expect("made");
    Tokens::api(&keys)
}

#[test]
fn a_minted_token_has_the_published_form_and_is_recognized() {
    let tokens = tokens();
    let minted = tokens.mint().expect("minted");
    let text = minted.plain.expose();
    assert!(text.len() == LENGTH && text.starts_with("gwt-") && !text.contains('.'), "never mistaken for a JWT");
    let presented = tokens.parse(text).expect("ours");
    assert_eq!(presented.name, minted.name);
    assert!(presented.hash.matches(minted.hash.as_bytes()));
}

#[test]
fn the_token_of_another_gateway_is_not_ours() {
    let foreign = tokens().mint().expect("minted");
    assert!(tokens().parse(foreign.plain.expose()).is_none());
}

#[test]
fn a_secret_fits_only_the_name_it_was_made_for() {
    let tokens = tokens();
    let (a, b) = (tokens.mint().expect("minted"), tokens.mint().expect("minted"));
    let (_, secret) = a.plain.expose().split_once(':').expect("a colon");
    assert!(tokens.parse(&format!("{}:{secret}", b.name)).is_none());
}

#[test]
fn every_single_changed_character_is_refused() {
    let tokens = tokens();
    let minted = tokens.mint().expect("minted");
    let text = minted.plain.expose();
    for at in 0..text.len() {
        for other in ['A', 'b', '7', '_', ':'] {
            let mut changed: Vec<char> = text.chars().collect();
            if changed[at] == other {
                continue;
            }
            changed[at] = other;
            let changed: String = changed.into_iter().collect();
            assert!(tokens.parse(&changed).is_none(), "position {at}");
        }
    }
}

#[test]
fn debug_shows_nothing_of_the_secret() {
    let tokens = tokens();
    let minted = tokens.mint().expect("minted");
    let (_, secret) = minted.plain.expose().split_once(':').expect("a colon");
    let shown = format!("{minted:?} {:?} {tokens:?}", tokens.parse(minted.plain.expose()));
    assert!(!shown.contains(secret) && shown.contains(minted.name.as_str()), "{shown}");
}

static TOKENS: LazyLock<Tokens> = LazyLock::new(tokens);

proptest! {
    #[test]
    fn no_text_panics_and_none_is_ours(text in any::<String>(), name in "gwt-[a-z2-7]{12}", secret in "[A-Za-z0-9_-]{66}") {
        prop_assert!(TOKENS.parse(&text).is_none());
        let formed = format!("{name}:{secret}");
        prop_assert!(TOKENS.parse(&formed).is_none());
    }
}
