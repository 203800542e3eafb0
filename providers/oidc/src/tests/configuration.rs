//! What an operator may write.

use auth_core::{ProviderKind, testing};
use serde_json::{Value, json};

use crate::OidcKind;

fn faults(changes: Value) -> Vec<String> {
    let mut config = json!({"issuer": "https://id.example.org", "clientId": "gatewarden"});
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let built = OidcKind.build("sso".parse().unwrap(), config, &testing::ports());
    built.err().unwrap_or_default().into_iter().map(|fault| fault.path).collect()
}

#[test]
fn each_fault_names_its_place() {
    let rows: &[(Value, &str)] = &[
        (json!({"issuer": "http://id.example.org"}), "issuer"),
        (json!({"issuer": "https://id.example.org?x=y"}), "issuer"),
        (json!({"issuer": "https://login.microsoftonline.com/common/v2.0", "preset": "entra"}), "issuer"),
        (json!({"clientId": ""}), "clientId"),
        (json!({"clientSecret": ""}), "clientSecret"),
        (json!({"clockSkewSeconds": 301}), "clockSkewSeconds"),
        (json!({"algorithms": []}), "algorithms"),
        (json!({"algorithms": ["HS256"]}), ""),
        (json!({"algorithms": ["none"]}), ""),
        (json!({"claims": {"groups": "groups"}}), "claims.groups"),
        (json!({"claims": {"attributes": {"mail": "email"}}}), "claims.attributes.mail"),
        (json!({"claims": {"id": "/email"}}), "claims.id"),
        (json!({"authorizationParameters": {"state": "x"}}), "authorizationParameters.state"),
        (json!({"isuer": "x"}), ""),
        (json!({"bearer": {"audience": ["x"]}}), ""),
        (json!({"bearer": {"audiences": [""]}}), "bearer.audiences"),
        (json!({"bearer": {"maxAgeSeconds": 59}}), "bearer.maxAgeSeconds"),
        (json!({"bearer": {"maxAgeSeconds": 604_801}}), "bearer.maxAgeSeconds"),
        (json!({"directory": {}}), ""),
        (json!({"directory": {"graph": {}}, "clientSecret": "x"}), "directory.graph"),
        (json!({"directory": {"graph": {}}, "preset": "entra"}), "directory.graph"),
        (
            json!({"directory": {"graph": {}}, "preset": "entra", "clientSecret": "x", "claims": {"id": "/sub"}}),
            "directory.graph",
        ),
        (
            json!({"directory": {"graph": {"url": "https://graph.example.org/v1.0"}}, "preset": "entra", "clientSecret": "x"}),
            "directory.graph.url",
        ),
        (
            json!({"directory": {"graph": {"url": "http://graph.example.org"}}, "preset": "entra", "clientSecret": "x"}),
            "directory.graph.url",
        ),
        (json!({"hostedDomains": ["example.org"]}), "hostedDomains"),
        (json!({"preset": "google", "hostedDomains": []}), "hostedDomains"),
        (json!({"preset": "google", "hostedDomains": [""]}), "hostedDomains"),
        (json!({"jwks": "keys"}), "jwks"),
        (json!({"jwks": "{}"}), "jwks"),
        (json!({"jwks": r#"{"keys": []}"#}), "jwks"),
    ];
    for (changes, path) in rows {
        assert_eq!(faults(changes.clone()), [*path], "{changes}");
    }
    assert!(faults(json!({})).is_empty());
    assert!(faults(json!({"directory": {"graph": {}}, "preset": "entra", "clientSecret": "x"})).is_empty());
    assert!(faults(json!({"issuer": "http://127.0.0.1:9000", "dangerousPlainHttp": true})).is_empty());
}

#[test]
fn where_nobody_logs_in_it_is_said_whom_the_tokens_are_for() {
    let path = |config: Value| {
        let built = OidcKind.build("ci".parse().unwrap(), config, &testing::ports());
        built.map(drop).map_err(|faults| faults.into_iter().map(|fault| fault.path).collect::<Vec<_>>())
    };
    let issuer = "https://ci.example.org";
    assert_eq!(path(json!({"issuer": issuer})), Err(vec!["clientId".to_owned()]));
    assert_eq!(path(json!({"issuer": issuer, "bearer": {}})), Err(vec!["bearer.audiences".to_owned()]));
    assert_eq!(path(json!({"issuer": issuer, "bearer": {"audiences": ["gatewarden"]}})), Ok(()));
}

#[test]
fn a_form_hides_the_secret() {
    let schema = OidcKind.schema();
    let text = schema["properties"]["clientSecret"].to_string();
    assert!(text.contains("\"writeOnly\":true"), "{text}");
}
