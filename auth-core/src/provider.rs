//! The trait that every identity system is behind.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{
    AuthError, Bearer, Context, Diagnose, InstanceId, Login, LoginInput, Logout, Principal, PrincipalId, PrincipalPage,
    ProviderSecret, PublicProvider, Redirect, Refetch, Search,
};

/// One configured identity system: it turns what somebody presents into who they are.
///
/// # What the core takes care of
///
/// A provider is called through [`Contained`](crate::Contained) only. So it need not, and cannot, decide these:
///
/// - every call has a deadline, a bounded answer, and a net under panics;
/// - empty, NUL-holding and huge passwords and odd login names never arrive;
/// - guessing is throttled, per account and per source address;
/// - who may enter ([`AccessPolicy`](crate::AccessPolicy)) and what a cluster sees ([`Mapping`](crate::Mapping)).
///
/// # What a provider takes care of
///
/// - **Ids.** A [`PrincipalId`] rests on something that is never given to another person: `entryUUID`, `sub`, a
///   staff number. A login name is not that. Ids of another instance, or a user that is a group, are refused.
/// - **The same answer** ([`AuthError::BadCredentials`]), after the same work, for an unknown user and for a wrong
///   password. The state of an account is told only after a right password.
/// - **An outage is an error**, never "no such user", "no groups" or "wrong password". Groups that may be cut short
///   are [`Completeness::Incomplete`](crate::Completeness::Incomplete).
/// - **Hostile text.** Logins and search texts come from anybody: escape them for the query language at hand.
/// - **Waiting.** Outside calls end at [`Context::deadline`] or when [`Context::cancel`] fires. A future may be
///   dropped at any `.await`. What occupies a thread goes to [`Ports::blocking`](crate::Ports::blocking).
/// - **No state of its own** that another replica would miss: the configuration is immutable, a new one makes a
///   new object, and calls in flight end on the old one.
/// - **Silence about secrets** in `Debug`, logs and errors.
///
/// # Example: a whole provider
///
/// A site keeps its people in a small table. This is all that a provider for it takes.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Arc;
///
/// use async_trait::async_trait;
/// use auth_core::{
///     Access, AuthError, AuthProvider, Built, Context, Current, Fault, InstanceId, InvalidId, Login, LoginForm, LoginInput,
///     Ports, Principal, PrincipalId, PrincipalPage, PrincipalType, ProviderKind, ProviderSecret, PublicProvider,
///     Refetch, Search, read_config,
/// };
/// use schemars::JsonSchema;
/// use serde::Deserialize;
/// use serde_json::{Value, json};
///
/// /// What the operator writes under `config:`.
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields, rename_all = "camelCase")]
/// struct Config {
///     /// The people, by staff number.
///     staff: BTreeMap<String, Person>,
/// }
///
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields, rename_all = "camelCase")]
/// struct Person {
///     login: String,
///     pin: String,
///     teams: Vec<String>,
/// }
///
/// /// The kind: one line in the table of the site's gateway binary.
/// struct StaffKind;
///
/// impl ProviderKind for StaffKind {
///     fn kind(&self) -> &'static str {
///         "staff"
///     }
///
///     fn schema(&self) -> Value {
///         schemars::schema_for!(Config).into()
///     }
///
///     fn customize_schema(&self, schema: &mut Value) {
///         schema["title"] = json!("Staff table");
///     }
///
///     fn build(&self, instance: InstanceId, config: Value, ports: &Ports) -> Built {
///         let config: Config = read_config(config)?;
///         let faults: Vec<Fault> = (config.staff.iter())
///             .filter(|(_, person)| person.pin.len() < 6)
///             .map(|(number, _)| Fault::new(format!("staff.{number}.pin"), "shorter than 6 digits; write 6 or more"))
///             .collect();
///         if !faults.is_empty() {
///             return Err(faults);
///         }
///         Ok(Arc::new(Staff { instance, staff: config.staff, ports: ports.clone() }))
///     }
/// }
///
/// /// One instance.
/// struct Staff {
///     instance: InstanceId,
///     staff: BTreeMap<String, Person>,
///     ports: Ports,
/// }
///
/// impl std::fmt::Debug for Staff {
///     // By hand, because a derived one would print the pins.
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         write!(f, "Staff({})", self.instance)
///     }
/// }
///
/// impl Staff {
///     fn user(&self, number: &str, person: &Person) -> Result<Principal, InvalidId> {
///         // The id is the staff number: it stays when the login name changes.
///         Ok(Principal::new(PrincipalId::new(&self.instance, PrincipalType::User, number)?, &person.login))
///     }
///
///     fn groups(&self, person: &Person) -> Result<Vec<Principal>, InvalidId> {
///         let group = |team: &String| Ok(Principal::new(PrincipalId::new(&self.instance, PrincipalType::Group, team)?, team));
///         person.teams.iter().map(group).collect()
///     }
///
///     fn person(&self, id: &PrincipalId) -> Option<&Person> {
///         (id.kind() == PrincipalType::User).then(|| self.staff.get(id.external_id())).flatten()
///     }
/// }
///
/// /// The table holds something that cannot be an id.
/// fn broken(error: InvalidId) -> AuthError {
///     AuthError::Protocol(error.to_string())
/// }
///
/// #[async_trait]
/// impl AuthProvider for Staff {
///     fn name(&self) -> &InstanceId {
///         &self.instance
///     }
///
///     async fn authenticate_user(&self, _: &Context, input: LoginInput) -> Result<Login, AuthError> {
///         let LoginInput::Password { login, password } = input else {
///             return Err(AuthError::UnsupportedInput);
///         };
///         let found = self.staff.iter().find(|(_, person)| person.login == login);
///         // A real provider compares in constant time, or lets the directory compare.
///         let (number, person) = found
///             .filter(|(_, person)| person.pin == password.expose())
///             .ok_or(AuthError::BadCredentials)?;
///         let user = self.user(number, person).map_err(broken)?;
///         let groups = self.groups(person).map_err(broken)?;
///         Ok(Login::new(user, groups, self.ports.clock.now()).with_amr(["pin"]))
///     }
///
///     async fn search_principals(&self, _: &Context, search: Search) -> Result<PrincipalPage, AuthError> {
///         let found = (self.staff.iter())
///             .filter(|(_, person)| person.login.contains(&search.text))
///             .filter(|_| search.kind.is_none_or(|kind| kind == PrincipalType::User))
///             .take(search.limit);
///         let users: Result<Vec<_>, _> = found.map(|(number, person)| self.user(number, person)).collect();
///         Ok(PrincipalPage::new(users.map_err(broken)?))
///     }
///
///     async fn get_principal(&self, _: &Context, id: &PrincipalId) -> Result<Option<Principal>, AuthError> {
///         self.person(id).map(|person| self.user(id.external_id(), person)).transpose().map_err(broken)
///     }
///
///     async fn refetch_group_principals(
///         &self,
///         _: &Context,
///         id: &PrincipalId,
///         _: Option<&ProviderSecret>,
///     ) -> Result<Refetch, AuthError> {
///         let Some(person) = self.person(id) else {
///             return Ok(Refetch::UserGone);
///         };
///         let user = self.user(id.external_id(), person).map_err(broken)?;
///         Ok(Refetch::Current(Box::new(Current::new(user, self.groups(person).map_err(broken)?))))
///     }
///
///     async fn can_access_with_group_providers(
///         &self,
///         _: &Context,
///         _: &PrincipalId,
///         _: &[PrincipalId],
///     ) -> Result<Access, AuthError> {
///         Ok(Access::Allowed)
///     }
///
///     fn transform_to_auth_provider(&self) -> PublicProvider {
///         PublicProvider::new(self.instance.clone(), "staff", "Staff", [LoginForm::Password])
///     }
/// }
///
/// // The gateway builds it, and calls it through `Contained`.
/// use auth_core::{ContainLimits, Contained, Password, testing};
///
/// let ports = testing::ports();
/// let config = json!({ "staff": { "1001": { "login": "alice", "pin": "271828", "teams": ["dev"] } } });
/// let staff = StaffKind.build("site".parse()?, config, &ports).unwrap();
/// let staff = Contained::new(staff, &ports, ContainLimits::default()).unwrap();
///
/// let input = LoginInput::Password { login: "alice".into(), password: Password::new("271828") };
/// let login = testing::block_on(staff.authenticate_user(&testing::context(&ports), input)).unwrap();
/// assert_eq!(login.user.id.to_string(), "site_user://1001");
/// assert_eq!(login.groups[0].id.to_string(), "site_group://dev");
/// # Ok::<(), InvalidId>(())
/// ```
#[async_trait]
pub trait AuthProvider: Send + Sync + Debug {
    /// The instance id given at [`ProviderKind::build`](crate::ProviderKind::build); always the same.
    fn name(&self) -> &InstanceId;

    /// Decides whether the input proves who somebody is, and says who with all their groups.
    ///
    /// # Errors
    /// [`AuthError::BadCredentials`] for an unknown user as for a wrong password; the state of an account only
    /// after a right password; [`AuthError::Unavailable`] when the system did not answer.
    async fn authenticate_user(&self, ctx: &Context, input: LoginInput) -> Result<Login, AuthError>;

    /// Finds users and groups by a part of their name. An empty page means that nobody matches.
    ///
    /// # Errors
    /// When the system did not answer: an outage is never an empty page.
    async fn search_principals(&self, ctx: &Context, search: Search) -> Result<PrincipalPage, AuthError>;

    /// Looks one principal up, users and groups alike. `None`: the system answered, and there is no such principal.
    ///
    /// # Errors
    /// When the system did not answer.
    async fn get_principal(&self, ctx: &Context, id: &PrincipalId) -> Result<Option<Principal>, AuthError>;

    /// Asks for the present state of a user who logged in earlier, without their password.
    ///
    /// `secret` is what the provider left at login. The user in the answer has the id that was asked for.
    ///
    /// # Errors
    /// When the system did not answer. The core then keeps what it knew; it never reads an error as "gone".
    async fn refetch_group_principals(
        &self,
        ctx: &Context,
        id: &PrincipalId,
        secret: Option<&ProviderSecret>,
    ) -> Result<Refetch, AuthError>;

    /// Narrows who may enter, by what only the identity system knows. Most providers answer [`Access::Allowed`].
    ///
    /// Asked only after the access policy said yes: it can take away and never give.
    ///
    /// # Errors
    /// When the system did not answer.
    async fn can_access_with_group_providers(
        &self,
        ctx: &Context,
        user: &PrincipalId,
        groups: &[PrincipalId],
    ) -> Result<Access, AuthError>;

    /// Describes the instance to people who have not logged in. Public facts only; always the same.
    fn transform_to_auth_provider(&self) -> PublicProvider;

    /// The part that sends a browser to the identity system; `None` where people log in with a password. The
    /// descriptor names [`LoginForm::Redirect`](crate::LoginForm::Redirect) when it is there.
    fn redirect(&self) -> Option<&dyn Redirect> {
        None
    }

    /// The part that believes tokens of an outside issuer; `None` where a credential is always one of ours.
    fn bearer(&self) -> Option<&dyn Bearer> {
        None
    }

    /// The part that hears of logouts at the identity system; `None` where nobody tells of them.
    fn logout(&self) -> Option<&dyn Logout> {
        None
    }

    /// The part that shows an operator each step of a login; `None` where there is none.
    fn diagnose(&self) -> Option<&dyn Diagnose> {
        None
    }
}

/// A provider's own say on whether somebody may enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Nothing speaks against it.
    Allowed,
    /// No, for this reason, which is shown to the person.
    Denied(String),
}
