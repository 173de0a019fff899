//! Looking for what is shown, in gigabytes.

use mcp_core::{Pattern, Row};

/// A regular expression that sees no secret.
#[derive(Debug)]
pub(crate) struct Search {
    grep: Pattern,
    /// It is of plain words only, and none of them could be in what stands in place of a secret. Then what is shown of a
    /// line has no word that the line has not, and most lines need no second look.
    words: bool,
}

impl Search {
    pub(crate) fn new(grep: Pattern) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-/:=,\"".contains(c);
        let is_word =
            |word: &str| !word.is_empty() && word.chars().all(is_plain) && !"redacted".contains(word);
        Self { words: grep.as_str().split('|').all(is_word), grep }
    }

    /// Where it begins in what is shown of a line, and what is shown.
    pub(crate) fn find(&self, line: &str) -> Option<(usize, String)> {
        if !self.finds(line) {
            return None;
        }
        let shown = Row::shown(line);
        Some((self.grep.find(&shown)?, shown.into()))
    }

    /// Is it in what is shown of a line?
    pub(crate) fn finds(&self, line: &str) -> bool {
        (!self.words || self.grep.is_in(line)) && self.grep.is_in(&Row::shown(line))
    }
}
