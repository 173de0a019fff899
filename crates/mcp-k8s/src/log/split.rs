//! Splits the pieces of a stream into lines.

use mcp_core::Pattern;

/// The number of bytes of a line that are examined. Longer lines are not text for people.
const LONGEST: usize = Pattern::LOOKED_AT;

/// Splits pieces into lines. It keeps at most one line in memory.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    line: Vec<u8>,
    /// The number of bytes of the current line that were discarded.
    over: usize,
    /// The number of lines that were truncated.
    pub(crate) cut: u64,
}

impl Splitter {
    /// Adds the next piece, which can end within a line.
    pub(crate) fn feed(&mut self, mut piece: &[u8], each: &mut impl FnMut(&str)) {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = piece.split_at(end);
            piece = rest.get(1..).unwrap_or_default();
            if self.line.is_empty() && line.len() <= LONGEST {
                give(line, each);
            } else {
                self.hold(line);
                self.end(each);
            }
        }
        self.hold(piece);
    }

    /// Ends the stream. The text after the last line feed is a line, too.
    pub(crate) fn finish(&mut self, each: &mut impl FnMut(&str)) {
        if !self.line.is_empty() {
            self.end(each);
        }
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.line.len()).min(bytes.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or_default());
        self.over += bytes.len() - room;
    }

    fn end(&mut self, each: &mut impl FnMut(&str)) {
        self.cut += u64::from(self.over > 0);
        self.over = 0;
        give(&self.line, each);
        self.line.clear();
    }
}

fn give(line: &[u8], each: &mut impl FnMut(&str)) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    each(&String::from_utf8_lossy(line));
}
