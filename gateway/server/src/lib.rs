//! The gatewarden server and its commands.
//!
//! Everything is in this library, so that a site with a provider of its own builds its own binary from it.
//! [`config`] turns a file into values, [`providers`] is the table of provider kinds, `wiring` joins the control
//! plane and the data plane into a running server, and [`cli`] is what an operator types.

pub mod config;

pub mod providers;

pub mod wiring;

pub mod cli;
