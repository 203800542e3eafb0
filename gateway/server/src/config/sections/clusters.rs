//! `clusters`: the Kubernetes APIs behind the gateway.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gatewarden_proxy::{ClusterConfig, ServiceAccountTokens};
use http::Uri;
use url::Url;

use super::hosts::{Hosts, host};
use super::service_accounts;
use crate::config::yaml::{Field, Section, Spot};

/// A Kubernetes API behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its id, in URLs and kubeconfig files.
    pub id: String,
    /// Where it is.
    pub source: ClusterSource,
    /// The name that its certificate carries, when it is not that of the address.
    pub tls_server_name: Option<String>,
    /// How it learns who asks.
    pub carrier: CarrierSource,
    /// Host names that lead to this cluster without a path prefix.
    pub hosts: Vec<String>,
    /// Serve although the impersonator may do more than impersonate.
    pub dangerous_privileged_account: bool,
    /// Names that nobody from a provider may have here, beside the built-in ones. A `*` at the end matches any rest.
    pub reserved: Vec<String>,
    /// The domain of the extra keys that the gateway adds.
    pub extra_prefix: String,
    /// Whether the session id is sent as an extra (it makes every session a new subject for authorizer caches).
    pub send_session_extra: bool,
    /// Whether its own service-account tokens come in, to it alone.
    pub service_accounts: Option<ServiceAccountTokens>,
    /// Where the cluster stands in the file.
    pub spot: Spot,
    /// Its position in the list, for paths.
    pub index: usize,
}

/// Where a cluster's address and CA come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterSource {
    /// A kubeconfig file, which may also hold the impersonator.
    Kubeconfig(KubeconfigRef),
    /// Written here.
    Endpoints {
        /// `https://host:port`, one or several of the same cluster.
        urls: Vec<Uri>,
        /// The CA that signs their certificates.
        ca_file: PathBuf,
    },
    /// The cluster that this pod runs in.
    InCluster,
}

/// How a cluster learns who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarrierSource {
    /// By impersonation headers.
    Impersonation {
        /// The account that impersonates. Absent: the one of the kubeconfig, or of the pod.
        impersonator: Option<AccountSource>,
        /// The account that asks for reviews.
        reviewer: AccountSource,
    },
    /// By a token of the gateway's own issuer, which the cluster trusts.
    Bearer {
        /// Whether people may have such tokens themselves, and go there without the gateway.
        direct: bool,
    },
}

impl Cluster {
    /// Whether people may go there without the gateway.
    #[must_use]
    pub const fn direct(&self) -> bool {
        matches!(self.carrier, CarrierSource::Bearer { direct: true })
    }
}

impl CarrierSource {
    /// Whether the account comes with the address.
    pub(in crate::config) const fn takes_the_given(&self) -> bool {
        matches!(self, Self::Impersonation { impersonator: None, .. })
    }
}

/// A kubeconfig file and a context in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeconfigRef {
    /// The file.
    pub file: PathBuf,
    /// The context; absent: its `current-context`.
    pub context: Option<String>,
}

/// Where an account's credential comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountSource {
    /// A file that holds a bearer token and is read again when it changes.
    TokenFile(PathBuf),
    /// A client certificate.
    Certificate {
        /// The chain.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// The user of a kubeconfig context.
    Kubeconfig(KubeconfigRef),
}

pub(in crate::config) const KEYS: &[&str] = &[
    "id",
    "kubeconfig",
    "server",
    "endpoints",
    "caFile",
    "inCluster",
    "tlsServerName",
    "identity",
    "direct",
    "impersonator",
    "reviewer",
    "hosts",
    "dangerousPrivilegedAccount",
    "reservedNames",
    "extraPrefix",
    "sendSessionExtra",
    "serviceAccountTokens",
];

pub(in crate::config) fn read(file: &Section<'_>, names: &Hosts) -> Vec<Cluster> {
    let Some(field) = file.optional("clusters") else { return Vec::new() };
    let clusters: Vec<Cluster> =
        field.list().iter().enumerate().filter_map(|(index, field)| cluster(field, index, names)).collect();
    let mut ids: BTreeMap<&str, u64> = BTreeMap::new();
    let mut hosts: BTreeMap<&str, String> = names
        .clusters
        .iter()
        .chain(&names.console)
        .map(|name| (name.as_str(), "the gateway itself".to_owned()))
        .collect();
    for cluster in &clusters {
        if let Some(first) = ids.insert(&cluster.id, cluster.spot.line) {
            field.fault_inside(
                &format!("[{}].id", cluster.index),
                format!("the id `{}` is taken by the cluster of line {first}", cluster.id),
                "give each cluster its own id",
            );
        }
        for host in &cluster.hosts {
            if let Some(owner) = hosts.insert(host, format!("cluster {}", cluster.id)) {
                field.fault_inside(
                    &format!("[{}].hosts", cluster.index),
                    format!("the host `{host}` already leads to {owner}"),
                    "give each cluster its own host names",
                );
            }
        }
    }
    clusters
}

fn cluster(field: &Field<'_>, index: usize, names: &Hosts) -> Option<Cluster> {
    let section = field.section(KEYS)?;
    let id = section.required("id", "east").and_then(|field| id(&field));
    let source = source(&section);
    let carrier = carrier(&section, source.as_ref(), names);
    let has_reviewer = !matches!(carrier, Some(CarrierSource::Bearer { .. }));
    let flag = |key, default| section.optional(key).and_then(|field| field.flag()).unwrap_or(default);
    Some(Cluster {
        tls_server_name: section.optional("tlsServerName").and_then(|field| host(&field)),
        hosts: section
            .optional("hosts")
            .map(|field| field.list().iter().filter_map(host).collect())
            .unwrap_or_default(),
        dangerous_privileged_account: flag("dangerousPrivilegedAccount", false),
        reserved: section
            .optional("reservedNames")
            .map(|field| field.list().iter().filter_map(reserved_name).collect())
            .unwrap_or_default(),
        extra_prefix: section
            .optional("extraPrefix")
            .and_then(|field| host(&field))
            .unwrap_or_else(|| "gatewarden".to_owned()),
        send_session_extra: flag("sendSessionExtra", true),
        service_accounts: service_accounts::read(&section, has_reviewer),
        id: id?,
        source: source?,
        carrier: carrier?,
        spot: field.node.spot,
        index,
    })
}

fn carrier(section: &Section<'_>, source: Option<&ClusterSource>, names: &Hosts) -> Option<CarrierSource> {
    let Some(identity) = section.optional("identity") else { return impersonation(section, source) };
    match identity.word(&[("impersonation", false), ("bearer", true)])? {
        true => bearer(section, &identity, names),
        false => impersonation(section, source),
    }
}

fn impersonation(section: &Section<'_>, source: Option<&ClusterSource>) -> Option<CarrierSource> {
    if let Some(field) = section.optional("direct") {
        field.fault(
            "the cluster reads no tokens of the gateway, so nobody can go there without it",
            "write `identity: bearer` beside it, or remove `direct`",
        );
    }
    let impersonator_field = section.optional("impersonator");
    let impersonator = impersonator_field.as_ref().and_then(account);
    if impersonator_field.is_none() && matches!(source, Some(ClusterSource::Endpoints { .. })) {
        section.required("impersonator", "{ tokenFile: /etc/gatewarden/east/impersonator.token }");
    }
    let reviewer = section
        .required("reviewer", "{ tokenFile: /etc/gatewarden/east/reviewer.token }")
        .and_then(|field| account(&field));
    Some(CarrierSource::Impersonation { impersonator, reviewer: reviewer? })
}

/// An account that lies about unused is one that somebody may steal.
fn bearer(section: &Section<'_>, identity: &Field<'_>, names: &Hosts) -> Option<CarrierSource> {
    if names.console.is_none() {
        identity.fault(
            "there is no issuer whose tokens the cluster could trust: `hosts.console` is missing",
            "write `hosts: { console: login.example.org, … }`",
        );
    }
    for key in ["impersonator", "reviewer", "dangerousPrivilegedAccount"] {
        if let Some(field) = section.optional(key) {
            field.fault("with `identity: bearer` the gateway has no account on the cluster", format!("remove `{key}`"));
        }
    }
    let direct = section.optional("direct").is_some_and(|field| field.flag().unwrap_or_default());
    Some(CarrierSource::Bearer { direct })
}

/// What an id is, only the data plane says: it reads ids in paths.
fn id(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    match ClusterConfig::check_id(&text) {
        Ok(()) => Some(text),
        Err(fault) => {
            field.fault(fault.to_string(), "write for example `east`");
            None
        }
    }
}

/// A `*` elsewhere would match nothing, and the name that it was meant to keep would be free.
fn reserved_name(field: &Field<'_>) -> Option<String> {
    field.parsed("a name, with a `*` at its end or without one", "ops:*", |text| {
        let name = text.strip_suffix('*').unwrap_or(text);
        (!text.is_empty() && !name.contains('*')).then(|| text.to_owned())
    })
}

/// Exactly one of `kubeconfig`, `server` or `endpoints`, and `inCluster`.
fn source(section: &Section<'_>) -> Option<ClusterSource> {
    let kubeconfig = section.optional("kubeconfig");
    let server = section.optional("server");
    let endpoints = section.optional("endpoints");
    let in_cluster = section.optional("inCluster").filter(|field| field.flag().unwrap_or(true));
    let ways = [kubeconfig.is_some(), server.is_some(), endpoints.is_some(), in_cluster.is_some()];
    if ways.iter().filter(|way| **way).count() != 1 {
        section.fault(
            "it must be said in exactly one way where the cluster is",
            "write one of `server`, `endpoints`, `kubeconfig` and `inCluster: true`",
        );
        return None;
    }
    let ca_file = section.optional("caFile");
    if let Some(field) = kubeconfig {
        refuse_ca(ca_file, "the kubeconfig names its own CA");
        return kubeconfig_ref(&field).map(ClusterSource::Kubeconfig);
    }
    if in_cluster.is_some() {
        refuse_ca(ca_file, "the pod has its own CA file");
        return Some(ClusterSource::InCluster);
    }
    let fields = endpoints.map_or_else(|| server.into_iter().collect(), |field| field.list());
    let urls: Vec<Uri> = fields.iter().filter_map(endpoint_field).collect();
    let ca_file = section.required("caFile", "/etc/gatewarden/east/ca.crt").and_then(|field| field.file());
    if urls.is_empty() || urls.len() != fields.len() {
        return None;
    }
    Some(ClusterSource::Endpoints { urls, ca_file: ca_file? })
}

fn refuse_ca(field: Option<Field<'_>>, why: &str) {
    if let Some(field) = field {
        field.fault(why, "remove `caFile`");
    }
}

/// `https://host:port` and nothing more: what follows the host belongs to the clients' requests.
fn endpoint_field(field: &Field<'_>) -> Option<Uri> {
    field.parsed("an https address without path", "https://10.0.0.1:6443", endpoint)
}

/// Parses `https://host:port`; the port is 443 where none is written, as in kubectl.
pub(in crate::config) fn endpoint(text: &str) -> Option<Uri> {
    let url = Url::parse(text).ok()?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if url.scheme() != "https" || !plain || url.path() != "/" {
        return None;
    }
    format!("https://{}:{}", url.host_str()?, url.port_or_known_default()?).parse().ok()
}

fn account(field: &Field<'_>) -> Option<AccountSource> {
    let section = field.section(&["tokenFile", "clientCertificateFile", "clientKeyFile", "kubeconfig"])?;
    let token = section.optional("tokenFile");
    let kubeconfig = section.optional("kubeconfig");
    let certificate = section.optional("clientCertificateFile");
    let key = section.optional("clientKeyFile");
    match (token, kubeconfig, certificate, key) {
        (Some(token), None, None, None) => token.file().map(AccountSource::TokenFile),
        (None, Some(kubeconfig), None, None) => kubeconfig_ref(&kubeconfig).map(AccountSource::Kubeconfig),
        (None, None, Some(certificate), Some(key)) => {
            Some(AccountSource::Certificate { certificate: certificate.file()?, key: key.file()? })
        }
        _ => {
            section.fault(
                "an account has exactly one credential",
                "write one of `tokenFile`, `clientCertificateFile` with `clientKeyFile`, and `kubeconfig`",
            );
            None
        }
    }
}

fn kubeconfig_ref(field: &Field<'_>) -> Option<KubeconfigRef> {
    let section = field.section(&["file", "context"])?;
    let file = section.required("file", "/etc/gatewarden/east.kubeconfig").and_then(|field| field.file());
    let context = section.optional("context").and_then(|field| field.text());
    Some(KubeconfigRef { file: file?, context })
}
