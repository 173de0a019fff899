//! The output of programs, as text and as parsed lists.

use host_net::lines::{Parsed, Text};
use mcp_core::{Output, ReadError, must_stop};
use std::borrow::Cow;

/// Returns the standard output of a program as text.
pub(crate) fn text(output: &Output) -> Cow<'_, str> {
    String::from_utf8_lossy(&output.stdout)
}

/// Returns a text that parsers read until the current call is over.
pub(crate) fn timed(text: &str) -> Text<'_> {
    Text::until(text, must_stop)
}

/// Returns the parsed list, unless the parser understood no line of an output that is not empty. Then the program
/// printed a message instead of its list, even if the recorded exit status is 0.
pub(crate) fn understood<T>(what: &str, parsed: Parsed<T>) -> Result<Parsed<T>, ReadError> {
    match parsed.other.first() {
        Some(line) if parsed.rows.is_empty() => {
            let line: String = line.trim().chars().take(200).collect();
            Err(ReadError::unreadable(what, format!("the output is `{line}`")))
        }
        _ => Ok(parsed),
    }
}

/// Returns the parsed list, unless it is empty. This is for lists that have an entry on every host, where an empty
/// output is damaged.
pub(crate) fn filled<T>(what: &str, parsed: Parsed<T>) -> Result<Parsed<T>, ReadError> {
    let parsed = understood(what, parsed)?;
    if parsed.rows.is_empty() {
        let why = "the output is empty, but every host has at least one";
        return Err(ReadError::unreadable(what, why));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_message_is_not_an_empty_list() {
        let list = |rows: &[u8], other: &[&str]| Parsed {
            rows: rows.to_vec(),
            other: other.iter().map(|line| (*line).to_owned()).collect(),
        };
        assert!(understood("routes", list(&[], &[])).is_ok() && filled("rules", list(&[], &[])).is_err());
        assert!(
            understood("routes", list(&[1], &["odd"])).is_ok()
                && filled("rules", list(&[1], &["odd"])).is_ok()
        );
        assert!(understood("routes", list(&[], &["Connection refused"])).is_err());
    }
}
