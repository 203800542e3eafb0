//! What the probe found, in words for the operator, and the commands that mend it.

use std::fmt;

use crate::cluster::{Role, State};

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
    /// Whom the API server takes the impersonator for.
    pub impersonator: Option<String>,
    /// Whom it takes the reviewer for.
    pub reviewer: Option<String>,
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
    /// What mends it.
    pub mend: Mend,
    /// What it means when they do not agree.
    pub(super) weight: Weight,
}

/// What mends a failed check. It is displayed in words that begin with a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// The manifest of this name gives what is missing.
    Apply(&'static str),
    /// Something else is bound to the account than it needs.
    Unbind(Account),
    /// The API server has to read our tokens as the gateway writes them.
    Trust,
    /// Another issuer makes the cluster's own tokens than the configuration says.
    Issuer,
}

/// One of the gateway's two accounts on a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Says who a request is from.
    Impersonator,
    /// Asks whether somebody may act as somebody else.
    Reviewer,
}

impl From<Role> for Account {
    fn from(role: Role) -> Self {
        match role {
            Role::Impersonator => Self::Impersonator,
            Role::Reviewer => Self::Reviewer,
        }
    }
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply(manifest) => write!(f, "apply `gatewarden cluster manifest {manifest}`"),
            Self::Unbind(Account::Impersonator) => f.write_str("remove what else is bound to the impersonator"),
            Self::Trust => f.write_str(
                "start the API server with `--authentication-config`, a file that `gatewarden cluster authentication-config` prints, and let it reach the issuer that is named there",
            ),
            Self::Issuer => f.write_str("write that one as `serviceAccountTokens.issuer` of the cluster"),
            Self::Unbind(Account::Reviewer) => f.write_str("remove what else is bound to the reviewer"),
        }
    }
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
    /// Without it only the cluster's own service accounts suffer.
    OwnTokens,
}

impl ProbeReport {
    /// Of a cluster that was not asked yet.
    pub(super) fn of(cluster: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            version: None,
            mode: None,
            impersonator: None,
            reviewer: None,
            checks: Vec::new(),
            unanswered: None,
        }
    }

    /// Whether the cluster may be opened without a `dangerous` setting, and everything else is as it should be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.unanswered.is_none() && self.checks.iter().all(|check| check.ok)
    }

    /// The commands that mend what was found, for a shell whose kubectl is an administrator's of that cluster. Each once.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        let mut commands = Vec::new();
        for check in self.checks.iter().filter(|check| !check.ok) {
            let command = match check.mend {
                Mend::Apply(manifest) => {
                    format!("gatewarden cluster manifest {manifest} --cluster {} | kubectl apply -f -", self.cluster)
                }
                Mend::Unbind(account) => self.bindings_of(account),
                Mend::Trust => format!("gatewarden cluster authentication-config {}", self.cluster),
                Mend::Issuer => "kubectl get --raw /.well-known/openid-configuration".to_owned(),
            };
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
        commands
    }

    /// Lists what is bound to an account. kubectl prints a service account as `namespace/name` there.
    fn bindings_of(&self, account: Account) -> String {
        let (name, own) = match account {
            Account::Impersonator => (&self.impersonator, "gatewarden-impersonator"),
            Account::Reviewer => (&self.reviewer, "gatewarden-reviewer"),
        };
        let name = name.as_deref().unwrap_or(own);
        let subject = name.strip_prefix("system:serviceaccount:").unwrap_or(name).replace(':', "/");
        format!(
            "kubectl get clusterrolebindings,rolebindings --all-namespaces -o wide | grep -F '{}'",
            subject.replace('\'', "'\\''")
        )
    }

    /// What becomes of requests while it is as it was found. `dangerous` is the cluster's `dangerousPrivilegedAccount`.
    #[must_use]
    pub fn effect(&self, dangerous: bool) -> &'static str {
        let too_much = self.checks.iter().any(|check| !check.ok && check.weight == Weight::Forbidden);
        let lacks = |weight| self.checks.iter().any(|check| !check.ok && check.weight == weight);
        match self.state(dangerous) {
            State::Closed(_) => {
                "the cluster is closed: an account may do more than it needs, and every request gets 503"
            }
            State::Unproven(_) => "nobody's identity would arrive, and every request gets 503",
            State::Open if self.unanswered.is_some() => "the gateway goes on as it was, and asks again",
            State::Open if too_much => "the cluster is open by dangerousPrivilegedAccount",
            State::Open if lacks(Weight::Reviewer) => "the cluster is open, and `kubectl --as` is refused",
            State::Open if lacks(Weight::OwnTokens) => {
                "the cluster is open, and its own service accounts get 503 or 401"
            }
            State::Open => "the cluster is open",
        }
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
    /// `too much` for a right that must not be there, else `missing`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.weight == Weight::Forbidden { "too much" } else { "missing" }
    }

    /// The check in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{}: expected {}, found {}; {}", self.name, self.expected, self.found, self.mend)
    }
}
