//! One thing that is wrong with the configuration, where, and what to write instead.

use std::fmt;

use super::yaml::Spot;

/// Something in the file that must be changed before the gateway runs on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where it stands.
    pub spot: Spot,
    /// The key, as a path: `clusters[0].server`. Empty: the file as a whole.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub advice: String,
}

impl Fault {
    /// Makes a fault.
    pub(super) fn new(
        spot: Spot,
        path: impl Into<String>,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { spot, path: path.into(), problem: problem.into(), advice: advice.into() }
    }
}

/// `12:5: clusters[0].servr: unknown key; did you mean "server"?`, so that `<file>:` in front makes it a link in
/// editors and terminals.
impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: ", self.spot.line.max(1), self.spot.column.max(1))?;
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        write!(formatter, "{}", self.problem)?;
        if !self.advice.is_empty() {
            write!(formatter, "; {}", self.advice)?;
        }
        Ok(())
    }
}
