//! The rules of this crate, run on this repository.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tidy::{
    Graph, SourceFile, banned_crates, dead_paths, forbidden_edges, gone_tests, leaked_places, missing_module_docs,
    over_the_cap, second_versions, unused_dependencies, unused_in_workspace, vague_names,
};

#[test]
fn dependencies_point_one_way() {
    assert_none(&forbidden_edges(&graph()));
}

#[test]
fn every_dependency_is_used() {
    assert_none(&unused_dependencies(&graph(), &tracked()));
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert_none(&unused_in_workspace(&graph(), &manifest));
}

#[test]
fn one_tls_stack_is_built_and_nothing_banned() {
    let tree = cargo(&["tree", "--workspace", "--locked", "-e", "normal,build,dev", "--prefix", "none"]);
    assert!(tree.contains("aws-lc-rs v"), "the tree lists what is built");
    assert_none(&banned_crates(&tree));
    assert_none(&second_versions(&tree));
}

#[test]
fn only_one_file_of_the_server_names_providers() {
    let providers = graph().providers();
    assert!(providers.len() >= 2, "{providers:?}");
    let naming: Vec<String> = tracked()
        .iter()
        .filter(|file| file.path.starts_with("gateway/server/src"))
        .filter(|file| providers.iter().any(|provider| file.text.contains(&format!("{provider}::"))))
        .map(|file| file.path.display().to_string())
        .collect();
    assert_eq!(naming, ["gateway/server/src/providers.rs"]);
}

#[test]
fn files_have_one_subject() {
    assert_none(&over_the_cap(&tracked()));
}

#[test]
fn every_module_says_what_and_why_first() {
    assert_none(&missing_module_docs(&tracked()));
}

#[test]
fn names_say_what_is_inside() {
    assert_none(&vague_names(&tracked()));
}

#[test]
fn the_documents_name_files_that_exist() {
    let files = tracked();
    for file in files.iter().filter(|file| file.path.extension().is_some_and(|extension| extension == "md")) {
        let (document, text) = (file.path.display(), &file.text);
        let dead = dead_paths(text, |path| root().join(path).exists());
        assert!(dead.is_empty(), "{document} names {}", dead.join(", "));
    }
}

#[test]
fn every_test_that_holds_an_invariant_exists() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert_none(&gone_tests(&text, &tracked()));
}

#[test]
fn nothing_of_one_machine_is_in_the_tree() {
    assert_none(&leaked_places(&tracked()));
}

#[track_caller]
fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "\n  {}\n", broken.join("\n  "));
}

fn graph() -> Graph {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1", "--locked"]);
    Graph::from_metadata(&serde_json::from_str(&metadata).unwrap())
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn tracked() -> Vec<SourceFile> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().expect("git runs");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let files: Vec<SourceFile> = output
        .stdout
        .split(|&byte| byte == 0)
        .filter_map(|path| std::str::from_utf8(path).ok())
        .filter(|path| !path.is_empty())
        .filter_map(|path| {
            let text = std::fs::read_to_string(root().join(path)).ok()?;
            Some(SourceFile { path: PathBuf::from(path), text })
        })
        .collect();
    assert!(files.len() > 20, "the repository's files were found");
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).expect("this crate is two folders deep")
}
