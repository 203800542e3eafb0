//! Printing: tables for people, JSON for programs.

use std::io::{self, Write};

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;

use super::arguments::Format;

/// How this command prints.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    format: Format,
}

impl Output {
    pub(super) const fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether a program reads the result.
    pub(super) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Prints a list: one row each, or one JSON array.
    pub(super) fn list<T: Serialize, const N: usize>(
        self,
        header: [&str; N],
        items: &[T],
        row: impl Fn(&T) -> [String; N],
    ) -> io::Result<()> {
        if self.is_json() {
            return self.json(&items);
        }
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(header.map(str::to_uppercase));
        for item in items {
            table.add_row(row(item).map(|cell| plain(&cell)));
        }
        self.text(&format!("{}\n", table.trim_fmt()))
    }

    /// Prints one result: a line, or one JSON object.
    pub(super) fn one<T: Serialize>(self, item: &T, line: &str) -> io::Result<()> {
        if self.is_json() { self.json(item) } else { self.text(&format!("{}\n", plain(line))) }
    }

    /// Prints text as it is.
    pub(super) fn text(self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Prints JSON, whatever was asked for.
    pub(super) fn json<T: Serialize>(self, value: &T) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(value)?;
        text.push('\n');
        self.text(&text)
    }
}

/// Tells a person what went wrong. Nobody is left to tell when standard error is gone.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "gatewarden: {text}");
}

/// Without control characters: names come from directories, and a terminal obeys escape sequences.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
