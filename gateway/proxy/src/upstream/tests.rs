//! What the pool decides without a server.
