//! The description of the API for programs: OpenAPI 3.1, from the very list that the router is made of and the very
//! types that are written.

use std::sync::LazyLock;

use axum::Json;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::operations::{OPERATIONS, Operation};

/// Why something was refused (RFC 9457), with a word that never changes at the end of `type`.
#[derive(Debug, Serialize, JsonSchema)]
struct Problem {
    /// `urn:gatewarden:error:<word>`: what programs look at.
    r#type: String,
    /// The name of the status.
    title: String,
    /// The status once more.
    status: u16,
    /// A sentence for people: what is wrong, and what to do.
    detail: String,
    /// The login provider that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
}

/// The whole description. It is the same for every gateway of a version, and tells of none.
#[must_use]
pub fn openapi() -> Value {
    let mut schemas = generator(SchemaSettings::for_serialize);
    let mut read = generator(SchemaSettings::for_deserialize);
    let problem = schemas.subschema_for::<Problem>();
    let mut paths = Map::new();
    for operation in &OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method.to_owned(), described(operation, (&mut schemas, &mut read)));
        }
    }
    let mut components = schemas.take_definitions(true);
    components.extend(read.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gatewarden",
            "summary": "The management API of the gateway.",
            // Of the API, not of the program: that is not for everybody.
            "version": "v1",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the API (`gwt-…`), or an access token of the gateway's issuer.",
                },
            },
            "responses": {
                "Problem": {
                    "description": "Refused, or not possible now (RFC 9457).",
                    "headers": {
                        "Retry-After": {
                            "description": "With 429 and 503: when asking again may help, in seconds.",
                            "schema": { "type": "integer" },
                        },
                    },
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
        },
    })
}

fn generator(contract: fn(SchemaSettings) -> SchemaSettings) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    contract(settings).into_generator()
}

fn described(operation: &Operation, (written, read): (&mut SchemaGenerator, &mut SchemaGenerator)) -> Value {
    let mut responses = Map::new();
    let (status, shape) = operation.answer;
    let content = shape.map(|shape| json!({ "application/json": { "schema": shape(written) } }));
    let mut answer = json!({ "description": "It went well." });
    if let (Some(answer), Some(content)) = (answer.as_object_mut(), content) {
        answer.insert("content".to_owned(), content);
    }
    responses.insert(status.to_string(), answer);
    for (status, words) in operation.refuses {
        responses.insert(status.to_string(), refused(words));
    }
    if !operation.open {
        responses.entry("401").or_insert_with(|| refused(&["unauthenticated"]));
    }
    responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters(operation),
        "responses": responses,
    });
    if let Some(described) = described.as_object_mut() {
        if let Some(body) = operation.body {
            let content = json!({ "application/json": { "schema": body(read) } });
            described.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
        }
        if operation.open {
            described.insert("security".to_owned(), json!([]));
        }
    }
    described
}

fn refused(words: &[&str]) -> Value {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    json!({
        "description": words.join(", "),
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let names = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = |name: &str| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
    let queried = operation.query.map(|query| query(generator(SchemaSettings::for_deserialize)));
    let fields = queried.as_ref().and_then(|fields| fields.get("properties")).and_then(Value::as_object);
    let in_query = |(name, schema): (&String, &Value)| {
        let description = schema.get("description").cloned().unwrap_or_default();
        json!({ "name": name, "in": "query", "description": description, "schema": schema })
    };
    names.map(in_path).chain(fields.into_iter().flatten().map(in_query)).collect()
}

pub(super) async fn serve() -> Json<&'static Value> {
    static DESCRIPTION: LazyLock<Value> = LazyLock::new(openapi);
    Json(&DESCRIPTION)
}
