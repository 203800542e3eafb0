use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::ber::{ENUMERATED, INTEGER, OCTET_STRING, SET, element};

fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[element(INTEGER, &[id]), operation.to_vec()].concat())
}

fn done(code: u8) -> Vec<u8> {
    let texts = [element(OCTET_STRING, b"dc=b"), element(OCTET_STRING, b"words")].concat();
    element(0x65, &[element(ENUMERATED, &[code]), texts].concat())
}

/// A name and its values.
type Attribute = (String, Vec<Vec<u8>>);

fn entry(attributes: &[Attribute]) -> Vec<u8> {
    let list: Vec<u8> = attributes
        .iter()
        .flat_map(|(name, values)| {
            let set: Vec<u8> = values.iter().flat_map(|value| element(OCTET_STRING, value)).collect();
            element(SEQUENCE, &[element(OCTET_STRING, name.as_bytes()), element(SET, &set)].concat())
        })
        .collect();
    element(0x64, &[element(OCTET_STRING, b"uid=a,dc=b"), element(SEQUENCE, &list)].concat())
}

fn nested(levels: usize) -> Vec<u8> {
    (0..levels).fold(element(OCTET_STRING, b"x"), |inner, _| element(SEQUENCE, &inner))
}

fn first(bytes: &[u8]) -> Result<Option<Message>, GuardFault> {
    let mut guard = Guard::new(Limits::default());
    guard.push(bytes);
    guard.next()
}

#[test]
fn nesting_beyond_the_limit_is_refused_before_the_decoder() {
    assert_eq!(first(&nested(60_000)).unwrap_err(), GuardFault::TooDeep);
    assert_eq!(first(&message(1, &nested(20))).unwrap_err(), GuardFault::TooDeep);
}

#[test]
fn an_announced_length_beyond_the_limit_is_refused_from_its_header() {
    let fault = first(&[SEQUENCE, 0x84, 0x7f, 0xff, 0xff, 0xff]).unwrap_err();
    assert!(matches!(fault, GuardFault::TooLong(_)));
    assert_eq!(
        first(&[SEQUENCE, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).unwrap_err(),
        GuardFault::TooLong(usize::MAX)
    );
}

#[test]
fn indefinite_lengths_and_long_tags_are_refused() {
    assert_eq!(first(&[SEQUENCE, 0x80, 0, 0]).unwrap_err(), BerFault::IndefiniteLength.into());
    assert_eq!(first(&message(1, &[0x7f, 0x81, 0x01, 0x00])).unwrap_err(), BerFault::MultiByteTag.into());
}

#[test]
fn a_message_of_too_many_elements_is_refused() {
    let many = [OCTET_STRING, 0].repeat(150_000);
    assert_eq!(first(&message(1, &element(0x73, &many))).unwrap_err(), GuardFault::TooManyElements);
}

#[test]
fn shapes_that_would_panic_the_decoder_are_refused() {
    let empty_boolean = [element(OCTET_STRING, b"1.2.3"), element(0x01, b"")].concat();
    let control = element(0xa0, &element(SEQUENCE, &empty_boolean));
    let odd = element(SEQUENCE, &[element(INTEGER, &[1]), done(0), control].concat());
    assert!(first(&odd).is_err(), "a control with an empty boolean");
    assert!(first(&element(SEQUENCE, b"")).is_err(), "a message without fields");
    assert!(first(&message(1, &element(0x65, b""))).is_err(), "a result without a code");
    let latin = [element(ENUMERATED, &[0]), element(OCTET_STRING, &[0xff]), element(OCTET_STRING, b"")].concat();
    assert!(first(&message(1, &element(0x65, &latin))).is_err(), "a matched DN that is not UTF-8");
    assert!(first(&message(1, &element(0x79, b""))).is_err(), "an intermediate response");
}

#[test]
fn an_unsolicited_message_is_told_apart() {
    assert_eq!(first(&message(0, &done(0))).unwrap().unwrap().kind(), Kind::Notice);
}

#[test]
fn plain_text_is_not_a_message() {
    assert_eq!(first(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap_err(), GuardFault::NotAMessage);
}

/// A search result with a control, and an entry: what a server sends every day.
fn daily() -> Vec<u8> {
    let control =
        [element(OCTET_STRING, b"1.2.840.113556.1.4.319"), element(0x01, &[0xff]), element(OCTET_STRING, b"x")];
    let controls = element(0xa0, &element(SEQUENCE, &control.concat()));
    let result = element(SEQUENCE, &[element(INTEGER, &[3]), done(0), controls].concat());
    let values = vec![b"alice".to_vec(), vec![0xff, 0]];
    [message(3, &entry(&[("uid".to_owned(), values.clone()), ("cn".to_owned(), values)])), result].concat()
}

fn attributes() -> impl Strategy<Value = Vec<Attribute>> {
    vec(("[a-zA-Z]{1,12}", vec(vec(any::<u8>(), 0..300), 0..5)), 0..6)
}

proptest! {
    #[test]
    fn sound_replies_pass_unchanged_in_any_chunking(replies in vec(attributes(), 1..6), cut in 1_usize..40) {
        let sent: Vec<u8> = replies.iter().flat_map(|reply| message(2, &entry(reply))).chain(message(2, &done(0))).collect();
        let mut guard = Guard::new(Limits::default());
        let mut passed = Vec::new();
        for chunk in sent.chunks(cut) {
            guard.push(chunk);
            while let Some(message) = guard.next().unwrap() {
                passed.extend_from_slice(message.bytes());
            }
        }
        prop_assert_eq!(passed, sent);
        prop_assert!(!guard.holds_bytes());
    }

    #[test]
    fn nothing_nested_too_deep_passes(levels in 17_usize..400, cut in 1_usize..64) {
        let mut guard = Guard::new(Limits::default());
        let mut refused = false;
        for chunk in message(1, &nested(levels)).chunks(cut) {
            guard.push(chunk);
            match guard.next() {
                Ok(passed) => prop_assert!(passed.is_none()),
                Err(_) => { refused = true; break }
            }
        }
        prop_assert!(refused);
    }

    #[test]
    fn whatever_passes_the_library_can_take(changes in vec((0_usize..200, any::<u8>()), 1..4)) {
        let mut bytes = daily();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let mut guard = Guard::new(Limits::default());
        guard.push(&bytes);
        while let Ok(Some(message)) = guard.next() {
            decode(&message);
        }
    }
}
