//! Secrets by reference: `{file: …}` or `{env: …}`, never in the file itself.

use std::path::PathBuf;

use super::environment;
use super::sources::Sources;
use super::yaml::{Field, Node, Value};

/// Replaces every secret reference inside `field` by the secret, as JSON for a provider.
///
/// A provider never learns where its secrets are kept, and cannot make the gateway read another file. Keys that end in
/// `File` name files that the provider reads itself: they start from the folder of the configuration file like every
/// other name in it, and a change of theirs is a change of the configuration.
pub(super) fn resolve(field: &Field<'_>, sources: &mut Sources) -> serde_json::Value {
    resolve_node(field, field.node, "", sources)
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum SecretRef {
    /// In a file that only the gateway reads; one line end after it is not part of it.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

impl SecretRef {
    fn of(field: &Field<'_>, node: &Node) -> Option<Self> {
        let Value::Map(entries) = &node.value else { return None };
        let [only] = entries.as_slice() else { return None };
        let Value::Text(text) = &only.node.value else { return None };
        match only.key.as_str() {
            "file" => Some(Self::File(field.beside(text))),
            "env" => Some(Self::Env(text.clone())),
            _ => None,
        }
    }

    /// Fetches the secret, or says what is missing; never any part of the secret.
    fn fetch(&self, sources: &mut Sources) -> Result<String, String> {
        match self {
            Self::Env(name) => {
                environment::variable(name).ok_or_else(|| format!("the environment variable `{name}` is not set"))
            }
            Self::File(path) => {
                let text = sources.text(path)?;
                let secret = text.strip_suffix('\n').unwrap_or(&text);
                let secret = secret.strip_suffix('\r').unwrap_or(secret);
                if secret.is_empty() { Err(format!("`{}` is empty", path.display())) } else { Ok(secret.to_owned()) }
            }
        }
    }
}

fn resolve_node(field: &Field<'_>, node: &Node, path: &str, sources: &mut Sources) -> serde_json::Value {
    if let Some(reference) = SecretRef::of(field, node) {
        return reference.fetch(sources).map_or_else(
            |problem| {
                field.fault_inside(path, problem, "name a file that the gateway can read, or set the variable");
                serde_json::Value::Null
            },
            serde_json::Value::from,
        );
    }
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .map(|entry| {
                if let (Value::Text(text), true) = (&entry.node.value, entry.key.ends_with("File")) {
                    let file = field.beside(text);
                    sources.watch(&file);
                    return (entry.key.clone(), file.to_string_lossy().into());
                }
                let inner = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                (entry.key.clone(), resolve_node(field, &entry.node, &inner, sources))
            })
            .collect(),
        Value::List(items) => {
            let resolved = items.iter().enumerate();
            resolved.map(|(index, item)| resolve_node(field, item, &format!("{path}[{index}]"), sources)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => node.to_json(),
    }
}
