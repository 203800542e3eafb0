//! wrk and h2load: load in full, and what they say of it.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::contender::Contender;

/// What one run of a generator saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Requests that were answered with 200.
    pub(crate) answered: u64,
    /// Requests a second.
    pub(crate) rate: f64,
    /// Half of the answers came within this time, where the generator says so.
    pub(crate) median: Option<Duration>,
    /// 99 of 100 came within this time, where the generator says so.
    pub(crate) p99: Option<Duration>,
}

/// HTTP/1.1 over this many connections, each one request at a time.
///
/// # Errors
/// When wrk fails, or an answer was no 200.
pub(crate) fn http1(target: &Contender, connections: u32, seconds: u32) -> Result<Seen> {
    let mut command = Command::new("wrk");
    command.args(["--latency", "--threads", "1", "--connections", &connections.to_string()]);
    command.args(["--duration", &format!("{seconds}s")]);
    for (name, value) in target.headers() {
        command.args(["--header", &format!("{name}: {value}")]);
    }
    let text = output(command.arg(target.url()))?;
    read_wrk(&text).with_context(|| text)
}

/// HTTP/2 over this many connections with this many requests at once on each.
///
/// # Errors
/// When h2load fails, or an answer was no 200.
pub(crate) fn http2(target: &Contender, connections: u32, streams: u32, seconds: u32) -> Result<Seen> {
    let mut command = Command::new("h2load");
    command.args(["--threads", "1", "--clients", &connections.to_string()]);
    command.args(["--max-concurrent-streams", &streams.to_string(), "--duration", &seconds.to_string()]);
    for (name, value) in target.headers() {
        command.args(["--header", &format!("{name}: {value}")]);
    }
    let text = output(command.arg(target.url()))?;
    read_h2load(&text).with_context(|| text)
}

fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("run {program}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{program}: {text}{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

fn read_wrk(text: &str) -> Result<Seen> {
    for word in ["Non-2xx", "Socket errors"] {
        ensure!(!text.contains(word), "wrk saw faults");
    }
    let line = |mark: &str| text.lines().find(|line| line.contains(mark)).with_context(|| format!("no {mark:?}"));
    let percentile = |mark: &str| {
        let found = text.lines().find_map(|line| line.trim().strip_prefix(mark))?;
        duration(found.trim()).ok()
    };
    let requests = line(" requests in ")?.split_whitespace().next().context("no count")?;
    let rate = line("Requests/sec:")?.split_whitespace().last().context("no rate")?;
    Ok(Seen { answered: requests.parse()?, rate: rate.parse()?, median: percentile("50%"), p99: percentile("99%") })
}

fn read_h2load(text: &str) -> Result<Seen> {
    let line =
        |mark: &str| text.lines().find_map(|line| line.strip_prefix(mark)).with_context(|| format!("no {mark:?}"));
    let count = |line: &str, word: &str| -> Result<u64> {
        let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        let at = words.iter().position(|found| *found == word).with_context(|| format!("no {word:?}"))?;
        Ok(words.get(at.wrapping_sub(1)).context("no number")?.parse()?)
    };
    let requests = line("requests:")?;
    let succeeded = count(requests, "succeeded")?;
    ensure!(succeeded > 0 && count(requests, "failed")? == 0, "h2load saw faults");
    ensure!(count(line("status codes:")?, "2xx")? >= succeeded, "h2load saw refusals");
    let finished = line("finished in ")?;
    let rate = finished.split(',').nth(1).and_then(|part| part.trim().strip_suffix(" req/s"));
    Ok(Seen { answered: succeeded, rate: rate.context("no rate")?.trim().parse()?, median: None, p99: None })
}

/// wrk's `312.00us`, `1.25ms`, `2.00s`.
fn duration(text: &str) -> Result<Duration> {
    for (unit, seconds) in [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(Duration::from_secs_f64(number.trim().parse::<f64>()? * seconds));
        }
    }
    bail!("{text:?} is no time")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRK: &str = "Running 4s test @ https://127.0.0.1:1\n  1 threads and 64 connections\n  Thread Stats   Avg      \
                       Stdev     Max   +/- Stdev\n    Latency     3.20ms    1.00ms  12.00ms   70.00%\n  Latency \
                       Distribution\n     50%    3.10ms\n     75%    4.00ms\n     90%    5.00ms\n     99%    900.00us\n  \
                       80000 requests in 4.00s, 100.00MB read\nRequests/sec:  20000.50\nTransfer/sec:     25.00MB\n";

    #[test]
    fn what_wrk_says_is_read() {
        let seen = read_wrk(WRK).unwrap();
        assert_eq!((seen.answered, seen.median), (80_000, Some(Duration::from_micros(3_100))));
        assert_eq!(seen.p99, Some(Duration::from_micros(900)));
    }

    #[test]
    fn a_run_with_refusals_is_no_result() {
        assert!(read_wrk(&format!("{WRK}  Non-2xx or 3xx responses: 5\n")).is_err());
    }

    #[test]
    fn what_h2load_says_is_read() {
        let text = "finished in 4.00s, 25000.25 req/s, 3.1MB/s\nrequests: 100000 total, 100128 started, 100000 done, \
                    100000 succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: 100000 2xx, 0 3xx, 0 4xx, 0 5xx\n";
        let seen = read_h2load(text).unwrap();
        assert_eq!(seen.answered, 100_000);
        assert!(read_h2load(&text.replace("100000 2xx", "3 2xx")).is_err());
    }
}
