//! Reads files that are compressed with zstd (RFC 8878), which consist of frames. `pzstd` and `tar --zstd -r` write
//! several frames.

use crate::{Deadline, memory::Reserved};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{self, Cursor, Read};

/// The largest window of a frame, in bytes. A decoder keeps that much of its output in memory. It is also the default
/// limit of zstd(1).
const WINDOW: u64 = 128 << 20;

/// The first bytes of a frame.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The largest header of a frame, in bytes: the magic number, the descriptor, the window, the dictionary ID, and the
/// size of the content.
const HEADER: usize = 4 + 1 + 1 + 4 + 8;

/// A reader of all frames of a file.
pub(super) struct ZstdReader<R: Read> {
    packed: Option<PeekReader<R>>,
    frame: Option<StreamingDecoder<PeekReader<R>, FrameDecoder>>,
    /// The memory of the frame's window.
    memory: Option<Reserved>,
}

impl<R: Read> ZstdReader<R> {
    pub(super) fn new(packed: R) -> Self {
        Self { packed: Some(PeekReader { read: Cursor::default(), rest: packed }), frame: None, memory: None }
    }
}

impl<R: Read> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                match frame.read(buffer)? {
                    0 if !buffer.is_empty() => {}
                    n => return Ok(n),
                }
                let sums = |d: &FrameDecoder| (d.get_checksum_from_data(), d.get_calculated_checksum());
                if let (Some(told), Some(seen)) = sums(&frame.decoder)
                    && told != seen
                {
                    return Err(io::Error::other("the checksum does not match"));
                }
                self.packed = self.frame.take().map(StreamingDecoder::into_inner);
            }
            let Some(mut packed) = self.packed.take() else { return Ok(0) };
            let header = packed.ahead(HEADER)?;
            if header.is_empty() {
                return Ok(0);
            }
            let window = window(header).unwrap_or_default();
            if window > WINDOW {
                return Err(io::Error::other(format!(
                    "decompression needs {window} bytes of memory, more than zstd's default of {WINDOW}; compress it again \
                     without --long"
                )));
            }
            // The decoder's buffer has the size of the next power of two. It grows into a new buffer of twice the size.
            let mut memory = Deadline::current().reserve();
            memory.grow(3 * window)?;
            self.memory = Some(memory);
            self.frame = Some(StreamingDecoder::new(packed).map_err(io::Error::other)?);
        }
    }
}

/// The size of a frame's window (RFC 8878, 3.1.1.1). Returns `None` if the bytes are not a complete header, which the
/// decoder reports.
fn window(header: &[u8]) -> Option<u64> {
    let rest = header.strip_prefix(&MAGIC)?;
    let (descriptor, rest) = rest.split_first()?;
    if descriptor & 0x20 == 0 {
        let window = rest.first()?;
        let base = 1_u64 << (10 + u32::from(window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // The frame has a single segment, whose size is the size of the content.
    let dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3))?;
    let len = 1_usize << (descriptor >> 6);
    let mut size = [0; 8];
    size.get_mut(..len)?.copy_from_slice(rest.get(*dictionary..)?.get(..len)?);
    let size = u64::from_le_bytes(size);
    Some(if len == 2 { size + 256 } else { size })
}

/// A reader that can look ahead.
struct PeekReader<R> {
    read: Cursor<Vec<u8>>,
    rest: R,
}

impl<R: Read> PeekReader<R> {
    /// Returns the next bytes without consuming them, or fewer at the end.
    fn ahead(&mut self, bytes: usize) -> io::Result<&[u8]> {
        let mut read = std::mem::take(self.read.get_mut());
        read.drain(..read.len().min(self.read.position() as usize));
        let missing = bytes.saturating_sub(read.len());
        let found = (&mut self.rest).take(missing as u64).read_to_end(&mut read);
        self.read = Cursor::new(read);
        found?;
        Ok(self.read.get_ref())
    }
}

impl<R: Read> Read for PeekReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.read.read(buffer)? {
            0 => self.rest.read(buffer),
            n => Ok(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds a frame with this window, whose only block repeats a byte 100 times.
    fn frame(window: u8) -> Vec<u8> {
        // The last block is an RLE block: RFC 8878, 3.1.1.2.
        let block: u32 = 1 | 1 << 1 | 100 << 3;
        let mut frame = MAGIC.to_vec();
        frame.extend([0, window]);
        frame.extend(block.to_le_bytes().get(..3).unwrap());
        frame.push(b'x');
        frame
    }

    fn unpacked(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        ZstdReader::new(bytes).read_to_end(&mut all).map(|_| all)
    }

    #[test]
    fn frames_that_need_much_memory_are_refused() {
        // The largest window is 2 to the 27th bytes, and the next size is an eighth larger.
        let (most, more) = (17 << 3, 17 << 3 | 1);
        assert_eq!(unpacked(&frame(most)).unwrap(), [b'x'; 100]);
        let e = unpacked(&frame(more)).unwrap_err();
        assert!(e.to_string().contains("150994944 bytes of memory"), "{e}");
        // A single segment of 2 to the 32nd bytes is refused too.
        let mut whole = MAGIC.to_vec();
        whole.extend([0x20 | 3 << 6]);
        whole.extend((1_u64 << 32).to_le_bytes());
        assert!(unpacked(&whole).unwrap_err().to_string().contains("4294967296 bytes of memory"));
    }

    #[test]
    fn several_frames_are_read_and_a_cut_frame_is_an_error() {
        let (one, mut two) = (frame(0), [frame(0), frame(1 << 3)].concat());
        assert_eq!(unpacked(&two).unwrap(), [b'x'; 200]);
        assert_eq!(unpacked(&[]).unwrap(), b"");
        two.pop();
        assert!(unpacked(&two).is_err());
        for end in 1..one.len() {
            assert!(unpacked(&one[..end]).is_err(), "{end}");
        }
    }
}
