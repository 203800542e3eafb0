//! `kubectl gatewarden`: one login for every cluster behind a gateway.
//!
//! kubectl starts this program for each of its own starts, so the usual case is short: read one file, print one token
//! (`cache/`). Only when the token is over is a lock taken, so that of any number of processes one refreshes or logs in
//! (`session.rs`), over HTTP (`http.rs`, `proxy.rs`) by the gateway's OpenID Connect issuer (`issuer/`).

mod arguments;
mod cache;
mod clock;
mod commands;
mod environment;
mod failure;
mod http;
mod issuer;
mod keyring;
mod proxy;
mod session;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run(arguments::parse())
}
