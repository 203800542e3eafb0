//! What an operator may set for local users.

use auth_core::{Fault, read_config};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The `config:` of a provider of kind `local`. All of it may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct LocalConfig {
    /// What login pages call it.
    pub display_name: String,
    /// What one password hash costs.
    pub argon2: Cost,
    /// How many passwords may be checked or wait to be checked at once. Beyond, logins are told to come back.
    pub max_concurrent_checks: usize,
}

impl Default for LocalConfig {
    fn default() -> Self {
        Self { display_name: "Local users".to_owned(), argon2: Cost::default(), max_concurrent_checks: 64 }
    }
}

/// The cost of one Argon2id run. More is slower for whoever guesses, and for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Cost {
    /// Memory of one run, in KiB. 19456 (19 MiB) by default.
    pub memory_kib: u32,
    /// How often the memory is gone over. 2 by default.
    pub iterations: u32,
    /// Lanes of one run. 1 by default.
    pub parallelism: u32,
}

impl Default for Cost {
    fn default() -> Self {
        MINIMUM
    }
}

// OWASP's password storage recommendation for Argon2id: 19 MiB, two iterations, one lane.
const MINIMUM: Cost = Cost { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 };
// A run that takes a gigabyte would make the login form a way to empty the machine's memory.
const MAXIMUM: Cost = Cost { memory_kib: 1024 * 1024, iterations: 16, parallelism: 16 };

impl LocalConfig {
    /// Reads and checks what stands under `config:`, for whoever makes hashes without an instance.
    ///
    /// # Errors
    /// Every fault at once, the same that keep an instance from being built.
    pub fn read(config: Value) -> Result<Self, Vec<Fault>> {
        let read: Self = read_config(config)?;
        let faults = read.faults();
        if faults.is_empty() { Ok(read) } else { Err(faults) }
    }

    /// Lists what cannot be used as it stands.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = self.argon2.faults();
        if !(1..=4096).contains(&self.max_concurrent_checks) {
            faults.push(Fault::new("maxConcurrentChecks", "must be between 1 and 4096; 64 is the default"));
        }
        if self.display_name.trim().is_empty() {
            faults.push(Fault::new("displayName", "is empty; leave it out, or write what people should read"));
        }
        faults
    }
}

impl Cost {
    fn faults(self) -> Vec<Fault> {
        let bounds = [
            ("memoryKib", self.memory_kib, MINIMUM.memory_kib, MAXIMUM.memory_kib),
            ("iterations", self.iterations, MINIMUM.iterations, MAXIMUM.iterations),
            ("parallelism", self.parallelism, MINIMUM.parallelism, MAXIMUM.parallelism),
        ];
        let outside = |&(_, value, least, most): &(&str, u32, u32, u32)| !(least..=most).contains(&value);
        bounds
            .into_iter()
            .filter(outside)
            .map(|(key, value, least, most)| {
                Fault::new(format!("argon2.{key}"), format!("is {value}; write a number from {least} to {most}"))
            })
            .collect()
    }

    /// Whether a hash made at `self` is weaker than one made at `wanted`.
    pub(crate) const fn is_below(self, wanted: Self) -> bool {
        self.memory_kib < wanted.memory_kib
            || self.iterations < wanted.iterations
            || self.parallelism < wanted.parallelism
    }

    /// Whether a hash that claims this cost may be run at all.
    pub(crate) const fn is_bearable(self) -> bool {
        self.memory_kib <= MAXIMUM.memory_kib
            && self.iterations <= MAXIMUM.iterations
            && self.parallelism <= MAXIMUM.parallelism
    }
}
