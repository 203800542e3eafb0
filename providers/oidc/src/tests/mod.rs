//! Logins at an issuer that the test plays: honest, hostile, and in trouble.

mod bearer;
mod bed;
mod clients;
mod configuration;
mod documents;
mod graph;
mod honest;
mod hostile;
mod logout;
mod refetch;
