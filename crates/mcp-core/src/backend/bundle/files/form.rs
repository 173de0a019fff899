//! What a file is, by its first bytes; its name says nothing.

use super::span::Span;
use std::io::{self, Read};

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Tar,
    Zip,
    Compressed(Codec),
    /// An OVSDB file by itself.
    Database,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Xz,
    Zstd,
}

/// The bytes that tell: a tar header.
pub(super) const HEAD: usize = 512;

pub(super) fn of(file: &Span) -> io::Result<Form> {
    let mut head = Vec::new();
    file.clone().take(HEAD as u64).read_to_end(&mut head)?;
    of_head(&head).map_err(io::Error::other)
}

pub(super) fn of_head(head: &[u8]) -> Result<Form, String> {
    match head {
        [] => Err("it is empty".into()),
        [0x1f, 0x8b, ..] => Ok(Form::Compressed(Codec::Gzip)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(Form::Compressed(Codec::Xz)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Form::Compressed(Codec::Zstd)),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Ok(Form::Zip),
        [b'B', b'Z', b'h', ..] => Err("it is packed with bzip2: unpack it first".into()),
        [b'7', b'z', 0xbc, 0xaf, ..] => Err("it is packed with 7z: unpack it first".into()),
        [b'R', b'a', b'r', b'!', ..] => Err("it is packed with rar: unpack it first".into()),
        // GnuPG's messages are text, or begin with one of a few packets.
        _ if head.starts_with(b"-----BEGIN PGP MESSAGE") => Err("it is encrypted: decrypt it first".into()),
        _ if head.starts_with(b"OVSDB ") => Ok(Form::Database),
        _ if is_tar(head) => Ok(Form::Tar),
        _ => {
            let start = String::from_utf8_lossy(head.get(..24).unwrap_or(head)).into_owned();
            Err(format!(
                "it is no directory, tar (alone or with gzip, xz or zstd), zip or OVSDB file: it begins with {start:?}"
            ))
        }
    }
}

/// A header whose checksum is right, or one that says it is one; an archive of no file is zeros.
fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<HEAD>() else { return false };
    let told = header.get(257..262) == Some(b"ustar".as_slice());
    told || tar::Header::from_byte_slice(header).cksum().is_ok_and(|sum| {
        // The field itself counts as spaces.
        let field = 148..156;
        let byte = |(i, byte): (usize, &u8)| u32::from(if field.contains(&i) { b' ' } else { *byte });
        sum == header.iter().enumerate().map(byte).sum::<u32>()
    })
}
