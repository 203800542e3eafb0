//! Whatever a directory sends, the guard refuses it or the decoder behind it can take it.
#![no_main]

use auth_ldap::fuzzing::messages;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, bytes) = input;
    let whole = messages(bytes, bytes.len().max(1));
    let pieces = messages(bytes, usize::from(cut).max(1));
    assert_eq!(whole, pieces, "what passes depends on how the network cut it");
    assert!(whole.iter().sum::<usize>() <= bytes.len());
});
