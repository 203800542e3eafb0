//! Providers that hang, block, panic, flood and lie, and what becomes of it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use jiff::Timestamp;

use super::*;
use crate::testing::{ManualClock, MemoryUsers, ThreadTasks, block_on};
use crate::{AccessMode, AccessPolicy, BoxFuture, Clock, Completeness, Coverage, Current, Password, SecretUpdate};

type Answer<T> = BoxFuture<'static, Result<T, AuthError>>;
type Answering = dyn Fn(Context) -> Answer<Login> + Send + Sync;
type Flood = dyn Fn() -> Login + Send + Sync;
type Describe = fn() -> InstanceId;

/// A provider that does what a test tells it to.
struct Scripted {
    instance: InstanceId,
    describe: Option<Describe>,
    asked: AtomicUsize,
    login: Box<Answering>,
    page: PrincipalPage,
    found: Option<Principal>,
    refetch: Mutex<Option<Refetch>>,
    access: Access,
}

impl Scripted {
    fn logs_in(login: impl Fn(Context) -> Answer<Login> + Send + Sync + 'static) -> Self {
        Self {
            instance: "corp".parse().unwrap(),
            describe: None,
            asked: AtomicUsize::new(0),
            login: Box::new(login),
            page: PrincipalPage::new(Vec::new()),
            found: None,
            refetch: Mutex::new(None),
            access: Access::Allowed,
        }
    }

    fn answers(login: impl Fn() -> Login + Send + Sync + 'static) -> Self {
        Self::logs_in(move |_| {
            let login = login();
            Box::pin(async { Ok(login) })
        })
    }

    fn good() -> Self {
        Self::answers(|| Login::new(alice(), vec![group("dev")], Timestamp::UNIX_EPOCH))
    }
}

#[async_trait::async_trait]
impl crate::Diagnose for Scripted {
    async fn run(&self, _: &Context, _: &Trial, report: &Report) {
        report.add(crate::Step::good("first", "seen"));
        panic!("a step of a site's own");
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("a Debug of a site's own")
    }
}

#[async_trait::async_trait]
impl AuthProvider for Scripted {
    fn name(&self) -> &InstanceId {
        &self.instance
    }

    // Spelled out, so that a test can panic before there is a future at all.
    fn authenticate_user<'a, 'b, 'c>(
        &'a self,
        ctx: &'b Context,
        _: LoginInput,
    ) -> Pin<Box<dyn Future<Output = Result<Login, AuthError>> + Send + 'c>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.asked.fetch_add(1, Ordering::SeqCst);
        (self.login)(ctx.clone())
    }

    async fn search_principals(&self, _: &Context, search: Search) -> Result<PrincipalPage, AuthError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert!(search.limit <= 500, "the limit was bounded");
        Ok(self.page.clone())
    }

    async fn get_principal(&self, _: &Context, _: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.found.clone())
    }

    async fn refetch_group_principals(
        &self,
        _: &Context,
        _: &PrincipalId,
        _: Option<&ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.refetch.lock().unwrap().take().unwrap())
    }

    async fn can_access_with_group_providers(
        &self,
        _: &Context,
        _: &PrincipalId,
        _: &[PrincipalId],
    ) -> Result<Access, AuthError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.access.clone())
    }

    fn diagnose(&self) -> Option<&dyn crate::Diagnose> {
        Some(self)
    }

    fn transform_to_auth_provider(&self) -> PublicProvider {
        let id = self.describe.map_or_else(|| self.instance.clone(), |describe| describe());
        PublicProvider::new(id, "scripted", "Scripted", [LoginForm::Password])
    }
}

struct House {
    clock: Arc<ManualClock>,
    tasks: Arc<ThreadTasks>,
    ports: Ports,
    provider: Arc<Scripted>,
    contained: Contained,
}

fn house(provider: Scripted, limits: ContainLimits) -> House {
    let (clock, tasks) = (Arc::new(ManualClock::new()), Arc::new(ThreadTasks::default()));
    let ports = Ports::new(clock.clone(), tasks.clone(), Arc::new(MemoryUsers::default()));
    let provider = Arc::new(provider);
    let contained = Contained::new(provider.clone(), &ports, limits).unwrap();
    House { clock, tasks, ports, provider, contained }
}

fn contain(provider: Scripted) -> House {
    house(provider, ContainLimits::default())
}

impl House {
    fn ctx(&self) -> Context {
        crate::testing::context(&self.ports)
    }

    fn login(&self) -> Result<Login, AuthError> {
        self.login_as("alice", "pw")
    }

    fn login_as(&self, login: &str, password: &str) -> Result<Login, AuthError> {
        let input = LoginInput::Password { login: login.into(), password: Password::new(password) };
        block_on(self.contained.authenticate_user(&self.ctx(), input))
    }

    /// Logs in, and moves the clock once somebody waits.
    fn login_while_time_passes(&self, by: Duration) -> Result<Login, AuthError> {
        thread::scope(|scope| {
            scope.spawn(|| {
                self.clock.wait_for_sleepers(1);
                self.clock.advance(by);
            });
            self.login()
        })
    }

    fn asked(&self) -> usize {
        self.provider.asked.load(Ordering::SeqCst)
    }

    fn wait_until_idle(&self) {
        #[expect(clippy::disallowed_methods, reason = "a guard against a test that never ends")]
        let guard = Instant::now() + Duration::from_secs(30);
        while self.tasks.running() > 0 {
            #[expect(clippy::disallowed_methods, reason = "a guard against a test that never ends")]
            let now = Instant::now();
            assert!(now < guard, "a task is still running");
            thread::yield_now();
        }
        assert_eq!(self.tasks.panicked(), 0, "no panic leaves its call");
    }
}

fn id(text: &str) -> PrincipalId {
    text.parse().unwrap()
}

fn alice() -> Principal {
    Principal::new(id("corp_user://1"), "alice")
}

fn group(name: &str) -> Principal {
    Principal::new(id(&format!("corp_group://{name}")), name)
}

fn protocol<T: fmt::Debug>(result: Result<T, AuthError>) -> String {
    match result {
        Err(AuthError::Protocol(text)) => text,
        other => panic!("not refused: {other:?}"),
    }
}

fn unavailable<T: fmt::Debug>(result: Result<T, AuthError>) -> String {
    match result {
        Err(error @ AuthError::Unavailable { .. }) => error.audit_text(),
        other => panic!("not unavailable: {other:?}"),
    }
}

#[test]
fn an_honest_answer_passes() {
    let login = contain(Scripted::good()).login().unwrap();
    assert_eq!((login.user, login.groups), (alice(), vec![group("dev")]));
}

// Hanging and blocking.

#[test]
fn a_provider_that_hangs_is_given_up_at_the_deadline_and_dropped() {
    let house = contain(Scripted::logs_in(|_| Box::pin(std::future::pending())));
    let text = unavailable(house.login_while_time_passes(Duration::from_secs(10)));
    assert!(text.contains("no answer before the deadline"), "{text}");
    house.wait_until_idle();
}

#[test]
fn the_callers_deadline_counts_when_it_is_sooner() {
    let house = contain(Scripted::logs_in(|_| Box::pin(std::future::pending())));
    let mut ctx = house.ctx();
    ctx.deadline = house.clock.monotonic() + Duration::from_secs(2);
    let search = house.contained.search_principals(&ctx, Search::new("a", 5));
    assert!(block_on(search).is_ok());
    thread::scope(|scope| {
        scope.spawn(|| {
            house.clock.wait_for_sleepers(1);
            house.clock.advance(Duration::from_secs(2));
        });
        let input = LoginInput::Password { login: "a".into(), password: Password::new("pw") };
        unavailable(block_on(house.contained.authenticate_user(&ctx, input)));
    });
}

#[test]
fn a_provider_that_blocks_its_thread_holds_nobody_and_counts_until_it_ends() {
    let (release, blocked) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let blocked = Mutex::new(Some(blocked));
    let provider = Scripted::logs_in(move |_| {
        if let Some(blocked) = blocked.lock().unwrap().take() {
            started.send(()).unwrap();
            let _ = blocked.recv();
        }
        Box::pin(async { Ok(Login::new(alice(), Vec::new(), Timestamp::UNIX_EPOCH)) })
    });
    let house = house(provider, ContainLimits { calls: 1, ..ContainLimits::default() });
    let clock = Arc::clone(&house.clock);
    thread::scope(|scope| {
        scope.spawn(move || {
            has_started.recv_timeout(Duration::from_secs(30)).unwrap();
            clock.wait_for_sleepers(1);
            clock.advance(Duration::from_secs(10));
        });
        unavailable(house.login());
    });
    let text = unavailable(house.login());
    assert!(text.contains("too many calls"), "{text}");
    assert_eq!(house.asked(), 1, "the second call never started");
    drop(release);
    house.wait_until_idle();
    assert!(house.login().is_ok());
}

#[test]
fn logins_that_hang_leave_room_for_questions_about_people_who_are_in() {
    let mut provider = Scripted::logs_in(|_| Box::pin(std::future::pending()));
    provider.refetch = Mutex::new(Some(Refetch::UserGone));
    let house = house(provider, ContainLimits { calls: 1, ..ContainLimits::default() });
    let ctx = house.ctx();
    thread::scope(|scope| {
        scope.spawn(|| {
            let input = LoginInput::Password { login: "alice".into(), password: Password::new("pw") };
            unavailable(block_on(house.contained.authenticate_user(&ctx, input)));
        });
        house.clock.wait_for_sleepers(1);
        let (user, yes) = (id("corp_user://1"), PolicyDecision { allowed: true, steps: Vec::new() });
        let login = house.login();
        let refetch = block_on(house.contained.refetch_group_principals(&house.ctx(), &user, None));
        let access = block_on(house.contained.can_access_with_group_providers(&house.ctx(), yes, &user, &[]));
        ctx.cancel.cancel();
        assert!(unavailable(login).contains("too many calls"));
        assert!(matches!(refetch, Ok(Refetch::UserGone)), "{refetch:?}");
        assert!(access.is_ok_and(|access| access.allowed));
    });
}

#[test]
fn a_caller_who_leaves_ends_the_call() {
    let house = contain(Scripted::logs_in(|_| Box::pin(std::future::pending())));
    let ctx = house.ctx();
    thread::scope(|scope| {
        scope.spawn(|| {
            house.clock.wait_for_sleepers(1);
            ctx.cancel.cancel();
        });
        let input = LoginInput::Password { login: "a".into(), password: Password::new("pw") };
        let text = unavailable(block_on(house.contained.authenticate_user(&ctx, input)));
        assert!(text.contains("cancelled"), "{text}");
    });
    house.wait_until_idle();
}

#[test]
fn a_caller_who_is_dropped_ends_the_call() {
    let house = contain(Scripted::logs_in(|_| Box::pin(std::future::pending())));
    let ctx = house.ctx();
    let input = LoginInput::Password { login: "a".into(), password: Password::new("pw") };
    let mut call = Box::pin(house.contained.authenticate_user(&ctx, input));
    let polled = block_on(std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_pending())));
    assert!(polled);
    drop(call);
    house.wait_until_idle();
}

// Panicking.

/// Panics when dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("a bomb went off");
        }
    }
}

#[test]
fn a_panic_anywhere_is_an_error_of_this_call_alone() {
    let building = Scripted::logs_in(|_| panic!("while building"));
    assert_eq!(protocol(contain(building).login()), "the provider panicked: while building");

    let polled = Scripted::logs_in(|_| Box::pin(async { panic!("while\npolled {}", 7) }));
    let house = contain(polled);
    assert_eq!(protocol(house.login()), "the provider panicked: while polled 7");
    assert_eq!(protocol(house.login()), "the provider panicked: while polled 7", "the next call runs");

    let odd_payload = Scripted::logs_in(|_| Box::pin(async { std::panic::panic_any(Bomb) }));
    assert_eq!(protocol(contain(odd_payload).login()), "the provider panicked: ");
}

#[test]
fn a_panic_while_a_given_up_call_is_dropped_stays_in_its_task() {
    let house = contain(Scripted::logs_in(|_| {
        let bomb = Bomb;
        Box::pin(async move {
            let _bomb = bomb;
            std::future::pending().await
        })
    }));
    unavailable(house.login_while_time_passes(Duration::from_secs(10)));
    house.wait_until_idle();
}

#[test]
fn an_error_that_panics_when_printed_is_contained() {
    #[derive(Debug)]
    struct Unprintable;
    impl fmt::Display for Unprintable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("while printed")
        }
    }
    impl std::error::Error for Unprintable {}
    let house = contain(Scripted::logs_in(|_| Box::pin(async { Err(AuthError::unavailable(Unprintable)) })));
    assert_eq!(protocol(house.login()), "the provider panicked: while printed");
}

#[test]
fn the_providers_own_debug_is_never_called() {
    let shown = format!("{:?}", contain(Scripted::good()).contained);
    assert!(shown.contains("scripted"), "{shown}");
}

#[test]
fn a_provider_that_panics_or_lies_about_its_name_is_a_fault() {
    let build = |describe: Describe| {
        let provider = Scripted { describe: Some(describe), ..Scripted::good() };
        Contained::new(Arc::new(provider), &crate::testing::ports(), ContainLimits::default()).map(drop).unwrap_err()
    };
    assert!(build(|| panic!("while describing")).message.contains("panicked"));
    assert!(build(|| "other".parse().unwrap()).message.contains("describes itself as `other`"));
}

// Flooding.

#[test]
fn a_flood_of_groups_is_refused() {
    let flood = || {
        let groups = (0..20_001).map(|n| group(&n.to_string())).collect();
        Login::new(alice(), groups, Timestamp::UNIX_EPOCH)
    };
    assert_eq!(
        protocol(contain(Scripted::answers(flood)).login()),
        "refused its answer: 20001 groups, more than 20000"
    );
}

#[test]
fn huge_text_is_refused_wherever_it_hides() {
    let huge = || "x".repeat(9 << 20);
    let login = |user: Principal| Login::new(user, Vec::new(), Timestamp::UNIX_EPOCH);
    let floods: Vec<Box<Flood>> = vec![
        Box::new(move || login(Principal::new(id("corp_user://1"), huge()))),
        Box::new(move || login(alice().with_login(huge()))),
        Box::new(move || login(alice().with_display_name(huge()))),
        Box::new(move || login(alice().with_attribute(huge(), [""]))),
        Box::new(move || login(alice().with_attribute("a", [huge()]))),
        Box::new(move || login(alice().with_attribute("a", vec![""; 9 << 20]))),
        Box::new(move || login(alice()).with_extra("a", vec![huge()])),
        Box::new(move || login(alice()).with_amr([huge()])),
        Box::new(move || {
            Login::new(alice(), vec![Principal::new(id("corp_group://1"), huge())], Timestamp::UNIX_EPOCH)
        }),
    ];
    for flood in floods {
        let text = protocol(contain(Scripted::answers(flood)).login());
        assert!(text.contains("more than 8388608 bytes"), "{text}");
    }
    let secret = move || login(alice()).with_secret(ProviderSecret::new("x".repeat(70_000)));
    assert!(protocol(contain(Scripted::answers(secret)).login()).contains("64 KiB"));
}

#[test]
fn texts_of_errors_and_reasons_are_bounded_and_on_one_line() {
    let flood = || format!("a\r\nFAKE{}", "x".repeat(1 << 20));
    let house = contain(Scripted::logs_in(move |_| Box::pin(async move { Err(AuthError::Protocol(flood())) })));
    let text = protocol(house.login());
    assert!(text.len() < 600 && !text.contains('\n'), "{}", text.len());

    let house = contain(Scripted::answers(move || {
        Login::new(alice(), Vec::new(), Timestamp::UNIX_EPOCH).with_completeness(Completeness::Incomplete(flood()))
    }));
    let Completeness::Incomplete(reason) = house.login().unwrap().completeness else {
        panic!("incomplete stays incomplete");
    };
    assert!(reason.len() < 600 && !reason.contains('\n'), "{}", reason.len());
}

#[test]
fn nobody_is_made_to_wait_a_year() {
    let year = Duration::from_secs(365 * 86_400);
    let house =
        contain(Scripted::logs_in(move |_| Box::pin(async move { Err(AuthError::Throttled { retry_after: year }) })));
    assert_eq!(house.login().unwrap_err().retry_after(), Some(Duration::from_secs(3600)));
}

// Lying.

#[test]
fn a_login_that_speaks_of_others_is_refused() {
    let user = |text: &str| Principal::new(id(text), "x");
    let lies = [
        (user("other_user://1"), vec![]),
        (user("local://1"), vec![]),
        (user("corp_group://1"), vec![]),
        (alice(), vec![user("other_group://1")]),
        (alice(), vec![user("corp_user://2")]),
    ];
    for (user, groups) in lies {
        let shown = format!("{} {groups:?}", user.id);
        let lie = move || Login::new(user.clone(), groups.clone(), Timestamp::UNIX_EPOCH);
        assert!(contain(Scripted::answers(lie)).login().is_err_and(|error| error.http_status() == 502), "{shown}");
    }
}

#[test]
fn a_login_from_the_future_is_brought_back() {
    let house = contain(Scripted::answers(|| Login::new(alice(), Vec::new(), Timestamp::MAX)));
    assert_eq!(house.login().unwrap().auth_time, house.clock.now());
}

#[test]
fn a_group_named_twice_counts_once() {
    let house = contain(Scripted::answers(|| {
        Login::new(alice(), vec![group("a"), group("b"), group("a")], Timestamp::UNIX_EPOCH)
    }));
    assert_eq!(house.login().unwrap().groups, [group("a"), group("b")]);
}

#[test]
fn a_refetch_about_somebody_else_is_refused() {
    let refetch = |user: &str, groups: Vec<Principal>| {
        let current = Current::new(Principal::new(id(user), "x"), groups);
        let mut provider = Scripted::good();
        provider.refetch = Mutex::new(Some(Refetch::Current(Box::new(current))));
        let house = contain(provider);
        block_on(house.contained.refetch_group_principals(&house.ctx(), &id("corp_user://1"), None))
    };
    assert!(refetch("corp_user://1", vec![group("a")]).is_ok());
    protocol(refetch("corp_user://2", vec![]));
    protocol(refetch("other_user://1", vec![]));
    protocol(refetch("corp_user://1", vec![Principal::new(id("local_group://a"), "a")]));
}

#[test]
fn a_refetch_of_a_foreign_user_or_of_a_group_is_not_asked() {
    let house = contain(Scripted::good());
    for foreign in ["other_user://1", "corp_group://1"] {
        protocol(block_on(house.contained.refetch_group_principals(&house.ctx(), &id(foreign), None)));
    }
    assert_eq!(house.asked(), 0);
}

#[test]
fn a_huge_replacement_secret_is_refused() {
    let secret = SecretUpdate::Replace(ProviderSecret::new("x".repeat(70_000)));
    let mut provider = Scripted::good();
    provider.refetch = Mutex::new(Some(Refetch::Current(Box::new(Current::new(alice(), vec![]).with_secret(secret)))));
    let house = contain(provider);
    protocol(block_on(house.contained.refetch_group_principals(&house.ctx(), &alice().id, None)));
}

#[test]
fn a_lookup_that_finds_somebody_else_is_refused_and_a_foreign_id_is_nobody() {
    let mut provider = Scripted::good();
    provider.found = Some(alice());
    let house = contain(provider);
    let get = |text: &str| block_on(house.contained.get_principal(&house.ctx(), &id(text)));
    assert_eq!(get("corp_user://1").unwrap(), Some(alice()));
    protocol(get("corp_user://2"));
    let before = house.asked();
    assert_eq!(get("other_user://1").unwrap(), None);
    assert_eq!(house.asked(), before);
}

#[test]
fn a_page_is_bounded_by_what_was_asked_for_and_speaks_of_this_instance() {
    let search = |principals: Vec<Principal>, next: Option<String>, limit| {
        let mut provider = Scripted::good();
        provider.page = PrincipalPage::new(principals).with_next(next).with_coverage(Coverage::SeenAtLogin);
        let house = contain(provider);
        block_on(house.contained.search_principals(&house.ctx(), Search::new("a", limit)))
    };
    assert_eq!(search(vec![group("a")], None, 1).unwrap().coverage, Coverage::SeenAtLogin);
    assert!(search(vec![], None, usize::MAX).is_ok(), "the provider sees at most 500");
    protocol(search(vec![group("a"), group("b")], None, 1));
    protocol(search(vec![Principal::new(id("other_user://1"), "x")], None, 1));
    protocol(search(vec![], Some("x".repeat(5_000)), 1));
}

// Narrowing.

#[test]
fn the_provider_can_narrow_the_policy_and_never_widen_it() {
    let decide = |mode, access: Access| {
        let mut provider = Scripted::good();
        provider.access = access;
        let house = contain(provider);
        let policy = AccessPolicy::new(mode, []).decide(&alice().id, &[], false);
        let (ctx, user) = (house.ctx(), alice().id);
        let decision = house.contained.can_access_with_group_providers(&ctx, policy, &user, &[]);
        (block_on(decision).unwrap(), house.asked())
    };
    let denied = || Access::Denied("only\nfrom nine to five".into());
    assert!(decide(AccessMode::Unrestricted, Access::Allowed).0.allowed);
    assert_eq!(decide(AccessMode::Required, Access::Allowed).1, 0, "not even asked");
    assert!(!decide(AccessMode::Required, Access::Allowed).0.allowed);
    let (decision, _) = decide(AccessMode::Unrestricted, denied());
    assert!(!decision.allowed);
    assert_eq!(decision.steps.last(), Some(&PolicyStep::Provider("only from nine to five".into())));
}

// Inputs.

#[test]
fn odd_logins_and_passwords_never_reach_the_provider() {
    let house = contain(Scripted::good());
    let long = "x".repeat(257);
    for login in ["", " a", "a ", "a\0", "a\nb", "a\u{202e}b", "a\u{200b}", "\u{feff}a", "a\u{2028}b", long.as_str()] {
        let refused = house.login_as(login, "pw");
        assert!(matches!(refused, Err(AuthError::BadCredentials)), "{login:?}: {refused:?}");
    }
    let huge = "x".repeat(4_097);
    for password in ["", "\0", "a\0b", huge.as_str()] {
        assert!(matches!(house.login_as("alice", password), Err(AuthError::BadCredentials)), "{password:?}");
    }
    assert_eq!(house.asked(), 0);
    for (login, password) in [("김철수", " pass word "), ("CORP\\alice", "\u{202e}"), ("o'neil@corp", "x")] {
        assert!(house.login_as(login, password).is_ok(), "{login}");
    }
}

#[test]
fn a_form_that_the_provider_does_not_offer_is_refused() {
    let mut house = contain(Scripted::good());
    house.contained.public.login.clear();
    assert!(matches!(house.login(), Err(AuthError::UnsupportedInput)));
    assert_eq!(house.asked(), 0);
}

// Guessing.

#[test]
fn wrong_guesses_are_throttled_and_other_failures_are_not() {
    let wrong = contain(Scripted::logs_in(|_| Box::pin(async { Err(AuthError::BadCredentials) })));
    for _ in 0..5 {
        assert!(matches!(wrong.login(), Err(AuthError::BadCredentials)));
    }
    assert!(matches!(wrong.login_as("ALICE", "pw"), Err(AuthError::Throttled { .. })));
    assert_eq!(wrong.asked(), 5);
    assert!(matches!(wrong.login_as("bob", "pw"), Err(AuthError::BadCredentials)), "others are not held up");

    let down = contain(Scripted::logs_in(|_| Box::pin(async { Err(AuthError::unavailable("down")) })));
    for _ in 0..20 {
        unavailable(down.login());
    }
}

#[test]
fn extras_of_a_login_pass_untouched() {
    let house = contain(Scripted::answers(|| {
        Login::new(alice(), vec![], Timestamp::UNIX_EPOCH).with_extra("x.org/a", vec!["1".into()])
    }));
    assert_eq!(house.login().unwrap().extra, BTreeMap::from([("x.org/a".to_owned(), vec!["1".to_owned()])]));
}

#[test]
fn a_diagnosis_that_panics_leaves_the_steps_before_it() {
    let (ports, report) = (crate::testing::ports(), Report::default());
    let contained = Contained::new(Arc::new(Scripted::good()), &ports, ContainLimits::default()).unwrap();
    let ctx = crate::testing::context(&ports);
    let ended = block_on(contained.diagnose(&ctx, Trial::default(), &report));
    assert!(matches!(ended, Err(AuthError::Protocol(_))), "{ended:?}");
    assert_eq!(report.steps().len(), 1);
}

// Trips of a browser.

/// Sends browsers wherever a test says.
#[derive(Debug)]
struct Sends(InstanceId, Box<dyn BeginsAs>);

trait BeginsAs: Fn() -> Answer<crate::Begun> + Send + Sync {}

impl<T: Fn() -> Answer<crate::Begun> + Send + Sync> BeginsAs for T {}

impl fmt::Debug for dyn BeginsAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeginsAs")
    }
}

#[async_trait::async_trait]
impl crate::Redirect for Sends {
    async fn begin(&self, _: &Context, _: &str) -> Result<crate::Begun, AuthError> {
        (self.1)().await
    }
}

#[async_trait::async_trait]
impl AuthProvider for Sends {
    fn name(&self) -> &InstanceId {
        &self.0
    }

    async fn authenticate_user(&self, _: &Context, input: LoginInput) -> Result<Login, AuthError> {
        let LoginInput::Redirect { .. } = input else { return Err(AuthError::UnsupportedInput) };
        Ok(Login::new(alice(), Vec::new(), Timestamp::UNIX_EPOCH))
    }

    async fn search_principals(&self, _: &Context, _: Search) -> Result<PrincipalPage, AuthError> {
        Ok(PrincipalPage::new(Vec::new()))
    }

    async fn get_principal(&self, _: &Context, _: &PrincipalId) -> Result<Option<Principal>, AuthError> {
        Ok(None)
    }

    async fn refetch_group_principals(
        &self,
        _: &Context,
        _: &PrincipalId,
        _: Option<&ProviderSecret>,
    ) -> Result<Refetch, AuthError> {
        Ok(Refetch::NeedsLogin)
    }

    async fn can_access_with_group_providers(
        &self,
        _: &Context,
        _: &PrincipalId,
        _: &[PrincipalId],
    ) -> Result<Access, AuthError> {
        Ok(Access::Allowed)
    }

    fn transform_to_auth_provider(&self) -> PublicProvider {
        PublicProvider::new(self.0.clone(), "sends", "Sends", [LoginForm::Redirect])
    }

    fn redirect(&self) -> Option<&dyn crate::Redirect> {
        Some(self)
    }

    fn logout(&self) -> Option<&dyn crate::Logout> {
        Some(self)
    }
}

#[async_trait::async_trait]
impl crate::Logout for Sends {
    /// Believes whatever names a subject, and falls over the rest.
    async fn read_logout(&self, _: &Context, notice: &LogoutNotice) -> Result<LogoutVerdict, AuthError> {
        let text = |name: &str| notice.one(name).unwrap_or_default().to_owned();
        let Some(subject) = notice.one("subject") else { panic!("no subject") };
        if subject == "forged" {
            return Ok(LogoutVerdict::Refused(text("why")));
        }
        let which = crate::UpstreamLogins::SessionOf { subject: subject.to_owned(), session: text("session") };
        let (made_at, expires_at) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        Ok(LogoutVerdict::Over(crate::LoginsOver { which, notice: text("name"), made_at, expires_at }))
    }

    /// Goes back at once.
    async fn leave(&self, _: &Context, leaving: &Leaving) -> Result<Option<String>, AuthError> {
        Ok(Some(leaving.back.clone()))
    }
}

const STATE: &str = "0123456789abcdef";

fn sends(begin: impl Fn() -> Answer<crate::Begun> + Send + Sync + 'static) -> (Arc<ManualClock>, Ports, Contained) {
    let clock = Arc::new(ManualClock::new());
    let ports = crate::testing::ports_with(clock.clone(), Arc::new(MemoryUsers::default()));
    let provider = Arc::new(Sends("corp".parse().unwrap(), Box::new(begin)));
    let contained = Contained::new(provider, &ports, ContainLimits::default()).unwrap();
    (clock, ports, contained)
}

fn begins(location: &'static str, state: &'static str) -> Result<crate::Begun, AuthError> {
    let (_, ports, contained) =
        sends(move || Box::pin(async move { Ok(crate::Begun::new(location, state, ProviderSecret::new("memo"))) }));
    block_on(contained.begin(&crate::testing::context(&ports), "https://console.example.org/callback"))
}

#[test]
fn a_browser_is_sent_to_web_addresses_alone() {
    assert_eq!(begins("https://id.example.org/a?b=c", STATE).unwrap().state, STATE);
    for location in ["javascript:alert(1)", "//id.example.org", "https://id.example.org/\r\nSet-Cookie:", "https://é"]
    {
        assert!(protocol(begins(location, STATE)).contains("location"), "{location}");
    }
    assert!(protocol(begins("https://id.example.org/", "guess")).contains("state"));
}

#[test]
fn a_trip_that_does_not_begin_is_given_up_at_the_deadline_and_a_panic_is_an_error() {
    let (clock, ports, contained) = sends(|| Box::pin(std::future::pending()));
    thread::scope(|scope| {
        scope.spawn(|| {
            clock.wait_for_sleepers(1);
            clock.advance(Duration::from_secs(10));
        });
        unavailable(block_on(contained.begin(&crate::testing::context(&ports), "https://x/")));
    });
    let (_, ports, contained) = sends(|| panic!("on the way"));
    assert!(protocol(block_on(contained.begin(&crate::testing::context(&ports), "https://x/"))).contains("on the way"));
}

#[test]
fn a_source_begins_so_many_trips_and_another_for_each_login() {
    let (_, ports, contained) = sends(|| {
        Box::pin(async { Ok(crate::Begun::new("https://id.example.org/", STATE, ProviderSecret::new("memo"))) })
    });
    let ctx = crate::testing::context(&ports).with_client(Some([192, 0, 2, 1].into()));
    let begin = || block_on(contained.begin(&ctx, "https://x/"));
    for _ in 0..AttemptLimits::default().source_burst {
        begin().unwrap();
    }
    assert!(matches!(begin(), Err(AuthError::Throttled { .. })));
    block_on(contained.authenticate_user(&ctx, answer(Vec::new()))).unwrap();
    begin().unwrap();
    assert!(matches!(begin(), Err(AuthError::Throttled { .. })));
}

fn answer(parameters: Vec<(String, String)>) -> LoginInput {
    LoginInput::Redirect { answer: crate::RedirectAnswer { parameters, begun: ProviderSecret::new("memo") } }
}

#[test]
fn each_form_of_login_reaches_those_that_offer_it() {
    let (_, ports, contained) = sends(|| panic!("nothing begins"));
    let ctx = crate::testing::context(&ports);
    assert!(block_on(contained.authenticate_user(&ctx, answer(Vec::new()))).is_ok());
    let input = LoginInput::Password { login: "alice".into(), password: Password::new("pw") };
    assert!(matches!(block_on(contained.authenticate_user(&ctx, input)), Err(AuthError::UnsupportedInput)));
    let house = contain(Scripted::good());
    let refused = block_on(house.contained.authenticate_user(&house.ctx(), answer(Vec::new())));
    assert!(matches!(refused, Err(AuthError::UnsupportedInput)));
    assert!(matches!(block_on(house.contained.begin(&house.ctx(), "https://x/")), Err(AuthError::UnsupportedInput)));
    assert_eq!(house.asked(), 0);
}

#[test]
fn a_callback_with_a_flood_of_parameters_never_arrives() {
    let (_, ports, contained) = sends(|| panic!("nothing begins"));
    let pair = |value: &str| ("code".to_owned(), value.to_owned());
    for flood in [vec![pair("x"); 33], vec![pair(&"x".repeat(16_384))]] {
        let refused = block_on(contained.authenticate_user(&crate::testing::context(&ports), answer(flood)));
        assert!(matches!(refused, Err(AuthError::UnsupportedInput)));
    }
}

#[test]
fn debug_of_an_answer_shows_no_code() {
    let shown = format!("{:?}", answer(vec![("code".into(), "hunter2".into())]));
    assert!(shown.contains("code") && !shown.contains("hunter2") && !shown.contains("memo"), "{shown}");
}

// Notices of logouts.

fn told(fields: &[(&str, &str)]) -> Result<LogoutVerdict, AuthError> {
    let (_, ports, contained) = sends(|| panic!("nothing begins"));
    let parameters = fields.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    block_on(contained.read_logout(&crate::testing::context(&ports), LogoutNotice { parameters }))
}

#[test]
fn a_notice_names_logins_within_bounds_and_a_panic_over_one_is_an_error() {
    let good = [("subject", "u-1"), ("session", "s-1"), ("name", "n-1")];
    assert!(matches!(told(&good), Ok(LogoutVerdict::Over(over)) if over.which.session() == Some("s-1")));
    let long = "x".repeat(1_025);
    for (index, (name, _)) in good.into_iter().enumerate() {
        for odd in ["", &long] {
            let mut fields = good;
            fields[index] = (name, odd);
            assert!(protocol(told(&fields)).contains("a login without a name"), "{name} {}", odd.len());
        }
    }
    let refused = told(&[("subject", "forged"), ("why", &format!("because\n{}", "x".repeat(9_000)))]);
    assert!(matches!(refused, Ok(LogoutVerdict::Refused(why)) if why.len() < 1_000 && !why.contains('\n')));
    assert!(protocol(told(&[("name", "n-1")])).contains("no subject"));
}

#[test]
fn a_flood_of_a_notice_never_arrives_and_who_hears_of_none_is_not_asked() {
    let flood = [("x", "x"); 33];
    for flood in [&flood[..], &[("subject", "x".repeat(16_384).as_str())]] {
        assert!(matches!(told(flood), Err(AuthError::UnsupportedInput)));
    }
    let house = contain(Scripted::good());
    assert!(!house.contained.hears_logouts());
    let notice = LogoutNotice { parameters: vec![("subject".to_owned(), "u-1".to_owned())] };
    let refused = block_on(house.contained.read_logout(&house.ctx(), notice));
    assert!(matches!(refused, Err(AuthError::UnsupportedInput)));
}

#[test]
fn a_browser_leaves_for_web_addresses_alone_and_for_nowhere_where_nobody_hears_of_it() {
    let (_, ports, contained) = sends(|| panic!("nothing begins"));
    let ctx = crate::testing::context(&ports);
    let leave = |back: &str| block_on(contained.leave(&ctx, Leaving::new(None, back, "state")));
    assert_eq!(leave("https://x/").unwrap().as_deref(), Some("https://x/"));
    for odd in ["javascript:alert(1)", "https://x/\r\nSet-Cookie:", &format!("https://x/{}", "y".repeat(8_192))] {
        assert!(protocol(leave(odd)).contains("location"), "{odd}");
    }
    let house = contain(Scripted::good());
    let nowhere = block_on(house.contained.leave(&house.ctx(), Leaving::new(None, "https://x/", "state")));
    assert_eq!(nowhere.unwrap(), None);
}

#[test]
fn a_login_rests_on_one_whose_names_are_within_bounds() {
    let login = |subject: &str, session: Option<&str>| {
        let (subject, session) = (subject.to_owned(), session.map(str::to_owned));
        let upstream = move || crate::UpstreamLogin { subject: subject.clone(), session: session.clone() };
        contain(Scripted::answers(move || {
            Login::new(alice(), Vec::new(), Timestamp::UNIX_EPOCH).with_upstream(upstream())
        }))
        .login()
    };
    assert!(login("u-1", Some("s-1")).is_ok() && login("u-1", None).is_ok());
    for (subject, session) in [("", None), ("u-1", Some("")), ("u-1", Some(&*"x".repeat(1_025)))] {
        assert!(protocol(login(subject, session)).contains("a login without a name"));
    }
}
