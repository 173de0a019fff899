//! Private keys in what comes as lines: where a key begins on one line and ends on another, no single line tells.

use memchr::memmem;

/// A key begins with this at the end of its first line (RFC 7468).
const BEGIN: &[u8] = b"PRIVATE KEY-----";
const END: &[u8] = b"-----END ";
/// What stands in place of its lines.
const REDACTED: &[u8] = b" [redacted]\n";
/// In bytes: more than any key takes, with what a runtime puts before each line. What is longer has lost its end.
const LONGEST: usize = 64 << 10;
/// In bytes: a line that is longer is not waited for.
const LINE: usize = 8 << 10;

/// Takes the private keys out of a text that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct WithoutKeys {
    /// The beginning of a line.
    rest: Vec<u8>,
    /// Bytes of a key that were left out since it began.
    inside: Option<usize>,
}

impl WithoutKeys {
    /// A whole text.
    pub(crate) fn of(text: Vec<u8>) -> Vec<u8> {
        if memmem::find(&text, BEGIN).is_none() {
            return text;
        }
        let mut filter = Self::default();
        let mut shown = filter.push(&text);
        shown.extend(filter.finish());
        shown
    }

    /// What can be shown after a piece: whole lines, and of very long ones what is there.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.rest);
        text.extend_from_slice(piece);
        let whole = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
        if text.len() - whole <= LINE {
            self.rest = text.split_off(whole);
        }
        self.lines(text)
    }

    /// What was left of the last line.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.rest);
        self.lines(rest)
    }

    fn lines(&mut self, text: Vec<u8>) -> Vec<u8> {
        if self.inside.is_none() && memmem::find(&text, BEGIN).is_none() {
            return text;
        }
        let mut shown = Vec::with_capacity(text.len());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            match self.inside {
                // Both on one line are core's other rule: it sees the line as a whole.
                None if memmem::find(line, END).is_some() => shown.extend_from_slice(line),
                None => match memmem::find(line, BEGIN) {
                    Some(at) => {
                        shown.extend(line.iter().take(at + BEGIN.len()));
                        shown.extend_from_slice(REDACTED);
                        self.inside = Some(0);
                    }
                    None => shown.extend_from_slice(line),
                },
                Some(_) if memmem::find(line, END).is_some() => {
                    shown.extend_from_slice(line);
                    self.inside = None;
                }
                Some(len) if len + line.len() > LONGEST => {
                    shown.extend_from_slice(line);
                    self.inside = None;
                }
                Some(len) => self.inside = Some(len + line.len()),
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::WithoutKeys;
    use proptest::prelude::*;

    const TEXT: &str = "a\n2026-11-22T08:00:00Z stderr F -----BEGIN RSA PRIVATE KEY-----\nhunter2\nhunter2\n\
                        x -----END RSA PRIVATE KEY-----\nb\n-----BEGIN CERTIFICATE-----\nshown\n-----END CERTIFICATE-----\nc";

    #[test]
    fn the_lines_of_a_key_are_left_out() {
        let shown = String::from_utf8(WithoutKeys::of(TEXT.into())).expect("text");
        assert_eq!(
            shown,
            "a\n2026-11-22T08:00:00Z stderr F -----BEGIN RSA PRIVATE KEY----- [redacted]\n\
             x -----END RSA PRIVATE KEY-----\nb\n-----BEGIN CERTIFICATE-----\nshown\n-----END CERTIFICATE-----\nc"
        );
    }

    #[test]
    fn a_key_without_an_end_does_not_swallow_the_log() {
        let text = format!("-----BEGIN PRIVATE KEY-----\n{}", "0123456789abcde\n".repeat(5_000));
        let shown = WithoutKeys::of(text.into());
        assert!((10_000..20_000).contains(&shown.len()), "{}", shown.len());
    }

    proptest! {
        /// Pieces end anywhere.
        #[test]
        fn pieces_make_no_difference(size in 1_usize..TEXT.len()) {
            let mut filter = WithoutKeys::default();
            let mut shown: Vec<u8> = TEXT.as_bytes().chunks(size).flat_map(|piece| filter.push(piece)).collect();
            shown.extend(filter.finish());
            prop_assert_eq!(shown, WithoutKeys::of(TEXT.into()));
        }
    }
}
