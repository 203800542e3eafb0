//! What is shipped for watching the gateway, in a real Prometheus that scrapes it and a real API server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use e2e::{Case, Protocol};
use serde_json::Value;
use testbed::packages;
use testbed::prometheus::{Prometheus, Scrape};

use crate::bed::{Bed, POD};
use crate::gate::{Gate, Plan};

/// What is proven here.
pub(crate) fn facts() -> Vec<Case<Bed>> {
    facts![
        every_panel_and_every_rule_has_something_to_show,
        every_metric_is_in_the_docs_and_every_one_there_is_served,
        every_alert_fires_when_it_should_and_not_before
    ]
}

pub(crate) fn every_panel_and_every_rule_has_something_to_show(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    gate.wait_until_proven()?;
    let east = bed.cluster("east")?;
    east.kubectl(&["create", "serviceaccount", "prometheus"])?;
    let binding = ["--clusterrole=system:monitoring", "--serviceaccount=default:prometheus"];
    east.kubectl(&[&["create", "clusterrolebinding", "prometheus"][..], &binding].concat())?;
    let token = east.dir().join("prometheus.token");
    east.service_account_token("default", "prometheus", &token)?;
    let api_server = east.url();
    let prometheus = Prometheus::start(
        &bed.folder("prometheus"),
        &shipped("alerts/gatewarden.yaml"),
        &[
            Scrape { job: "gatewarden", scheme: "http", target: gate.operations_authority(), token: None, ca: None },
            Scrape {
                job: "apiserver",
                scheme: "https",
                target: api_server.trim_start_matches("https://").to_owned(),
                token: Some(&token),
                ca: Some(&east.ca_file()),
            },
        ],
    )?;
    let traffic = || traffic(&gate);
    let mut expressions = panels()?;
    expressions.extend(conditions(&prometheus)?);
    for (place, expression) in &expressions {
        e2e::eventually(&format!("{place}: {expression}"), || {
            traffic()?;
            let values = prometheus.query(expression)?;
            let counts = |value: &Value| value.pointer("/value/1").and_then(Value::as_str) != Some("NaN");
            Ok(values.iter().any(counts).then_some(()))
        })?;
    }
    e2e::note(&format!("{} expressions of panels and rules have values", expressions.len()));
    Ok(())
}

pub(crate) fn every_metric_is_in_the_docs_and_every_one_there_is_served(bed: &Bed) -> Result<()> {
    let gate = Gate::start(bed, &Plan::default())?;
    gate.wait_until_proven()?;
    traffic(&gate)?;
    let docs = std::fs::read_to_string(shipped("../docs/operators/monitoring.md"))?;
    let documented = documented(&docs);
    ensure!(documented.len() > 40, "{documented:?}");
    e2e::eventually("the numbers of what was asked", || {
        let served = served(&gate.operations("/metrics")?.1);
        let difference: Vec<&String> = served.symmetric_difference(&documented).collect();
        ensure!(difference.iter().all(|name| documented.contains(*name)), "not in the docs: {difference:?}");
        Ok(difference.is_empty().then_some(()))
    })
}

/// The names in the first column of the table of metrics.
fn documented(docs: &str) -> BTreeSet<String> {
    let table = docs.lines().skip_while(|line| !line.starts_with("| metric |")).skip(2);
    let cells = table.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names
        .map(|name| if name.starts_with("process_") { name.to_owned() } else { format!("gatewarden_{name}") })
        .collect()
}

/// The names of what is served, as its samples are called; a histogram has one name.
fn served(metrics: &str) -> BTreeSet<String> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types
        .map(|(name, kind)| match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        })
        .collect()
}

pub(crate) fn every_alert_fires_when_it_should_and_not_before(_: &Bed) -> Result<()> {
    let promtool = packages::find("promtool").context("promtool is not installed: run `testbed fetch`")?;
    for arguments in [["check", "rules", "gatewarden.yaml"], ["test", "rules", "gatewarden.test.yaml"]] {
        let output = Command::new(&promtool).args(arguments).current_dir(shipped("alerts")).output()?;
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{told}");
    }
    // A rule without a test of its own would be taken for a good one.
    let read = |file: &str| std::fs::read_to_string(shipped("alerts").join(file));
    let (rules, tests) = (read("gatewarden.yaml")?, read("gatewarden.test.yaml")?);
    for rule in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let fires = tests.matches(&format!("alertname: {rule}\n")).count();
        ensure!(fires >= 2, "{rule} is not tested to fire and not to fire");
    }
    Ok(())
}

/// Good requests, refused ones, and one of a stranger's.
fn traffic(gate: &Gate) -> Result<()> {
    let (alice, dave) = (gate.fresh_session("alice")?, gate.session("dave")?);
    for session in [&alice, &dave] {
        gate.get(Protocol::Http2, &format!("/k8s/clusters/east/api/v1/namespaces/dev/pods/{POD}"), session)?;
        gate.get(Protocol::Http1, "/k8s/clusters/east/api/v1/namespaces/dev/pods", session)?;
    }
    let nobody = http::Request::get("/k8s/clusters/east/api").body(Bytes::new())?;
    gate.https()?.send(Protocol::Http2, nobody)?;
    Ok(())
}

/// Where an expression stands, and the expression.
type Expression = (String, String);

/// The expressions of the dashboard, each with its panel.
fn panels() -> Result<Vec<Expression>> {
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(shipped("dashboards/gatewarden.json"))?)?;
    let panels = dashboard.get("panels").and_then(Value::as_array).context("panels")?;
    let mut found = Vec::new();
    for panel in panels {
        let title = panel.get("title").and_then(Value::as_str).context("a title")?;
        let targets = panel.get("targets").and_then(Value::as_array).context("targets")?;
        ensure!(!targets.is_empty(), "{title} shows nothing");
        for target in targets {
            let expression = target.get("expr").and_then(Value::as_str).context("an expression")?;
            found.push((title.to_owned(), expression.to_owned()));
        }
    }
    Ok(found)
}

/// What the alerts look at, without the bound.
fn conditions(prometheus: &Prometheus) -> Result<Vec<Expression>> {
    let rules = prometheus.rules()?;
    ensure!(!rules.is_empty(), "no rules");
    let condition = |rule: &Value| {
        let text = |field: &str| rule.get(field).and_then(Value::as_str).map(str::to_owned);
        let (name, query) = (text("name")?, text("query")?);
        let bound = query.rfind(" > ").or(query.rfind(" < "))?;
        Some((name, query.get(..bound)?.to_owned()))
    };
    rules.iter().map(|rule| condition(rule).with_context(|| rule.to_string())).collect()
}

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}
