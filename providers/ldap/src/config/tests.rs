use auth_core::read_config;
use serde_json::{Value, json};

use super::*;

fn sound() -> Value {
    json!({
        "servers": ["ldap://127.0.0.1:389", "ldap://[::1]"],
        "tls": { "mode": "dangerousNone" },
        "bind": { "dn": "cn=svc,dc=example,dc=org", "password": "secret" },
        "users": { "base": "ou=people,dc=example,dc=org" },
        "groups": { "base": "ou=groups,dc=example,dc=org" },
    })
}

fn faults(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut config = sound();
    change(&mut config);
    let faults = read_config::<File>(config).and_then(Settings::check).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

fn paths(change: impl FnOnce(&mut Value)) -> Vec<String> {
    faults(change).iter().map(|fault| fault.split(": ").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_short_configuration_is_enough() {
    let settings = Settings::check(read_config(sound()).unwrap()).unwrap();
    assert_eq!(settings.servers[1], Server { host: "::1".into(), port: 389 });
    assert_eq!(settings.users.login, "uid");
    assert_eq!(settings.groups.unwrap().dn_attribute, "entryDN");
}

#[test]
fn every_fault_is_told_at_once() {
    let paths = paths(|config| {
        config["servers"] = json!(["ldaps://x", "nonsense", "ldap://user@x", "ldap://x/dc=a"]);
        config["bind"]["password"] = json!("");
        config["users"]["base"] = json!("people");
        config["users"]["filter"] = json!("uid={input}");
        config["groups"]["id"] = json!("entry UUID");
        config["groups"]["maxDepth"] = json!(0);
        config["pageSize"] = json!(5000);
        config["timeouts"] = json!({ "connectSeconds": 0 });
    });
    let expected = [
        "servers[0]",
        "servers[1]",
        "servers[2]",
        "servers[3]",
        "bind.password",
        "users.base",
        "users.filter",
        "groups.maxDepth",
        "groups.id",
        "timeouts.connectSeconds",
        "pageSize",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn a_login_may_name_the_domain_and_no_other() {
    let mut config = sound();
    config["users"]["domain"] = json!("CORP");
    let users = Settings::check(read_config(config).unwrap()).unwrap().users;
    assert_eq!(users.account("CORP\\alice"), Some("alice"));
    assert_eq!(users.account("corp\\alice"), Some("alice"));
    assert_eq!(users.account("alice"), Some("alice"));
    assert_eq!(users.account("OTHER\\alice"), None);
    assert_eq!(paths(|config| config["users"]["domain"] = json!("corp\\")), ["users.domain"]);
    let plain = Settings::check(read_config(sound()).unwrap()).unwrap().users;
    assert_eq!(plain.account("CORP\\alice"), Some("CORP\\alice"), "a backslash means nothing without a domain");
}

#[test]
fn the_example_for_active_directory_is_sound() {
    let readme = include_str!("../../README.md");
    let example = readme.split("```yaml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let mut config: Value = serde_saphyr::from_str(example).unwrap();
    // The files that it names are not here.
    config["tls"] = json!({ "mode": "dangerousNone" });
    config["servers"] = json!(["ldap://dc1.corp.example.com"]);
    config["bind"]["password"] = json!("a secret");
    let settings = Settings::check(read_config(config).unwrap()).unwrap();
    assert_eq!((settings.preset, settings.users.login.as_str()), (Preset::ActiveDirectory, "sAMAccountName"));
}

#[test]
fn a_misspelt_key_is_an_error_not_a_default() {
    let faults = faults(|config| config["users"]["fliter"] = json!("(uid={input})"));
    assert!(faults[0].contains("fliter"), "{faults:?}");
}

#[test]
fn a_filter_that_ignores_the_input_is_refused() {
    assert_eq!(paths(|config| config["users"]["filter"] = json!("(objectClass=person)")), ["users.filter"]);
    assert_eq!(paths(|config| config["groups"]["filter"] = json!("(cn={input})")), ["groups.filter"]);
}

#[test]
fn encryption_needs_somebody_to_trust() {
    let of = |tls: Value| {
        paths(|config| {
            config["servers"] = json!(["ldaps://x"]);
            config["tls"] = tls;
        })
    };
    assert_eq!(of(json!({})), ["tls"]);
    assert_eq!(of(json!({ "caPem": "no certificate" })), ["tls.caPem"]);
    assert_eq!(of(json!({ "caFile": "/nowhere/ca.crt" })), ["tls.caFile"]);
}

#[test]
fn exactly_one_way_to_bind_is_written() {
    let template = "uid={input},ou=people,dc=example,dc=org";
    assert_eq!(paths(|config| config["directBind"] = json!(template)), ["directBind"]);
    assert_eq!(paths(|config| config["bind"] = Value::Null), ["bind"]);
    let direct = |text: &str| {
        paths(|config| {
            config["bind"] = Value::Null;
            config["directBind"] = json!(text);
        })
    };
    assert!(direct(template).is_empty());
    assert_eq!(direct("{input}"), ["directBind"], "a whole DN must not come from the person");
    assert_eq!(direct("uid={input},cn={input}"), ["directBind"]);
}

#[test]
fn what_is_typed_stays_one_value_of_the_dn() {
    let template = DnTemplate { before: "uid=".into(), after: ",ou=people".into() };
    assert_eq!(template.dn("a,ou=admins"), "uid=a\\,ou\\=admins,ou=people");
}

#[test]
fn no_secret_shows_in_the_checked_configuration() {
    let settings = Settings::check(read_config(sound()).unwrap()).unwrap();
    assert!(!format!("{settings:?}").contains("secret"));
}

#[test]
fn the_readme_lists_every_setting_and_no_other() {
    let schema = schemars::schema_for!(File).to_value();
    let keys_of = |pointer: &str, prefix: &str| -> Vec<String> {
        let properties = schema.pointer(pointer).and_then(Value::as_object).unwrap();
        properties.keys().map(|key| format!("{prefix}{key}")).collect()
    };
    let sections = ["tls", "bind", "users", "groups", "timeouts", "pool"];
    let mut keys: Vec<String> =
        keys_of("/properties", "").into_iter().filter(|key| !sections.contains(&&**key)).collect();
    for (definition, prefix) in
        ["Tls", "Bind", "UsersFile", "GroupsFile", "Timeouts", "PoolFile"].into_iter().zip(sections)
    {
        keys.extend(keys_of(&format!("/$defs/{definition}/properties"), &format!("{prefix}.")));
    }
    let table = include_str!("../../README.md").split("## ").next().unwrap_or_default();
    let mut listed: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .flat_map(|line| line.split(" | ").next().unwrap_or_default().split(", "))
        .map(|key| key.trim_matches('`'))
        .collect();
    keys.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, keys);
}
