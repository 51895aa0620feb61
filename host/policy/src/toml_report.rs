//! The one TOML error printer: file, line, column, a caret under the place, and what to do.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// One thing wrong with a TOML file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// What is wrong, without the place.
    pub message: String,
    /// Where, in bytes of the file.
    pub span: Range<usize>,
    /// Short words at the caret; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Issue {
    /// An issue with neither label nor help.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, label: String::new(), help: None }
    }

    /// Sets the words at the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Sets what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All that is wrong with one TOML file. `Display` prints every issue with its place, plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlError {
    file: String,
    source: String,
    issues: Vec<Issue>,
}

impl TomlError {
    /// Puts issues and their file together, in the order of the file.
    #[must_use]
    pub fn new(file: &str, source: &str, mut issues: Vec<Issue>) -> Self {
        issues.sort_by_key(|issue| issue.span.start);
        Self { file: file.to_owned(), source: source.to_owned(), issues }
    }

    /// The issues, in the order of the file.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// The file's name as it was given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Line and column of an issue, from 1; columns count characters.
    #[must_use]
    pub fn place(&self, issue: &Issue) -> (usize, usize) {
        let start = floor_char_boundary(&self.source, issue.span.start);
        let before = self.source.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// The full text, with or without terminal colours. Ends without a line break.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let parts: Vec<String> =
            self.issues.iter().map(|issue| renderer.render(&[self.group(issue)])).collect();
        parts.join("\n\n")
    }

    fn group<'a>(&'a self, issue: &'a Issue) -> Group<'a> {
        let start = floor_char_boundary(&self.source, issue.span.start);
        let end = floor_char_boundary(&self.source, issue.span.end.max(start));
        let mut place = AnnotationKind::Primary.span(start..end);
        if !issue.label.is_empty() {
            place = place.label(&issue.label);
        }
        let snippet = Snippet::source(&self.source).path(&self.file).annotation(place);
        let mut group = Level::ERROR.primary_title(&issue.message).element(snippet);
        if let Some(help) = &issue.help {
            group = group.element(Level::HELP.message(help));
        }
        group
    }
}

impl fmt::Display for TomlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for TomlError {}

/// Spans come from the parser, but an index that is off must not end the program.
fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let source = "a = 1\nbé = 2\n";
        let error = TomlError::new("x.toml", source, vec![Issue::new(10..11, "no")]);
        assert_eq!(error.place(&error.issues()[0]), (2, 4));
    }

    #[test]
    fn a_span_outside_the_file_is_harmless() {
        let error = TomlError::new("x.toml", "é", vec![Issue::new(1..900, "no")]);
        assert!(error.to_string().contains("x.toml"));
    }
}
