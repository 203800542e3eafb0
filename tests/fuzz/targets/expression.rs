//! Whatever stands in an expression, a login ends: with names that any header may carry, or refused in a line of a log.
#![no_main]

use std::collections::BTreeMap;
use std::sync::Once;

use auth_core::{GroupMapping, Identity, Mapping, MappingConfig, MappingError, Principal, Reserved};
use libfuzzer_sys::fuzz_target;

const GROUPS: usize = 300;

/// A panic of the library is contained by the product, and so is none of a target that tries the product.
fn let_contained_panics_be() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().name() != Some("expression") {
                before(info);
            }
        }));
    });
}

fn login(mapping: &Mapping) -> Result<Identity, MappingError> {
    let group = |n: usize| Principal::new(format!("corp_group://{n}").parse().expect("an id"), format!("k8s-{n}"));
    let groups: Vec<_> = (0..GROUPS).map(group).collect();
    let user = Principal::new("corp_user://7".parse().expect("an id"), "alice").with_attribute("mail", ["a@x", "b@x"]);
    mapping.map("u-1", &user, &groups, &BTreeMap::from([("x.org/a".to_owned(), vec!["b".to_owned()])]))
}

fuzz_target!(|text: &str| {
    let_contained_panics_be();
    let groups =
        GroupMapping { prefix: Some(String::new()), expression: Some(text.to_owned()), ..GroupMapping::default() };
    let config = MappingConfig { groups, ..MappingConfig::default() };
    let mapping = match Mapping::compile(config, &"corp".parse().expect("an id")) {
        Ok(mapping) => mapping,
        Err(faults) => {
            assert!(faults.iter().all(|fault| fault.path == "groups.expression"), "{faults:?}");
            assert!(faults.iter().all(|fault| !fault.message.is_empty()), "a fault that says nothing");
            return;
        }
    };
    match login(&mapping) {
        Ok(identity) => {
            for name in identity.group_names() {
                assert!(!Reserved::default().holds(name), "{name:?} is reserved");
                assert!(!name.contains(char::is_control) && name.trim() == name && !name.is_empty(), "{name:?}");
            }
        }
        Err(error) => assert!(error.to_string().len() < 2_000, "no line of a log: {error}"),
    }
});
