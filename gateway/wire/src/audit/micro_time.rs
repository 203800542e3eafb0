//! metav1.MicroTime: RFC 3339 in UTC with exactly six digits of a second.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer};

/// Writes `2026-01-02T03:04:05.000006Z`.
pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.6}"))
}

/// Reads any RFC 3339 time.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Timestamp::deserialize(deserializer)
}
