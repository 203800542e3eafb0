//! What becomes of files that were spoilt, and of those that were not.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn folder() -> (tempfile::TempDir, Folder) {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::inside(root.path(), "https://gw.test:8443");
    (root, folder)
}

fn access() -> Access {
    Access { token: "secret".to_owned(), expires_at: Timestamp::UNIX_EPOCH }
}

#[test]
fn what_is_kept_is_for_its_owner_alone_and_comes_back() {
    let (_root, folder) = folder();
    assert!(folder.access().unwrap().is_none());
    folder.keep_access(&access()).unwrap();
    assert_eq!(folder.access().unwrap().unwrap().token, "secret");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(folder.path()), mode(&folder.path().join("access.json"))), (0o700, 0o600));
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["access.json"], "no draft stays behind");
    fs::write(folder.path().join("refresh.123.new"), "a token").unwrap();
    folder.forget_tokens().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing stays behind");
    folder.forget_tokens().unwrap();
}

/// The names of what was put aside, and what stands there.
type Aside = Vec<(String, fs::Metadata)>;

type Spoil = fn(&Path);

/// Makes a file unfit in one way, holds the lock as a login does, and looks at what became of it.
fn after(spoil: impl FnOnce(&Path)) -> (Option<Access>, Aside) {
    let (root, folder) = folder();
    folder.keep_access(&access()).unwrap();
    spoil(&folder.path().join(ACCESS));
    assert!(folder.access().unwrap().is_none(), "not taken");
    let held = folder.lock().unwrap().try_take().unwrap().unwrap();
    let token = folder.put_aside(&held).unwrap();
    assert!(token && folder.unfit().unwrap().is_empty());
    folder.keep_access(&access()).unwrap();
    let entries = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
    let aside = entries.filter(|entry| entry.file_name().to_string_lossy().contains("aside"));
    let aside =
        aside.map(|entry| (entry.file_name().into_string().unwrap(), fs::symlink_metadata(entry.path()).unwrap()));
    let aside = aside.collect();
    let found = folder.access().unwrap();
    drop(root);
    (found, aside)
}

#[test]
fn an_unfit_file_is_put_aside_for_its_owner_alone_and_the_next_login_goes_on() {
    let spoils: [(&str, Spoil); 5] = [
        ("cut short", |path| fs::write(path, r#"{"token":"#).unwrap()),
        ("no JSON", |path| fs::write(path, "hello").unwrap()),
        ("of another kind", |path| fs::write(path, r#"{"url":"https://gw.test"}"#).unwrap()),
        ("empty", |path| fs::write(path, "").unwrap()),
        ("open to others", |path| fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap()),
    ];
    for (what, spoil) in spoils {
        let (found, aside) = after(spoil);
        assert!(found.is_some(), "{what}");
        let [(name, facts)] = aside.as_slice() else { panic!("{what}: {aside:?}") };
        assert_eq!((name.as_str(), facts.permissions().mode() & 0o777), ("access.json.aside-1", 0o600), "{what}");
    }
}

#[test]
fn what_is_no_file_is_moved_and_not_followed() {
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("target");
    fs::write(&target, r#"{"token":"theirs","expires_at":"2100-01-01T00:00:00Z"}"#).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
    let link = |path: &Path| {
        fs::remove_file(path).unwrap();
        symlink(&target, path).unwrap();
    };
    let (found, aside) = after(link);
    assert_eq!(found.unwrap().token, "secret");
    assert!(aside.iter().all(|(name, facts)| name == "access.json.aside-1" && facts.is_symlink()), "{aside:?}");
    assert!(fs::read_to_string(&target).unwrap().contains("theirs"));
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o644, "the link's target is not touched");
    let (found, aside) = after(|path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    });
    assert!(found.is_some() && aside.iter().all(|(_, facts)| facts.is_dir()), "{aside:?}");
}

#[test]
fn a_file_of_somebody_else_is_put_aside() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can give a file away.
    }
    let (found, aside) = after(|path| std::os::unix::fs::chown(path, Some(12_345), None).unwrap());
    assert!(found.is_some() && aside.len() == 1, "{aside:?}");
}

#[test]
fn a_second_one_does_not_take_the_place_of_the_first_and_a_logout_takes_both() {
    let (_root, folder) = folder();
    let held = folder.lock().unwrap().try_take().unwrap().unwrap();
    for text in ["first", "second"] {
        fs::write(folder.path().join(REFRESH), text).unwrap();
        folder.put_aside(&held).unwrap();
    }
    let aside = |number| folder.path().join(format!("refresh.json.aside-{number}"));
    assert_eq!(fs::read_to_string(aside(1)).unwrap(), "first");
    assert_eq!(fs::read_to_string(aside(2)).unwrap(), "second");
    symlink(aside(1), aside(3)).unwrap();
    folder.forget_tokens().unwrap();
    assert!(!aside(1).exists() && !aside(2).exists());
    assert!(aside(3).is_symlink(), "what is no file is left where it is");
}

#[test]
fn a_folder_of_somebody_else_is_refused() {
    let (_root, folder) = folder();
    folder.keep_access(&access()).unwrap();
    if !rustix::process::geteuid().is_root() {
        return; // Only root can give a folder away.
    }
    std::os::unix::fs::chown(folder.path(), Some(12_345), None).unwrap();
    for refused in [folder.keep_access(&access()).unwrap_err(), folder.lock().unwrap_err()] {
        assert!(refused.to_string().contains("somebody else"), "{refused}");
    }
}

#[test]
fn a_folder_that_leads_elsewhere_is_refused() {
    let (root, folder) = folder();
    fs::create_dir(root.path().join("elsewhere")).unwrap();
    symlink(root.path().join("elsewhere"), folder.path()).unwrap();
    assert!(folder.keep_access(&access()).is_err());
}
