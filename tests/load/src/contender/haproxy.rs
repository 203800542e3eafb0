//! HAProxy with HTTP/2 on both sides, verified, nothing logged.

use std::path::Path;

use super::Ground;

pub(super) fn config(ground: &Ground, pem: &Path, port: u16) -> String {
    format!(
        "global
  maxconn 9000
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend clients
  bind 127.0.0.1:{port} ssl crt {pem} alpn h2,http/1.1
  default_backend stub
backend stub
  http-reuse always
  server stub 127.0.0.1:{stub} ssl verify required ca-file {ca} alpn h2
",
        pem = pem.display(),
        stub = ground.stub,
        ca = ground.ca.display(),
    )
}
