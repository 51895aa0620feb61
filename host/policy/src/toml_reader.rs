//! Reading TOML by hand, strictly: every value knows its place, every wrong one is reported, and
//! reading goes on, so that one look at the messages mends the whole file.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::text;
use crate::toml_report::{Issue, TomlError};

/// Parses `source`, lets `read` take what it wants from the root section, and returns its result
/// if nothing was reported.
///
/// # Errors
/// Everything that is wrong with the file: its syntax, or what `read` and the section helpers
/// reported.
pub fn read<T>(
    file: &str,
    source: &str,
    known: &[&str],
    read: impl FnOnce(&Section<'_>) -> T,
) -> Result<T, TomlError> {
    let sink = Sink::default();
    let root = match DeTable::parse(source) {
        Ok(root) => root,
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let issue = Issue::new(span, format!("not valid TOML: {}", error.message()));
            return Err(TomlError::new(file, source, vec![issue]));
        }
    };
    let section = Section::new(root.get_ref(), 0..0, String::new(), known, &sink);
    let value = read(&section);
    let issues = sink.issues.into_inner();
    if issues.is_empty() { Ok(value) } else { Err(TomlError::new(file, source, issues)) }
}

/// Where issues are collected.
#[derive(Debug, Default)]
pub struct Sink {
    issues: RefCell<Vec<Issue>>,
}

impl Sink {
    /// Notes one issue.
    pub fn push(&self, issue: Issue) {
        self.issues.borrow_mut().push(issue);
    }
}

/// A table of which the keys are known.
#[derive(Debug)]
pub struct Section<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    path: String,
    sink: &'a Sink,
}

impl<'a> Section<'a> {
    fn new(table: &'a DeTable<'a>, span: Range<usize>, path: String, known: &[&str], sink: &'a Sink) -> Self {
        let section = Self { table, span, path, sink };
        for key in table.keys() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let issue = Issue::new(key.span(), format!("unknown key `{}`", section.name_of(name)));
            section.sink.push(match text::suggest(name, known) {
                Some(near) => issue.help(format!("did you mean `{}`?", section.name_of(near))),
                None => issue.help(format!("known here: {}", known.join(", "))),
            });
        }
        section
    }

    /// The full name of a key in this section, for messages.
    #[must_use]
    pub fn name_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Where the section is.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Reports something about the section as a whole.
    pub fn report(&self, issue: Issue) {
        self.sink.push(issue);
    }

    /// The value of a key, if it is set.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| Value {
            value,
            path: self.name_of(key),
            sink: self.sink,
        })
    }

    /// The value of a key that has to be there; its absence is reported.
    #[must_use]
    pub fn require(&self, key: &str, help: &str) -> Option<Value<'a>> {
        let found = self.get(key);
        if found.is_none() {
            let issue = Issue::new(self.span(), format!("missing key `{}`", self.name_of(key)));
            self.sink.push(issue.help(help));
        }
        found
    }

    /// A boolean; absent or wrong reads as false.
    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).and_then(|value| value.bool()).unwrap_or(false)
    }

    /// A list of strings; absent or wrong reads as empty.
    #[must_use]
    pub fn strings(&self, key: &str) -> Vec<Word> {
        self.get(key).and_then(|value| value.strings()).unwrap_or_default()
    }

    /// Keys and values in the order of their names, for tables whose keys are the user's.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, Value<'a>)> {
        self.table
            .iter()
            .map(|(name, value)| {
                let name = name.get_ref().to_string();
                let path = self.name_of(&name);
                (name, Value { value, path, sink: self.sink })
            })
            .collect()
    }
}

/// A string and where it stands.
#[derive(Debug, Clone)]
pub struct Word {
    /// The string.
    pub text: String,
    /// Its place, quotes included.
    pub span: Range<usize>,
}

/// A value and its name.
#[derive(Debug)]
pub struct Value<'a> {
    value: &'a Spanned<DeValue<'a>>,
    path: String,
    sink: &'a Sink,
}

impl<'a> Value<'a> {
    /// Where the value is.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.value.span()
    }

    /// The full name of its key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.path
    }

    /// Reports something wrong with the value.
    pub fn report(&self, message: impl Into<String>, help: Option<&str>) {
        let issue = Issue::new(self.span(), message);
        self.sink.push(match help {
            Some(help) => issue.help(help),
            None => issue,
        });
    }

    fn expected(&self, what: &str) {
        let found = article(self.value.get_ref());
        let issue = Issue::new(self.span(), format!("`{}` must be {what}", self.path));
        self.sink.push(issue.label(format!("this is {found}")));
    }

    /// True if it is a table, inline or not.
    #[must_use]
    pub fn is_table(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Table(_))
    }

    /// A string.
    #[must_use]
    pub fn string(&self) -> Option<Word> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(Word { text: text.to_string(), span: self.span() }),
            _ => {
                self.expected("a string");
                None
            }
        }
    }

    /// A boolean.
    #[must_use]
    pub fn bool(&self) -> Option<bool> {
        match self.value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => {
                self.expected("true or false");
                None
            }
        }
    }

    /// An integer within a range.
    #[must_use]
    pub fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let wanted = if *range.end() == u64::MAX {
            format!("a whole number of at least {}", range.start())
        } else {
            format!("a whole number from {} to {}", range.start(), range.end())
        };
        let DeValue::Integer(number) = self.value.get_ref() else {
            self.expected(&wanted);
            return None;
        };
        let digits = number.as_str().replace('_', "");
        let value = u64::from_str_radix(&digits, number.radix()).ok().filter(|n| range.contains(n));
        if value.is_none() {
            self.report(format!("`{}` must be {wanted}", self.path), None);
        }
        value
    }

    /// A duration such as `"30s"`.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        let word = self.string()?;
        match text::parse_duration(&word.text) {
            Ok(duration) => Some(duration),
            Err(wrong) => {
                self.report(format!("`{}`: {wrong}", self.path), None);
                None
            }
        }
    }

    /// One of a closed list of words.
    #[must_use]
    pub fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let word = self.string()?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == word.text) {
            return Some(*choice);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let help = match text::suggest(&word.text, &names) {
            Some(near) => format!("did you mean {}?", text::quote(near)),
            None => {
                format!(
                    "write one of: {}",
                    names.iter().map(|n| text::quote(n)).collect::<Vec<_>>().join(", ")
                )
            }
        };
        self.report(format!("`{}` cannot be {}", self.path, text::quote(&word.text)), Some(&help));
        None
    }

    /// A list, each element with its own place.
    #[must_use]
    pub fn list(&self) -> Option<Vec<Value<'a>>> {
        match self.value.get_ref() {
            DeValue::Array(array) => Some(
                array
                    .iter()
                    .enumerate()
                    .map(|(index, value)| Value {
                        value,
                        path: format!("{}[{index}]", self.path),
                        sink: self.sink,
                    })
                    .collect(),
            ),
            _ => {
                self.expected("a list");
                None
            }
        }
    }

    /// A list of strings.
    #[must_use]
    pub fn strings(&self) -> Option<Vec<Word>> {
        match self.value.get_ref() {
            DeValue::Array(_) => Some(self.list()?.iter().filter_map(|element| element.string()).collect()),
            _ => {
                self.expected("a list of strings");
                None
            }
        }
    }

    /// The keys of a table whose names are the user's.
    #[must_use]
    pub fn keys(&self) -> Option<Vec<String>> {
        match self.value.get_ref() {
            DeValue::Table(table) => Some(table.keys().map(|key| key.get_ref().to_string()).collect()),
            _ => {
                self.expected("a table");
                None
            }
        }
    }

    /// A table with a closed list of keys.
    #[must_use]
    pub fn section(&self, known: &[&str]) -> Option<Section<'a>> {
        match self.value.get_ref() {
            DeValue::Table(table) => {
                Some(Section::new(table, self.span(), self.path.clone(), known, self.sink))
            }
            _ => {
                self.expected("a table");
                None
            }
        }
    }
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
