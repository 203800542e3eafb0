//! What the probe found, in words for the operator.

use crate::cluster::State;

/// Everything that was asked of one cluster, and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeReport {
    /// The cluster's id.
    pub cluster: String,
    /// The API server's version, such as `v1.36.3`.
    pub version: Option<String>,
    /// Which kind of impersonation it was asked about.
    pub mode: Option<Mode>,
    /// Each question with its answer.
    pub checks: Vec<Check>,
    /// Why the cluster could not be asked, when it could not.
    pub unanswered: Option<String>,
}

/// How the gateway acts as somebody else there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Since 1.36: the API server itself refuses `system:masters`, nodes and service accounts.
    Constrained,
    /// Before: whoever may impersonate groups may impersonate every group.
    Legacy,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// What was asked, such as `impersonator may not get secrets`.
    pub name: String,
    /// What must be so.
    pub expected: String,
    /// What is so.
    pub found: String,
    /// Whether both agree.
    pub ok: bool,
    /// What mends it, in words that begin with a verb.
    pub mend: &'static str,
    /// What it means when they do not agree.
    pub(super) weight: Weight,
}

/// What a failed check means for the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Without it nobody's identity arrives: 503.
    Needed,
    /// With it a lost header, or a lost token, is a lost cluster: closed.
    Forbidden,
    /// Without it only `--as` suffers.
    Reviewer,
}

impl ProbeReport {
    /// Whether the cluster may be opened without a `dangerous` setting, and everything else is as it should be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.unanswered.is_none() && self.checks.iter().all(|check| check.ok)
    }

    /// What the answers mean. A right too many outweighs one too few: the account must be looked at first.
    pub(super) fn state(&self, dangerous: bool) -> State {
        let failed = |weight| self.checks.iter().find(move |check| !check.ok && check.weight == weight);
        if let Some(check) = failed(Weight::Forbidden)
            && !dangerous
        {
            return State::Closed(check.sentence().into());
        }
        match failed(Weight::Needed) {
            Some(check) => State::Unproven(check.sentence().into()),
            None => State::Open,
        }
    }
}

impl Check {
    /// The check in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{}: expected {}, found {}; {}", self.name, self.expected, self.found, self.mend)
    }
}
