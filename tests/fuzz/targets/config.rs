//! Whatever stands in the configuration file is taken, or refused with faults that say where.
#![no_main]

use std::cell::RefCell;

use gatewarden::config::{LoadError, load_file};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static FOLDER: RefCell<tempfile::TempDir> = RefCell::new(tempfile::tempdir().expect("a folder"));
}

fuzz_target!(|text: &str| {
    FOLDER.with_borrow(|folder| {
        let path = folder.path().join("gatewarden.yaml");
        std::fs::write(&path, text).expect("written");
        match load_file(&path) {
            Ok(_) => {}
            Err(LoadError::Faults { faults, .. }) => {
                assert!(!faults.is_empty(), "refused without a fault");
                let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
                for fault in faults {
                    assert!(!fault.problem.is_empty(), "a fault that says nothing");
                    assert!(fault.spot.line <= lines as u64, "line {} of {lines}: {fault}", fault.spot.line);
                }
            }
            Err(unreadable) => panic!("a file that is there: {unreadable}"),
        }
    });
});
