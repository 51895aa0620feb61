//! Bytes as text that leads back: keys, fields, elements and values are bytes, and mostly text.
//!
//! Text stays as it is. A backslash becomes two; control characters and bytes that are no UTF-8 become `\xNN`.

use std::fmt::Write;

/// A text that does not lead back to bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not written as keys are: after a backslash comes another, or x and two hexadecimal digits, as in \\xff"
)]
pub struct EscapeError {
    /// The text that was given, cut to 80 characters.
    pub text: String,
}

/// The bytes as text.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let put = |out: &mut String, bytes: &[u8]| {
        for byte in bytes {
            let _ = write!(out, "\\x{byte:02x}");
        }
    };
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\\' => out.push_str("\\\\"),
                char if char.is_control() => put(&mut out, char.encode_utf8(&mut [0; 4]).as_bytes()),
                char => out.push(char),
            }
        }
        put(&mut out, chunk.invalid());
    }
    out
}

/// The bytes that a text stands for. Besides what [`escape`] gives, the usual `\n`, `\r`, `\t`, `\0`, `\'` and `\"` are
/// taken.
///
/// # Errors
/// [`EscapeError`].
pub fn unescape(text: &str) -> Result<Vec<u8>, EscapeError> {
    let wrong = || EscapeError { text: text.chars().take(80).collect() };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend_from_slice(before.as_bytes());
        let mut chars = after.chars();
        out.push(match chars.next() {
            Some('\\') => b'\\',
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('0') => 0,
            Some('\'') => b'\'',
            Some('"') => b'"',
            Some('x') => {
                let digits = after.get(1..3).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
                chars.next();
                chars.next();
                digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(wrong)?
            }
            _ => return Err(wrong()),
        });
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_lead_back() {
        let table: [(&[u8], &str); 7] = [
            (b"demo:visits", "demo:visits"),
            (b"", ""),
            (b"a\\b", "a\\\\b"),
            (b"\xff\xfe", "\\xff\\xfe"),
            ("größe".as_bytes(), "größe"),
            (b"line\nend\0", "line\\x0aend\\x00"),
            (b"\xc3", "\\xc3"),
        ];
        for (bytes, text) in table {
            assert_eq!(escape(bytes), text);
            assert_eq!(unescape(text).as_deref(), Ok(bytes));
        }
        for byte in 0..=255_u8 {
            let bytes = [b'x', byte, 0x80, byte];
            assert_eq!(unescape(&escape(&bytes)).unwrap(), bytes);
        }
        assert_eq!(unescape("a\\tb\\0\\\"").unwrap(), b"a\tb\0\"");
        // The form that error messages show keys in.
        assert_eq!(unescape("gr\\xc3\\xb6\\xc3\\x9fe").unwrap(), "größe".as_bytes());
    }

    #[test]
    fn what_does_not_lead_back_is_refused() {
        for bad in ["\\", "a\\", "\\x", "\\x1", "\\xg0", "\\q", "\\x+1", "\\xé"] {
            assert!(unescape(bad).is_err(), "{bad:?}");
        }
    }
}
