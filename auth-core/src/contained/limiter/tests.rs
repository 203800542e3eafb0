//! Guessing at accounts and from sources, with a clock that stands still.

use super::*;
use crate::testing::ManualClock;

const WRONG: Result<(), AuthError> = Err(AuthError::BadCredentials);
const RIGHT: Result<(), AuthError> = Ok(());

fn limiter(change: impl FnOnce(&mut AttemptLimits)) -> (Arc<ManualClock>, Limiter) {
    let clock = Arc::new(ManualClock::new());
    let mut limits = AttemptLimits {
        account_burst: 3,
        account_interval: Duration::from_secs(30),
        source_burst: 5,
        ..AttemptLimits::default()
    };
    change(&mut limits);
    (Arc::clone(&clock), Limiter::new(clock, limits))
}

fn source(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn guess(limiter: &Limiter, login: &str, from: Option<IpAddr>, result: &Result<(), AuthError>) -> Result<(), Duration> {
    match limiter.charge(login, from) {
        Ok(attempt) => {
            attempt.settle(result);
            Ok(())
        }
        Err(AuthError::Throttled { retry_after }) => Err(retry_after),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn an_account_is_throttled_and_the_wait_it_names_is_enough() {
    let (clock, limiter) = limiter(|_| ());
    for _ in 0..3 {
        assert_eq!(guess(&limiter, "alice", None, &WRONG), Ok(()));
    }
    let wait = guess(&limiter, "alice", None, &WRONG).unwrap_err();
    assert_eq!(wait, Duration::from_secs(30));
    clock.advance(wait - Duration::from_nanos(1));
    assert!(guess(&limiter, "alice", None, &WRONG).is_err());
    clock.advance(Duration::from_nanos(1));
    assert_eq!(guess(&limiter, "alice", None, &WRONG), Ok(()));
    assert!(guess(&limiter, "alice", None, &WRONG).is_err(), "one more, not a new burst");
}

#[test]
fn every_spelling_of_an_account_is_the_same_account() {
    for spelling in [
        "ångström ada",
        "ÅNGSTRÖM   ADA",
        "ångström\u{a0}ada",
        "a\u{30a}ngstro\u{308}m ada",
        "Ångströmada",
        "ångström ａｄａ",
        "ångström ⓐⓓⓐ",
        "ångström 𝓪𝖉𝕒",
        "ångström a\u{ad}d\u{200b}a\u{fe0f}",
        "angstrom ada",
    ] {
        let (_, limiter) = limiter(|_| ());
        while guess(&limiter, "Ångström Ada", None, &WRONG).is_ok() {}
        assert!(guess(&limiter, spelling, None, &WRONG).is_err(), "{spelling:?} is a fresh account");
        for other in ["ada", "ångström.ada", "ångström ida", "ångström ada2", "오다"] {
            assert_eq!(guess(&limiter, other, None, &WRONG), Ok(()), "{other}");
        }
    }
    let (_, limiter) = limiter(|_| ());
    while guess(&limiter, "straße.ΟΔΟΣ", None, &WRONG).is_ok() {}
    assert!(guess(&limiter, "STRASSE.οδοσ", None, &WRONG).is_err());
}

#[test]
fn a_limiter_that_takes_over_forgets_nobody() {
    let (_, old) = limiter(|_| ());
    while guess(&old, "alice", None, &WRONG).is_ok() {}
    let (_, stranger) = limiter(|_| ());
    assert_eq!(guess(&stranger, "alice", None, &WRONG), Ok(()));
    let new = Limiter::new(Arc::clone(&old.clock), old.limits.clone()).continuing(&old);
    assert!(guess(&new, "alice", None, &WRONG).is_err());
    assert_eq!(guess(&new, "bob", None, &WRONG), Ok(()));
}

#[test]
fn a_success_at_home_forgives_the_failures_there() {
    let (_, limiter) = limiter(|limits| limits.source_burst = 1_000);
    let home = source("192.0.2.1");
    assert_eq!(guess(&limiter, "alice", home, &RIGHT), Ok(()));
    for _ in 0..3 {
        assert_eq!(guess(&limiter, "alice", home, &WRONG), Ok(()));
        assert_eq!(guess(&limiter, "Alice", home, &WRONG), Ok(()));
        assert_eq!(guess(&limiter, "alice", home, &RIGHT), Ok(()));
    }
}

#[test]
fn a_success_does_not_forgive_the_source() {
    let (_, limiter) = limiter(|_| ());
    let here = source("192.0.2.1");
    for account in ["a", "b", "c", "d", "e"] {
        assert_eq!(guess(&limiter, account, here, &WRONG), Ok(()));
        let _ = guess(&limiter, "mine", here, &RIGHT);
    }
    assert!(guess(&limiter, "f", here, &WRONG).is_err());
}

#[test]
fn a_success_under_a_similar_login_forgives_nobody_else() {
    for similar in ["álice", "al ice"] {
        let (_, limiter) = limiter(|limits| limits.account_burst = 5);
        let here = source("192.0.2.1");
        for _ in 0..4 {
            assert_eq!(guess(&limiter, "alice", None, &WRONG), Ok(()));
        }
        assert_eq!(guess(&limiter, similar, here, &RIGHT), Ok(()));
        assert_eq!(guess(&limiter, "alice", here, &WRONG), Ok(()));
        assert!(guess(&limiter, "alice", here, &WRONG).is_err(), "{similar} gave new guesses at alice");
        assert_eq!(guess(&limiter, similar, here, &RIGHT), Ok(()), "at home they do not wait for it");
    }
}

#[test]
fn a_network_of_ipv6_addresses_is_one_source() {
    let (_, limiter) = limiter(|_| ());
    for n in 0..5 {
        let login = format!("user{n}");
        assert_eq!(guess(&limiter, &login, source(&format!("2001:db8:1:2::{n}")), &WRONG), Ok(()));
    }
    assert!(guess(&limiter, "x", source("2001:db8:1:2:ffff::1"), &WRONG).is_err());
    assert_eq!(guess(&limiter, "x", source("2001:db8:1:3::1"), &WRONG), Ok(()));
    for n in 5..10 {
        let _ = guess(&limiter, &format!("user{n}"), source("192.0.2.7"), &WRONG);
    }
    assert!(guess(&limiter, "y", source("::ffff:192.0.2.7"), &WRONG).is_err(), "a mapped address is the IPv4 one");
}

#[test]
fn attempts_in_parallel_are_charged_before_they_end() {
    let (_, limiter) = limiter(|_| ());
    let under_way: Vec<_> = (0..3).map(|_| limiter.charge("alice", None).map_err(drop).unwrap()).collect();
    assert!(limiter.charge("alice", None).is_err());
    drop(under_way);
    assert!(limiter.charge("alice", None).is_err(), "hanging up gives nothing back");
}

#[test]
fn a_refused_attempt_is_not_charged() {
    let (clock, limiter) = limiter(|_| ());
    for _ in 0..50 {
        let _ = guess(&limiter, "alice", source("192.0.2.1"), &WRONG);
    }
    clock.advance(Duration::from_secs(30));
    assert_eq!(guess(&limiter, "alice", source("192.0.2.1"), &WRONG), Ok(()));
}

#[test]
fn what_is_no_guess_is_given_back() {
    let (_, limiter) = limiter(|_| ());
    for _ in 0..20 {
        assert_eq!(guess(&limiter, "alice", source("192.0.2.1"), &Err(AuthError::Disabled)), Ok(()));
        assert_eq!(guess(&limiter, "alice", source("192.0.2.1"), &Err(AuthError::unavailable("down"))), Ok(()));
    }
}

#[test]
fn memory_is_bounded_and_the_most_guessed_account_is_kept() {
    let (clock, limiter) = limiter(|limits| limits.remembered = 100);
    for _ in 0..3 {
        let _ = guess(&limiter, "victim", None, &WRONG);
    }
    for n in 0..1_000 {
        let _ = guess(&limiter, &format!("noise{n}"), None, &WRONG);
        assert!(limiter.remembered().0 <= 100);
    }
    assert!(guess(&limiter, "victim", None, &WRONG).is_err(), "noise does not wash the victim's failures away");
    clock.advance(Duration::from_secs(3600));
    let _ = guess(&limiter, "one", None, &WRONG);
    assert_eq!(limiter.remembered().0, 1, "what has leaked empty is forgotten");
}

#[test]
fn guessing_from_elsewhere_does_not_keep_somebody_out_of_their_account() {
    let (_, limiter) = limiter(|limits| limits.source_burst = 1_000);
    let (home, elsewhere) = (source("192.0.2.1"), source("198.51.100.9"));
    assert_eq!(guess(&limiter, "alice", home, &RIGHT), Ok(()));
    while guess(&limiter, "alice", elsewhere, &WRONG).is_ok() {}
    assert_eq!(guess(&limiter, "alice", home, &RIGHT), Ok(()));
    assert!(guess(&limiter, "alice", elsewhere, &RIGHT).is_err(), "elsewhere the wait still holds");
    for _ in 0..3 {
        assert_eq!(guess(&limiter, "alice", home, &WRONG), Ok(()));
    }
    assert!(guess(&limiter, "alice", home, &WRONG).is_err(), "at home guesses are counted as well");
    assert_eq!(guess(&limiter, "bob", home, &WRONG), Ok(()), "a home is one account's");
}

#[test]
fn a_trip_is_charged_to_its_source_given_back_by_a_login_and_doubled_by_an_answer_that_was_made_up() {
    let began = |limiter: &Limiter, from| limiter.begin_trip(from).is_ok();
    let here = source("2001:db8:1:2::1");
    let (clock, limiter) = limiter(|_| ());
    for n in 0..5 {
        assert!(began(&limiter, source(&format!("2001:db8:1:2::{n}"))));
    }
    let Err(AuthError::Throttled { retry_after }) = limiter.begin_trip(here) else { panic!("six trips") };
    assert!(began(&limiter, source("2001:db8:1:3::1")) && began(&limiter, None));
    assert_eq!(guess(&limiter, "alice", here, &WRONG), Ok(()), "passwords are counted apart");
    limiter.end_trip(here, &RIGHT);
    assert!(began(&limiter, here) && !began(&limiter, here));
    clock.advance(retry_after * 5);
    for made_up in [AuthError::Replay, AuthError::Protocol(String::new())] {
        assert!(began(&limiter, here));
        limiter.end_trip(here, &Err::<(), _>(made_up));
    }
    assert!(began(&limiter, here));
    limiter.end_trip(here, &Err::<(), _>(AuthError::unavailable("down")));
    assert!(!began(&limiter, here));
}

#[test]
fn homes_are_bounded_too() {
    let (_, limiter) = limiter(|limits| limits.remembered = 10);
    for n in 0..100 {
        let _ = guess(&limiter, &format!("user{n}"), source("192.0.2.1"), &RIGHT);
        assert!(limiter.remembered().1 <= 10);
    }
}
