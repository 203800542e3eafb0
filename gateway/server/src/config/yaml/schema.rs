//! A provider's configuration against its JSON schema.
//!
//! A kind describes its configuration by a schema generated from its own type. Checking the tree against it finds
//! every misspelt, missing and mistyped key at once, with lines, for kinds that this program has never heard of;
//! the kind's `build` then judges what a schema cannot say. Only what such schemas hold is understood here
//! (`properties`, `required`, `additionalProperties`, `items`, `type`, `enum`, `const`, `$ref`, and alternatives
//! of which one is `null`); anything else is left to `build`.

use serde_json::Value as Json;

use super::field::{Field, meant};
use super::node::{Node, Value};

/// Notes everything in `field` that does not fit `schema`.
pub(in crate::config) fn check(field: &Field<'_>, schema: &Json) {
    Check { root: schema, field }.node(field.node, schema, "", 0);
}

struct Check<'a> {
    root: &'a Json,
    field: &'a Field<'a>,
}

impl Check<'_> {
    fn node(&self, node: &Node, schema: &Json, path: &str, depth: usize) {
        // A schema may refer to itself; the file cannot be deeper than its own tree, and no real one is this deep.
        if depth > 32 {
            return;
        }
        let Some(schema) = self.resolved(schema) else { return };
        // An empty value is the key left out: `build` fills in its default or says that it needs one.
        if matches!(node.value, Value::Null) || is_secret(node) && accepts(schema, "string") {
            return;
        }
        if schema.get("writeOnly") == Some(&Json::Bool(true)) && matches!(node.value, Value::Text(_)) {
            self.field.fault_inside(
                path,
                "a secret must not stand in this file",
                "write it to a file that only the gateway reads, and name it: `{file: /path}`, or `{env: NAME}`",
            );
            return;
        }
        if !self.kind(node, schema, path) {
            return;
        }
        self.words(node, schema, path);
        match &node.value {
            Value::Map(_) => self.map(node, schema, path, depth),
            Value::List(items) => {
                let Some(item_schema) = schema.get("items") else { return };
                for (index, item) in items.iter().enumerate() {
                    self.node(item, item_schema, &format!("{path}[{index}]"), depth + 1);
                }
            }
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {}
        }
    }

    fn map(&self, node: &Node, schema: &Json, path: &str, depth: usize) {
        let (Value::Map(entries), Some(properties)) = (&node.value, schema.get("properties").and_then(Json::as_object))
        else {
            return;
        };
        let known: Vec<&str> = properties.keys().map(String::as_str).collect();
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        for (index, entry) in entries.iter().enumerate() {
            let inner = below(&entry.key);
            if entries.iter().take(index).any(|earlier| earlier.key == entry.key) {
                self.field.fault_of_key(entry, &inner, "the key is written twice in one map", "remove one of the two");
            }
            match properties.get(&entry.key) {
                Some(inner_schema) => self.node(&entry.node, inner_schema, &inner, depth + 1),
                None if schema.get("additionalProperties") == Some(&Json::Bool(false)) => {
                    self.field.fault_of_key(entry, &inner, "unknown key", meant(&entry.key, &known));
                }
                None => {}
            }
        }
        for key in schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            if !entries.iter().any(|entry| entry.key == key) {
                let says = properties.get(key).and_then(|property| property.get("description")).and_then(Json::as_str);
                self.field.fault_inside(
                    &below(key),
                    "the key is missing",
                    says.unwrap_or("write it").lines().next().unwrap_or_default(),
                );
            }
        }
    }

    /// Whether the value is of the kind that the schema asks for.
    fn kind(&self, node: &Node, schema: &Json, path: &str) -> bool {
        let fits = match &node.value {
            Value::Null => true,
            Value::Bool(_) => accepts(schema, "boolean"),
            Value::Integer(_) => accepts(schema, "integer") || accepts(schema, "number"),
            Value::Float(_) => accepts(schema, "number"),
            Value::Text(_) => accepts(schema, "string"),
            Value::List(_) => accepts(schema, "array"),
            Value::Map(_) => accepts(schema, "object"),
        };
        if !fits {
            let wanted: Vec<&str> =
                KINDS.iter().filter(|(kind, _)| accepts(schema, kind)).map(|(_, words)| *words).collect();
            let wanted = wanted.join(" or ");
            self.field.fault_inside(
                path,
                format!("expected {wanted}, found {}", node.kind()),
                "write the value in that form",
            );
        }
        fits
    }

    /// Whether a text is one of the words that the schema lists.
    fn words(&self, node: &Node, schema: &Json, path: &str) {
        let Value::Text(text) = &node.value else { return };
        let mut words: Vec<&str> =
            schema.get("enum").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
        if words.is_empty() {
            // A documented enum of plain words comes as `oneOf: [{const: …}, …]`.
            let alternatives = schema.get("oneOf").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            words = alternatives.iter().filter_map(|one| one.get("const").and_then(Json::as_str)).collect();
            if words.len() != alternatives.len() {
                return;
            }
        }
        if !words.is_empty() && !words.contains(&text.as_str()) {
            self.field.fault_inside(path, format!("`{text}` is not one of: {}", words.join(", ")), meant(text, &words));
        }
    }

    /// Follows `$ref` and the one real branch of an optional value. `None`: more than can be judged here.
    fn resolved<'s>(&'s self, schema: &'s Json) -> Option<&'s Json> {
        let mut schema = schema;
        for _ in 0..16 {
            if let Some(target) = schema.get("$ref").and_then(Json::as_str) {
                schema = self.root.pointer(target.strip_prefix('#')?)?;
            } else if let Some(any) = schema.get("anyOf").and_then(Json::as_array) {
                let mut real = any.iter().filter(|one| one.get("type").and_then(Json::as_str) != Some("null"));
                schema = real.next()?;
                if real.next().is_some() {
                    return None;
                }
            } else {
                return Some(schema);
            }
        }
        None
    }
}

/// The kinds of JSON, as an operator calls them.
const KINDS: &[(&str, &str)] = &[
    ("boolean", "true or false"),
    ("integer", "a whole number"),
    ("number", "a number"),
    ("string", "text"),
    ("array", "a list"),
    ("object", "a map"),
];

/// Whether the schema names `kind` among its types, or names none.
fn accepts(schema: &Json, kind: &str) -> bool {
    match schema.get("type") {
        Some(Json::String(only)) => only == kind,
        Some(Json::Array(several)) => several.iter().any(|one| one.as_str() == Some(kind)),
        _ => true,
    }
}

/// `{file: …}` or `{env: …}`: stands for the text that it names.
fn is_secret(node: &Node) -> bool {
    matches!(&node.value, Value::Map(entries) if matches!(entries.as_slice(), [only] if only.key == "file" || only.key == "env"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::super::field::Faults;
    use super::*;

    fn schema() -> Json {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["servers", "bind"],
            "properties": {
                "servers": { "type": "array", "items": { "type": "string" } },
                "bind": { "anyOf": [{ "$ref": "#/$defs/Bind" }, { "type": "null" }], "description": "Write dn and password.\nMore." },
                "mode": { "oneOf": [{ "const": "ldaps" }, { "const": "startTls" }] },
                "pageSize": { "type": ["integer", "null"] },
            },
            "$defs": { "Bind": {
                "type": "object",
                "additionalProperties": false,
                "properties": { "dn": { "type": "string" }, "password": { "type": "string", "writeOnly": true } },
            } },
        })
    }

    fn faults(text: &str) -> Vec<String> {
        let faults = Faults::new(Path::new("/"));
        let tree = faults.tree(text).unwrap();
        check(&Field::root(&tree, &faults), &schema());
        faults.into_sorted().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_fits_the_schema_has_no_fault() {
        assert_eq!(faults("servers: [a]\nbind: { dn: x, password: { file: p } }\nmode: ldaps\npageSize: 1"), [""; 0]);
        assert_eq!(faults("servers: [a]\nbind:\nmode:\n"), [""; 0]);
    }

    #[test]
    fn every_misfit_of_a_provider_is_found_at_once_with_its_line() {
        assert_eq!(
            faults("server: [a]\nmode: ldap\nmode: ldaps\npageSize: ten\nservers:\n- 7"),
            [
                "1:1: bind: the key is missing; Write dn and password.",
                "1:1: server: unknown key; did you mean `servers`?",
                "2:7: mode: `ldap` is not one of: ldaps, startTls; did you mean `ldaps`?",
                "3:1: mode: the key is written twice in one map; remove one of the two",
                "4:11: pageSize: expected a whole number, found text; write the value in that form",
                "6:3: servers[0]: expected text, found a number; write the value in that form",
            ]
        );
    }

    #[test]
    fn a_secret_in_the_file_is_a_fault_and_is_not_repeated() {
        let found = faults("servers: [a]\nbind: { dn: x, password: hunter2 }").join("\n");
        assert!(found.starts_with("2:26: bind.password: a secret must not stand in this file"), "{found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
}
