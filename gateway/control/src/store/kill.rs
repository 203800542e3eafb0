//! What was acknowledged survives a kill at any instant.

use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;

use auth_core::testing::ManualClock;

use crate::{Admin, NewUser, Store};

const PLACE: &str = "GATEWARDEN_TEST_STORE";
const SAID: &str = "acknowledged ";

async fn open(path: &std::path::Path) -> Admin {
    Admin::new(Store::open(path, Arc::new(ManualClock::new())).await.expect("a store"))
}

/// The process that is killed: this test, run again by the one below.
#[tokio::test]
#[ignore = "started by the other test, which kills it"]
async fn writes_until_it_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "how the parent says where")]
    let place = std::env::var(PLACE);
    let Ok(place) = place else { return };
    let admin = open(&PathBuf::from(place)).await;
    for number in 0..1_000_000 {
        let login = format!("user{number}");
        let groups = vec![format!("group{number}")];
        let new = NewUser { login, display_name: None, password_hash: None, must_change: false, groups };
        let id = admin.add_user(new).await.expect("added");
        println!("{SAID}{id}");
    }
}

#[tokio::test]
async fn whatever_was_acknowledged_before_a_kill_is_there_after_it() {
    for acknowledged in [1, 40, 7] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("db");
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "--nocapture", "store::kill::writes_until_it_is_killed"])
            .env(PLACE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut said = Vec::new();
        while said.len() < acknowledged {
            said.push(next(&mut lines).expect("it goes on until it is killed"));
        }
        child.kill().expect("killed");
        child.wait().expect("waited");
        said.extend(std::iter::from_fn(|| next(&mut lines)));
        check(&path, &said).await;
    }
}

fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    lines.map_while(Result::ok).find_map(|line| Some(line.split_once(SAID)?.1.to_owned()))
}

async fn check(path: &std::path::Path, said: &[String]) {
    let admin = open(path).await;
    let known = admin.users().await.expect("listed");
    let missing: Vec<_> = said.iter().filter(|id| !known.iter().any(|user| user.id.as_str() == **id)).collect();
    assert!(missing.is_empty(), "{missing:?} of {} are gone", said.len());
    let mut reader = admin.store().read().await.expect("a reader");
    for half in ["local_users", "local_groups", "local_members", "changes"] {
        let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {half}"));
        let found: i64 = sqlx::query_scalar(count).fetch_one(&mut *reader).await.expect("counted");
        assert_eq!(usize::try_from(found).ok(), Some(known.len()), "{half}: all of a write, or nothing of it");
    }
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut *reader).await.expect("checked");
    assert_eq!(sound, "ok");
}
