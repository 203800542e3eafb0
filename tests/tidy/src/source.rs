//! Rules about source files: their size, their first line, their names and what they must not contain.

use std::path::{Path, PathBuf};

/// Lines of a product file before its tests: above this a file has two subjects.
const CAP: usize = 400;

/// Names that say nothing about what is inside.
const VAGUE: &[&str] = &["utils", "util", "helpers", "helper", "common", "types", "manager", "misc"];

/// One file of the tree: its path from the root and its text.
#[derive(Debug)]
pub struct SourceFile {
    /// Path from the root of the repository.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

impl SourceFile {
    fn is_product(&self) -> bool {
        let test_only = self.path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "fuzz");
        self.is_rust() && !test_only && self.path.file_stem().is_some_and(|stem| stem != "tests")
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "rs")
    }

    /// Whether a line of code, not of a comment, holds this word.
    pub(crate) fn names(&self, word: &str) -> bool {
        let code = self.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_')).any(|found| found == word)
    }
}

/// Lists product files that are over the cap.
#[must_use]
pub fn over_the_cap(files: &[SourceFile]) -> Vec<String> {
    files
        .iter()
        .filter(|file| file.is_product())
        .filter_map(|file| {
            let lines = file.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
            (lines > CAP).then(|| format!("{}: {lines} lines before its tests", file.path.display()))
        })
        .collect()
}

/// Lists product files that do not begin with a module comment.
#[must_use]
pub fn missing_module_docs(files: &[SourceFile]) -> Vec<String> {
    files
        .iter()
        .filter(|file| file.is_product() && !file.text.starts_with("//!"))
        .map(|file| format!("{}: begins without //!", file.path.display()))
        .collect()
}

/// Lists files and folders whose name says nothing.
#[must_use]
pub fn vague_names(files: &[SourceFile]) -> Vec<String> {
    let vague = |part: &Path| part.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| VAGUE.contains(&stem));
    files
        .iter()
        .filter(|file| file.is_rust() && file.path.iter().any(|part| vague(Path::new(part))))
        .map(|file| file.path.display().to_string())
        .collect()
}

/// Lists lines that hold a home folder of one machine or the address of a package registry.
#[must_use]
pub fn leaked_places(files: &[SourceFile]) -> Vec<String> {
    // Spelled in halves, so that this file does not find itself.
    let places = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("crates", ".io"),
        concat!("proxy.golang", ".org"),
        concat!("registry.npmjs", ".org"),
        concat!("deb.debian", ".org"),
    ];
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path.extension().is_none_or(|extension| extension != "lock")) {
        for (number, line) in file.text.lines().enumerate() {
            if places.iter().any(|place| line.contains(place)) {
                found.push(format!("{}:{}", file.path.display(), number + 1));
            }
        }
    }
    found
}

/// Lists paths in backticks that do not exist. A path is a word with a slash that begins like a folder of the tree.
#[must_use]
pub fn dead_paths(text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folders = ["auth-core/", "providers/", "gateway/", "tests/", "deploy/", "docs/", "examples/"];
    let words = text.split('`').skip(1).step_by(2);
    words
        .filter(|word| folders.iter().any(|folder| word.starts_with(folder)) && !word.contains([' ', '<', '…']))
        .filter(|path| !exists(path))
        .map(str::to_owned)
        .collect()
}

/// Lists tests in backticks that no file has any more. A name of four words or more, joined by `_`, is a test's.
#[must_use]
pub fn gone_tests(text: &str, files: &[SourceFile]) -> Vec<String> {
    let is_name = |word: &&str| {
        let plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        plain && word.split('_').count() >= 4
    };
    let names = text.split('`').skip(1).step_by(2).filter(is_name);
    let is_gone = |name: &&str| !files.iter().any(|file| file.text.contains(&format!("fn {name}(")));
    names.filter(is_gone).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> [SourceFile; 1] {
        [SourceFile { path: path.into(), text: text.into() }]
    }

    #[test]
    fn a_file_with_two_subjects_is_found_and_its_tests_do_not_count() {
        let long = "//! x\n".repeat(CAP + 1);
        assert_eq!(over_the_cap(&file("a/src/b.rs", &long)).len(), 1);
        let tested = format!("{}#[cfg(test)]\n{}", "//! x\n".repeat(CAP), "x\n".repeat(CAP));
        assert!(over_the_cap(&file("a/src/b.rs", &tested)).is_empty());
    }

    #[test]
    fn a_module_without_its_comment_is_found() {
        assert_eq!(missing_module_docs(&file("a/src/b.rs", "use std::fmt;\n")).len(), 1);
        assert!(missing_module_docs(&file("a/src/b.rs", "//! What.\n")).is_empty());
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        assert_eq!(vague_names(&file("a/src/utils/mod.rs", "")), ["a/src/utils/mod.rs"]);
        assert_eq!(vague_names(&file("a/src/helpers.rs", "")), ["a/src/helpers.rs"]);
        assert!(vague_names(&file("a/src/principal.rs", "")).is_empty());
    }

    #[test]
    fn a_path_that_is_gone_is_found() {
        let text = "`gateway/proxy/src/gone.rs`, `gateway/proxy`, `GET /api/v1/me`, `Outbound`";
        assert_eq!(dead_paths(text, |path| path == "gateway/proxy"), ["gateway/proxy/src/gone.rs"]);
    }

    #[test]
    fn a_test_that_is_gone_is_found() {
        let files = file("a/src/b.rs", "#[test]\nfn what_is_there_is_found() {}\n");
        let text = "`what_is_there_is_found`, `what_is_gone_is_told`, `needs_restart`, `a/b_c_d_e.rs`";
        assert_eq!(gone_tests(text, &files), ["what_is_gone_is_told"]);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let line = concat!("let dir = \"/ro", "ot/x\";\n");
        assert_eq!(leaked_places(&file("a/src/b.rs", line)), ["a/src/b.rs:1"]);
    }
}
