//! The gatewarden server and its commands.
//!
//! `main.rs` only starts what is in this library, so that tests reach all of it. [`config`] turns a file into
//! values, [`providers`] is the table of provider kinds, [`wiring`] joins the control plane and the data plane into a
//! running server, and [`cli`] is what an operator types.

pub mod config;

pub mod providers;

pub mod wiring;

pub mod cli;
