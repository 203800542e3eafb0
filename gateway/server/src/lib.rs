//! The gatewarden server and its commands.
