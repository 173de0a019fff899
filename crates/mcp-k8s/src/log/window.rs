//! Keeps the last matching lines of a log, with context lines around them.

use super::digest::cut;
use std::collections::VecDeque;

/// The maximum length of a shown line in bytes. A longer line shows its beginning and its end.
const LINE: usize = 2_000;

/// The last matching lines that fit into the limits.
#[derive(Debug)]
pub(crate) struct Tail {
    lines: VecDeque<KeptLine>,
    bytes: usize,
    found: u64,
    /// The number of matching lines among the kept lines.
    kept: usize,
    most: TailLimits,
    /// The number of context lines before and after each matching line.
    context: usize,
    before: VecDeque<(u64, String)>,
    after: usize,
}

/// The limits of the lines that are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TailLimits {
    /// The maximum number of matching lines.
    pub(crate) found: usize,
    /// The maximum number of lines, including context lines.
    pub(crate) lines: usize,
    pub(crate) bytes: usize,
}

#[derive(Debug)]
struct KeptLine {
    number: u64,
    text: String,
    found: bool,
}

impl Tail {
    pub(crate) fn new(most: TailLimits, context: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            bytes: 0,
            found: 0,
            kept: 0,
            most,
            context,
            before: VecDeque::new(),
            after: 0,
        }
    }

    /// Adds the next line; numbers begin at 1. Only matching lines and context lines are copied.
    pub(crate) fn add(&mut self, number: u64, text: &str, found: bool) {
        if found {
            self.found += 1;
            for (number, text) in std::mem::take(&mut self.before) {
                self.keep(KeptLine { number, text, found: false });
            }
            self.keep(KeptLine { number, text: cut(text, LINE), found });
            self.after = self.context;
        } else if self.after > 0 {
            self.after -= 1;
            self.keep(KeptLine { number, text: cut(text, LINE), found });
        } else if self.context > 0 {
            self.before.push_back((number, cut(text, LINE)));
            if self.before.len() > self.context {
                self.before.pop_front();
            }
        }
    }

    fn keep(&mut self, line: KeptLine) {
        self.bytes += line.text.len() + 1;
        self.kept += usize::from(line.found);
        self.lines.push_back(line);
        let TailLimits { found, lines, bytes } = self.most;
        while self.kept > found || self.lines.len() > lines || self.bytes > bytes {
            match self.lines.pop_front_if(|first| !first.found || self.kept > 1) {
                Some(gone) => {
                    self.bytes -= gone.text.len() + 1;
                    self.kept -= usize::from(gone.found);
                }
                // The last matching line and the lines after it stay, whatever their length.
                None => break,
            }
        }
    }

    /// Returns the number of the first matching line that is kept.
    pub(crate) fn first(&self) -> Option<u64> {
        self.lines.iter().find(|line| line.found).map(|line| line.number)
    }

    /// Returns the number of matching lines.
    pub(crate) fn found(&self) -> u64 {
        self.found
    }

    /// Returns the number of matching lines that are not kept.
    pub(crate) fn lost(&self) -> u64 {
        self.found - self.kept as u64
    }

    /// Returns the number of bytes of text in memory.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        let before = self.before.iter().map(|(_, text)| text.capacity());
        self.lines.iter().map(|line| line.text.capacity()).chain(before).sum()
    }

    /// Returns the lines. Like grep, it adds `--` between lines that are not adjacent.
    pub(crate) fn into_lines(self) -> Vec<String> {
        let (mut lines, mut next) = (Vec::with_capacity(self.lines.len()), None);
        for line in self.lines {
            if self.context > 0 && next.is_some_and(|next| next != line.number) {
                lines.push("--".to_owned());
            }
            next = Some(line.number + 1);
            lines.push(line.text);
        }
        lines
    }
}
