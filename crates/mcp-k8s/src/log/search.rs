//! Searches the text that an answer shows, fast enough for gigabytes.

use mcp_core::{Pattern, Row};

/// A regular expression that is matched against redacted lines, so that it cannot find secrets.
#[derive(Debug)]
pub(crate) struct RedactedSearch {
    grep: Pattern,
    /// Whether the expression consists of plain words that cannot occur in the replacement of a secret. Then a line
    /// that does not match before redaction cannot match after it, and most lines need not be redacted.
    words: bool,
}

impl RedactedSearch {
    pub(crate) fn new(grep: Pattern) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-/:=,\"".contains(c);
        let is_word =
            |word: &str| !word.is_empty() && word.chars().all(is_plain) && !"redacted".contains(word);
        Self { words: grep.as_str().split('|').all(is_word), grep }
    }

    /// Returns the position of the match in the redacted line, and the redacted line.
    pub(crate) fn find(&self, line: &str) -> Option<(usize, String)> {
        if !self.finds(line) {
            return None;
        }
        let shown = Row::shown(line);
        Some((self.grep.find(&shown)?, shown.into()))
    }

    /// Checks whether the redacted line matches.
    pub(crate) fn finds(&self, line: &str) -> bool {
        (!self.words || self.grep.is_in(line)) && self.grep.is_in(&Row::shown(line))
    }
}
