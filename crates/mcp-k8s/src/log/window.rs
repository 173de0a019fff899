//! The last lines of a log that matter, with what stands around them.

use super::digest::cut;
use std::collections::VecDeque;

/// Of a longer line the beginning and the end are shown.
const LINE: usize = 2_000;

/// The last lines that were found, as many as fit.
#[derive(Debug)]
pub(crate) struct Tail {
    lines: VecDeque<Kept>,
    bytes: usize,
    found: u64,
    /// Of the lines that are kept, those that were found.
    kept: usize,
    most: Most,
    /// Lines before and after each that is found.
    context: usize,
    before: VecDeque<(u64, String)>,
    after: usize,
}

/// How much is kept at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    /// Lines that were found.
    pub(crate) found: usize,
    /// Lines, with those around them.
    pub(crate) lines: usize,
    pub(crate) bytes: usize,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    text: String,
    found: bool,
}

impl Tail {
    pub(crate) fn new(most: Most, context: usize) -> Self {
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

    /// The next line, counted from 1. Only a line that is found or stands beside one is copied.
    pub(crate) fn add(&mut self, number: u64, text: &str, found: bool) {
        if found {
            self.found += 1;
            for (number, text) in std::mem::take(&mut self.before) {
                self.keep(Kept { number, text, found: false });
            }
            self.keep(Kept { number, text: cut(text, LINE), found });
            self.after = self.context;
        } else if self.after > 0 {
            self.after -= 1;
            self.keep(Kept { number, text: cut(text, LINE), found });
        } else if self.context > 0 {
            self.before.push_back((number, cut(text, LINE)));
            if self.before.len() > self.context {
                self.before.pop_front();
            }
        }
    }

    fn keep(&mut self, line: Kept) {
        self.bytes += line.text.len() + 1;
        self.kept += usize::from(line.found);
        self.lines.push_back(line);
        let Most { found, lines, bytes } = self.most;
        while self.kept > found || self.lines.len() > lines || self.bytes > bytes {
            match self.lines.pop_front_if(|first| !first.found || self.kept > 1) {
                Some(gone) => {
                    self.bytes -= gone.text.len() + 1;
                    self.kept -= usize::from(gone.found);
                }
                // At least the last that was found stays, however long it is, and what stands after it.
                None => break,
            }
        }
    }

    /// The number of the first line that was found and is kept.
    pub(crate) fn first(&self) -> Option<u64> {
        self.lines.iter().find(|line| line.found).map(|line| line.number)
    }

    /// Lines that were found.
    pub(crate) fn found(&self) -> u64 {
        self.found
    }

    /// Of these, how many are not kept.
    pub(crate) fn lost(&self) -> u64 {
        self.found - self.kept as u64
    }

    /// Bytes of text that are held.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        let before = self.before.iter().map(|(_, text)| text.capacity());
        self.lines.iter().map(|line| line.text.capacity()).chain(before).sum()
    }

    /// The lines, with `--` where some are missing between them, as grep does.
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
