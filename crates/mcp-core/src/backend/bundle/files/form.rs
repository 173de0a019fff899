//! Recognizes the format of a file by its first bytes, whatever its name is.

use super::span::Span;
use std::io::{self, Read};

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileFormat {
    Tar,
    Zip,
    Compressed(Codec),
    /// An OVSDB file without an archive.
    Database,
    /// A capture of packets without an archive, in the format pcap or pcapng.
    Capture,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Xz,
    Zstd,
}

/// The number of bytes that are needed: the size of a tar header.
pub(super) const HEAD: usize = 512;

pub(super) fn of(file: &Span) -> io::Result<FileFormat> {
    let mut head = Vec::new();
    file.clone().take(HEAD as u64).read_to_end(&mut head)?;
    of_head(&head).map_err(io::Error::other)
}

pub(super) fn of_head(head: &[u8]) -> Result<FileFormat, String> {
    match head {
        [] => Err("the file is empty".into()),
        [0x1f, 0x8b, ..] => Ok(FileFormat::Compressed(Codec::Gzip)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(FileFormat::Compressed(Codec::Xz)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(FileFormat::Compressed(Codec::Zstd)),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Ok(FileFormat::Zip),
        [b'B', b'Z', b'h', ..] => Err("the file is compressed with bzip2; decompress it first".into()),
        [b'7', b'z', 0xbc, 0xaf, ..] => Err("the file is a 7z archive; unpack it first".into()),
        [b'R', b'a', b'r', b'!', ..] => Err("the file is a rar archive; unpack it first".into()),
        // Messages of GnuPG are text, or begin with one of a few packet types.
        _ if head.starts_with(b"-----BEGIN PGP MESSAGE") => {
            Err("the file is encrypted; decrypt it first".into())
        }
        _ if head.starts_with(b"OVSDB ") => Ok(FileFormat::Database),
        _ if is_capture(head) => Ok(FileFormat::Capture),
        _ if is_tar(head) => Ok(FileFormat::Tar),
        _ => {
            let start = String::from_utf8_lossy(head.get(..24).unwrap_or(head)).into_owned();
            Err(format!(
                "not a directory, a tar (plain or compressed with gzip, xz or zstd), a zip, an OVSDB file or a capture of packets (pcap, pcapng): it begins with {start:?}"
            ))
        }
    }
}

/// Returns true for the first bytes of pcap, in either byte order and resolution, and of pcapng
/// (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html>, draft-ietf-opsawg-pcapng).
fn is_capture(head: &[u8]) -> bool {
    const BEGINNINGS: [u32; 5] = [0xa1b2_c3d4, 0xd4c3_b2a1, 0xa1b2_3c4d, 0x4d3c_b2a1, 0x0a0d_0d0a];
    head.first_chunk().is_some_and(|first| BEGINNINGS.contains(&u32::from_be_bytes(*first)))
}

/// Returns true for a header with a valid checksum or with the magic of tar. An archive without files consists of
/// zeros.
fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<HEAD>() else { return false };
    let told = header.get(257..262) == Some(b"ustar".as_slice());
    told || tar::Header::from_byte_slice(header).cksum().is_ok_and(|sum| {
        // The checksum field itself counts as spaces.
        let field = 148..156;
        let byte = |(i, byte): (usize, &u8)| u32::from(if field.contains(&i) { b' ' } else { *byte });
        sum == header.iter().enumerate().map(byte).sum::<u32>()
    })
}
