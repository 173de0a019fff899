//! Joins lines that the container runtime has split.
//!
//! A runtime splits the output of a program at 16 KiB and marks all parts except the last: `<time> stderr P <part>`
//! (CRI, "CRI log format"). Parts of the two streams can be interleaved.

/// The maximum length of a joined line in bytes. The reader truncates longer lines anyway.
const LONGEST: usize = 64 << 10;

/// The beginnings of unfinished lines of standard output and standard error.
#[derive(Debug, Default)]
pub(super) struct PartialLines([String; 2]);

impl PartialLines {
    /// Passes complete lines on: an unsplit line at once, a split line after its last part.
    pub(super) fn join(&mut self, line: &str, each: &mut impl FnMut(&str)) {
        let Some((head, stream, is_part, rest)) = parts(line) else { return each(line) };
        let Some(begun) = self.0.get_mut(stream) else { return each(line) };
        if begun.is_empty() {
            if !is_part {
                return each(line);
            }
            *begun = format!("{head}F {rest}");
        } else {
            let room = LONGEST.saturating_sub(begun.len());
            let end = (0..=room.min(rest.len())).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(0);
            begun.push_str(rest.get(..end).unwrap_or_default());
        }
        if !is_part {
            each(&std::mem::take(begun));
        }
    }

    /// Ends the log. Unfinished lines are lines, too.
    pub(super) fn finish(&mut self, each: &mut impl FnMut(&str)) {
        self.0.iter_mut().filter(|begun| !begun.is_empty()).for_each(|begun| each(&std::mem::take(begun)));
    }

    /// Returns the number of bytes of text in memory.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.0.iter().map(String::capacity).sum()
    }
}

/// Parses a line of the runtime: the text before the mark, the stream, whether the line is a part, and the text after
/// the mark.
fn parts(line: &str) -> Option<(&str, usize, bool, &str)> {
    // The first byte or word rules out most lines of other logs.
    if !line.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let (time, rest) = line.split_once(' ')?;
    if !(time.len() >= 20 && time.as_bytes().get(10) == Some(&b'T')) {
        return None;
    }
    let stream = ["stdout ", "stderr "].iter().position(|stream| rest.starts_with(stream))?;
    let marked = rest.get("stdout ".len()..)?;
    let (mark, text) = marked.split_once(' ').unwrap_or((marked, ""));
    let is_part = match mark {
        "P" => true,
        "F" => false,
        _ => return None,
    };
    Some((line.get(..line.len() - marked.len())?, stream, is_part, text))
}
