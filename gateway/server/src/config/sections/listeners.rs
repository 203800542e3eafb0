//! `listeners`: where the gateway is reached.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::config::yaml::{Field, Section};

/// The two ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// TLS: clusters, the API, the console.
    pub main: MainListener,
    /// Plain HTTP for the machine itself: metrics and health.
    pub operations: SocketAddr,
}

/// The port that people reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MainListener {
    /// Address and port.
    pub address: SocketAddr,
    /// The certificate. Absent on a loopback address only: the gateway then makes one of its own.
    pub tls: Option<TlsFiles>,
}

/// A certificate chain and its key, in PEM files that are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// The authority that signed the chain, for kubeconfig files. Absent: people's machines trust it already.
    pub ca: Option<PathBuf>,
}

const MAIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);
const OPERATIONS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

pub(in crate::config) fn read(file: &Section<'_>) -> Listeners {
    let section = file.optional("listeners").and_then(|field| field.section(&["main", "operations"]));
    let part = |key| section.as_ref().and_then(|section| section.optional(key));
    let listeners = Listeners {
        main: part("main").and_then(|field| main(&field)).unwrap_or(MainListener { address: MAIN, tls: None }),
        operations: part("operations").and_then(|field| operations(&field)).unwrap_or(OPERATIONS),
    };
    if listeners.main.address == listeners.operations
        && listeners.main.address.port() != 0
        && let Some(section) = &section
    {
        section.fault("both listeners have the same address", "give `operations` another port, such as 9090");
    }
    listeners
}

fn main(field: &Field<'_>) -> Option<MainListener> {
    let section = field.section(&["address", "tls"])?;
    let address = section.required("address", "127.0.0.1:8443").and_then(|field| field.socket_address());
    let written = section.optional("tls");
    let tls = written.as_ref().and_then(tls);
    let address = address?;
    if written.is_none() && !address.ip().is_loopback() {
        section.fault(
            format!("`{address}` is reached by others, and no certificate is named"),
            "add `tls: { certificateFile: …, keyFile: … }`, or listen on 127.0.0.1, where the gateway makes its own",
        );
    }
    Some(MainListener { address, tls })
}

fn tls(field: &Field<'_>) -> Option<TlsFiles> {
    let section = field.section(&["certificateFile", "keyFile", "caFile"])?;
    let certificate = section.required("certificateFile", "/etc/gatewarden/tls.crt").and_then(|field| field.file());
    let key = section.required("keyFile", "/etc/gatewarden/tls.key").and_then(|field| field.file());
    let ca = section.optional("caFile").and_then(|field| field.file());
    Some(TlsFiles { certificate: certificate?, key: key?, ca })
}

fn operations(field: &Field<'_>) -> Option<SocketAddr> {
    field.section(&["address"])?.required("address", "127.0.0.1:9090")?.socket_address()
}
