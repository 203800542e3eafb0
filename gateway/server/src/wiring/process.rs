//! What the system says of this process, under the names that every Prometheus client library gives it.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads `/proc/self` whenever somebody asks. What cannot be read is left out.
#[derive(Debug)]
pub(super) struct Process;

/// The unit of times in `/proc`, which the kernel shows to every program alike.
const TICKS: f64 = 100.0;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut show = |name: &str, help: &str, metric: Option<&dyn Shown>| match metric {
            Some(metric) => metric.encode(encoder.encode_descriptor(name, help, None, metric.kind())?),
            None => Ok(()),
        };
        let stat = stat();
        let seconds = stat.as_ref().map(|stat| ConstCounter::new(stat.ticks / TICKS));
        show("process_cpu_seconds", "Processor time that was used", seconds.as_ref().map(|seconds| seconds as _))?;
        let gauges = [
            (
                "process_start_time_seconds",
                "When the process started, since 1970",
                stat.and_then(|stat| started(&stat)),
            ),
            ("process_resident_memory_bytes", "Memory in use", resident()),
            ("process_open_fds", "Open files and connections", open_files()),
            ("process_max_fds", "Files and connections that may be open", most_files()),
        ];
        for (name, help, value) in gauges {
            let gauge = value.map(ConstGauge::new);
            show(name, help, gauge.as_ref().map(|gauge| gauge as _))?;
        }
        Ok(())
    }
}

/// What is shown of either kind.
trait Shown {
    fn kind(&self) -> prometheus_client::metrics::MetricType;
    fn encode(&self, encoder: prometheus_client::encoding::MetricEncoder<'_>) -> Result<(), fmt::Error>;
}

impl<M: EncodeMetric> Shown for M {
    fn kind(&self) -> prometheus_client::metrics::MetricType {
        self.metric_type()
    }

    fn encode(&self, encoder: prometheus_client::encoding::MetricEncoder<'_>) -> Result<(), fmt::Error> {
        EncodeMetric::encode(self, encoder)
    }
}

struct Stat {
    ticks: f64,
    start: f64,
}

fn stat() -> Option<Stat> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program is in parentheses and may hold anything. Behind it the third field comes first.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    Some(Stat { ticks: field(14)? + field(15)?, start: field(22)? })
}

fn started(stat: &Stat) -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + stat.start / TICKS)
}

fn resident() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix("kB")?;
    Some(kilobytes.trim().parse::<f64>().ok()? * 1024.0)
}

fn open_files() -> Option<f64> {
    // The folder itself is open while it is read.
    let count = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    Some(f64::from(u32::try_from(count).ok()?))
}

fn most_files() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
