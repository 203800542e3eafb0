//! Local logins over a store in memory.

use std::sync::atomic::{AtomicUsize, Ordering};

use auth_core::testing::{self, ManualClock, MemoryUsers, ThreadTasks, block_on};
use auth_core::{ContainLimits, Contained, UserStore};

use super::*;
use crate::Cost;
use crate::hashing::{Argon2id, Runs};
use crate::password;

const CHEAP: Cost = Cost { memory_kib: 64, iterations: 1, parallelism: 1 };

/// Counts hash runs on their way to the real thing. A text that is no hash costs none.
#[derive(Debug, Default)]
struct Counting {
    verified: AtomicUsize,
}

impl Runs for Counting {
    fn verify(&self, password: &Password, hash: &PasswordHash, wanted: Cost) -> Verdict {
        let verdict = Argon2id.verify(password, hash, wanted);
        if verdict != Verdict::Unreadable {
            self.verified.fetch_add(1, Ordering::SeqCst);
        }
        verdict
    }

    fn hash(&self, password: &Password, cost: Cost) -> Option<PasswordHash> {
        Argon2id.hash(password, cost)
    }
}

struct Bed {
    users: Arc<MemoryUsers>,
    tasks: Arc<ThreadTasks>,
    runs: Arc<Counting>,
    local: Local,
    context: Context,
}

fn bed(cost: Cost) -> Bed {
    let users = Arc::new(MemoryUsers::default());
    let tasks = Arc::new(ThreadTasks::default());
    let ports = Ports::new(Arc::new(ManualClock::new()), Arc::clone(&tasks) as _, Arc::clone(&users) as _);
    let runs = Arc::new(Counting::default());
    let hashing = Hashing::new(ports.clone(), Arc::clone(&runs) as _, cost, 4).unwrap();
    let context = testing::context(&ports);
    let local = Local::new("local".parse().unwrap(), "Local users".to_owned(), ports, hashing);
    Bed { users, tasks, runs, local, context }
}

fn alice() -> StoredUser {
    let mut user = StoredUser::new("u-alice", "alice");
    user.password_hash = Some(password::run(&Password::new("correct horse"), CHEAP).unwrap());
    user.groups = vec![StoredGroup { id: "g-ops".to_owned(), name: "ops".to_owned() }];
    user
}

impl Bed {
    fn login(&self, login: &str, password: &str) -> Result<Login, AuthError> {
        let input = LoginInput::Password { login: login.to_owned(), password: Password::new(password) };
        block_on(self.local.authenticate_user(&self.context, input))
    }

    fn refetch(&self, id: &str) -> Refetch {
        block_on(self.local.refetch_group_principals(&self.context, &id.parse().unwrap(), None)).unwrap()
    }
}

#[test]
fn the_right_password_gives_the_person_and_the_groups() {
    let bed = bed(CHEAP);
    bed.users.put(alice());
    let login = bed.login("alice", "correct horse").unwrap();
    assert_eq!(login.user.id.to_string(), "local://u-alice");
    assert_eq!(login.groups[0].id.to_string(), "local_group://g-ops");
    assert_eq!((login.groups[0].name.as_str(), login.amr.as_slice()), ("ops", ["pwd".to_owned()].as_slice()));
}

#[test]
fn everybody_costs_one_hash_run() {
    let bed = bed(CHEAP);
    bed.users.put(alice());
    bed.users.put(StoredUser::new("u-new", "new")); // no password was set yet
    let mut disabled = alice();
    (disabled.id, disabled.login, disabled.disabled) = ("u-off".to_owned(), "off".to_owned(), true);
    bed.users.put(disabled);
    let mut broken = StoredUser::new("u-broken", "broken");
    broken.password_hash = Some(PasswordHash::new("correct horse"));
    bed.users.put(broken);
    for (login, password) in [
        ("alice", "correct horse"),
        ("alice", "wrong"),
        ("nobody", "wrong"),
        ("new", "wrong"),
        ("off", "wrong"),
        ("off", "correct horse"),
        ("broken", "correct horse"),
    ] {
        let before = bed.runs.verified.load(Ordering::SeqCst);
        let _ = bed.login(login, password);
        assert_eq!(bed.runs.verified.load(Ordering::SeqCst) - before, 1, "{login} {password}");
    }
}

#[test]
fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let bed = bed(CHEAP);
    bed.users.put(alice());
    for (login, password) in [("alice", "wrong"), ("nobody", "wrong"), ("alice", ""), ("", "correct horse")] {
        assert!(matches!(bed.login(login, password), Err(AuthError::BadCredentials)), "{login} {password}");
    }
}

#[test]
fn the_state_of_an_account_is_told_after_the_right_password_only() {
    let bed = bed(CHEAP);
    let mut user = alice();
    user.disabled = true;
    bed.users.put(user);
    assert!(matches!(bed.login("alice", "wrong"), Err(AuthError::BadCredentials)));
    assert!(matches!(bed.login("alice", "correct horse"), Err(AuthError::Disabled)));
    let mut user = alice();
    user.must_change = true;
    bed.users.put(user);
    assert!(matches!(bed.login("alice", "wrong"), Err(AuthError::BadCredentials)));
    assert!(matches!(bed.login("alice", "correct horse"), Err(AuthError::MustChangePassword)));
}

#[test]
fn a_store_that_does_not_answer_is_an_outage_and_no_wrong_password() {
    let bed = bed(CHEAP);
    bed.users.put(alice());
    bed.users.fail(true);
    assert!(matches!(bed.login("alice", "correct horse"), Err(AuthError::Unavailable { .. })));
    let search = block_on(bed.local.search_principals(&bed.context, Search::new("a", 10)));
    assert!(matches!(search, Err(AuthError::Unavailable { .. })));
}

#[test]
fn a_hash_below_todays_cost_is_renewed_by_a_login() {
    let dearer = Cost { iterations: 2, ..CHEAP };
    let bed = bed(dearer);
    bed.users.put(alice());
    bed.login("alice", "correct horse").unwrap();
    while bed.tasks.running() > 0 {
        std::thread::yield_now();
    }
    let stored = block_on(bed.users.find("u-alice")).unwrap().unwrap().password_hash.unwrap();
    assert!(stored.expose().contains("t=2"), "{}", stored.expose());
    bed.login("alice", "correct horse").unwrap();
}

#[test]
fn a_refetch_tells_gone_disabled_and_present_apart() {
    let bed = bed(CHEAP);
    bed.users.put(alice());
    assert!(matches!(bed.refetch("local://u-alice"), Refetch::Current(current) if current.groups.len() == 1));
    assert!(matches!(bed.refetch("local://u-nobody"), Refetch::UserGone));
    let mut user = alice();
    user.disabled = true;
    bed.users.put(user);
    assert!(matches!(bed.refetch("local://u-alice"), Refetch::UserDisabled));
    let mut user = alice();
    user.must_change = true;
    bed.users.put(user);
    assert!(matches!(bed.refetch("local://u-alice"), Refetch::NeedsLogin));
}

#[test]
fn a_search_walks_users_and_then_groups_page_by_page() {
    let bed = bed(CHEAP);
    for name in ["ops-a", "ops-b", "ops-c"] {
        let mut user = StoredUser::new(format!("u-{name}"), name);
        user.groups = vec![StoredGroup { id: "g-ops".to_owned(), name: "ops".to_owned() }];
        bed.users.put(user);
    }
    let (mut search, mut found) = (Search::new("ops", 2), Vec::new());
    loop {
        let page = block_on(bed.local.search_principals(&bed.context, search.clone())).unwrap();
        found.extend(page.principals.iter().map(|principal| principal.id.to_string()));
        let Some(next) = page.next else { break };
        search = Search::new("ops", 2).after(next);
    }
    assert_eq!(found, ["local://u-ops-a", "local://u-ops-b", "local://u-ops-c", "local_group://g-ops"]);
}

#[test]
fn a_principal_is_found_by_the_type_in_its_id() {
    let bed = bed(CHEAP);
    bed.users.put(alice());
    let get = |id: &str| block_on(bed.local.get_principal(&bed.context, &id.parse().unwrap())).unwrap();
    assert_eq!(get("local://u-alice").unwrap().name, "alice");
    assert_eq!(get("local_group://g-ops").unwrap().name, "ops");
    assert!(get("local_group://u-alice").is_none());
    assert!(get("local://g-ops").is_none());
}

#[test]
fn the_public_face_and_debug_hold_no_secret() {
    let bed = bed(CHEAP);
    bed.users.put(alice());
    let face = serde_json::to_string(&bed.local.transform_to_auth_provider()).unwrap();
    assert_eq!(face, r#"{"id":"local","kind":"local","displayName":"Local users","login":["password"]}"#);
    assert!(!format!("{:?}", alice()).contains("argon2id"));
}

#[test]
fn a_stored_text_that_is_no_hash_lets_nobody_in() {
    let bed = bed(CHEAP);
    let mut user = alice();
    user.password_hash = Some(PasswordHash::new("correct horse"));
    bed.users.put(user);
    assert!(matches!(bed.login("alice", "correct horse"), Err(AuthError::BadCredentials)));
}

#[test]
fn a_cursor_from_elsewhere_finds_nobody_and_is_no_error() {
    let bed = bed(CHEAP);
    bed.users.put(alice());
    for cursor in ["", "x", "org:1", "user"] {
        let page = block_on(bed.local.search_principals(&bed.context, Search::new("a", 9).after(cursor))).unwrap();
        assert_eq!((page.principals, page.next), (vec![], None), "{cursor:?}");
    }
}

#[test]
fn contained_it_is_throttled_like_every_provider() {
    let bed = bed(CHEAP);
    bed.users.put(alice());
    let ports = Ports::new(Arc::new(ManualClock::new()), Arc::clone(&bed.tasks) as _, Arc::clone(&bed.users) as _);
    let contained = Contained::new(Arc::new(bed.local), &ports, ContainLimits::default()).unwrap();
    let ctx = testing::context(&ports);
    let login = |password: &str| {
        let input = LoginInput::Password { login: "alice".to_owned(), password: Password::new(password) };
        block_on(contained.authenticate_user(&ctx, input))
    };
    assert!(login("correct horse").is_ok());
    for _ in 0..5 {
        assert!(matches!(login("wrong"), Err(AuthError::BadCredentials)));
    }
    assert!(matches!(login("correct horse"), Err(AuthError::Throttled { .. })));
}
