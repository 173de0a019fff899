//! The records of both file formats (`ovsdb(5)`): a line `OVSDB <magic> <length> <sha1>`, then JSON of this length in
//! bytes.

use std::ops::Range;

use sha1::{Digest, Sha1};

/// The longest header line that is accepted, in bytes. A real one has at most 75 bytes.
const HEADER_LIMIT: usize = 128;

/// The position of the first record that cannot be read, and the reason. The records before it are read.
///
/// A copy of a file to which a server was writing often ends this way. `ovsdb-server` opens such a file and drops the
/// rest; `ovsdb-tool` rejects it.
#[derive(Debug, thiserror::Error)]
#[error("the record at offset {offset} and the rest of the file, {bytes_left} bytes, cannot be read")]
pub struct Damage {
    /// The start of the damaged record, in bytes from the start of the file.
    pub offset: usize,
    /// The number of bytes from there to the end of the file.
    pub bytes_left: usize,
    /// The reason why the record cannot be read.
    #[source]
    pub reason: DamageReason,
}

/// The reason why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DamageReason {
    /// The first line is not the header of a record of this file.
    #[error("no record begins here")]
    Header,
    /// The file ends within the record.
    #[error("the record is truncated: {present} of {length} bytes")]
    Short {
        /// The length of the record in bytes, according to its header.
        length: usize,
        /// The number of bytes that the file contains.
        present: usize,
    },
    /// The bytes of the record were changed after they were written.
    #[error("the checksum does not match")]
    Checksum,
    /// The file contains bytes that are not text within the record.
    #[error("the bytes at offset {offset} are not UTF-8")]
    Utf8 {
        /// The first invalid byte, in bytes from the start of the file.
        offset: usize,
    },
    /// The record is not valid JSON of a record.
    #[error("the record is not valid JSON")]
    Json(#[source] serde_json::Error),
}

/// The readable text of a file.
pub(crate) struct FileText {
    pub(crate) text: String,
    /// The length of the file. `text` is the part before the first byte that is not UTF-8.
    pub(crate) file_len: usize,
    /// Whether the file was edited as text. Then each record is one line, and the length and checksum in its header are
    /// ignored.
    pub(crate) edited: bool,
}

impl FileText {
    pub(crate) fn new(bytes: Vec<u8>, edited: bool) -> Self {
        let file_len = bytes.len();
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            String::from_utf8(bytes).unwrap_or_default()
        });
        Self { text, file_len, edited }
    }

    /// Creates the damage of a record that begins at `offset`.
    pub(crate) fn damage(&self, offset: usize, reason: DamageReason) -> Damage {
        Damage { offset, bytes_left: self.file_len.saturating_sub(offset), reason }
    }
}

/// Reads one record after the other.
pub(crate) struct RecordReader<'a> {
    file: &'a FileText,
    magic: &'static str,
    offset: usize,
}

/// The JSON of a record.
pub(crate) struct RecordBody<'a> {
    /// The offset of the record's header.
    pub(crate) record: usize,
    /// The offset of the JSON.
    pub(crate) start: usize,
    /// The JSON, including the line end after it.
    pub(crate) text: &'a str,
}

impl<'a> RecordReader<'a> {
    pub(crate) const fn new(file: &'a FileText, magic: &'static str) -> Self {
        Self { file, magic, offset: 0 }
    }

    /// Returns the next record, or `None` at the end of the file.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBody<'a>>, Damage> {
        let record = self.offset;
        if record == self.file.file_len {
            return Ok(None);
        }
        let body = self.read(record).map_err(|reason| self.file.damage(record, reason))?;
        self.offset = body.start + body.text.len();
        Ok(Some(body))
    }

    fn read(&self, record: usize) -> Result<RecordBody<'a>, DamageReason> {
        let FileText { text, file_len, edited } = self.file;
        let rest = text.get(record..).ok_or(DamageReason::Header)?;
        let not_text = || (text.len() < *file_len).then_some(DamageReason::Utf8 { offset: text.len() });
        let (line, _) = rest
            .as_bytes()
            .get(..HEADER_LIMIT.min(rest.len()))
            .and_then(|start| start.iter().position(|&byte| byte == b'\n'))
            .and_then(|at| rest.split_at_checked(at))
            .ok_or_else(|| match not_text() {
                Some(reason) if rest.len() < HEADER_LIMIT => reason,
                _ => DamageReason::Header,
            })?;
        let (length, hash) = self.header(line).ok_or(DamageReason::Header)?;
        let start = record + line.len() + 1;
        if *edited {
            // JSON escapes line ends, so the next line end is the end of the record.
            let rest = text.get(start..).ok_or(DamageReason::Header)?;
            let end = memchr::memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |at| at + 1);
            let text = rest.get(..end).filter(|text| !text.is_empty());
            return text.map(|text| RecordBody { record, start, text }).ok_or(DamageReason::Header);
        }
        let available = file_len.saturating_sub(start);
        if length > available {
            return Err(DamageReason::Short { length, present: available });
        }
        let text =
            text.get(start..start + length).ok_or_else(|| not_text().unwrap_or(DamageReason::Header))?;
        if Sha1::digest(text).as_slice() != hash {
            return Err(DamageReason::Checksum);
        }
        Ok(RecordBody { record, start, text })
    }

    fn header(&self, line: &str) -> Option<(usize, [u8; 20])> {
        let mut words = line.strip_prefix("OVSDB ")?.strip_prefix(self.magic)?.strip_prefix(' ')?.split(' ');
        let length =
            words.next().filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()?;
        let digits = words.next().filter(|word| word.len() == 40 && words.next().is_none())?;
        let mut hash = [0; 20];
        for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = pair.iter().try_fold(0, |sum, &digit| {
                char::from(digit)
                    .to_digit(16)
                    .and_then(|digit| u8::try_from(digit).ok())
                    .map(|digit| sum << 4 | digit)
            })?;
        }
        (length > 0).then_some((length, hash))
    }
}

/// Returns the range of a part of a text, in bytes from the start of `whole`, plus `base`.
///
/// `part` must be a slice of `whole`, as is every text that a parser borrows from it.
pub(crate) fn range_in(whole: &str, part: &str, base: usize) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize).wrapping_add(base);
    start..start.wrapping_add(part.len())
}
