//! The records that both file formats consist of (`ovsdb(5)`): a line `OVSDB <magic> <length> <sha1>`, then so many
//! bytes of JSON.

use std::ops::Range;

use sha1::{Digest, Sha1};

/// The longest header line that is looked at; a real one has at most 75 bytes.
const HEADER_LIMIT: usize = 128;

/// Where and why the records of a file stop before its end. Those before it are read.
///
/// A copy of a file that a server was writing to often ends so; `ovsdb-server` opens it and drops the rest,
/// `ovsdb-tool` refuses it.
#[derive(Debug, thiserror::Error)]
#[error("the record at offset {offset} and what follows, {bytes_left} bytes, cannot be read")]
pub struct Damage {
    /// Where the record begins that cannot be read, in bytes from the start of the file.
    pub offset: usize,
    /// How many bytes there are from there to the end of the file.
    pub bytes_left: usize,
    /// What is wrong with the record.
    #[source]
    pub reason: DamageReason,
}

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
pub enum DamageReason {
    /// Its first line is not that of a record of this file.
    #[error("no record begins here")]
    Header,
    /// The file ends within it.
    #[error("the record is cut short: {present} of {length} bytes")]
    Short {
        /// The bytes that it should have.
        length: usize,
        /// The bytes that are there.
        present: usize,
    },
    /// Its bytes are not those that were written.
    #[error("the checksum does not match")]
    Checksum,
    /// The file is not text from somewhere within it on.
    #[error("the bytes at offset {offset} are not UTF-8")]
    Utf8 {
        /// Where, in bytes from the start of the file.
        offset: usize,
    },
    /// It is not the JSON of a record.
    #[error("the record is not the JSON that it should be")]
    Json(#[source] serde_json::Error),
}

/// The readable text of a file.
pub(crate) struct Text {
    pub(crate) text: String,
    /// The length of the file, of which `text` is the part before anything that is not UTF-8.
    pub(crate) file_len: usize,
    /// It was edited as text: a record is a line, whatever length and checksum its header tells.
    pub(crate) edited: bool,
}

impl Text {
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

    /// The damage of a record that begins at `offset`.
    pub(crate) fn damage(&self, offset: usize, reason: DamageReason) -> Damage {
        Damage { offset, bytes_left: self.file_len.saturating_sub(offset), reason }
    }
}

/// Goes from record to record.
pub(crate) struct Reader<'a> {
    file: &'a Text,
    magic: &'static str,
    offset: usize,
}

/// The JSON of a record.
pub(crate) struct Body<'a> {
    /// Where the record begins, with its header.
    pub(crate) record: usize,
    /// Where the JSON begins.
    pub(crate) start: usize,
    /// The JSON with the line end behind it.
    pub(crate) text: &'a str,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(file: &'a Text, magic: &'static str) -> Self {
        Self { file, magic, offset: 0 }
    }

    /// The next record; nothing at the end of the file.
    pub(crate) fn next(&mut self) -> Result<Option<Body<'a>>, Damage> {
        let record = self.offset;
        if record == self.file.file_len {
            return Ok(None);
        }
        let body = self.read(record).map_err(|reason| self.file.damage(record, reason))?;
        self.offset = body.start + body.text.len();
        Ok(Some(body))
    }

    fn read(&self, record: usize) -> Result<Body<'a>, DamageReason> {
        let Text { text, file_len, edited } = self.file;
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
            // JSON spells an end of line `\n`: the next one ends the record.
            let rest = text.get(start..).ok_or(DamageReason::Header)?;
            let end = memchr::memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |at| at + 1);
            let text = rest.get(..end).filter(|text| !text.is_empty());
            return text.map(|text| Body { record, start, text }).ok_or(DamageReason::Header);
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
        Ok(Body { record, start, text })
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

/// Where a part of a text lies in it: in bytes from the start of `whole`, shifted by `base`.
///
/// `part` is a slice of `whole`, as everything is that a parser borrowed from it.
pub(crate) fn range_in(whole: &str, part: &str, base: usize) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize).wrapping_add(base);
    start..start.wrapping_add(part.len())
}
