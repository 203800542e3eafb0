use std::collections::BTreeMap;

use super::*;

fn parts(identity: UserInfo) -> SessionParts {
    SessionParts {
        id: "s-1".to_owned(),
        user: "u-1".to_owned(),
        provider: "corp".to_owned(),
        principal: "corp_user://1".to_owned(),
        identity,
        subjects: Vec::new(),
    }
}

fn named(username: &str, groups: &[&str]) -> UserInfo {
    UserInfo { groups: groups.iter().map(|group| (*group).to_owned()).collect(), ..UserInfo::named(username) }
}

fn fault(identity: UserInfo) -> RenderFault {
    Session::new(parts(identity)).unwrap_err()
}

#[test]
fn every_group_is_one_line_even_with_a_comma_in_it() {
    let session = Session::new(parts(named("corp:jürgen", &["a,b", "c", "c"]))).unwrap();
    let lines: Vec<_> =
        session.rendered().lines.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(
        lines,
        [("impersonate-user", "corp:jürgen".as_bytes()), ("impersonate-group", b"a,b"), ("impersonate-group", b"c"),]
    );
}

#[test]
fn a_name_that_a_header_would_change_is_refused() {
    for name in [" admin", "admin ", "\tadmin", "a\r\nImpersonate-Group: x", "a\0", "a\u{85}", "admin\u{a0}"] {
        assert_eq!(fault(named(name, &[])), RenderFault::Bytes("user name"), "{name:?}");
        assert_eq!(fault(named("corp:a", &[name])), RenderFault::Bytes("group name"), "{name:?}");
    }
    assert_eq!(fault(named("", &[])), RenderFault::Empty("user name"));
    assert_eq!(fault(named("corp:a", &[""])), RenderFault::Empty("group name"));
}

#[test]
fn names_of_kubernetes_are_refused_and_names_that_only_look_so_are_not() {
    for name in [
        "system:masters",
        "system:authenticated",
        "system:node:n1",
        "kubeadm:cluster-admins",
        "eks:x",
        "System:masters",
        "EKS:x",
    ] {
        assert_eq!(fault(named(name, &[])), RenderFault::Reserved(name.to_owned()));
        assert_eq!(fault(named("corp:a", &[name])), RenderFault::Reserved(name.to_owned()));
    }
    assert!(Session::new(parts(named("systemic", &["x-system:ok", "corp:system:masters"]))).is_ok());
}

#[test]
fn extra_keys_are_lower_case_and_of_a_domain_of_the_site() {
    let with = |key: &str| UserInfo {
        extra: BTreeMap::from([(key.to_owned(), vec!["v".to_owned()])]),
        ..UserInfo::named("corp:a")
    };
    for key in ["team", "Example.org/team", "k8s.io/x", "authentication.kubernetes.io/pod-name", "/x", "x/"] {
        assert_eq!(fault(with(key)), RenderFault::ExtraKey(key.to_owned()));
    }
    let session = Session::new(parts(with("example.org/team"))).unwrap();
    assert_eq!(session.rendered().lines[1].0, "impersonate-extra-example.org%2fteam");
    assert!(Session::new(parts(with("mk8s.io/x"))).is_ok(), "another domain");
}

#[test]
fn too_many_groups_are_refused_with_the_count_and_never_cut() {
    let groups: Vec<String> = (0..=MAX_GROUPS).map(|number| format!("g{number}")).collect();
    let identity = UserInfo { groups, ..UserInfo::named("corp:a") };
    assert_eq!(fault(identity), RenderFault::TooManyGroups { count: MAX_GROUPS + 1, limit: MAX_GROUPS });
    let groups: Vec<String> = (0..9_000).map(|number| format!("{number:060}")).collect();
    let identity = UserInfo { groups, ..UserInfo::named("corp:a") };
    assert!(matches!(fault(identity), RenderFault::TooLarge { limit: MAX_BYTES, .. }));
}
