//! The control plane: logins, sessions, tokens, the store and the management API.
