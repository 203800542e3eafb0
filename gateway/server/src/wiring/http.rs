//! HTTP for providers: bounded, and not to everywhere.
//!
//! The addresses come from identity systems, and whoever controls one could have the gateway ask what only the gateway
//! can reach. Private networks are where identity systems live, so these stay open; what is shut is where clouds give
//! the credentials of a machine to anybody who asks from it. Names are looked up here and the answer is what is
//! connected to, so a name cannot change between the look and the connection.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::{BoxError, Http, HttpError, HttpIdentity, HttpLimits};
use http::{Request, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, Identity, redirect};
use url::{Host, Url};

const CONNECT: Duration = Duration::from_secs(5);

/// An instance asks in few ways: as itself or as nobody, its issuer or a directory beside it.
const CLIENTS: usize = 4;

/// The clients of one provider instance.
#[derive(Debug, Default)]
pub(super) struct ProviderHttp {
    kept: Mutex<VecDeque<Kept>>,
}

/// An instance asks alike again and again, so a client does for the next question of its way.
#[derive(Debug)]
struct Kept {
    roots: Option<Arc<str>>,
    identity: Option<Arc<HttpIdentity>>,
    plain: bool,
    client: Client,
}

#[async_trait]
impl Http for ProviderHttp {
    async fn send(&self, request: Request<Vec<u8>>, limits: HttpLimits) -> Result<Response<Vec<u8>>, HttpError> {
        vet(&request, limits.dangerous_plain)?;
        let mut request = reqwest::Request::try_from(request).map_err(|_| HttpError::Refused("no address"))?;
        *request.timeout_mut() = Some(limits.time);
        let answer = self.client(&limits)?.execute(request).await.map_err(failed)?;
        read(answer, limits.bytes).await
    }
}

impl ProviderHttp {
    fn client(&self, limits: &HttpLimits) -> Result<Client, HttpError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.iter().find(|kept| kept.does_for(limits)) {
            return Ok(kept.client.clone());
        }
        let client = make(limits)?;
        kept.truncate(CLIENTS - 1);
        kept.push_front(Kept {
            roots: limits.roots.clone(),
            identity: limits.identity.clone(),
            plain: limits.dangerous_plain,
            client: client.clone(),
        });
        Ok(client)
    }
}

impl Kept {
    /// A certificate is compared by its place: the same text twice makes one client more, which harms nobody.
    fn does_for(&self, limits: &HttpLimits) -> bool {
        let same_identity = match (&self.identity, &limits.identity) {
            (None, None) => true,
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            _ => false,
        };
        same_identity && self.roots == limits.roots && self.plain == limits.dangerous_plain
    }
}

fn make(limits: &HttpLimits) -> Result<Client, HttpError> {
    let unusable = |error: reqwest::Error| HttpError::Certificates(error.into());
    let mut builder = Client::builder()
        .tls_backend_rustls()
        .https_only(!limits.dangerous_plain)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .dns_resolver(Arc::new(Guarded));
    if let Some(pem) = &limits.roots {
        builder = builder.tls_certs_merge(Certificate::from_pem_bundle(pem.as_bytes()).map_err(unusable)?);
    }
    if let Some(identity) = &limits.identity {
        builder = builder.identity(shown(identity).map_err(unusable)?);
    }
    builder.build().map_err(unusable)
}

fn shown(identity: &HttpIdentity) -> reqwest::Result<Identity> {
    Identity::from_pem(format!("{}\n{}", identity.key.expose(), identity.chain).as_bytes())
}

/// Reads no more than was asked for, whatever the answer says of its length.
async fn read(mut answer: reqwest::Response, most: usize) -> Result<Response<Vec<u8>>, HttpError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > most {
            return Err(HttpError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(body);
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

/// The address is left out: there may be a token in it.
fn failed(error: reqwest::Error) -> HttpError {
    if error.is_timeout() { HttpError::TimedOut } else { HttpError::Failed(error.without_url().into()) }
}

/// An address as a number is never looked up, so it is looked at here.
fn vet(request: &Request<Vec<u8>>, plain: bool) -> Result<(), HttpError> {
    let url = Url::parse(&request.uri().to_string()).map_err(|_| HttpError::Refused("no address"))?;
    if url.scheme() != "https" && !(plain && url.scheme() == "http") {
        return Err(HttpError::Refused("plain http; give the issuer a certificate"));
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) => None,
        None => return Err(HttpError::Refused("no host")),
    };
    if address.is_some_and(is_shut) { Err(HttpError::Refused(SHUT)) } else { Ok(()) }
}

const SHUT: &str = "an address that providers may not ask: link-local, of a cloud's metadata, or of nobody";

/// Where nobody's identity system is.
fn is_shut(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            // Azure's, Alibaba's and Oracle's metadata are not link-local.
            let clouds = [[168, 63, 129, 16], [100, 100, 100, 200], [192, 0, 0, 192]].map(Ipv4Addr::from);
            let nobody = v4.is_broadcast() || v4.is_multicast() || v4.octets().starts_with(&[0]);
            v4.is_link_local() || nobody || clouds.contains(&v4)
        }
        IpAddr::V6(v6) => {
            // Amazon's metadata and its credentials of pods, and Google's metadata.
            let clouds = [
                [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254],
                [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23],
                [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254],
            ];
            let nobody = v6.is_unspecified() || v6.is_multicast() || is_translated_here(v6);
            v6.is_unicast_link_local()
                || nobody
                || clouds.contains(&v6.segments())
                || inner(v6).any(|v4| is_shut(v4.into()))
        }
    }
}

/// Translators of a site's own (RFC 8215) may put the IPv4 address in any of several places, so all of these are shut.
const fn is_translated_here(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0x64, 0xff9b, 1, ..])
}

/// The IPv4 addresses that a v6 one may lead to: mapped or, as once was, compatible (RFC 4291 §2.5.5), behind a translator
/// (RFC 6052 §2.1), or through a tunnel of 6to4 (RFC 3056 §2) or Teredo, which names its server and, inverted, the peer
/// (RFC 4380 §4).
fn inner(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    let found = match address.segments() {
        // Its own loopback is no IPv4 address.
        [0, 0, 0, 0, 0, 0, 0, 1] => [None, None],
        [0, 0, 0, 0, 0, 0 | 0xffff, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] | [0x2002, a, b, ..] => {
            [Some(v4(a, b)), None]
        }
        [0x2001, 0, a, b, _, _, c, d] => [Some(v4(a, b)), Some(v4(!c, !d))],
        _ => [None, None],
    };
    found.into_iter().flatten()
}

/// Looks names up, and leaves out what is shut.
struct Guarded;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // RFC 6761 §6.3: loopback by name, which many resolvers do not know.
            let host = name.as_str().trim_end_matches('.').to_owned();
            if host == "localhost" || host.ends_with(".localhost") {
                return Ok(Box::new([SocketAddr::from((Ipv4Addr::LOCALHOST, 0))].into_iter()) as Addrs);
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let open: Vec<SocketAddr> = found.into_iter().filter(|address| !is_shut(address.ip())).collect();
            if open.is_empty() { Err(BoxError::from(SHUT)) } else { Ok(Box::new(open.into_iter()) as Addrs) }
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one connection with this text; holds it open when there is none.
    async fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test has no tracker; the runtime ends it")]
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let _ = socket.read(&mut asked).await.unwrap();
            socket.write_all(answer.as_bytes()).await.unwrap();
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
        });
        format!("http://{address}/")
    }

    async fn ask(url: &str, limits: HttpLimits) -> Result<Response<Vec<u8>>, HttpError> {
        ProviderHttp::default().send(Request::get(url).body(Vec::new()).unwrap(), limits).await
    }

    fn plain() -> HttpLimits {
        HttpLimits::new(Duration::from_secs(30), 16).with_dangerous_plain(true)
    }

    #[tokio::test]
    async fn an_answer_arrives_whole_and_a_redirect_is_one() {
        let url = server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 2\r\n\r\nok").await;
        let answer = ask(&url, plain()).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_slice()), (302, b"ok".as_slice()));
        assert_eq!(answer.headers()["location"], "http://127.0.0.1:1/");
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_or_too_late_is_none() {
        let url = server("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n12345678901234567").await;
        assert!(matches!(ask(&url, plain()).await, Err(HttpError::TooLarge)));
        let url = server("").await;
        let soon = HttpLimits::new(Duration::from_millis(50), 16).with_dangerous_plain(true);
        assert!(matches!(ask(&url, soon).await, Err(HttpError::TimedOut)));
    }

    #[tokio::test]
    async fn plain_http_needs_leave() {
        let limits = HttpLimits::new(Duration::from_secs(30), 16);
        assert!(matches!(ask("http://127.0.0.1:1/", limits).await, Err(HttpError::Refused(_))));
    }

    #[tokio::test]
    async fn where_clouds_keep_credentials_nobody_asks() {
        for host in [
            "169.254.169.254",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[fd00:ec2::23]",
            "[fd20:ce::254]",
            "[::ffff:169.254.169.254]",
            "[::169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::a9fe:a9fe]",
            "[64:ff9b:1:a9fe:a9:fe00::]",
            "[64:ff9b:1:1234::a00:1]",
            "[2002:a9fe:a9fe::1]",
            "[2001:0:a9fe:a9fe::1]",
            "[2001:0:102:304::5601:5601]",
            "100.100.100.200",
            "192.0.0.192",
            "0.0.0.0",
        ] {
            let refused = ask(&format!("https://{host}/latest/meta-data"), plain()).await;
            assert!(matches!(refused, Err(HttpError::Refused(_))), "{host}");
        }
        let spelt_otherwise = ask("https://2852039166/", plain()).await;
        assert!(matches!(spelt_otherwise, Err(HttpError::Refused(_))), "a number is an address too");
        for open in ["10.0.0.1", "127.0.0.1", "::1", "fd00:ec2::1", "64:ff9b::a00:1", "2002:a00:1::1", "2001:db8::1"] {
            assert!(!is_shut(open.parse().unwrap()), "{open}");
        }
    }

    #[test]
    fn a_client_is_kept_for_each_way_to_ask_and_there_are_few() {
        let key = rcgen::KeyPair::generate().unwrap();
        let chain = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem();
        let identity = || {
            let key = auth_core::ProviderSecret::new(key.serialize_pem());
            Some(Arc::new(HttpIdentity { chain: chain.clone(), key }))
        };
        let http = ProviderHttp::default();
        let kept = || http.kept.lock().unwrap().len();
        let own = plain().with_identity(identity());
        for _ in 0..3 {
            http.client(&own).unwrap();
            http.client(&plain()).unwrap();
        }
        assert_eq!(kept(), 2, "nobody's client shows a certificate, and each is made once");
        for _ in 0..2 * CLIENTS {
            http.client(&plain().with_identity(identity())).unwrap();
        }
        assert_eq!(kept(), CLIENTS);
    }

    #[tokio::test]
    async fn certificates_that_cannot_be_read_are_named() {
        let limits = plain().with_roots(Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into()));
        assert!(matches!(ask("https://127.0.0.1:1/", limits).await, Err(HttpError::Certificates(_))));
    }
}
