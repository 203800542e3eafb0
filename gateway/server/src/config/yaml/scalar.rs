//! Small values: durations and the like.

use std::time::Duration;

/// Reads `500ms`, `10s`, `15m`, `12h` or `30d`.
pub(in crate::config) fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (count, unit) = text.split_at_checked(split)?;
    let count: u64 = count.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(count)),
        "s" => Some(Duration::from_secs(count)),
        "m" => count.checked_mul(60).map(Duration::from_secs),
        "h" => count.checked_mul(3_600).map(Duration::from_secs),
        "d" => count.checked_mul(86_400).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_its_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("15m"), Some(Duration::from_mins(15)));
        assert_eq!(duration("12h"), Some(Duration::from_hours(12)));
        for bad in ["", "12", "h", "1.5h", "-1s", "1 h", "99999999999999999999s", "12hours"] {
            assert_eq!(duration(bad), None, "{bad:?}");
        }
    }
}
