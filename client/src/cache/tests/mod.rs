//! What becomes of files that were spoilt, and of those that were not.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use rustix::io::Errno;

use super::*;
use crate::keyring::fake::{Fake, Mood};

mod keyring;

/// A folder on a machine without a keyring.
fn folder() -> (tempfile::TempDir, Folder) {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::inside(root.path(), "https://gw.test:8443", Fake::new(Mood::Missing).1);
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
    let spoils: [(&str, Spoil); 8] = [
        ("cut short", |path| fs::write(path, r#"{"token":"#).unwrap()),
        ("no JSON", |path| fs::write(path, "hello").unwrap()),
        ("of another kind", |path| fs::write(path, r#"{"url":"https://gw.test"}"#).unwrap()),
        ("empty", |path| fs::write(path, "").unwrap()),
        ("longer than any token", |path| {
            let text = format!(r#"{{"token":"{}","expires_at":"2100-01-01T00:00:00Z"}}"#, "x".repeat(256 * 1024));
            fs::write(path, text).unwrap();
        }),
        ("readable by others", |path| fs::set_permissions(path, fs::Permissions::from_mode(0o604)).unwrap()),
        ("readable by a group", |path| fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap()),
        ("writable by a group", |path| fs::set_permissions(path, fs::Permissions::from_mode(0o620)).unwrap()),
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
fn a_link_is_not_followed_even_to_a_good_file_of_our_own() {
    let (_root, folder) = folder();
    folder.keep_access(&access()).unwrap();
    let (file, target) = (folder.path().join(ACCESS), folder.path().join("target"));
    fs::rename(&file, &target).unwrap();
    symlink(&target, &file).unwrap();
    assert!(folder.access().unwrap().is_none());
    assert_eq!(folder.unfit().unwrap(), [(ACCESS, "leads elsewhere".to_owned())]);
}

#[test]
fn a_pipe_or_a_socket_in_place_of_a_file_holds_up_nobody() {
    let (_root, folder) = folder();
    let _held = folder.lock().unwrap();
    let (pipe, socket) = (folder.path().join(ACCESS), folder.path().join(REFRESH));
    assert!(std::process::Command::new("mkfifo").arg("-m600").arg(&pipe).status().unwrap().success());
    let _listener = UnixListener::bind(&socket).unwrap();
    let unfit = |name| (name, "is no file".to_owned());
    assert_eq!(folder.unfit().unwrap(), [unfit(ACCESS), unfit(REFRESH)]);
}

#[test]
fn what_a_file_holds_is_not_repeated_when_it_cannot_be_understood() {
    let (_root, folder) = folder();
    folder.keep_access(&access()).unwrap();
    for text in
        [r#"{"token":"gwr-secret","token":"gwr-secret"}"#, r#"{"token":"gwr-secret","gwr-secret":1}"#, "gwr-secret"]
    {
        fs::write(folder.path().join(ACCESS), text).unwrap();
        let unfit = folder.unfit().unwrap();
        let [(ACCESS, why)] = unfit.as_slice() else { panic!("{unfit:?}") };
        assert!(why.contains("cannot be understood") && !why.contains("gwr-"), "{why}");
    }
}

#[test]
fn a_login_is_lost_only_with_a_token() {
    let (_root, folder) = folder();
    let gateway = Gateway { url: "https://gw.test:8443".to_owned(), ca: None, names: Vec::new() };
    folder.keep_gateway(&gateway).unwrap();
    fs::write(folder.path().join(GATEWAY), "spoilt").unwrap();
    let held = folder.lock().unwrap().try_take().unwrap().unwrap();
    assert!(!folder.put_aside(&held).unwrap());
    assert!(folder.gateway().unwrap().is_none());
    let refused = folder.known();
    assert!(refused.unwrap().is_none(), "it was put aside");
    fs::write(folder.path().join(GATEWAY), "spoilt").unwrap();
    let refused = folder.known().unwrap_err().to_string();
    assert!(refused.contains("could be read by others") && refused.contains("--gateway"), "{refused}");
}

#[test]
fn only_who_waited_shares_a_failure() {
    let (_root, folder) = folder();
    let began = environment::now();
    folder.keep_failure(Some(&Failure::Denied("the login was stopped".to_owned()))).unwrap();
    let shared = folder.failure_since(began).unwrap();
    assert!(matches!(shared, Some(Failure::Denied(why)) if why == "the login was stopped"));
    let later = environment::now() + jiff::SignedDuration::from_secs(1);
    assert!(folder.failure_since(later).unwrap().is_none(), "an older one is nobody's");
    folder.keep_failure(None).unwrap();
    assert!(folder.failure_since(began).unwrap().is_none());
}

#[test]
fn a_write_that_comes_to_nothing_leaves_nothing_and_says_why() {
    let (_root, folder) = folder();
    folder.keep_access(&access()).unwrap();
    fs::create_dir(folder.path().join(REFRESH)).unwrap();
    let refused = folder.keep_refresh(&Refresh { token: "new".to_owned() }).unwrap_err().to_string();
    assert!(refused.contains("refresh.json: ") && refused.contains("; make room"), "{refused}");
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [ACCESS, REFRESH], "no draft with a token stays behind");
}

#[test]
fn a_draft_that_somebody_put_there_is_not_written_through() {
    let (root, folder) = folder();
    folder.keep_access(&access()).unwrap();
    let target = root.path().join("target");
    fs::write(&target, "theirs").unwrap();
    symlink(&target, folder.path().join(format!("access.{}.new", std::process::id()))).unwrap();
    folder.keep_access(&access()).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
    assert!(!folder.path().join(ACCESS).is_symlink());
}

#[test]
fn nothing_moves_the_cursor_of_who_reads_a_line() {
    assert_eq!(tame("a\u{1b}[2Jb\rc\u{9b}d\u{7}"), "a [2Jb c d ");
    assert_eq!(tame("two\nlines"), "two\nlines");
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

/// What is said of a folder in which nothing is kept, and no lock is taken.
fn refused(folder: &Folder) -> String {
    assert!(folder.lock().is_err());
    folder.keep_access(&access()).unwrap_err().to_string()
}

#[test]
fn a_folder_that_leads_elsewhere_is_refused() {
    let (root, folder) = folder();
    let elsewhere = root.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, folder.path()).unwrap();
    let told = refused(&folder);
    assert!(told.contains("it leads elsewhere"), "{told}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_folder_that_others_may_enter_is_refused_with_what_mends_it() {
    let (_root, folder) = folder();
    for mode in [0o710, 0o701, 0o720, 0o777] {
        folder.keep_access(&access()).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        let told = refused(&folder);
        assert!(told.contains(&format!("run chmod 700 {}", folder.path().display())), "{mode:o}: {told}");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn a_file_in_place_of_the_folder_is_refused() {
    let (_root, folder) = folder();
    fs::write(folder.path(), "").unwrap();
    let told = refused(&folder);
    assert!(told.contains("remove what is in its place"), "{told}");
}

#[test]
fn a_lock_that_leads_elsewhere_is_refused() {
    let (root, folder) = folder();
    folder.keep_access(&access()).unwrap();
    symlink(root.path().join("elsewhere"), folder.path().join("lock")).unwrap();
    let told = folder.lock().unwrap_err().to_string();
    assert!(told.contains("lock: ") && told.contains("; remove it"), "{told}");
    assert!(!root.path().join("elsewhere").exists());
}

#[test]
fn what_cannot_be_opened_is_told_apart_from_what_is_not_there() {
    let told = |errno: Errno| file::unopened(Path::new("/x"), &errno.into());
    assert!(matches!(told(Errno::NOENT), Ok(file::Found::Nothing)));
    assert!(matches!(told(Errno::LOOP), Ok(file::Found::Unfit("leads elsewhere"))));
    assert!(matches!(told(Errno::ACCESS), Ok(file::Found::Unfit("cannot be opened by you"))));
    assert!(matches!(told(Errno::NXIO), Ok(file::Found::Unfit("is no file"))));
    assert!(told(Errno::IO).unwrap_err().to_string().starts_with("/x: "));
}
