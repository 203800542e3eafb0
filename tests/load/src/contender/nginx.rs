//! nginx as its manual would have it in front of an HTTPS upstream: kept connections, verified, nothing logged.

use std::path::Path;

use super::Ground;

pub(super) fn config(ground: &Ground, root: &Path, port: u16) -> String {
    format!(
        "daemon off;
worker_processes auto;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 10000; }}
http {{
  access_log off;
  client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
  keepalive_requests 10000000;
  upstream stub {{ server 127.0.0.1:{stub}; keepalive 64; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{
      proxy_pass https://stub;
      proxy_http_version 1.1;
      proxy_set_header Connection '';
      proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca}; proxy_ssl_name localhost;
      proxy_ssl_protocols TLSv1.2 TLSv1.3;
      proxy_read_timeout 1h;
    }}
  }}
}}
",
        root = root.display(),
        stub = ground.stub,
        certificate = ground.leaf.certificate.display(),
        key = ground.leaf.key.display(),
        ca = ground.ca.display(),
    )
}
