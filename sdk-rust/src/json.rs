//! The little of JSON that needs no library.

use std::fmt::Write as _;

/// A string of JSON, in quotes. Control characters are escaped, by their short form where there is one; everything else
/// stays as it is.
///
/// ```
/// assert_eq!(numax_sdk::json::text("a\"b\n"), r#""a\"b\n""#);
/// ```
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn only_what_must_be_is_escaped() {
        assert_eq!(text(""), r#""""#);
        assert_eq!(text("a\"\\/ä\u{7f}<\u{1f600}"), "\"a\\\"\\\\/ä\u{7f}<\u{1f600}\"");
        assert_eq!(text("\u{8}\u{c}\n\r\t"), r#""\b\f\n\r\t""#);
        assert_eq!(text("\0\u{b}\u{1f}"), r#""\u0000\u000b\u001f""#);
    }
}
