//! UUIDs, the 128-bit identifiers of rows.

use std::fmt;
use std::str::FromStr;

/// A UUID, written as in RFC 4122 section 3: `550e8400-e29b-41d4-a716-446655440000`.
///
/// UUIDs are ordered as numbers, which is the order in which OVSDB sorts references.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

/// The text is not a UUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID of 36 characters: {text:?}")]
pub struct ParseUuidError {
    text: String,
}

impl Uuid {
    /// Creates a UUID from its sixteen bytes, most significant first.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the sixteen bytes, most significant first.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Returns the first 32 bits, which `ovn-sbctl lflow-list --uuid` prints and OpenFlow cookies contain.
    #[must_use]
    pub const fn first32(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Returns true if the text of the UUID begins with `prefix`, ignoring case. The clients accept the first digits of
    /// a UUID as the name of a record (`ovn-nbctl(8)`, "Identifying Tables, Records, and Columns").
    #[must_use]
    pub fn starts_with(&self, prefix: &str) -> bool {
        self.to_string().starts_with(&prefix.to_ascii_lowercase())
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u128::from_be_bytes(self.0);
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            number >> 96,
            (number >> 80) & 0xffff,
            (number >> 64) & 0xffff,
            (number >> 48) & 0xffff,
            number & 0xffff_ffff_ffff,
        )
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, ParseUuidError> {
        parse(text.as_bytes())
            .map(Self)
            .ok_or_else(|| ParseUuidError { text: text.chars().take(60).collect() })
    }
}

fn parse(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    let mut number: u128 = 0;
    for (at, &byte) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
        } else {
            number = number << 4 | u128::from(char::from(byte).to_digit(16)?);
        }
    }
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_parsed_and_printed() {
        let text = "550e8400-e29b-41d4-a716-446655440000";
        let uuid: Uuid = text.parse().unwrap();
        assert_eq!(uuid.to_string(), text);
        assert_eq!(text.to_uppercase().parse::<Uuid>().unwrap(), uuid);
        assert_eq!(uuid.first32(), 0x550e_8400);
        assert!(uuid.starts_with("550E84") && !uuid.starts_with("550e85"));
    }

    #[test]
    fn other_texts_are_rejected() {
        for text in
            ["", "550e8400", "550e8400-e29b-41d4-a716-44665544000g", "550e8400xe29b-41d4-a716-446655440000"]
        {
            assert!(text.parse::<Uuid>().is_err(), "{text}");
        }
    }
}
