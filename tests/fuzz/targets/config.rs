//! Whatever stands in the configuration file is taken, or refused with faults that say where.
#![no_main]

use std::cell::RefCell;

use gatewarden::config::load_file;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static FOLDER: RefCell<tempfile::TempDir> = RefCell::new(tempfile::tempdir().expect("a folder"));
}

fuzz_target!(|text: &str| {
    FOLDER.with_borrow(|folder| {
        let path = folder.path().join("gatewarden.yaml");
        std::fs::write(&path, text).expect("written");
        if let Err(error) = load_file(&path) {
            assert!(!error.to_string().is_empty());
        }
    });
});
