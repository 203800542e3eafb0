//! A Prometheus that scrapes what it is told, every second.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::process::Process;
use crate::state::StateDir;
use crate::{http, packages, ports, wait};

/// A running Prometheus. Stops when dropped.
#[derive(Debug)]
pub struct Prometheus {
    port: u16,
    process: Process,
}

/// What to scrape.
#[derive(Debug)]
pub struct Scrape<'a> {
    /// The name of the job.
    pub job: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// `host:port`.
    pub target: String,
    /// A file with a bearer token.
    pub token: Option<&'a Path>,
    /// A file with the authority to trust.
    pub ca: Option<&'a Path>,
}

impl Prometheus {
    /// Starts it with these rules.
    ///
    /// # Errors
    /// When it is not installed or does not become ready; the error shows its last lines.
    pub fn start(dir: &Path, rules: &Path, scrapes: &[Scrape<'_>]) -> Result<Self> {
        let state = StateDir::create(dir)?;
        let port = ports::free()?;
        let config = state.write("prometheus.yml", &config(rules, scrapes)?)?;
        let mut command = packages::command("prometheus")?;
        command.arg("--config.file").arg(config).arg("--storage.tsdb.path").arg(state.path("data"));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let prometheus = Self { port, process: Process::start(&state, "prometheus", command)? };
        wait::until("prometheus to be ready", Duration::from_secs(60), || {
            prometheus.process.check()?;
            Ok(http::get(&prometheus.url("/-/ready")).is_ok_and(|answer| answer.status == 200).then_some(()))
        })
        .with_context(|| prometheus.process.log_tail(8))?;
        Ok(prometheus)
    }

    /// What an expression evaluates to now: one JSON value for each series.
    ///
    /// # Errors
    /// When it is no expression.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let query = utf8_percent_encode(expression, NON_ALPHANUMERIC);
        let answer = self.get(&format!("/api/v1/query?query={query}"))?;
        let found = answer.pointer("/data/result").and_then(Value::as_array);
        Ok(found.with_context(|| answer.to_string())?.clone())
    }

    /// The rules as it read them.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn rules(&self) -> Result<Vec<Value>> {
        let answer = self.get("/api/v1/rules")?;
        let groups = answer.pointer("/data/groups").and_then(Value::as_array).with_context(|| answer.to_string())?;
        Ok(groups.iter().filter_map(|group| group.get("rules")?.as_array()).flatten().cloned().collect())
    }

    fn get(&self, path: &str) -> Result<Value> {
        let answer = http::get(&self.url(path))?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
        Ok(serde_json::from_str(&answer.body)?)
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

fn config(rules: &Path, scrapes: &[Scrape<'_>]) -> Result<String> {
    let mut text = "global: { scrape_interval: 1s, evaluation_interval: 1s }\n".to_owned();
    writeln!(text, "rule_files: [{}]\nscrape_configs:", rules.display())?;
    for scrape in scrapes {
        let Scrape { job, scheme, target, .. } = scrape;
        writeln!(
            text,
            "  - job_name: {job}\n    scheme: {scheme}\n    static_configs: [{{ targets: [\"{target}\"] }}]"
        )?;
        if let Some(token) = scrape.token {
            writeln!(text, "    authorization: {{ credentials_file: {} }}", token.display())?;
        }
        if let Some(ca) = scrape.ca {
            writeln!(text, "    tls_config: {{ ca_file: {} }}", ca.display())?;
        }
    }
    Ok(text)
}
