//! How far this machine's clock is from the gateway's: too far, and a certificate or a token is over before its time.

use jiff::Timestamp;

use crate::environment;

/// More than clocks drift that are kept right, in seconds.
const MOST: i64 = 60;

/// What is wrong and what mends it, when it is.
pub(crate) fn fault(theirs: Timestamp) -> Option<String> {
    told(off(theirs))
}

/// By how many seconds this machine is ahead.
pub(crate) fn off(theirs: Timestamp) -> i64 {
    environment::now().as_second() - theirs.as_second()
}

fn told(off: i64) -> Option<String> {
    let which = if off > 0 { "ahead of" } else { "behind" };
    (off.abs() > MOST).then(|| format!("this machine's clock is {} s {which} the gateway's: {FIX}", off.abs()))
}

/// What sets a clock.
pub(crate) const FIX: &str = if cfg!(target_os = "macos") {
    "turn on `Set date and time automatically`"
} else if cfg!(windows) {
    "run `w32tm /resync`"
} else {
    "set it, by `sudo timedatectl set-ntp true` or your own way"
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_far_is_told_with_its_direction() {
        assert_eq!([told(0), told(60), told(-60)], [None, None, None]);
        assert!(told(61).is_some_and(|text| text.contains("61 s ahead of")));
        assert!(told(-3600).is_some_and(|text| text.contains("3600 s behind")));
    }
}
