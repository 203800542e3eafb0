//! What clusters said about `--as`, for at most ten seconds: as long as an API server itself remembers.

use std::future::Future;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use kube_wire::{RequestInfo, UserInfo};
use quick_cache::sync::Cache;

use crate::gate::Common;
use crate::impersonate::nested::Verdict;
use crate::refusal::Refusal;

/// The answers of the last seconds. Errors are not among them.
#[derive(Debug)]
pub(crate) struct Reviews {
    secret: hmac::Key,
    answers: Cache<[u8; 32], Answer>,
}

/// What was said, and when it was asked.
type Answer = (Instant, Verdict);

/// All that an answer depends on.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) cluster: &'a str,
    pub(super) caller: &'a UserInfo,
    pub(super) target: &'a UserInfo,
    /// What the target is to be used for, where that matters.
    pub(super) asked: Option<&'a RequestInfo>,
}

const REMEMBERED: Duration = Duration::from_secs(10);
const MOST: usize = 16_384;

impl Reviews {
    /// # Errors
    /// When the system gives no random bytes.
    pub(crate) fn new() -> Result<Self, aws_lc_rs::error::Unspecified> {
        let secret = hmac::Key::generate(hmac::HMAC_SHA256, &aws_lc_rs::rand::SystemRandom::new())?;
        Ok(Self { secret, answers: Cache::new(MOST) })
    }

    /// The remembered answer, or the one that asking gives.
    pub(super) async fn answer(
        &self,
        common: &Common,
        question: Question<'_>,
        ask: impl Future<Output = Result<Verdict, Refusal>>,
    ) -> Result<Verdict, Refusal> {
        let key = self.key(question);
        let asked_at = common.time.monotonic();
        if let Some((answered_at, verdict)) = self.answers.get(&key)
            && asked_at.saturating_duration_since(answered_at) < REMEMBERED
        {
            return Ok(verdict);
        }
        let verdict = ask.await?;
        // From when it was asked: the cluster may have changed its mind while it answered.
        self.answers.insert(key, (asked_at, verdict.clone()));
        Ok(verdict)
    }

    fn key(&self, question: Question<'_>) -> [u8; 32] {
        let mut hash = Hash(hmac::Context::with_key(&self.secret));
        hash.text(question.cluster);
        hash.user(question.caller);
        hash.user(question.target);
        if let Some(asked) = question.asked {
            let parts = [&asked.api_group, &asked.api_version, &asked.resource, &asked.subresource];
            parts.into_iter().chain([&asked.namespace, &asked.name, &asked.path]).for_each(|part| hash.text(part));
            hash.text(&asked.verb);
            hash.count(usize::from(asked.is_resource_request));
        }
        let mut key = [0; 32];
        key.iter_mut().zip(hash.0.sign().as_ref()).for_each(|(to, from)| *to = *from);
        key
    }
}

/// Length-prefixed parts, so that no two different questions make one key.
struct Hash(hmac::Context);

impl Hash {
    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_be_bytes());
    }

    fn texts(&mut self, texts: &[String]) {
        self.count(texts.len());
        texts.iter().for_each(|text| self.text(text));
    }

    fn user(&mut self, user: &UserInfo) {
        self.text(&user.username);
        self.texts(user.uid.as_slice());
        self.texts(&user.groups);
        self.count(user.extra.len());
        for (key, values) in &user.extra {
            self.text(key);
            self.texts(values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    fn user(name: &str, groups: &[&str]) -> UserInfo {
        UserInfo { groups: groups.iter().map(|group| (*group).to_owned()).collect(), ..UserInfo::named(name) }
    }

    #[test]
    fn no_two_questions_share_an_answer() {
        let reviews = Reviews::new().unwrap();
        let pods = RequestInfo::parse(&http::Method::GET, "/api/v1/namespaces/a/pods/b", None).unwrap();
        let other = RequestInfo::parse(&http::Method::GET, "/api/v1/namespaces/ab/pods", None).unwrap();
        let users = [user("a", &[]), user("a", &["b"]), user("a", &["b", "c"]), user("a", &["bc"]), user("ab", &[])];
        let mut keys = std::collections::HashSet::new();
        let mut asked = 0;
        for cluster in ["east", "west"] {
            for (caller, target) in users.iter().flat_map(|caller| users.iter().map(move |target| (caller, target))) {
                for purpose in [None, Some(&pods), Some(&other)] {
                    keys.insert(reviews.key(Question { cluster, caller, target, asked: purpose }));
                    asked += 1;
                }
            }
        }
        assert_eq!(keys.len(), asked);
    }

    #[tokio::test]
    async fn an_answer_is_forgotten_after_ten_seconds() {
        let world = World::new();
        let (caller, target) = (user("a", &[]), user("b", &[]));
        let question = Question { cluster: "east", caller: &caller, target: &target, asked: None };
        let ask = async |verdict| {
            let common = &world.gate.common;
            common.reviews.answer(common, question, async { Ok(verdict) }).await.unwrap()
        };
        assert_eq!(ask(Verdict::Allowed).await, Verdict::Allowed);
        let denied = Verdict::Denied("no".into());
        assert_eq!(ask(denied.clone()).await, Verdict::Allowed, "remembered");
        world.time.pass(REMEMBERED);
        assert_eq!(ask(denied.clone()).await, denied);
    }
}
