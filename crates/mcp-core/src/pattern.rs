//! Regular expressions of a model: the only way to one.

use crate::ToolError;
use regex::{Regex, RegexBuilder};

/// A regular expression that a model gave.
///
/// It matches in a time that is linear in the text, but the factor is the expression's size, so both are bounded: the time for
/// one text is a fraction of a second. Who matches many texts looks at the call's [`Deadline`](crate::Deadline) between them.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// In bytes: what is looked at of a text. Who shows what was found says of how many texts the rest was not looked at.
    pub const LOOKED_AT: usize = 64 << 10;

    /// The expression that a parameter `grep` holds.
    ///
    /// # Errors
    /// [`ToolError::BadParameter`]: it is none, or too large.
    pub fn new(text: &str) -> Result<Self, ToolError> {
        /// In bytes, of the compiled expression: a few hundred states, or some classes of Unicode.
        const COMPILED: usize = 256 << 10;
        /// In bytes: what is longer is a list of names, not an expression.
        const WRITTEN: usize = 4 << 10;
        if text.len() > WRITTEN {
            return Err(ToolError::bad(
                format!("parameter `grep` has {} bytes", text.len()),
                format!("A regular expression has at most {WRITTEN} bytes."),
            ));
        }
        let bad = |problem: String| {
            ToolError::bad(
                problem,
                "The syntax is that of RE2, without look-around and back-references; quote `(`, `[`, `{` with `\\`.",
            )
        };
        match RegexBuilder::new(text).size_limit(COMPILED).multi_line(true).build() {
            Ok(regex) => Ok(Self(regex)),
            Err(regex::Error::CompiledTooBig(_)) => Err(ToolError::bad(
                "parameter `grep` is a regular expression that is too large".to_owned(),
                "Repeat less (`{1,40}` counts forty times, and a repetition within one multiplies), write [0-9a-z_] for \
                 `\\w` and [0-9] for `\\d`, or search for a part of it.",
            )),
            Err(e) => Err(bad(format!("parameter `grep` is no regular expression: {e}"))),
        }
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Is it in what is looked at of a text?
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(Self::looked_at(text))
    }

    /// Where it begins in what is looked at of a text.
    pub fn find(&self, text: &str) -> Option<usize> {
        self.0.find(Self::looked_at(text)).map(|found| found.start())
    }

    /// Is a text longer than what is looked at?
    pub fn is_longer(text: &str) -> bool {
        text.len() > Self::LOOKED_AT
    }

    fn looked_at(text: &str) -> &str {
        let mut end = text.len().min(Self::LOOKED_AT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.get(..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_engineers_look_for_fits() {
        for grep in [
            "",
            "error|warn",
            r"(?i)failed to (add|del)\w*",
            r"\b\d{1,3}(\.\d{1,3}){3}\b",
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
            r"^\S+ \S+\[\d+\]: .*(timeout|refused)",
            r"(\w+)=(\w+), (\w+)=(\w+)",
            &(0..100).map(|n| format!("10.244.{n}.1")).collect::<Vec<_>>().join("|"),
        ] {
            assert!(Pattern::new(grep).is_ok(), "{grep}");
        }
    }

    #[test]
    fn what_is_made_to_take_long_is_refused() {
        for grep in [r"\w{200}", "(?:(?:a{50}){50}){50}", r"(\w{1,20} ){1,20}"] {
            let report = Pattern::new(grep).unwrap_err().report();
            assert!(report.contains("too large") && report.contains("Repeat less"), "{grep}: {report}");
        }
        let report = Pattern::new(&"a".repeat(5_000)).unwrap_err().report();
        assert!(report.contains("has 5000 bytes") && report.len() < 500, "{report}");
        assert!(Pattern::new("a(").unwrap_err().report().contains("is no regular expression"));
    }

    #[test]
    fn only_so_much_of_a_text_is_looked_at() {
        let pattern = Pattern::new("needle").unwrap();
        let text = format!("{}needle", "é".repeat(Pattern::LOOKED_AT / 2 - 3));
        assert!(pattern.is_in(&text) && !Pattern::is_longer(&text));
        let text = format!("{}needle", "é".repeat(Pattern::LOOKED_AT / 2 - 2));
        assert!(!pattern.is_in(&text) && Pattern::is_longer(&text));
    }
}
