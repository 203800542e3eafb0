//! People and groups of an OpenID Connect issuer.
//!
//! One login is: send the browser to the issuer, take back a code, exchange it for an ID token over a connection of our
//! own, and believe of that token only what its signature and its claims prove. Read `begin` and `answer` for the two
//! halves of a login, `refetch` for what happens without the person, `bearer` for tokens that
//! come without a login, `logout` for the end of one at the issuer, and `claims` for what a token has to prove.

mod kind;

mod config;

mod presets;

mod provider;

mod begin;

mod answer;

mod bearer;

mod logout;

mod refetch;

mod kept;

mod person;

mod graph;

mod issuer;

mod client;

mod client_key;

mod push;

mod slot;

mod fetch;

mod discovery;

mod token_endpoint;

mod claims;

mod jws;

mod keys;

mod algorithm;

mod json;

mod random;

#[cfg(test)]
mod tests;

pub use kind::OidcKind;
