//! What expressions read, what they give, and what becomes of those that fail.
#![cfg(feature = "cel")]

use std::collections::BTreeMap;

use super::super::{Identity, Mapping, MappingConfig, MappingError};
use crate::{Fault, Principal, PrincipalId};

fn compile(json: &str) -> Result<Mapping, Vec<Fault>> {
    let config: MappingConfig = serde_json::from_str(json).unwrap_or_else(|why| panic!("{why}: {json}"));
    Mapping::compile(config, &"corp".parse().unwrap())
}

fn alice() -> Principal {
    Principal::new("corp_user://7".parse().unwrap(), "alice")
        .with_login("Al")
        .with_attribute("mail", ["Alice@X.org"])
        .with_attribute("teams", ["eu,ops", "dev"])
        .with_attribute("none", Vec::<String>::new())
}

fn group(id: &str, name: &str) -> Principal {
    Principal::new(format!("corp_group://{id}").parse().unwrap(), name)
}

fn map(json: &str) -> Result<Identity, MappingError> {
    let groups = [group("1", "k8s-dev"), group("2", "k8s-ops"), group("3", "canteen")];
    let offered = BTreeMap::from([("x.org/seat".to_owned(), vec!["12".to_owned()])]);
    compile(json).unwrap_or_else(|faults| panic!("{faults:?}: {json}")).map("u-1", &alice(), &groups, &offered)
}

/// What an expression gives as the groups, without prefix.
fn given(expression: &str) -> Result<Vec<String>, String> {
    let json = serde_json::json!({ "groups": { "prefix": "", "expression": expression } }).to_string();
    map(&json).map(|it| it.group_names().map(str::to_owned).collect()).map_err(|error| error.to_string())
}

#[test]
fn expressions_read_all_that_the_provider_said() {
    for (expression, gives) in [
        ("claims.login", "Al"),
        ("claims.name", "alice"),
        ("claims.id", "7"),
        ("claims.groups", "canteen k8s-dev k8s-ops"),
        ("claims.groups.filter(g, g.startsWith('k8s-')).map(g, g.substring(4))", "dev ops"),
        ("claims.groups.map(g, g.contains('k8s'), 'x-' + g)", "x-k8s-dev x-k8s-ops"),
        ("claims.attributes.mail.one().lowerAscii()", "alice@x.org"),
        ("claims.attributes.mail[0].split('@')[1].upperAscii()", "X.ORG"),
        ("claims.attributes.teams.map(t, t.replace(',', '-'))", "eu-ops dev"),
        ("claims.attributes.teams.join('+')", "eu,ops+dev"),
        ("claims.attributes[?'phone'].orValue(['unknown'])", "unknown"),
        ("claims.attributes.?mail.orValue([])", "Alice@X.org"),
        ("claims.?login.orValue('nobody')", "Al"),
        ("has(claims.attributes.phone) ? 'phone' : 'none'", "none"),
        ("claims.extra['x.org/seat']", "12"),
        ("claims.groups.exists(g, g == 'k8s-ops') && !('x' in claims.groups) ? ['ops'] : []", "ops"),
        ("claims.groups.exists_one(g, g.endsWith('ops')) ? string(claims.groups.size() + 1) : ''", "4"),
        ("claims.attributes.?mail.optMap(m, m[0]).orValue('')", "Alice@X.org"),
        ("type(claims.login) == string ? (claims.name.trim().indexOf('c') > 2 ? 'late' : 'early') : ''", "late"),
        ("claims.groups.filter(g, g.matches('^k8s-[a-z]+$'))", "k8s-dev k8s-ops"),
        ("claims.groups.filter(g, g.matches('tee'))", "canteen"),
        ("claims.groups.filter(g, g.matches('^tee') || g.matches('^$'))", ""),
        ("'서울개발팀'.matches('^..개발.$') && claims.id.matches('^\\\\d$') ? 'both' : ''", "both"),
        ("claims.name.matches('^\\\\w+$') && !claims.attributes.mail[0].matches('^\\\\w+$') ? 'word' : ''", "word"),
        ("['a', 'b', 'a']", "a b"),
        ("''", ""),
        ("[]", ""),
        ("null", ""),
    ] {
        assert_eq!(given(expression).map(|names| names.join(" ")).as_deref(), Ok(gives), "{expression}");
    }
}

#[test]
fn an_expression_that_fails_refuses_the_login_and_quotes_no_value() {
    for (expression, why) in [
        ("claims.attributes.phone[0]", "there is no `phone`"),
        ("claims.attributes.teams.one()", "one() is for one value, and there are several"),
        ("claims.attributes.none.one()", "one() is for one value, and there is none"),
        ("claims.groups[9]", "an index is beyond the end of its list"),
        ("claims.login + 1", "an operator stands between values it is not for"),
        ("claims.groups.startsWith('a')", "`startsWith` is not for (list, string)"),
        ("claims.groups.matches('a') ? '' : ''", "`matches` is not for (list, string)"),
        ("claims.login < 1 ? 'a' : 'b'", "`<` is not for (string, int)"),
        ("claims.login.substring(9)", "index out of range: 9"),
        ("claims.login ? 'a' : 'b'", "a value is not of the type bool"),
        ("[string(1 / 0)]", "it divides by zero"),
        ("1", "it gives int, and a text or a list of texts is needed"),
        ("claims.login == 'x'", "it gives true or false, and a text or a list of texts is needed"),
        ("[1]", "it gives a list that holds int"),
        ("[claims.groups]", "it gives a list that holds list"),
        ("claims", "it gives map"),
        ("claims.?login", "it gives optional"),
    ] {
        let refused = given(expression).unwrap_err();
        assert!(refused.starts_with("the expression of the groups fails: ") && refused.contains(why), "{refused}");
        assert!(!refused.contains("Al") && !refused.contains("eu,ops"), "{refused}");
    }
    let refused = map(r#"{"username":{"expression":"claims.groups"}}"#).unwrap_err();
    assert_eq!(refused.to_string(), "the expression of the username fails: it gives a list, and a text is needed");
    let refused = map(r#"{"userValidationRules":[{"expression":"user.groups","message":"x"}]}"#).unwrap_err();
    assert!(refused.to_string().ends_with("it gives a list, and true or false is needed"), "{refused}");
}

#[test]
fn what_could_not_be_told_at_a_login_is_a_fault_at_the_start() {
    for (expression, why) in [
        ("claim.login", "there is no variable `claim` here; use claims.login, claims.name"),
        ("user.username", "there is no variable `user` here"),
        ("claims.mail", "`claims` has no `mail`; use claims.login"),
        ("has(claims.mail) ? '' : ''", "`claims` has no `mail`"),
        ("claims.login.matches(claims.name)", "what matches() is given must be written out"),
        ("claims.login.matches('a', 'b')", "what matches() is given must be written out"),
        ("claims.login.matches('(')", "matches() cannot take the pattern \"(\""),
        ("claims.login.matches('(a|b)*a(a|b){20}')", "matches() cannot take the pattern"),
        ("claims.login.matches('((a{99}){99}){99}')", "matches() cannot take the pattern"),
        ("matches(claims.login, '.*')", "there is no `matches()` here"),
        ("'%s'.format([claims.login])", "there is no `format()` here"),
        ("strings.quote(claims.login)", "there is no `quote()` here"),
        ("optional.some(claims.login)", "there is no `optional.some()` here; there are of, none"),
        ("claims.groups.join(claims.login)", "what join() is given must be written out"),
        ("claims.login.replace('a', claims.name)", "what replace() is given must be written out"),
        ("claims.groups.map(claims, 'x')", "`claims` is taken"),
        ("Person{name: 'x'}", "there are no messages to make here"),
        ("claims.login +", "not an expression, at line 1, column"),
        ("claims.groups.map(1, 'x')", "argument must be a simple name"),
        ("", "not an expression"),
    ] {
        let json = serde_json::json!({ "groups": { "expression": expression } }).to_string();
        let faults = compile(&json).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].path == "groups.expression" && faults[0].message.contains(why),
            "{expression}: {}",
            faults[0]
        );
    }
    for (expression, why) in [
        (format!("'{}'", "x".repeat(4_096)), "4098 bytes are more"),
        (format!("{}1{}", "[".repeat(25), "]".repeat(25)), "more than 24 brackets stand within each other"),
        (format!("claims.login{}", ".trim()".repeat(49)), "more than 48 steps stand within each other"),
    ] {
        let json = serde_json::json!({ "groups": { "expression": expression } }).to_string();
        let faults = compile(&json).unwrap_err();
        assert!(faults[0].message.contains(why), "{}", faults[0]);
    }
}

#[test]
fn exactly_one_way_makes_a_value() {
    let faults = compile(
        r#"{"username":{"template":"{login}","expression":"claims.login"},
            "groups":{"template":"{name}","expression":"claims.groups"},"uid":{},
            "extra":[{"key":"x.org/a","template":"{id}","valueExpression":"claims.id"}],
            "userValidationRules":[{"expression":"claims.login == ''","message":" "}]}"#,
    )
    .unwrap_err();
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    let rule = "userValidationRules[0]";
    assert_eq!(
        paths,
        ["username", "groups", "uid", "extra[0]", &format!("{rule}.message"), &format!("{rule}.expression")]
    );
}

#[test]
fn a_name_that_looks_at_nobody_would_be_everybodys() {
    for (json, path) in [
        (r#"{"username":{"expression":"'admin'"}}"#, "username.expression"),
        (r#"{"uid":{"expression":"'1'"}}"#, "uid.expression"),
    ] {
        let faults = compile(json).unwrap_err();
        assert!(faults.len() == 1 && faults[0].path == path && faults[0].message.contains("everybody"), "{faults:?}");
    }
}

#[test]
fn more_expressions_than_one_login_may_cost_are_a_fault() {
    let extra = |n: usize| serde_json::json!({ "key": format!("x.org/k{n}"), "valueExpression": "claims.id" });
    let config = |count| serde_json::json!({ "extra": (0..count).map(extra).collect::<Vec<_>>() }).to_string();
    assert!(compile(&config(32)).is_ok());
    let faults = compile(&config(34)).unwrap_err();
    assert!(faults.len() == 1 && faults[0].message.contains("at most 32"), "{faults:?}");
}

#[test]
fn prefixes_and_vetting_hold_for_what_expressions_give() {
    let identity = map(r#"{"username":{"expression":"claims.login.lowerAscii()"},"groups":{"expression":"['dev']"},
            "uid":{"expression":"'x-' + claims.id"},
            "extra":[{"key":"x.org/teams","valueExpression":"claims.attributes.teams"},
                     {"key":"x.org/none","valueExpression":"claims.attributes.none"}]}"#)
    .unwrap();
    assert_eq!((identity.username.as_str(), identity.uid.as_str()), ("corp:al", "x-7"));
    assert_eq!(identity.group_names().collect::<Vec<_>>(), ["corp:dev"]);
    let extra: Vec<_> = identity.extra.iter().map(|(key, values)| format!("{key}={}", values.join("+"))).collect();
    assert_eq!(extra, ["x.org/seat=12", "x.org/teams=eu,ops+dev"]);

    for name in ["system:masters", "SYSTEM:x", "kubeadm:cluster-admins"] {
        let refused = given(&format!("['dev', '{name}']")).unwrap_err();
        assert!(refused.contains("is reserved"), "{refused}");
    }
    for name in ["a\\nb", "a\\r\\nImpersonate-Group: system:masters", " a", "a ", "a\\u0000"] {
        assert!(given(&format!("['dev', '{name}']")).unwrap_err().contains("control character"), "{name}");
    }
    assert!(given("['dev', '']").unwrap_err().contains("is empty"));
    for json in [
        r#"{"username":{"prefix":"","expression":"'system:' + claims.login"}}"#,
        r#"{"username":{"prefix":"sys","expression":"'tem:' + claims.login"}}"#,
        r#"{"uid":{"expression":"'system:' + claims.id"}}"#,
    ] {
        assert!(matches!(map(json), Err(MappingError::Reserved { .. })), "{json}");
    }
    assert!(matches!(
        map(r#"{"username":{"expression":"claims.login.substring(2)"}}"#),
        Err(MappingError::Empty { .. })
    ));
    assert!(map(r#"{"extra":[{"key":"x.org/a","valueExpression":"'a\\nb'"}]}"#).is_err());
}

#[test]
fn filter_and_rename_come_before_an_expression() {
    let json = r#"{"groups":{"prefix":"c:","filter":{"exclude":["canteen"]},"rename":{"k8s-ops":"operators"},
        "expression":"claims.groups.map(g, g.upperAscii())"}}"#;
    assert_eq!(map(json).unwrap().group_names().collect::<Vec<_>>(), ["c:K8S-DEV", "c:OPERATORS"]);
}

#[test]
fn a_name_that_passes_unchanged_stays_its_groups_and_another_is_its_own_id() {
    let mapping = compile(r#"{"groups":{"expression":"claims.groups.filter(g, g != 'x') + ['made']"}}"#).unwrap();
    let groups = [group("1", "dev"), group("2", "dev"), group("3", "x")];
    let identity = mapping.map("u-1", &alice(), &groups, &BTreeMap::new()).unwrap();
    let ids: Vec<_> = identity.groups.iter().map(|it| format!("{} {}", it.name, it.principal)).collect();
    assert_eq!(ids, ["corp:dev corp_group://1", "corp:dev corp_group://2", "corp:made corp_group://made"]);
    assert!(given(&format!("['{}']", "x".repeat(600))).unwrap_err().contains("not a valid"));
    assert_eq!("corp_group://made".parse::<PrincipalId>().unwrap(), identity.groups[2].principal);
}

#[test]
fn the_limit_of_groups_counts_what_an_expression_leaves() {
    let groups: Vec<_> = (0..3_000).map(|n| group(&n.to_string(), &format!("g{n}"))).collect();
    let few = compile(r#"{"groups":{"expression":"claims.groups.filter(g, g.startsWith('g29'))"}}"#).unwrap();
    assert_eq!(few.map("u-1", &alice(), &groups, &BTreeMap::new()).unwrap().groups.len(), 111);
    let all = compile(r#"{"groups":{"expression":"claims.groups"}}"#).unwrap();
    let refused = all.map("u-1", &alice(), &groups, &BTreeMap::new()).unwrap_err();
    assert_eq!(refused, MappingError::TooManyGroups { count: 3_000, limit: 1_000 });
}

#[test]
fn a_validation_rule_judges_the_user_who_comes_out() {
    let rule = |expression: &str| {
        serde_json::json!({ "username": { "expression": "claims.name" },
            "userValidationRules": [{ "expression": expression, "message": "only for the crew" }] })
        .to_string()
    };
    for expression in [
        "user.username == 'corp:alice' && user.uid == 'u-1'",
        "user.groups.all(g, g.startsWith('corp:'))",
        "user.extra['x.org/seat'].one() == '12'",
        "!user.username.startsWith('system:')",
    ] {
        assert!(map(&rule(expression)).is_ok(), "{expression}");
    }
    let refused = map(&rule("'corp:crew' in user.groups")).unwrap_err();
    assert_eq!(refused, MappingError::Invalid { message: "only for the crew".to_owned() });
    assert_eq!(refused.to_string(), "only for the crew");
    assert!(matches!(map(&rule("user.extra['x.org/no'] == []")), Err(MappingError::Expression { .. })));
}

#[test]
fn a_claim_rule_judges_what_the_provider_says_before_anything_comes_of_it() {
    let rule = |expression: &str| {
        serde_json::json!({ "username": { "expression": "claims.attributes.phone.one()" },
            "claimValidationRules": [{ "expression": expression, "message": "only from the main branch" }] })
        .to_string()
    };
    let refused = map(&rule("claims.attributes.mail.one() == 'bob@x.org'")).unwrap_err();
    assert_eq!(refused, MappingError::Invalid { message: "only from the main branch".to_owned() });
    assert!(matches!(map(&rule("claims.login == 'Al'")), Err(MappingError::Expression { what: "username", .. })));
    let unclear = map(&rule("claims.attributes.phone.one() == ''")).unwrap_err();
    assert!(matches!(unclear, MappingError::Expression { what: "claim validation rule", .. }), "{unclear:?}");
    let faults = compile(&rule("user.username == 'corp:alice'")).unwrap_err();
    assert_eq!(faults[0].path, "claimValidationRules[0].expression");
    let told = compile(&rule("claims.login == 'Al'")).unwrap().steps("u-1", &alice(), &[], &BTreeMap::new());
    assert_eq!(told[0].to_string(), "claim validation rule: claims.login == 'Al' holds");
}

#[test]
fn each_expression_tells_what_it_gave() {
    let json = r#"{"username":{"expression":"claims.login.lowerAscii()"},
        "groups":{"filter":{"exclude":["canteen"]},"expression":"claims.groups.map(g,\n  g.substring(4))"},
        "uid":{"expression":"claims.attributes.phone[0]"},
        "extra":[{"key":"x.org/mail","valueExpression":"claims.attributes.mail"}]}"#;
    let groups = [group("1", "k8s-dev"), group("2", "k8s-ops"), group("3", "canteen")];
    let told = |json: &str| -> Vec<String> {
        let steps = compile(json).unwrap().steps("u-1", &alice(), &groups, &BTreeMap::new());
        steps.iter().map(ToString::to_string).collect()
    };
    let uid = "the expression of the uid fails: there is no `phone`; ask with has() before, or with `.?phone`";
    assert_eq!(
        told(json),
        [
            "username: corp: before claims.login.lowerAscii() gives corp:al",
            &format!("uid: claims.attributes.phone[0] gives none: {uid}"),
            r#"group canteen: left out by groups.filter.exclude "canteen""#,
            "groups: corp: before claims.groups.map(g,   g.substring(4)) gives corp:dev, corp:ops",
            "extra x.org/mail: claims.attributes.mail gives Alice@X.org",
        ]
    );
    let rules = r#"{"userValidationRules":[{"expression":"user.uid != ''","message":"a"},
        {"expression":"user.groups == []","message":"b"}]}"#;
    let told = told(rules);
    assert_eq!(told[5], "user validation rule: user.uid != '' holds");
    assert_eq!(told[6], "user validation rule: user.groups == [] refuses: b");
}
