//! `hosts`: the names under which people reach the gateway.

use super::listeners::Listeners;
use crate::config::yaml::{Field, Section};

/// Names of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// Names for kubectl and the API. The first one is written into kubeconfig files.
    pub clusters: Vec<String>,
    /// The name of the issuer and its pages; `console.localhost` on a laptop. It must differ: a page that a pod serves through the proxy must never share an
    /// origin with it.
    pub console: Option<String>,
}

pub(in crate::config) fn read(file: &Section<'_>, listeners: &Listeners) -> Hosts {
    let section = file.optional("hosts").and_then(|field| field.section(&["clusters", "console"]));
    let part = |key| section.as_ref().and_then(|section| section.optional(key));
    let mut clusters: Vec<String> =
        part("clusters").map(|field| field.list().iter().filter_map(host).collect()).unwrap_or_default();
    if clusters.is_empty() {
        if !listeners.main.address.ip().is_loopback() {
            file.fault(
                "`hosts.clusters` is missing: the gateway answers only to names that it knows",
                "write the names by which kubectl reaches it: `hosts: { clusters: [gatewarden.example.org] }`",
            );
        }
        clusters.push("localhost".to_owned());
    }
    let console_field = part("console");
    let laptop = console_field.is_none() && section.is_none() && listeners.main.address.ip().is_loopback();
    // Browsers know every name below `localhost` (RFC 6761 §6.3).
    let console = console_field.as_ref().and_then(host).or_else(|| laptop.then(|| "console.localhost".to_owned()));
    if let (Some(name), Some(field)) = (&console, &console_field)
        && clusters.contains(name)
    {
        field.fault(
            "the console has the same name as the clusters",
            "give it a name of its own, such as `console.example.org`",
        );
    }
    Hosts { clusters, console }
}

/// Reads a DNS name or an IP address, in lower case.
pub(super) fn host(field: &Field<'_>) -> Option<String> {
    field.parsed("a host name in lower case, without scheme and port", "gatewarden.example.org", |text| {
        let is_name = text.len() <= 253 && text.split('.').all(is_label);
        (is_name || text.parse::<std::net::IpAddr>().is_ok()).then(|| text.to_owned())
    })
}

fn is_label(label: &str) -> bool {
    let inside = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    inside && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
}
