//! The control plane: who logs in, what they become, and when it ends.
//!
//! [`Control`] is the whole of it at run time; [`Admin`] is what a command on the host does to the same store. The data
//! plane is unknown here: whoever wires a server passes [`Control::resolve_token`] and [`Control::events`] on to it.
//!
//! # Reading order
//!
//! | the question | the answer |
//! |---|---|
//! | What is kept, and how? | `store/` ([`Store`]), `users/`, `sessions/`, `tokens/`, `names/` |
//! | Where do secrets come from? | `keys/` ([`KeyFile`]), `tokens/` ([`TokenName`]) |
//! | How does somebody get in? | `registry/` ([`ProviderEntry`]), `identity/`, `login/` |
//! | Who stands behind a token? | `resolve/` |
//! | How does it end? | `changes/` ([`Events`]), `refresh/`, `admin/` ([`Admin`]) |
//! | Why is somebody who they are? | `explain/` ([`Explained`]) |
//! | Whose tokens are believed that are not ours? | `bearers/` |
//! | What ends when a login at the identity system does? | `logouts/` |
//! | How does every tool log in? | `issuer/` ([`IssuerConfig`]) |
//! | What speaks HTTP? | `api/` ([`enter`]), `issuer/http/` ([`console`]) |

mod control;

mod meters;

mod registry;

mod login;

mod identity;

mod resolve;

mod bearers;

mod logouts;

mod issuer;

mod refresh;

mod changes;

mod api;

mod admin;

mod explain;

mod users;

mod sessions;

mod tokens;

mod names;

mod keys;

mod store;

mod base32;

pub use admin::{Admin, AdminError, KnownUser, NewUser, RefreshId, Released};
pub use api::{Arrival, Caller, Noted, NotedSession, Reasons, enter, openapi, router};
pub use changes::{ChangeEvent, Events};
pub use control::{Control, ControlParts, Settings};
pub use explain::{Described, Explained, Now};
pub use identity::{InvalidSubject, SessionIdentity, Subject, WithheldGroup};
pub use issuer::{
    Alg, CLUSTER_CLAIM, Client, ClientSecret, ClusterSubject, ClusterToken, ClusterTokenError, ClusterTokens,
    IssuerConfig, Limit, SessionRule, SessionTimes, console, session_times,
};
pub use keys::{KeyFault, KeyFile};
pub use login::{LoginDone, LoginError, LoginRequest};
pub use names::NameKind;
pub use refresh::{Outcome, PrincipalAnswer, RefreshAnswer};
pub use registry::{ProviderEntry, Registry};
pub use resolve::{Issued, Rejected, ResolveError, ResolvedToken, Signed};
pub use sessions::{InvalidSessionId, LoginFlow, Origin, SessionId, SessionInfo};
pub use store::{Store, StoreFault};
pub use tokens::{InvalidTokenName, PlainToken, TokenInfo, TokenName, TokenScope};
pub use users::{InvalidUserId, UserId};

#[cfg(test)]
mod testing;
