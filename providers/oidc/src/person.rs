//! Claims become a person with groups.

use std::fmt;

use auth_core::{AuthError, Completeness, Context, InstanceId, InvalidId, Principal, PrincipalId, PrincipalType};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Settings;
use crate::graph::{is_id, no_names};
use crate::json::Object;
use crate::provider::OidcProvider;

/// What is said of a person: by the signed token first, and by userinfo where that is silent.
pub(crate) struct Said<'a> {
    pub(crate) token: Option<&'a Object>,
    pub(crate) userinfo: Option<&'a Object>,
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Teller {
    Token,
    Userinfo,
}

impl fmt::Display for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "the ID token",
            Self::Userinfo => "userinfo",
        })
    }
}

/// Who it is.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) user: Principal,
    pub(crate) groups: Vec<Principal>,
    pub(crate) completeness: Completeness,
}

impl<'a> Said<'a> {
    pub(crate) fn find(&self, pointer: &str) -> Option<&'a Value> {
        let sources = [self.token, self.userinfo];
        sources.into_iter().flatten().find_map(|claims| at(claims, pointer)).filter(|value| !value.is_null())
    }

    /// Who tells the groups, or says where they are.
    pub(crate) fn teller(&self, settings: &Settings) -> Option<Teller> {
        let pointer = settings.groups.as_ref()?;
        let tells = |claims: Option<&'a Object>| Self { token: claims, userinfo: None }.find(pointer).is_some();
        if tells(self.token) || self.token.is_some_and(|token| overage(token).is_some()) {
            Some(Teller::Token)
        } else {
            tells(self.userinfo).then_some(Teller::Userinfo)
        }
    }

    pub(crate) const fn hears(&self, teller: Teller) -> bool {
        match teller {
            Teller::Token => self.token.is_some(),
            Teller::Userinfo => self.userinfo.is_some(),
        }
    }

    fn text(&self, pointer: &str) -> Result<Option<&'a str>, AuthError> {
        let text = |value: &'a Value| value.as_str().ok_or_else(|| odd(pointer, "is not text"));
        Ok(self.find(pointer).map(text).transpose()?.filter(|text| !text.is_empty()))
    }
}

/// `Value::pointer`, for the claims as a whole.
fn at<'a>(claims: &'a Object, pointer: &str) -> Option<&'a Value> {
    let (first, rest) = match pointer.get(1..)?.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (pointer.get(1..)?, None),
    };
    let value = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
    rest.map_or(Some(value), |rest| value.pointer(&format!("/{rest}")))
}

/// Whether userinfo has to be asked because the token is silent about something.
pub(crate) fn is_silent(token: &Object, settings: &Settings) -> bool {
    let said = Said { token: Some(token), userinfo: None };
    let silent = |pointer: &String| said.find(pointer).is_none();
    silent(&settings.login)
        || settings.groups.as_ref().is_some_and(|groups| silent(groups) && overage(token).is_none())
        || settings.attributes.values().any(silent)
        || (settings.require_email_verified && said.find("/email_verified").is_none())
}

/// The stable id, of the signed token alone.
pub(crate) fn id<'a>(token: &'a Object, settings: &Settings) -> Result<&'a str, AuthError> {
    let id = Said { token: Some(token), userinfo: None }.text(&settings.id)?;
    id.ok_or_else(|| odd(&settings.id, "is missing"))
}

/// Reads a person of this id, as far as it was said.
fn person(instance: &InstanceId, settings: &Settings, id: &str, said: &Said<'_>) -> Result<Person, AuthError> {
    check_address(settings, said)?;
    check_domain(settings, said)?;
    let login = said.text(&settings.login)?.ok_or_else(|| odd(&settings.login, "is missing"))?;
    let mut user = user(instance, id, login, said.text(&settings.display_name)?)?;
    for (name, pointer) in &settings.attributes {
        let values = said.find(pointer).map(|value| values(pointer, value)).transpose()?.unwrap_or_default();
        // What is not there and what is empty is not there: a list of none would be a value.
        if !values.is_empty() {
            user = user.with_attribute(name, values);
        }
    }
    let (groups, completeness) = groups(instance, settings, said)?;
    Ok(Person { user, groups, completeness })
}

impl OidcProvider {
    /// Reads a person of this id, with all their groups where there is somebody to ask for those that the token leaves out.
    pub(crate) async fn person(&self, ctx: &Context, id: &str, said: &Said<'_>) -> Result<Person, AuthError> {
        let settings = &self.issuer.settings;
        let person = person(&self.instance, settings, id, said)?;
        let Some(graph) = settings.graph.as_ref().filter(|_| settings.groups.is_some()) else { return Ok(person) };
        if said.token.and_then(overage).is_none() {
            let named = person.groups.iter().any(|group| !is_id(&group.name));
            return if named { Err(no_names()) } else { Ok(person) };
        }
        let ids = self.issuer.groups_by_graph(ctx, graph, id).await?;
        let groups = ids.iter().map(|id| group(&self.instance, id)).collect::<Result<_, _>>()?;
        Ok(Person { groups, completeness: Completeness::Complete, ..person })
    }
}

fn group(instance: &InstanceId, name: &str) -> Result<Principal, AuthError> {
    Ok(Principal::new(PrincipalId::new(instance, PrincipalType::Group, name).map_err(broken)?, name))
}

/// The person without their groups.
pub(crate) fn user(instance: &InstanceId, id: &str, login: &str, name: Option<&str>) -> Result<Principal, AuthError> {
    let user = Principal::new(PrincipalId::new(instance, PrincipalType::User, id).map_err(broken)?, login);
    Ok(match name {
        Some(name) => user.with_display_name(name),
        None => user,
    })
}

/// An address that nobody verified may be that of anybody else.
fn check_address(settings: &Settings, said: &Said<'_>) -> Result<(), AuthError> {
    let verified = said.find("/email_verified");
    // Some products write their booleans as text.
    let verified = verified.is_some_and(|value| *value == Value::Bool(true) || value.as_str() == Some("true"));
    if verified || !settings.require_email_verified {
        return Ok(());
    }
    Err(AuthError::PolicyDenied("the identity system has not verified your mail address".to_owned()))
}

/// Only the signed token counts: `hd` as a parameter of the way there is a wish, which the browser may change.
fn check_domain(settings: &Settings, said: &Said<'_>) -> Result<(), AuthError> {
    let Some(domains) = &settings.hosted_domains else { return Ok(()) };
    let hosted = said.token.and_then(|token| token.get("hd")).and_then(Value::as_str);
    // A refetch without a token is about somebody whose domain was checked.
    if said.token.is_none() || hosted.is_some_and(|hosted| domains.iter().any(|one| one == hosted)) {
        return Ok(());
    }
    Err(AuthError::PolicyDenied("your account is of none of the domains that may log in here".to_owned()))
}

type Groups = (Vec<Principal>, Completeness);

fn groups(instance: &InstanceId, settings: &Settings, said: &Said<'_>) -> Result<Groups, AuthError> {
    let Some(pointer) = &settings.groups else { return Ok((Vec::new(), Completeness::Complete)) };
    if let Some(why) = said.token.and_then(overage) {
        return Ok((Vec::new(), Completeness::Incomplete(why)));
    }
    let names = said.find(pointer).map_or_else(|| Ok(Vec::new()), |value| names(pointer, value))?;
    let groups = names.iter().map(|name| group(instance, name)).collect::<Result<Vec<_>, AuthError>>()?;
    if settings.preset.may_be_cut(groups.len()) {
        return Ok((groups, Completeness::Incomplete("the issuer tells no more than 100 groups".to_owned())));
    }
    Ok((groups, Completeness::Complete))
}

/// One, several, or the keys of an object. Anything else is an error: read as "none" it would pass where it must not.
fn names<'a>(pointer: &str, value: &'a Value) -> Result<Vec<&'a str>, AuthError> {
    match value {
        Value::String(one) if one.is_empty() => Ok(Vec::new()),
        Value::String(one) => Ok(vec![one]),
        Value::Object(all) => Ok(all.keys().map(String::as_str).collect()),
        Value::Array(all) => {
            let text =
                |value: &'a Value| value.as_str().ok_or_else(|| odd(pointer, "holds something that is not text"));
            all.iter().map(text).collect()
        }
        _ => Err(odd(pointer, "is neither text, a list nor an object")),
    }
}

/// A value for the mapping. An object is none: which part of it is meant is for the pointer to say.
fn values(pointer: &str, value: &Value) -> Result<Vec<String>, AuthError> {
    match value {
        Value::Array(all) => all.iter().map(|one| plain(pointer, one)).collect(),
        Value::String(empty) if empty.is_empty() => Ok(Vec::new()),
        one => Ok(vec![plain(pointer, one)?]),
    }
}

fn plain(pointer: &str, value: &Value) -> Result<String, AuthError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(odd(pointer, "is neither text, a number, yes or no, nor a list of such")),
    }
}

/// Entra leaves the groups out when there are too many, and says where they could be asked for.
fn overage(token: &Object) -> Option<String> {
    let elsewhere = token.get("_claim_names").and_then(|names| names.get("groups")).is_some();
    let has = token.get("hasgroups").is_some_and(|has| *has == Value::Bool(true) || has.as_str() == Some("true"));
    (elsewhere || has).then(|| "there are more groups than the issuer puts into a token".to_owned())
}

fn odd(pointer: &str, why: &str) -> AuthError {
    AuthError::Protocol(format!("the claim {pointer} {why}"))
}

fn broken(error: InvalidId) -> AuthError {
    AuthError::Protocol(error.to_string())
}
