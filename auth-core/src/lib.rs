//! The contract between Gatewarden and the systems that know people.
//!
//! A *provider* is a crate that implements [`AuthProvider`] and [`ProviderKind`] for one kind of identity system:
//! a directory, an OpenID provider, a site's own login. Everything a provider may need is in this crate, and nothing
//! else of Gatewarden is: no HTTP server, no database, no runtime. Start at [`AuthProvider`]; its example is a whole
//! provider that compiles and runs.
//!
//! # Reading order
//!
//! | the question | the answer |
//! |---|---|
//! | What does a provider do? | [`AuthProvider`], [`ProviderKind`] |
//! | Whom does it speak of? | [`PrincipalId`], [`Principal`] |
//! | What goes in, what comes out? | [`LoginInput`], [`Redirect`], [`Bearer`], [`Logout`], [`Login`], [`Refetch`], [`Search`], [`PublicProvider`] |
//! | How does it say no? | [`AuthError`] |
//! | What is it given? | [`Context`], [`Ports`] ([`Clock`], [`Tasks`], [`UserStore`], [`Http`]) |
//! | What does the core do around it? | [`Contained`], [`AccessPolicy`], [`Mapping`] |
//! | How does it show its work to an operator? | [`Diagnose`] |
//! | How is it tested? | [`testing`] |

mod provider;

mod kind;

mod principal;

mod secret;

mod login;

mod redirect;

mod bearer;

mod logout;

mod refetch;

mod search;

mod descriptor;

mod error;

mod context;

mod clock;

mod source;

mod ports;

mod http;

mod contained;

mod diagnose;

mod access;

mod mapping;

pub mod testing;

pub use self::http::{Http, HttpError, HttpIdentity, HttpLimits, NoHttp};
pub use access::{AccessMode, AccessPolicy, PolicyDecision, PolicyStep};
pub use bearer::{Bearer, BearerProof, BearerVerdict};
pub use clock::{BoxFuture, Clock};
pub use contained::{AttemptLimits, ContainLimits, Contained, OutputLimits};
pub use context::{Cancel, Context};
pub use descriptor::{LoginForm, PublicProvider};
pub use diagnose::{Diagnose, Finding, Report, Step, Trial, Tried};
pub use error::{AuthError, BoxError, with_causes};
pub use kind::{Built, Fault, ProviderKind, read_config};
pub use login::{Completeness, Login, LoginInput};
pub use logout::{Leaving, LoginsOver, Logout, LogoutNotice, LogoutVerdict, UpstreamLogin, UpstreamLogins};
pub use mapping::{
    ExampleIdentity, ExamplePerson, ExtraMapping, GroupFate, GroupFilter, GroupMapping, Identity, MappedGroup, Mapping,
    MappingConfig, MappingError, MappingExample, MappingLimits, MappingStep, NameMapping, Reserved, UidMapping,
    ValidationRule,
};
pub use ports::{BlockingError, Busy, Ports, StoreError, StoredGroup, StoredPage, StoredUser, Tasks, UserStore};
pub use principal::{InstanceId, InvalidId, Principal, PrincipalId, PrincipalType};
pub use provider::{Access, AuthProvider};
pub use redirect::{Begun, Redirect, RedirectAnswer};
pub use refetch::{Current, Refetch, SecretUpdate};
pub use search::{Coverage, PrincipalPage, Search};
pub use secret::{Password, PasswordHash, ProviderSecret};
pub use source::SourceNetwork;

/// Runs the examples of the guide for site teams with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/site-teams/write-a-provider.md")]
struct GuideForSiteTeams;
