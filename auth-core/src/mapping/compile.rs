//! The compilation of a mapping, which finds every fault at once.

use super::expression::{Expression, Scope};
use super::pattern::Pattern;
use super::rule::{GroupRule, NameRule, Naming, Rule};
use super::template::{Subject, Template};
use super::vetting::{self, Vetting};
use super::{
    ExtraMapping, GroupMapping, Mapping, MappingConfig, MappingLimits, NameMapping, Reserved, UidMapping, Validation,
    ValidationRule,
};
use crate::{Fault, InstanceId};

/// Expressions in one mapping. Each has a budget of its own at a login, so their number bounds what a login costs.
const EXPRESSIONS_MAX: usize = 32;

/// Collects faults while it compiles, so that an operator sees all of them.
pub(super) struct Compiler<'a> {
    instance: &'a InstanceId,
    reserved: Reserved,
    expressions: usize,
    faults: Vec<Fault>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(instance: &'a InstanceId) -> Self {
        Self { instance, reserved: Reserved::default(), expressions: 0, faults: Vec::new() }
    }

    pub(super) fn compile(mut self, config: MappingConfig) -> Result<Mapping, Vec<Fault>> {
        let username = self.username(config.username);
        let groups = self.groups(config.groups);
        let uid = config.uid.and_then(|uid| self.uid(&uid));
        let extra = self.extra(config.extra);
        let conditions = self.validations(("claimValidationRules", Scope::Claims), config.claim_validation_rules);
        let validations = self.validations(("userValidationRules", Scope::User), config.user_validation_rules);
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let vetting = Vetting { reserved: self.reserved, limits: MappingLimits::default() };
        let instance = self.instance.clone();
        Ok(Mapping { instance, username, groups, uid, extra, conditions, validations, vetting })
    }

    fn username(&mut self, config: NameMapping) -> NameRule {
        let prefix = self.prefix("username.prefix", config.prefix);
        let rule = match (config.template, config.expression) {
            (Some(_), Some(_)) => {
                self.fault("username", "write `template` or `expression`, not both");
                Rule::Template(Template::default())
            }
            (_, Some(text)) => self.naming_expression("username.expression", text),
            (template, None) => {
                let text = template.as_deref().unwrap_or("{login}");
                Rule::Template(self.template("username.template", text, Subject::User))
            }
        };
        NameRule { prefix, rule }
    }

    fn groups(&mut self, config: GroupMapping) -> GroupRule {
        for (from, to) in &config.rename {
            if let Err(why) = vetting::bytes("group", to) {
                self.fault(format!("groups.rename.{from}"), format!("{why}; write a plain name"));
            }
        }
        let prefix = self.prefix("groups.prefix", config.prefix);
        let naming = match (config.template, config.expression) {
            (Some(_), Some(_)) => {
                self.fault("groups", "write `template` or `expression`, not both");
                Naming::Each(Template::default())
            }
            (_, Some(text)) => Naming::Once(self.expression("groups.expression", text, Scope::Claims)),
            (template, None) => {
                let text = template.as_deref().unwrap_or("{name}");
                Naming::Each(self.template("groups.template", text, Subject::Group))
            }
        };
        GroupRule {
            prefix,
            naming,
            include: self.patterns("groups.filter.include", config.filter.include),
            exclude: self.patterns("groups.filter.exclude", config.filter.exclude),
            rename: config.rename,
        }
    }

    fn uid(&mut self, config: &UidMapping) -> Option<Rule> {
        match (&config.template, &config.expression) {
            (Some(text), None) => Some(Rule::Template(self.template("uid.template", text, Subject::User))),
            (None, Some(text)) => Some(self.naming_expression("uid.expression", text.clone())),
            _ => {
                self.fault("uid", "write exactly one of `template` and `expression`");
                None
            }
        }
    }

    fn extra(&mut self, config: Vec<ExtraMapping>) -> Vec<(String, Rule)> {
        let mut rules: Vec<(String, Rule)> = Vec::new();
        for (index, mapping) in config.into_iter().enumerate() {
            let (path, key) = (format!("extra[{index}]"), mapping.key);
            if let Err(why) = vetting::extra_key(&key) {
                self.fault(format!("{path}.key"), format!("{why}; write a key such as example.org/cost-center"));
            }
            if rules.iter().any(|(earlier, _)| *earlier == key) {
                self.fault(format!("{path}.key"), "this key stands twice; write each key once");
            }
            let rule = match (mapping.attribute, mapping.template, mapping.value_expression) {
                (Some(attribute), None, None) => Rule::Attribute(attribute),
                (None, Some(text), None) => {
                    Rule::Template(self.template(&format!("{path}.template"), &text, Subject::User))
                }
                (None, None, Some(text)) => {
                    Rule::Expression(self.expression(&format!("{path}.valueExpression"), text, Scope::Claims))
                }
                _ => {
                    self.fault(path, "write exactly one of `attribute`, `template` and `valueExpression`");
                    continue;
                }
            };
            rules.push((key, rule));
        }
        rules
    }

    fn validations(&mut self, (key, scope): (&str, Scope), config: Vec<ValidationRule>) -> Vec<Validation> {
        let mut validations = Vec::new();
        for (index, ValidationRule { expression, message }) in config.into_iter().enumerate() {
            let path = format!("{key}[{index}]");
            if let Err(why) = vetting::bytes("message", &message) {
                self.fault(format!("{path}.message"), format!("{why}; say whom the rule keeps out"));
            }
            let rule = self.expression(&format!("{path}.expression"), expression, scope);
            validations.push(Validation { rule, message });
        }
        validations
    }

    fn prefix(&mut self, path: &str, prefix: Option<String>) -> String {
        let Some(prefix) = prefix else {
            return format!("{}:", self.instance);
        };
        if prefix.contains(char::is_control) || prefix.starts_with(char::is_whitespace) {
            self.fault(path, "a prefix holds no control character and starts with no white space");
        }
        if self.reserved.holds(&prefix) {
            let message =
                format!("{prefix:?} is reserved for Kubernetes itself; write one such as \"{}:\"", self.instance);
            self.fault(path, message);
        }
        prefix
    }

    fn template(&mut self, path: &str, text: &str, subject: Subject) -> Template {
        Template::parse(text, subject).unwrap_or_else(|why| {
            self.fault(path, why);
            Template::default()
        })
    }

    /// An expression that names one person, so it has to look at them.
    fn naming_expression(&mut self, path: &str, text: String) -> Rule {
        let expression = self.expression(path, text, Scope::Claims);
        if expression.ignores_its_variable() {
            self.fault(path, "`claims` is not in it, so everybody would get the same; use claims.login, for instance");
        }
        Rule::Expression(expression)
    }

    fn expression(&mut self, path: &str, text: String, scope: Scope) -> Expression {
        self.expressions += 1;
        if self.expressions == EXPRESSIONS_MAX + 1 {
            self.fault(path, format!("a mapping has at most {EXPRESSIONS_MAX} expressions"));
        }
        Expression::compile(text, scope).unwrap_or_else(|why| {
            self.fault(path, why);
            Expression::default()
        })
    }

    fn patterns(&mut self, path: &str, patterns: Vec<String>) -> Vec<Pattern> {
        for (index, _) in patterns.iter().enumerate().filter(|(_, pattern)| pattern.is_empty()) {
            self.fault(format!("{path}[{index}]"), "an empty pattern fits nothing; write a name, or * for any text");
        }
        patterns.into_iter().map(Pattern::new).collect()
    }

    fn fault(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.faults.push(Fault::new(path, message));
    }
}
