//! What programs printed.

use host_net::lines::Parsed;
use mcp_core::{Output, ReadError};
use std::borrow::Cow;

/// The output of a program as text.
pub(crate) fn text(output: &Output) -> Cow<'_, str> {
    String::from_utf8_lossy(&output.stdout)
}

/// A list of which something was understood, or which is empty. What a program says in place of its list is an error,
/// whatever exit status was recorded with it.
pub(crate) fn understood<T>(what: &str, parsed: Parsed<T>) -> Result<Parsed<T>, ReadError> {
    match parsed.other.first() {
        Some(line) if parsed.rows.is_empty() => {
            let line: String = line.trim().chars().take(200).collect();
            Err(ReadError::unreadable(format!("what was recorded as {what}"), format!("it says `{line}`")))
        }
        _ => Ok(parsed),
    }
}

/// A list that no host has without an entry: an output without one is damaged.
pub(crate) fn filled<T>(what: &str, parsed: Parsed<T>) -> Result<Parsed<T>, ReadError> {
    let parsed = understood(what, parsed)?;
    if parsed.rows.is_empty() {
        let why = "it is empty, and no host has an empty one";
        return Err(ReadError::unreadable(format!("what was recorded as {what}"), why));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_no_empty_list() {
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
