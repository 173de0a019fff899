//! Why a capture file cannot be read, or not to its end.

use std::io;

/// Why a source is not a capture file that can be read.
#[derive(Debug, thiserror::Error)]
pub enum BadCapture {
    /// The source has no bytes.
    #[error("an empty file: a capture file has a header even if it has no packets")]
    Empty,
    /// The source begins as no capture file does.
    #[error("not a capture file: begins with {} instead of the magic number of pcap or pcapng", hex(.0))]
    Unknown(Vec<u8>),
    /// The source is compressed, in this format.
    #[error("not a capture file: begins as a {0} file; decompress it first")]
    Compressed(&'static str),
    /// The header is of a kind of pcap that is not read.
    #[error("a capture file of a kind that is not read: {0}")]
    Unsupported(&'static str),
    /// The header is damaged.
    #[error("a damaged capture file: {0}")]
    Damaged(#[source] Damage),
    /// The source failed.
    #[error("cannot read the capture file: {0}")]
    Read(#[source] io::Error),
}

/// Where and why a capture file cannot be read any further.
#[derive(Debug, thiserror::Error)]
#[error("at byte {offset}: {kind}")]
pub struct Damage {
    /// The number of bytes before the damaged record. Everything before it is good.
    pub offset: u64,
    /// What is wrong.
    #[source]
    pub kind: DamageKind,
}

impl Damage {
    /// Returns true if the file only ends too early, as after a capture that something ended.
    pub fn is_cut(&self) -> bool {
        matches!(self.kind, DamageKind::Cut { .. })
    }
}

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
pub enum DamageKind {
    /// The file ends inside this record.
    #[error("the file is cut: it ends after {have} of at least {wanted} bytes of a record")]
    Cut {
        /// The bytes of the record that the file has.
        have: usize,
        /// The bytes that the record has, as far as its header says it.
        wanted: usize,
    },
    /// The record says that it is longer than any record.
    #[error("a record of {length} bytes is longer than the maximum of {maximum}")]
    TooLong {
        /// The length in bytes that the record states.
        length: u64,
        /// The maximum in bytes.
        maximum: usize,
    },
    /// The record contradicts itself or what is before it.
    #[error("{0}")]
    Malformed(&'static str),
    /// The source failed.
    #[error("reading failed: {0}")]
    Read(#[source] io::Error),
}

impl BadCapture {
    /// Returns the error for a file that begins with these bytes.
    pub(super) fn of(begin: &[u8]) -> Self {
        const FORMATS: [(&[u8], &str); 6] = [
            (&[0x1f, 0x8b], "gzip"),
            (&[0xfd, b'7', b'z', b'X'], "xz"),
            (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
            (b"BZh", "bzip2"),
            (b"PK\x03\x04", "zip"),
            (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
        ];
        match FORMATS.iter().find(|(magic, _)| begin.starts_with(magic)) {
            Some((_, format)) => Self::Compressed(format),
            None => Self::Unknown(begin.to_vec()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}
