//! Regular expressions from a model. No other code compiles them.

use crate::ToolError;
use regex::{Regex, RegexBuilder};

/// A regular expression from a model.
///
/// Matching takes time linear in the length of the text, but the factor is the size of the expression. Both are
/// limited, so matching one text takes a fraction of a second. Code that matches many texts checks the call's
/// [`Deadline`](crate::Deadline) between them.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// The number of bytes of a text that are searched. A tool that shows matches says how many texts were longer.
    pub const LOOKED_AT: usize = 64 << 10;

    /// Compiles the expression of a parameter `grep`.
    ///
    /// # Errors
    ///
    /// Returns [`ToolError::BadParameter`] if the expression is invalid or too large.
    pub fn new(text: &str) -> Result<Self, ToolError> {
        /// The maximum size of the compiled expression in bytes. It is enough for a few hundred states, or for some
        /// Unicode classes.
        const COMPILED: usize = 256 << 10;
        /// The maximum length of the expression in bytes. Anything longer is a list of names.
        const WRITTEN: usize = 4 << 10;
        if text.len() > WRITTEN {
            return Err(ToolError::bad(
                format!("parameter `grep` has {} bytes", text.len()),
                format!("A regular expression may have at most {WRITTEN} bytes."),
            ));
        }
        let bad = |problem: String| {
            ToolError::bad(
                problem,
                "Use RE2 syntax, which has no look-around and no back-references; escape `(`, `[` and `{` with `\\`.",
            )
        };
        match RegexBuilder::new(text).size_limit(COMPILED).multi_line(true).build() {
            Ok(regex) => Ok(Self(regex)),
            Err(regex::Error::CompiledTooBig(_)) => Err(ToolError::bad(
                "parameter `grep` is a regular expression that is too large".to_owned(),
                "Repeat less (`{1,40}` counts as 40 copies, and nested repetitions multiply), write [0-9a-z_] for \
                 `\\w` and [0-9] for `\\d`, or search for a part of the text.",
            )),
            Err(e) => Err(bad(format!("parameter `grep` is not a valid regular expression: {e}"))),
        }
    }

    /// Returns the expression as it was given.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the expression matches in the searched part of a text.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(Self::looked_at(text))
    }

    /// Returns the position of the first match in the searched part of a text.
    pub fn find(&self, text: &str) -> Option<usize> {
        self.0.find(Self::looked_at(text)).map(|found| found.start())
    }

    /// Whether a text is longer than its searched part.
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
    fn common_expressions_fit() {
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
    fn expressions_that_would_take_long_are_refused() {
        for grep in [r"\w{200}", "(?:(?:a{50}){50}){50}", r"(\w{1,20} ){1,20}"] {
            let report = Pattern::new(grep).unwrap_err().report();
            assert!(report.contains("too large") && report.contains("Repeat less"), "{grep}: {report}");
        }
        let report = Pattern::new(&"a".repeat(5_000)).unwrap_err().report();
        assert!(report.contains("has 5000 bytes") && report.len() < 500, "{report}");
        assert!(Pattern::new("a(").unwrap_err().report().contains("is not a valid regular expression"));
    }

    #[test]
    fn only_the_first_64_kib_of_a_text_are_searched() {
        let pattern = Pattern::new("needle").unwrap();
        let text = format!("{}needle", "é".repeat(Pattern::LOOKED_AT / 2 - 3));
        assert!(pattern.is_in(&text) && !Pattern::is_longer(&text));
        let text = format!("{}needle", "é".repeat(Pattern::LOOKED_AT / 2 - 2));
        assert!(!pattern.is_in(&text) && Pattern::is_longer(&text));
    }
}
