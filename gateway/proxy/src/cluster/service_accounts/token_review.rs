//! The question whether a token still holds (TokenReview, `authentication.k8s.io/v1`), and what its answers mean.
//!
//! A signature says that a token was made. Only the cluster knows that its account, its pod or its node is still there.

use bytes::Bytes;
use http::StatusCode;
use kube_wire::UserInfo;
use serde::Deserialize;
use serde_json::json;

use super::token::Said;

pub(super) const PATH: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const API_VERSION: &str = "authentication.k8s.io/v1";
const KIND: &str = "TokenReview";
/// Kubernetes' own names are far shorter.
const LONGEST_NAME: usize = 1024;

/// What an answer comes to. The words are ours: a cluster's own could repeat the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Holds,
    /// The token is at fault.
    Fails(&'static str),
    /// There is no answer in it.
    Unanswered(&'static str),
}

/// Asks about a token, for these audiences.
pub(super) fn question(token: &str, audiences: &[String]) -> Bytes {
    let spec = json!({ "token": token, "audiences": audiences });
    Bytes::from(json!({ "apiVersion": API_VERSION, "kind": KIND, "spec": spec }).to_string())
}

/// Reads an answer. It must be about the very account that the signed token names.
pub(super) fn judge(status: StatusCode, answer: &[u8], said: &Said, audiences: &[String]) -> Judgement {
    match status {
        StatusCode::CREATED | StatusCode::OK => {}
        // The token is not at fault, and a client that is told 401 throws it away.
        StatusCode::FORBIDDEN => return Judgement::Unanswered("the reviewer may not create TokenReviews"),
        StatusCode::UNAUTHORIZED => return Judgement::Unanswered("the reviewer's own credential is refused"),
        StatusCode::TOO_MANY_REQUESTS => return Judgement::Unanswered("the API server is busy"),
        _ => return Judgement::Unanswered("a TokenReview failed"),
    }
    let Ok(review) = serde_json::from_slice::<Review>(answer) else {
        return Judgement::Unanswered("the answer to a TokenReview is none");
    };
    if review.api_version != API_VERSION || review.kind != KIND {
        return Judgement::Unanswered("the answer to a TokenReview is of another kind");
    }
    review.status.judge(said, audiences)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    api_version: String,
    kind: String,
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    authenticated: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default)]
    user: UserInfo,
}

impl Status {
    fn judge(&self, said: &Said, audiences: &[String]) -> Judgement {
        let name = self.user.username.as_str();
        // Each alone decides: a name beside `authenticated: false` stands for nobody (CVE-2023-48312).
        let fault = if !self.authenticated {
            "the cluster does not accept it"
        } else if !self.error.is_empty() {
            "the cluster found a fault with it"
        } else if !self.audiences.iter().any(|audience| audiences.contains(audience)) {
            "the cluster takes it for another audience's"
        } else if name.trim().is_empty() || name.len() > LONGEST_NAME {
            "the cluster names nobody"
        } else if name != said.account.username() {
            "the cluster takes it for somebody else's"
        } else if self.user.uid.as_deref() != Some(&said.uid) {
            "the account was made anew"
        } else {
            return Judgement::Holds;
        };
        Judgement::Fails(fault)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::Value;

    use super::*;
    use crate::boundary::ServiceAccount;

    const NAME: &str = "system:serviceaccount:ci:deployer";

    fn judged(code: u16, answer: &Value) -> Judgement {
        let account = ServiceAccount::parse(NAME).unwrap();
        let said = Said { account, uid: "u-1".to_owned(), expires_at: SystemTime::UNIX_EPOCH };
        let code = StatusCode::from_u16(code).unwrap();
        judge(code, answer.to_string().as_bytes(), &said, &["east".to_owned(), "kube".to_owned()])
    }

    fn answer() -> Value {
        let user = json!({"username": NAME, "uid": "u-1", "groups": ["system:serviceaccounts"]});
        let status = json!({"authenticated": true, "audiences": ["kube"], "user": user});
        json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": {}, "spec": {}, "status": status})
    }

    fn but(pointer: &str, value: Value) -> Value {
        let mut answer = answer();
        let (above, name) = pointer.rsplit_once('/').unwrap();
        answer.pointer_mut(above).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
        answer
    }

    #[test]
    fn the_question_is_for_the_audiences_that_are_taken() {
        let question: Value = serde_json::from_slice(&question("a.b.c", &["kube".to_owned()])).unwrap();
        assert_eq!(question["spec"], json!({"token": "a.b.c", "audiences": ["kube"]}));
    }

    #[test]
    fn only_a_plain_yes_about_this_account_is_a_yes() {
        assert_eq!(judged(201, &answer()), Judgement::Holds);
        let long = "x".repeat(LONGEST_NAME + 1);
        let fails = [
            ("/status/authenticated", json!(false)),
            ("/status", json!({})),
            ("/status/error", json!("invalid bearer token")),
            ("/status/audiences", json!(["vault"])),
            ("/status/audiences", json!([])),
            ("/status/user", json!({})),
            ("/status/user/username", json!("")),
            ("/status/user/username", json!("  ")),
            ("/status/user/username", json!(long)),
            ("/status/user/username", json!("system:serviceaccount:ci:root")),
            ("/status/user/username", json!("system:serviceaccount:ci:deployer ")),
            ("/status/user/username", json!("system:admin")),
            ("/status/user/uid", json!("u-2")),
            ("/status/user", json!({"username": NAME})),
        ];
        for (pointer, value) in fails {
            let judged = judged(201, &but(pointer, value.clone()));
            assert!(matches!(judged, Judgement::Fails(_)), "{pointer} {value}: {judged:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_nobody_s_fault() {
        for code in [400, 401, 403, 404, 409, 429, 500, 502, 503, 504, 302] {
            assert!(matches!(judged(code, &answer()), Judgement::Unanswered(_)), "{code}");
        }
        let strange = [
            ("/apiVersion", json!("authentication.k8s.io/v1beta1")),
            ("/kind", json!("SubjectAccessReview")),
            ("/kind", json!("Status")),
            ("/status", json!("Failure")),
            ("/status/authenticated", json!("true")),
            ("/status/user/username", json!(7)),
        ];
        for (pointer, value) in strange {
            let judged = judged(201, &but(pointer, value.clone()));
            assert!(matches!(judged, Judgement::Unanswered(_)), "{pointer} {value}: {judged:?}");
        }
    }

    #[test]
    fn no_word_of_a_cluster_is_repeated() {
        let judged = judged(201, &but("/status/error", json!("hunter2")));
        assert!(!format!("{judged:?}").contains("hunter2"));
    }
}
