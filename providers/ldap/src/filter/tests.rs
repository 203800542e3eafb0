use proptest::prelude::*;

use super::*;

fn fill(template: &str, input: &str) -> String {
    parse(template).unwrap().with_input(input).render()
}

#[test]
fn what_is_typed_is_only_ever_a_value() {
    for (input, expected) in [
        ("alice", "(uid=alice)"),
        ("*", "(uid=\\2a)"),
        ("a)(uid=*", "(uid=a\\29\\28uid=\\2a)"),
        ("a\\2a", "(uid=a\\5c2a)"),
        ("a\0b", "(uid=a\\00b)"),
        ("{input}", "(uid=\\7binput\\7d)"),
        ("홍", "(uid=\\ed\\99\\8d)"),
    ] {
        assert_eq!(fill("(uid={input})", input), expected);
    }
}

#[test]
fn every_form_of_a_filter_reads_and_writes_back() {
    for text in [
        "(&(objectClass=person)(|(uid={input})(mail={input}))(!(cn=x)))",
        "(cn=*)",
        "(cn=a*b*)",
        "(age>=5)",
        "(age<=5)",
        "(cn~=x)",
        "(userAccountControl:1.2.840.113556.1.4.803:=2)",
        "(cn:dn:2.5.13.5:={input})",
        "(cn;lang-ko=x)",
        "(cn=)",
    ] {
        let filter = parse(text).unwrap();
        assert!(ldap3::parse_filter(filter.with_input("x").render()).is_ok(), "{text}");
        assert_eq!(filter.takes_input(), text.contains("{input}"), "{text}");
    }
}

#[test]
fn a_filter_for_anyone_keeps_the_conditions_that_are_not_about_the_input() {
    let filter = parse("(&(objectClass=person)(|(uid={input})(mail={input}@x))(!(cn=x)))").unwrap();
    assert_eq!(filter.for_anyone().render(), "(&(objectClass=person)(|(uid=*)(mail=*))(!(cn=x)))");
}

#[test]
fn what_is_not_a_filter_is_refused_with_what_is_wrong() {
    for (text, fault) in [
        ("uid={input}", FilterFault::Expected { expected: '(', at: 1 }),
        ("(uid={input}", FilterFault::Expected { expected: ')', at: 2 }),
        ("(uid={user})", FilterFault::UnknownPlaceholder("{user}".into())),
        ("(u*d={input})", FilterFault::BadAttribute("u*d".into())),
        ("(!(uid={input}))", FilterFault::NegatedInput),
        ("(uid=\\zz)", FilterFault::BadEscape),
        ("(&)", FilterFault::Expected { expected: '(', at: 3 }),
        ("(a=b)x", FilterFault::Expected { expected: ' ', at: 6 }),
    ] {
        assert_eq!(parse(text).unwrap_err(), fault, "{text}");
    }
    assert_eq!(parse(&format!("{}(a=b){}", "(!".repeat(40), ")".repeat(40))).unwrap_err(), FilterFault::TooDeep);
}

proptest! {
    #[test]
    fn no_input_changes_the_shape_of_a_filter(input in any::<String>()) {
        let text = fill("(&(objectClass=person)(uid={input}))", &input);
        prop_assert_eq!(text.matches('(').count(), 3);
        prop_assert_eq!(text.matches(')').count(), 3);
        prop_assert!(!text.contains('*'));
        prop_assert!(ldap3::parse_filter(&text).is_ok());
    }
}
