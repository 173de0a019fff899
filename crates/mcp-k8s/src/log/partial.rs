//! Lines that the container runtime has split, made whole again.
//!
//! A runtime cuts what a program writes at 16 KiB and marks all parts but the last: `<time> stderr P <part>`
//! (CRI, "CRI log format"). Parts of the two streams can stand between each other.

/// As long as a joined line can be; what is longer is cut by who reads it.
const LONGEST: usize = 64 << 10;

/// The beginnings of lines whose ends are not yet read, of standard output and standard error.
#[derive(Debug, Default)]
pub(super) struct Partial([String; 2]);

impl Partial {
    /// Gives a line that is whole: at once, or when its last part has come.
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

    /// The end of the log: what has begun is a line too.
    pub(super) fn finish(&mut self, each: &mut impl FnMut(&str)) {
        self.0.iter_mut().filter(|begun| !begun.is_empty()).for_each(|begun| each(&std::mem::take(begun)));
    }

    /// Bytes of text that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.0.iter().map(String::capacity).sum()
    }
}

/// Of a line as the runtime writes it: what stands before the mark, the stream, whether it is a part, and what follows.
fn parts(line: &str) -> Option<(&str, usize, bool, &str)> {
    // Most lines of other logs are told apart by their first byte or word.
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
