//! Kubernetes wire formats that the gateway speaks: request info, Status, headers, audit events.
