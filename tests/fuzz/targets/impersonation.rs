//! Impersonation headers are read whole or refused.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use kube_wire::header::nested_target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts.next().and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let theirs = headers.iter().filter(|(name, _)| name.as_str().starts_with("impersonate-")).count();
    match nested_target(&headers) {
        Ok(None) => assert_eq!(theirs, 0, "ignored: {headers:?}"),
        Ok(Some(target)) => {
            let extra: usize = target.extra.values().map(Vec::len).sum();
            let read = 1 + usize::from(target.uid.is_some()) + target.groups.len() + extra;
            assert_eq!(read, theirs, "a part was ignored: {headers:?}");
            let names = target.groups.iter().chain(&target.uid).chain([&target.username]);
            for name in names.chain(target.extra.values().flatten()) {
                assert!(!name.is_empty() && name.trim() == name && !name.chars().any(char::is_control), "{name:?}");
            }
        }
        Err(_) => assert!(theirs > 0, "refused without any: {headers:?}"),
    }
});
