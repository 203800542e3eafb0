//! Reading the tree: every misfit becomes a fault with its place, and reading goes on.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::nearest::nearest;
use super::node::{self, Entry, Node, Value};
use super::scalar;
use crate::config::Fault;

/// What reading gathers, and what relative paths are relative to.
#[derive(Debug)]
pub(in crate::config) struct Faults<'a> {
    found: RefCell<Vec<Fault>>,
    base: &'a Path,
}

impl<'a> Faults<'a> {
    /// Nothing found yet. `base` is the folder of the configuration file.
    pub(in crate::config) const fn new(base: &'a Path) -> Self {
        Self { found: RefCell::new(Vec::new()), base }
    }

    /// Reads `text` as YAML; text that is none is a fault itself.
    pub(in crate::config) fn tree(&self, text: &str) -> Option<Node> {
        match node::read(text) {
            Ok(node) => Some(node),
            Err((spot, problem)) => {
                self.add(Fault::new(
                    spot,
                    "",
                    format!("this is not valid YAML: {problem}"),
                    "mend the syntax; the rest is read after that",
                ));
                None
            }
        }
    }

    /// Notes a fault.
    pub(in crate::config) fn add(&self, fault: Fault) {
        self.found.borrow_mut().push(fault);
    }

    /// All faults in the order of the file, each once.
    pub(in crate::config) fn into_sorted(self) -> Vec<Fault> {
        let mut found = self.found.into_inner();
        found.sort();
        found.dedup();
        found
    }
}

/// A node, the path that leads to it, and where its faults go.
#[derive(Clone, Debug)]
pub(in crate::config) struct Field<'a> {
    /// The node.
    pub(in crate::config) node: &'a Node,
    /// `clusters[0].server`.
    pub(in crate::config) path: String,
    faults: &'a Faults<'a>,
}

impl<'a> Field<'a> {
    /// The whole document.
    pub(in crate::config) const fn root(node: &'a Node, faults: &'a Faults<'a>) -> Self {
        Self { node, path: String::new(), faults }
    }

    /// Another node of the same document.
    pub(in crate::config) const fn at<'b>(&self, node: &'b Node, path: String) -> Field<'b>
    where
        'a: 'b,
    {
        Field { node, path, faults: self.faults }
    }

    /// How many faults were noted so far, anywhere.
    pub(in crate::config) fn count_of_faults(&self) -> usize {
        self.faults.found.borrow().len()
    }

    /// Notes a fault at this place.
    pub(in crate::config) fn fault(&self, problem: impl Into<String>, advice: impl Into<String>) {
        self.faults.add(Fault::new(self.node.spot, &self.path, problem, advice));
    }

    /// Notes a fault somewhere inside, by a path relative to this place.
    pub(in crate::config) fn fault_inside(&self, path: &str, problem: impl Into<String>, advice: impl Into<String>) {
        self.faults.add(Fault::new(self.node.nearest(path).spot, self.inside(path), problem, advice));
    }

    /// Notes a fault of a key somewhere inside.
    pub(in crate::config) fn fault_of_key(&self, entry: &Entry, path: &str, problem: &str, advice: impl Into<String>) {
        self.faults.add(Fault::new(entry.spot, self.inside(path), problem, advice));
    }

    fn inside(&self, path: &str) -> String {
        let joined = path.is_empty() || self.path.is_empty() || path.starts_with('[');
        format!("{}{}{path}", self.path, if joined { "" } else { "." })
    }

    /// Reads a map whose keys are `known`; others are faults. `None` when it is no map.
    pub(in crate::config) fn section(&self, known: &'static [&'static str]) -> Option<Section<'a>> {
        let Value::Map(entries) = &self.node.value else {
            self.fault(
                format!("expected a map, found {}", self.node.kind()),
                format!("write its keys below it, indented: {}", known.join(", ")),
            );
            return None;
        };
        let section = Section { field: self.clone(), entries };
        section.check_keys(known);
        Some(section)
    }

    /// Reads a list. A single value is a fault, not a list of one.
    pub(in crate::config) fn list(&self) -> Vec<Self> {
        let Value::List(items) = &self.node.value else {
            self.fault(
                format!("expected a list, found {}", self.node.kind()),
                "write `[a, b]`, or one `- item` per line",
            );
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .map(|(index, node)| Field { node, path: format!("{}[{index}]", self.path), faults: self.faults })
            .collect()
    }

    /// Every `id` in a list of maps, whatever else is wrong with them.
    pub(in crate::config) fn ids_inside(&self) -> BTreeSet<String> {
        let Value::List(items) = &self.node.value else { return BTreeSet::new() };
        let id = |item: &Node| match (&item.value, &item.nearest("id").value) {
            (Value::Map(_), Value::Text(id)) => Some(id.clone()),
            _ => None,
        };
        items.iter().filter_map(id).collect()
    }

    /// Reads text that is not empty.
    pub(in crate::config) fn text(&self) -> Option<String> {
        match &self.node.value {
            Value::Text(text) if !text.is_empty() => Some(text.clone()),
            Value::Text(_) | Value::Null => {
                self.fault("the value is empty", "write a value, or remove the key");
                None
            }
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
                self.fault(format!("expected text, found {}", self.node.kind()), "put it in double quotes");
                None
            }
            Value::List(_) | Value::Map(_) => {
                self.fault(format!("expected text, found {}", self.node.kind()), "write one value");
                None
            }
        }
    }

    /// Reads text and turns it into something, or says why not.
    pub(in crate::config) fn parsed<T>(
        &self,
        what: &str,
        example: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text()?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.fault(format!("`{text}` is not {what}"), format!("write for example `{example}`"));
        }
        parsed
    }

    /// Reads one of a few words.
    pub(in crate::config) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.fault(format!("`{text}` is not one of: {}", all.join(", ")), meant(&text, &all));
        }
        found
    }

    /// Reads `true` or `false`.
    pub(in crate::config) fn flag(&self) -> Option<bool> {
        if let Value::Bool(value) = self.node.value {
            return Some(value);
        }
        self.fault(format!("expected true or false, found {}", self.node.kind()), "write `true` or `false`");
        None
    }

    /// Reads a whole number within bounds.
    pub(in crate::config) fn count(&self, least: u64, most: u64) -> Option<u64> {
        let count = match self.node.value {
            Value::Integer(value) => u64::try_from(value).ok().filter(|value| (least..=most).contains(value)),
            Value::Null | Value::Bool(_) | Value::Float(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => None,
        };
        if count.is_none() {
            self.fault("not a number within bounds", format!("write a whole number from {least} to {most}"));
        }
        count
    }

    /// Reads a duration within bounds.
    pub(in crate::config) fn duration(&self, least: Duration, most: Duration) -> Option<Duration> {
        let read = self.parsed("a duration", "500ms`, `15m` or `12h", scalar::duration)?;
        if read < least || read > most {
            self.fault(format!("out of bounds: {read:?}"), format!("write a duration from {least:?} to {most:?}"));
            return None;
        }
        Some(read)
    }

    /// Reads the name of a file. A relative one starts from the folder of the configuration file.
    pub(in crate::config) fn file(&self) -> Option<PathBuf> {
        Some(self.beside(&self.text()?))
    }

    /// `file`, which starts from the folder of the configuration file when it is relative.
    pub(in crate::config) fn beside(&self, file: &str) -> PathBuf {
        self.faults.base.join(file)
    }

    /// Reads `127.0.0.1:8443` or `[::1]:8443`.
    pub(in crate::config) fn socket_address(&self) -> Option<SocketAddr> {
        self.parsed("an address and port", "127.0.0.1:8443", |text| text.parse().ok())
    }
}

/// A map that is being read key by key.
#[derive(Debug)]
pub(in crate::config) struct Section<'a> {
    field: Field<'a>,
    entries: &'a [Entry],
}

impl<'a> Section<'a> {
    /// The field of `key`, when it was written.
    pub(in crate::config) fn optional(&self, key: &str) -> Option<Field<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(Field { node: &entry.node, path: self.field.inside(key), faults: self.field.faults })
    }

    /// The field of `key`; its absence is a fault that shows `example`.
    pub(in crate::config) fn required(&self, key: &str, example: &str) -> Option<Field<'a>> {
        let found = self.optional(key);
        if found.is_none() {
            let inside =
                if self.field.path.is_empty() { "the file".to_owned() } else { format!("`{}`", self.field.path) };
            self.field.faults.add(Fault::new(
                self.field.node.spot,
                self.field.inside(key),
                format!("the key is missing in {inside}"),
                format!("write for example `{key}: {example}`"),
            ));
        }
        found
    }

    /// Notes a fault of the map as a whole.
    pub(in crate::config) fn fault(&self, problem: impl Into<String>, advice: impl Into<String>) {
        self.field.fault(problem, advice);
    }

    /// Unknown keys and keys written twice: neither is ever a default in silence.
    fn check_keys(&self, known: &[&'static str]) {
        let mut seen = BTreeSet::new();
        for entry in self.entries {
            let fault = if !known.contains(&entry.key.as_str()) {
                ("unknown key", meant(&entry.key, known))
            } else if !seen.insert(entry.key.as_str()) {
                ("the key is written twice in one map", "remove one of the two".to_owned())
            } else {
                continue;
            };
            self.field.faults.add(Fault::new(entry.spot, self.field.inside(&entry.key), fault.0, fault.1));
        }
    }
}

/// "Did you mean", or all that is known.
pub(in crate::config) fn meant(word: &str, known: &[&str]) -> String {
    nearest(word, known.iter().copied())
        .map_or_else(|| format!("known here: {}", known.join(", ")), |near| format!("did you mean `{near}`?"))
}
