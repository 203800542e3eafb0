//! What operators see of the process and of its configuration.

use std::sync::{Mutex, PoisonError};

use auth_core::Clock;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::SystemClock;
use super::process::Process;

/// The numbers of the program as a whole.
#[derive(Debug)]
pub(super) struct Meters {
    registry: Mutex<Registry>,
    taken: Counter,
    refused: Counter,
    valid: Gauge,
    taken_at: Gauge,
}

impl Meters {
    /// The configuration of the start has been taken.
    pub(super) fn new() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        let ours = registry.sub_registry_with_prefix("gatewarden");
        ours.register("build", "What runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let reloads = Family::<Outcome, Counter>::default();
        ours.register("config_reloads", "Times that the configuration was read again", reloads.clone());
        let (valid, taken_at) = (Gauge::default(), Gauge::default());
        ours.register("config_valid", "Whether the files that were read last are the ones in use", valid.clone());
        ours.register("config_taken_seconds", "When the configuration in use was taken, since 1970", taken_at.clone());
        let of = |outcome| reloads.get_or_create_owned(&Outcome { outcome });
        let meters =
            Self { taken: of("taken"), refused: of("refused"), valid, taken_at, registry: Mutex::new(registry) };
        meters.in_use();
        meters
    }

    /// A reload has ended: with a new configuration, or with faults and the old one.
    pub(super) fn reloaded(&self, taken: bool) {
        if taken {
            self.taken.inc();
            self.in_use();
        } else {
            self.refused.inc();
            self.valid.set(0);
        }
    }

    /// Adds all numbers to `text`, and the mark of its end.
    pub(super) fn finish(&self, text: &mut String) {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a String cannot fail.
        let _ = encode_registry(text, &registry).and_then(|()| encode_eof(text));
    }

    fn in_use(&self) {
        self.valid.set(1);
        self.taken_at.set(SystemClock.now().as_second());
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        line.trim().parse().unwrap()
    }

    fn text(meters: &Meters) -> String {
        let mut text = String::new();
        meters.finish(&mut text);
        text
    }

    #[test]
    fn the_process_shows_what_the_system_says() {
        let text = text(&Meters::new());
        let now = f64::from(u32::try_from(SystemClock.now().as_second()).unwrap());
        // The kernel counts from a boot whose time it knows to a second, and clocks are set.
        const HOUR: f64 = 3_600.0;
        assert!((now - HOUR..now + HOUR).contains(&value(&text, "process_start_time_seconds ")), "{text}");
        assert!(value(&text, "process_resident_memory_bytes ") > 100_000.0);
        assert!(value(&text, "process_open_fds ") >= 3.0);
        assert!(value(&text, "process_max_fds ") >= value(&text, "process_open_fds "));
        assert!(value(&text, "process_cpu_seconds_total ") >= 0.0);
        assert!(text.ends_with("# EOF\n") && text.contains("gatewarden_build_info{version="), "{text}");
    }

    #[test]
    fn a_refused_configuration_shows_until_a_good_one_is_taken() {
        let meters = Meters::new();
        meters.reloaded(false);
        let refused = text(&meters);
        assert_eq!(value(&refused, "gatewarden_config_valid "), 0.0);
        assert_eq!(value(&refused, "gatewarden_config_reloads_total{outcome=\"refused\"} "), 1.0);
        meters.reloaded(true);
        assert_eq!(value(&text(&meters), "gatewarden_config_valid "), 1.0);
    }
}
