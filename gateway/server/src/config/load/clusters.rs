//! A cluster's CA, address and accounts.

use gatewarden_proxy::{Account, Carrier, ClusterConfig};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::Loading;
use crate::config::kubeconfig::{Kubeconfig, Place};
use crate::config::sections::{AccountSource, CarrierSource, Cluster, ClusterSource, KubeconfigRef};

const FILE: &str = "name a PEM file that the gateway's user can read";
const TOKEN: &str = "name a file that holds the account's token and that the gateway's user can read";
const KUBECONFIG: &str = "mend that file, or write `server`, `caFile` and a `tokenFile` here in its place";
const OUTSIDE: &str =
    "write `server` and `caFile`, or run the gateway in a pod with its service account's token mounted";

pub(super) fn load(loading: &mut Loading<'_>, cluster: &Cluster) -> Option<ClusterConfig> {
    let found = Found { loading, at: format!("clusters[{}]", cluster.index) }.all(cluster)?;
    Some(ClusterConfig {
        id: cluster.id.clone(),
        endpoints: found.place.endpoints,
        ca_pem: found.place.ca_pem,
        tls_server_name: cluster.tls_server_name.clone().or(found.place.tls_server_name),
        carrier: found.carrier,
        hosts: cluster.hosts.clone(),
        dangerous_privileged_account: cluster.dangerous_privileged_account,
        reserved: cluster.reserved.clone(),
        extra_prefix: cluster.extra_prefix.clone(),
        send_session_extra: cluster.send_session_extra,
        service_accounts: cluster.service_accounts.clone(),
    })
}

struct Materials {
    place: Place,
    carrier: Carrier,
}

/// What the cluster's source gives: its place and, where it has one, the account that impersonates.
#[derive(Default)]
struct Given {
    place: Option<Place>,
    account: Option<Account>,
}

struct Found<'a, 'b> {
    loading: &'a mut Loading<'b>,
    at: String,
}

impl Found<'_, '_> {
    fn all(mut self, cluster: &Cluster) -> Option<Materials> {
        let given = self.source(cluster);
        if let Some(place) = &given.place {
            self.check_ca(&place.ca_pem, &cluster.source);
        }
        let carrier = self.carrier(cluster, given.account);
        Some(Materials { place: given.place?, carrier: carrier? })
    }

    fn carrier(&mut self, cluster: &Cluster, given: Option<Account>) -> Option<Carrier> {
        let CarrierSource::Impersonation { impersonator, reviewer } = &cluster.carrier else {
            return Some(Carrier::Bearer(self.loading.ports.mint()));
        };
        let impersonator = match impersonator {
            Some(source) => self.account("impersonator", source),
            None => given,
        };
        let reviewer = self.account("reviewer", reviewer);
        Some(Carrier::Impersonation { impersonator: impersonator?, reviewer: reviewer? })
    }

    fn source(&mut self, cluster: &Cluster) -> Given {
        match &cluster.source {
            ClusterSource::Endpoints { urls, ca_file } => {
                let ca = self.loading.sources.bytes(ca_file);
                let ca = self.note("caFile", ca, FILE);
                let place = ca.map(|ca_pem| Place { endpoints: urls.clone(), ca_pem, tls_server_name: None });
                Given { place, account: None }
            }
            ClusterSource::Kubeconfig(reference) => self.kubeconfig(reference, cluster.carrier.takes_the_given()),
            ClusterSource::InCluster => {
                let pod = self.loading.pod;
                let ca = self.loading.sources.bytes(&pod.folder.join("ca.crt"));
                let ca = self.note("inCluster", ca, OUTSIDE);
                let endpoint = self.note("inCluster", pod.endpoint(), OUTSIDE);
                let place = ca.zip(endpoint).map(|(ca_pem, endpoint)| Place {
                    endpoints: vec![endpoint],
                    ca_pem,
                    tls_server_name: None,
                });
                Given { place, account: Some(Account::TokenFile(pod.folder.join("token"))) }
            }
        }
    }

    fn kubeconfig(&mut self, reference: &KubeconfigRef, wants_account: bool) -> Given {
        let opened = Kubeconfig::open(reference, self.loading.sources);
        let Some(file) = self.note("kubeconfig", opened, KUBECONFIG) else { return Given::default() };
        let place = file.place(self.loading.sources);
        let place = self.note_all("kubeconfig", reference, place);
        if !wants_account {
            return Given { place, account: None };
        }
        let account = file.account(self.loading.sources);
        Given { place, account: self.note_all("kubeconfig", reference, account) }
    }

    fn account(&mut self, key: &str, source: &AccountSource) -> Option<Account> {
        match source {
            AccountSource::TokenFile(path) => {
                // Not a source of the configuration: the token is renewed all the time, and read where it is used.
                let readable =
                    std::fs::read_to_string(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()));
                let filled = readable.and_then(|token| {
                    if token.trim().is_empty() { Err(format!("`{}` is empty", path.display())) } else { Ok(()) }
                });
                self.note(&format!("{key}.tokenFile"), filled, TOKEN)?;
                Some(Account::TokenFile(path.clone()))
            }
            AccountSource::Certificate { certificate, key: file } => {
                let cert_pem = self.loading.sources.bytes(certificate);
                let cert_pem = self.note(&format!("{key}.clientCertificateFile"), cert_pem, FILE);
                let key_pem = self.loading.sources.text(file);
                let key_pem = self.note(&format!("{key}.clientKeyFile"), key_pem, FILE);
                Some(Account::ClientCertificate { cert_pem: cert_pem?, key_pem: key_pem?.into() })
            }
            AccountSource::Kubeconfig(reference) => {
                let opened = Kubeconfig::open(reference, self.loading.sources);
                let key = format!("{key}.kubeconfig");
                let account = self.note(&key, opened, KUBECONFIG)?.account(self.loading.sources);
                self.note_all(&key, reference, account)
            }
        }
    }

    fn check_ca(&self, pem: &[u8], source: &ClusterSource) {
        let key = match source {
            ClusterSource::Endpoints { .. } => "caFile",
            ClusterSource::Kubeconfig(_) => "kubeconfig",
            ClusterSource::InCluster => "inCluster",
        };
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        if certificates.is_ok_and(|certificates| !certificates.is_empty()) {
            return;
        }
        let path = format!("{}.{key}", self.at);
        self.loading.root.fault_inside(
            &path,
            "the CA holds no PEM certificate",
            "name the file that begins with `-----BEGIN CERTIFICATE-----`",
        );
    }

    fn note<T>(&self, key: &str, result: Result<T, String>, advice: &str) -> Option<T> {
        result.map_err(|problem| self.loading.root.fault_inside(&format!("{}.{key}", self.at), problem, advice)).ok()
    }

    fn note_all<T>(&self, key: &str, reference: &KubeconfigRef, result: Result<T, Vec<String>>) -> Option<T> {
        let path = format!("{}.{key}", self.at);
        let file = reference.file.display();
        result
            .map_err(|problems| {
                for problem in problems {
                    self.loading.root.fault_inside(&path, format!("{file} cannot be used: {problem}"), KUBECONFIG);
                }
            })
            .ok()
    }
}
