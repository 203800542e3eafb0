//! People and groups that Gatewarden itself keeps.
