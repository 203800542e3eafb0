//! What comes out of a mapping, and what never does.

use proptest::prelude::*;

use super::*;

fn compile(json: &str) -> Result<Mapping, Vec<Fault>> {
    Mapping::compile(serde_json::from_str(json).unwrap(), &"corp".parse().unwrap())
}

fn user(name: &str) -> Principal {
    Principal::new("corp_user://7".parse().unwrap(), name)
}

fn group(name: &str) -> Principal {
    Principal::new("corp_group://9".parse().unwrap(), name)
}

fn map(json: &str, user: &Principal, groups: &[Principal]) -> Result<Identity, MappingError> {
    compile(json).unwrap().map("u-1", user, groups, &BTreeMap::new())
}

#[test]
fn the_defaults_prefix_with_the_instance() {
    let identity = map("{}", &user("alice"), &[group("dev"), group("개발팀")]).unwrap();
    assert_eq!((identity.username.as_str(), identity.uid.as_str()), ("corp:alice", "u-1"));
    assert_eq!(identity.group_names().collect::<Vec<_>>(), ["corp:dev", "corp:개발팀"]);
    assert!(identity.extra.is_empty());
}

#[test]
fn groups_are_filtered_then_renamed_then_templated_then_prefixed() {
    let json = r#"{"groups":{"prefix":"c:","filter":{"include":["k8s-*"],"exclude":["*-old"]},
        "rename":{"k8s-ops":"operators"},"template":"{name}/{id}"}}"#;
    let identity = map(json, &user("a"), &[group("k8s-ops"), group("k8s-x-old"), group("canteen"), group("k8s-dev")]);
    assert_eq!(identity.unwrap().group_names().collect::<Vec<_>>(), ["c:operators/9", "c:k8s-dev/9"]);
}

#[test]
fn templates_read_login_name_id_and_attributes() {
    let alice = user("alice").with_login("al").with_attribute("site", ["eu"]);
    let json =
        r#"{"username":{"prefix":"","template":"{attr:site}.{login}.{name}.{id}{{x}}"},"uid":{"template":"{id}"}}"#;
    let identity = map(json, &alice, &[]).unwrap();
    assert_eq!((identity.username.as_str(), identity.uid.as_str()), ("eu.al.alice.7{x}", "7"));
}

#[test]
fn an_attribute_that_is_missing_or_doubled_is_refused_not_guessed() {
    let json = r#"{"username":{"template":"{attr:mail}"}}"#;
    let missing = map(json, &user("a"), &[]).unwrap_err();
    assert_eq!(missing.to_string(), "the username needs `{attr:mail}`, which is not there");
    let two = user("a").with_attribute("mail", ["a@x", "b@x"]);
    assert!(matches!(map(json, &two, &[]), Err(MappingError::Several { count: 2, .. })));
    let empty = user("a").with_attribute("mail", [""]);
    assert!(matches!(map(json, &empty, &[]), Err(MappingError::Empty { .. })));
}

#[test]
fn reserved_names_are_refused_whichever_way_they_come_about() {
    let open = r#"{"username":{"prefix":""},"groups":{"prefix":""}}"#;
    let halves = r#"{"groups":{"prefix":"sys"}}"#;
    let renamed = r#"{"groups":{"prefix":"","rename":{"ops":"system:masters"}}}"#;
    for (json, login, name) in [
        (open, "system:admin", "dev"),
        (open, "SYSTEM:admin", "dev"),
        (open, "a", "system:masters"),
        (open, "a", "kubeadm:cluster-admins"),
        (open, "a", "eks:x"),
        (halves, "a", "tem:masters"),
        (renamed, "a", "ops"),
    ] {
        let refused = map(json, &user(login), &[group(name)]).unwrap_err();
        assert!(matches!(refused, MappingError::Reserved { .. }), "{json} {login} {name}: {refused}");
    }
    let reserved = compile(open).unwrap().with_reserved(Reserved::new(["Cluster-*"]));
    assert!(reserved.map("u-1", &user("a"), &[group("cluster-admins")], &BTreeMap::new()).is_err());
}

#[test]
fn each_rule_is_told_and_tells_what_the_mapping_does() {
    let json = r#"{"username":{"prefix":"c:","template":"{attr:site}-{login}{{x}}"},"groups":{"prefix":"c:",
        "filter":{"include":["k8s-*","system:*"],"exclude":["*-old"]},"rename":{"k8s-ops":"operators"}},
        "extra":[{"key":"x.org/mail","attribute":"mail"}]}"#;
    let groups = ["k8s-ops", "k8s-dev", "k8s-x-old", "canteen"].map(group);
    let alice = user("alice").with_login("al").with_attribute("site", ["eu"]);
    let offered = BTreeMap::from([("x.org/seat".to_owned(), vec!["12".to_owned()])]);
    let mapping = compile(json).unwrap();
    let told: Vec<String> = mapping.steps("u-1", &alice, &groups, &offered).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "username: c:{attr:site}-{login}{{x}} gives c:eu-al{x}",
            "uid: the gateway's own id gives u-1",
            "group k8s-ops: renamed to operators, then c:{name} gives c:operators",
            "group k8s-dev: c:{name} gives c:k8s-dev",
            r#"group k8s-x-old: left out by groups.filter.exclude "*-old""#,
            "group canteen: left out, groups.filter.include names others",
            "extra x.org/mail: {attr:mail} gives nothing: left out",
            "extra x.org/seat: the provider's own word gives 12",
        ]
    );
    let identity = mapping.map("u-1", &alice, &groups, &offered).unwrap();
    assert!(told[0].ends_with(&identity.username) && identity.group_names().eq(["c:operators", "c:k8s-dev"]));
    // A rule that fails hides none of those behind it.
    let open = compile(r#"{"username":{"prefix":"","template":"{attr:none}"},"groups":{"prefix":""}}"#).unwrap();
    let told: Vec<String> = open
        .steps("u-1", &alice, &[group("system:masters")], &BTreeMap::new())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(told[0].contains("gives none: ") && told[2].contains("gives none: "), "{told:?}");
}

#[test]
fn a_filtered_reserved_group_does_not_refuse_the_login() {
    let json = r#"{"groups":{"prefix":"","filter":{"exclude":["system:*"]}}}"#;
    assert_eq!(map(json, &user("a"), &[group("system:masters"), group("dev")]).unwrap().groups.len(), 1);
}

#[test]
fn bytes_that_split_a_header_are_refused() {
    for name in ["a\rb", "a\nb", "a\0b", "a\u{7f}", "a ", "a\u{85}b", ""] {
        assert!(map("{}", &user(name), &[]).is_err(), "user {name:?}");
        assert!(map("{}", &user("a"), &[group(name)]).is_err(), "group {name:?}");
    }
    assert!(map(r#"{"username":{"prefix":""}}"#, &user(" a"), &[]).is_err());
}

#[test]
fn too_many_groups_are_refused_with_the_count_after_the_filter() {
    let groups: Vec<_> = (0..1_005).map(|n| group(&format!("g{n}"))).collect();
    let refused = map("{}", &user("a"), &groups).unwrap_err();
    assert_eq!(refused, MappingError::TooManyGroups { count: 1_005, limit: 1_000 });
    assert!(AuthErrorText::of(refused).contains("1005 groups"));
    assert!(map(r#"{"groups":{"filter":{"exclude":["g100*"]}}}"#, &user("a"), &groups).is_ok());
}

struct AuthErrorText;
impl AuthErrorText {
    fn of(error: MappingError) -> String {
        crate::AuthError::from(error).public_message()
    }
}

#[test]
fn too_many_bytes_are_refused() {
    let groups: Vec<_> = (0..70).map(|n| group(&format!("{n}{}", "x".repeat(1_000)))).collect();
    assert!(matches!(map("{}", &user("a"), &groups), Err(MappingError::TooLarge { limit: 65_536, .. })));
    let tight = compile("{}").unwrap().with_limits(MappingLimits { groups: 5, bytes: 9 });
    assert!(tight.map("u-1", &user("a"), &[], &BTreeMap::new()).is_ok(), "corp:a and u-1 are nine bytes");
    assert!(tight.map("u-1", &user("ab"), &[], &BTreeMap::new()).is_err());
}

#[test]
fn extras_come_from_rules_and_from_the_provider_under_safe_keys() {
    let json = r#"{"extra":[{"key":"x.org/mail","attribute":"mail"},{"key":"x.org/who","template":"{login}@x"},
        {"key":"x.org/none","attribute":"none"}]}"#;
    let alice = user("a").with_attribute("mail", ["1", "2"]);
    let offered = BTreeMap::from([("x.org/seat".to_owned(), vec!["12".to_owned()])]);
    let extra = compile(json).unwrap().map("u-1", &alice, &[], &offered).unwrap().extra;
    let shown: Vec<_> = extra.iter().map(|(key, values)| format!("{key}={}", values.join("+"))).collect();
    assert_eq!(shown, ["x.org/mail=1+2", "x.org/seat=12", "x.org/who=a@x"]);
}

#[test]
fn a_provider_cannot_claim_keys_of_kubernetes_or_of_the_gateway() {
    let mapping = compile("{}").unwrap();
    for key in [
        "gatewarden/session-id",
        "authentication.kubernetes.io/credential-id",
        "k8s.io/x",
        "scopes",
        "X.org/a",
        "x.org/",
        "/x",
        "x.org/a b",
        "x.org/a\nb",
        "x.org/a/b",
        "é.org/x",
    ] {
        let offered = BTreeMap::from([(key.to_owned(), vec!["v".to_owned()])]);
        let refused = mapping.map("u-1", &user("a"), &[], &offered);
        assert_eq!(refused, Err(MappingError::ExtraKey(key.to_owned())));
    }
    let split = BTreeMap::from([("x.org/a".to_owned(), vec!["v\r\nX: y".to_owned()])]);
    assert!(mapping.map("u-1", &user("a"), &[], &split).is_err());
}

#[test]
fn every_fault_is_named_at_once_with_its_place() {
    let faults = compile(
        r#"{"username":{"prefix":"System:","template":"{mail}"},
            "groups":{"template":"{login}","filter":{"include":[""]},"rename":{"a":"b\n"}},
            "uid":{"template":"{id"},
            "extra":[{"key":"Mail","attribute":"mail"},{"key":"x.org/a"},{"key":"x.org/b","template":"fixed"}]}"#,
    )
    .unwrap_err();
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "username.prefix",
            "username.template",
            "groups.rename.a",
            "groups.template",
            "groups.filter.include[0]",
            "uid.template",
            "extra[0].key",
            "extra[1]",
            "extra[2].template"
        ]
    );
    assert!(faults[1].message.contains("use {login}, {name}, {id} or {attr:key}"), "{}", faults[1]);
    assert!(faults[0].message.contains("\"corp:\""), "{}", faults[0]);
}

#[test]
fn a_misspelt_key_is_an_error_not_a_default() {
    for json in [r#"{"user":{}}"#, r#"{"groups":{"prefx":"a"}}"#, r#"{"groups":{"filter":{"includes":[]}}}"#] {
        assert!(serde_json::from_str::<MappingConfig>(json).is_err(), "{json}");
    }
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,12}",
        "(system|SyStEm|kubeadm|eks|sys|tem|corp)?:?[a-z\r\n\0 ]{0,6}",
        Just("system:masters".to_owned()),
        Just("\u{85}system:masters".to_owned()),
    ]
}

/// A template, or with a star before it an expression.
#[derive(Debug, Clone, Copy)]
struct Written(&'static str);

impl Written {
    fn expression(self) -> Option<String> {
        self.0.strip_prefix('*').map(str::to_owned)
    }

    fn username(self, prefix: Option<String>) -> NameMapping {
        let template = self.expression().is_none().then(|| self.0.to_owned());
        NameMapping { prefix, template, expression: self.expression() }
    }

    fn groups(self) -> Option<String> {
        let names = "claims.groups + claims.groups.map(g, 'sys' + g) + claims.attributes.a";
        self.expression().map(|_| names.to_owned())
    }
}

fn rules() -> Vec<Written> {
    let templates = ["{login}", "{name}", "{id}", "{attr:a}", "{attr:a}{login}", "sys{name}"];
    let expressions = ["*claims.login", "*claims.attributes.a.one()", "*'sys' + claims.name", "*claims.login.trim()"];
    let expressions = expressions.into_iter().filter(|_| cfg!(feature = "cel"));
    templates.into_iter().chain(expressions).map(Written).collect()
}

proptest! {
    #[test]
    fn no_output_holds_a_header_splitter_or_a_reserved_name(
        prefix in prop_oneof![Just(None), "[a-z:]{0,7}".prop_map(Some)],
        rule in prop::sample::select(rules()),
        login in hostile(),
        groups in prop::collection::vec(hostile(), 0..4),
        attribute in hostile(),
        rename in hostile(),
        key in prop_oneof![hostile(), Just("x.org/y".to_owned())],
    ) {
        let rename = BTreeMap::from([(groups.first().cloned().unwrap_or_default(), rename)]);
        let config = MappingConfig {
            username: rule.username(prefix.clone()),
            groups: GroupMapping { prefix, rename, expression: rule.groups(), ..GroupMapping::default() },
            ..MappingConfig::default()
        };
        let Ok(mapping) = Mapping::compile(config, &"corp".parse().unwrap()) else { return Ok(()) };
        let user = user(&login).with_attribute("a", [attribute.clone()]);
        let groups: Vec<_> = groups.iter().map(|name| group(name)).collect();
        let Ok(identity) = mapping.map("u-1", &user, &groups, &BTreeMap::from([(key, vec![attribute])])) else {
            return Ok(());
        };
        let names: Vec<_> = identity.group_names().chain([identity.username.as_str(), identity.uid.as_str()]).collect();
        for name in &names {
            let lower = name.to_ascii_lowercase();
            prop_assert!(!["system:", "kubeadm:", "eks:"].iter().any(|prefix| lower.starts_with(prefix)), "{name:?}");
        }
        let extras = identity.extra.iter().flat_map(|(key, values)| values.iter().chain([key])).map(String::as_str);
        for text in names.into_iter().chain(extras) {
            prop_assert!(!text.contains(['\r', '\n', '\0']) && text.trim() == text && !text.is_empty(), "{text:?}");
        }
    }
}
