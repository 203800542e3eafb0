//! The tables, as they stand in `docs/performance.md`.

use std::time::Duration;

use comfy_table::{Table, presets};

use crate::Plan;
use crate::peers::{Case, Own, Row};

/// What all tables of a run have in common.
pub(crate) fn head(plan: &Plan) {
    tell(&machine());
    let (rounds, seconds) = (plan.rounds, plan.seconds);
    tell(&format!(
        "{rounds} rounds of {seconds} s for each case, medians; TLS on both sides, an answer of one kilobyte."
    ));
}

/// Says what came of a part.
#[expect(clippy::print_stdout, reason = "the result of the program")]
pub(crate) fn tell(text: &str) {
    println!("{text}");
}

/// The comparison with other proxies.
pub(crate) fn print(rows: &[Row], own: &Own) {
    tell(&format!("\n{}\n", costs(rows)));
    let median_ready = median(own.ready.iter().copied());
    tell(&format!(
        "gatewarden: {} ms from start to ready, {} ms of processor time for a login.",
        millis(median_ready),
        millis(own.login)
    ));
    let gatewarden = rows.iter().find(|row| row.name == "gatewarden");
    if let (Some(api), Some(row)) = (own.apiserver, gatewarden) {
        let share = 100.0 * row.cpu(Case::Http1).as_secs_f64() / api.as_secs_f64();
        tell(&format!(
            "kube-apiserver itself: {} us of processor time for a GET; the gateway adds {share:.0} % to it.",
            micros(api)
        ));
    }
}

/// A table with these columns and no rows.
pub(crate) fn with_columns<const N: usize>(columns: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(columns);
    table
}

fn costs(rows: &[Row]) -> Table {
    let mut table = with_columns([
        "server",
        "to the stub",
        "HTTP/1.1 x 64: CPU",
        "x 64: requests/s",
        "HTTP/1.1 x 1: p50",
        "x 1: p99",
        "HTTP/2 8 x 16: CPU",
        "8 x 16: requests/s",
        "idle watch",
        "idle memory",
    ]);
    for row in rows {
        let cpu = |case| format!("{} us{}", micros(row.cpu(case)), ratio(rows, row, case));
        let sequential = || row.samples.iter().filter(|sample| sample.case == Case::Sequential);
        let p50 = median(sequential().filter_map(|sample| sample.seen.median));
        let p99 = median(sequential().filter_map(|sample| sample.seen.p99));
        table.add_row([
            row.name.to_owned(),
            row.upstream.to_owned(),
            cpu(Case::Http1),
            format!("{:.0}", row.rate(Case::Http1)),
            format!("{} us", micros(p50)),
            format!("{} us", micros(p99)),
            cpu(Case::Http2),
            format!("{:.0}", row.rate(Case::Http2)),
            format!("{:.1} KiB", row.watch as f64 / 1024.0),
            format!("{:.1} MiB", row.idle as f64 / 1024.0 / 1024.0),
        ]);
    }
    table
}

/// How a row stands to HAProxy in the same run.
fn ratio(rows: &[Row], row: &Row, case: Case) -> String {
    let Some(haproxy) = rows.iter().find(|row| row.name == "haproxy") else { return String::new() };
    format!(" ({:.2})", row.cpu(case).as_secs_f64() / haproxy.cpu(case).as_secs_f64())
}

impl Row {
    /// The median processor time for one request.
    pub(crate) fn cpu(&self, case: Case) -> Duration {
        median(self.samples.iter().filter(|sample| sample.case == case).map(|sample| sample.cpu))
    }

    fn rate(&self, case: Case) -> f64 {
        let rates = self.samples.iter().filter(|sample| sample.case == case).map(|sample| sample.seen.rate);
        median(rates.map(Duration::from_secs_f64)).as_secs_f64()
    }
}

/// The middle one; of two middles, the lower.
pub(crate) fn median(values: impl Iterator<Item = Duration>) -> Duration {
    let mut values: Vec<Duration> = values.collect();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// A time as microseconds, with one decimal.
pub(crate) fn micros(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6)
}

/// A time as milliseconds, with one decimal.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

/// Processor and cores, as far as the kernel tells.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    format!("{cores} cores of{}", model.trim_start_matches([' ', '\t']).trim_start_matches(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        let of = |values: &[u64]| median(values.iter().map(|value| Duration::from_secs(*value))).as_secs();
        assert_eq!((of(&[3, 1, 2]), of(&[4, 1, 2, 3]), of(&[])), (2, 2, 0));
    }
}
