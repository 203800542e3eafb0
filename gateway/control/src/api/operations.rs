//! Every path of the API, once: the router is made of this list, and so is the description that it publishes.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, delete, get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{cluster_token, clusters, description, handlers, sessions};
use crate::control::Control;

/// What one method of one path does.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// What generated clients call it.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// Whether nobody has to say who they are. The data plane has a table of its own that decides.
    pub(super) open: bool,
    /// The query that it reads.
    pub(super) query: Option<Query>,
    /// The JSON object that it reads.
    pub(super) body: Option<Shape>,
    /// The status of what went well, and the JSON object that comes with it.
    pub(super) answer: (u16, Option<Shape>),
    /// What it may refuse: the status, and the words of the problem.
    pub(super) refuses: &'static [Refusal],
    pub(super) route: Route,
}

/// A status, and the words of the problem that come with it.
pub(super) type Refusal = (u16, &'static [&'static str]);

/// What answers.
type Route = fn() -> MethodRouter<Arc<Control>>;

/// The schema of a type.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// The schema of a query, whose fields are parameters.
pub(super) type Query = fn(SchemaGenerator) -> Schema;

fn query<T: JsonSchema>(generator: SchemaGenerator) -> Schema {
    generator.into_root_schema_for::<T>()
}

fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// One that only reads, for whoever asks with a token.
const READS: Operation = Operation {
    method: "get",
    path: "",
    id: "",
    summary: "",
    open: false,
    query: None,
    body: None,
    answer: (200, None),
    refuses: &[],
    route: MethodRouter::new,
};

pub(super) const OPERATIONS: [Operation; 11] = [
    Operation {
        path: "/api/v1/openapi.json",
        id: "getDescription",
        summary: "This description.",
        open: true,
        route: || get(description::serve),
        ..READS
    },
    Operation {
        path: "/api/v1/health",
        id: "getHealth",
        summary: "Whether the API and its store answer.",
        open: true,
        answer: (200, Some(shape::<handlers::Health>)),
        refuses: &[(503, &["unavailable"])],
        route: || get(handlers::health),
        ..READS
    },
    Operation {
        path: "/api/v1/providers",
        id: "listProviders",
        summary: "The identity systems by which people log in.",
        open: true,
        answer: (200, Some(shape::<handlers::Providers>)),
        route: || get(handlers::providers),
        ..READS
    },
    Operation {
        method: "post",
        path: "/api/v1/providers/{id}/login",
        id: "login",
        summary: "Logs somebody in with a password. The token is shown once.",
        open: true,
        body: Some(shape::<handlers::LoginBody>),
        answer: (201, Some(shape::<handlers::LoggedIn>)),
        refuses: &[
            (400, &["invalid-body"]),
            (401, &["bad-credentials"]),
            (
                403,
                &["disabled", "locked", "password-expired", "not-in-required-groups", "name-taken", "too-many-groups"],
            ),
            (404, &["unknown-provider"]),
            (408, &["body-timeout"]),
            (413, &["body-too-large"]),
            (415, &["unsupported-media-type"]),
            (429, &["throttled"]),
            (503, &["unavailable", "groups-incomplete"]),
        ],
        route: || post(handlers::login),
        ..READS
    },
    Operation {
        path: "/api/v1/me",
        id: "getMe",
        summary: "Who the caller is.",
        answer: (200, Some(shape::<handlers::Me>)),
        route: || get(handlers::me),
        ..READS
    },
    Operation {
        path: "/api/v1/clusters",
        id: "listClusters",
        summary: "Where the caller may go. What they may do there is for each cluster to say.",
        answer: (200, Some(shape::<clusters::Clusters>)),
        route: || get(clusters::list),
        ..READS
    },
    Operation {
        method: "post",
        path: "/api/v1/clusters/{id}/token",
        id: "makeClusterToken",
        summary: "A token that a cluster reads itself, for going there without the gateway.",
        answer: (201, Some(shape::<cluster_token::Made>)),
        refuses: &[
            (403, &["no-grant", "read-only", "identity-too-large"]),
            (409, &["not-direct"]),
            (503, &["unavailable"]),
        ],
        route: || post(cluster_token::make),
        ..READS
    },
    Operation {
        path: "/api/v1/sessions",
        id: "listSessions",
        summary: "The caller's sessions, or those of others for an administrator; newest first.",
        query: Some(query::<sessions::Wanted>),
        answer: (200, Some(shape::<sessions::Sessions>)),
        refuses: &[
            (400, &["invalid-query"]),
            (403, &["forbidden"]),
            (404, &["not-found"]),
            (409, &["ambiguous-user"]),
            (503, &["unavailable"]),
        ],
        route: || get(sessions::list),
        ..READS
    },
    Operation {
        method: "delete",
        path: "/api/v1/sessions/{id}",
        id: "endSession",
        summary: "Ends a session of the caller (`current` is the one that asks), or anybody's for an administrator.",
        answer: (204, None),
        refuses: &[(404, &["not-found"]), (503, &["unavailable"])],
        route: || delete(sessions::end),
        ..READS
    },
    Operation {
        method: "delete",
        path: "/api/v1/tokens/{name}",
        id: "endToken",
        summary: "Ends a token of the caller with its session; `current` is the one that asks.",
        answer: (204, None),
        refuses: &[(404, &["not-found"]), (503, &["unavailable"])],
        route: || delete(handlers::end_token),
        ..READS
    },
    Operation {
        path: "/.well-known/oauth-protected-resource",
        id: "getResourceMetadata",
        summary: "Which issuer a client asks for a token (RFC 9728).",
        open: true,
        answer: (200, Some(shape::<handlers::Resource>)),
        refuses: &[(404, &["no-issuer"])],
        route: || get(handlers::metadata),
        ..READS
    },
];

/// A router with all of them.
pub(super) fn routes() -> Router<Arc<Control>> {
    OPERATIONS.iter().fold(Router::new(), |router, operation| router.route(operation.path, (operation.route)()))
}
