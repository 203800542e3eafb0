//! What was acknowledged survives a kill at any instant.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use auth_core::testing::ManualClock;

use crate::{Admin, NewUser, Store};

const PLACE: &str = "GATEWARDEN_TEST_STORE";
const SAID: &str = "acknowledged ";
/// A wait that only a failure reaches the end of.
const GUARD: Duration = Duration::from_secs(60);

async fn open(path: &Path) -> Admin {
    Admin::new(Store::open(path, Arc::new(ManualClock::new())).await.expect("a store"))
}

#[tokio::test]
async fn whatever_was_acknowledged_before_a_kill_is_there_after_it() {
    #[expect(clippy::disallowed_methods, reason = "how the parent says where")]
    if let Ok(place) = std::env::var(PLACE) {
        return write_until_killed(Path::new(&place)).await;
    }
    for acknowledged in [1, 40, 7] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("db");
        let (mut writer, lines) = Writer::start(&path);
        let mut said = Vec::new();
        while said.len() < acknowledged {
            said.push(lines.recv_timeout(GUARD).expect("it goes on until it is killed"));
        }
        writer.kill();
        said.extend(std::iter::from_fn(|| lines.recv_timeout(GUARD).ok()));
        check(&path, &said).await;
    }
}

async fn write_until_killed(place: &Path) {
    let admin = open(place).await;
    for number in 0..1_000_000 {
        let login = format!("user{number}");
        let groups = vec![format!("group{number}")];
        let new = NewUser { login, display_name: None, password_hash: None, must_change: false, groups };
        let id = admin.add_user(new).await.expect("added");
        println!("{SAID}{id}");
    }
}

/// The process that is killed: the test above, run again. Killed when dropped, too.
struct Writer(Child);

impl Writer {
    fn start(path: &Path) -> (Self, Receiver<String>) {
        let name = "store::kill::whatever_was_acknowledged_before_a_kill_is_there_after_it";
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "--nocapture", name])
            .env(PLACE, path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let lines = acknowledged(child.stdout.take().expect("piped"));
        (Self(child), lines)
    }

    fn kill(&mut self) {
        let _ = self.0.kill(); // an error means that it is gone already
        self.0.wait().expect("waited");
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The ids as they are told, and an end when the writer is dead.
fn acknowledged(stdout: ChildStdout) -> Receiver<String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some((_, id)) = line.split_once(SAID) {
                let _ = tell.send(id.to_owned()); // the test is over
            }
        }
    });
    told
}

async fn check(path: &Path, said: &[String]) {
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
