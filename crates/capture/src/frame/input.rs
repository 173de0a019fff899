//! The bytes of a header and what follows it, of which a capture may have only the beginning.

use super::FrameProblem;

/// The bytes that the capture has of a packet, and how many the packet has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    /// What the capture has.
    pub(super) bytes: &'a [u8],
    /// The length of the packet in bytes on the wire: at least that of `bytes`. `None` if nothing says it.
    wire: Option<usize>,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8], wire: Option<usize>) -> Self {
        Self { bytes, wire: wire.map(|wire| wire.max(bytes.len())) }
    }

    /// Returns true if the packet had more bytes than the capture kept, or if it may have had.
    pub(super) fn is_cut(self) -> bool {
        self.wire.is_none_or(|wire| wire > self.bytes.len())
    }

    /// Returns the length on the wire. If nothing says it, returns the length of what the capture has.
    pub(super) fn length(self) -> usize {
        self.wire.unwrap_or(self.bytes.len())
    }

    /// Returns what is wrong if this header is not complete.
    pub(super) fn lacks(self, header: &'static str) -> FrameProblem {
        if self.is_cut() { FrameProblem::Cut(header) } else { FrameProblem::Malformed(header) }
    }

    /// Returns what follows a header of this length.
    pub(super) fn after(self, header: usize) -> Self {
        let bytes = self.bytes.get(header..).unwrap_or_default();
        Self { bytes, wire: self.wire.map(|wire| wire.saturating_sub(header)) }
    }

    /// Ends the packet after the length that its header states, so that the padding of the frame is not part of it.
    pub(super) fn limit(self, length: usize) -> Self {
        let bytes = self.bytes.get(..length).unwrap_or(self.bytes);
        Self { bytes, wire: Some(self.wire.map_or(length, |wire| wire.min(length))) }
    }

    pub(super) fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk().copied()
    }

    pub(super) fn u8(self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    pub(super) fn u16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    pub(super) fn u32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }
}

/// How deep a packet is in other packets. It bounds the recursion.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Depth {
    /// The number of tunnels around the packet.
    pub(super) tunnels: u8,
    /// The packet is part of an ICMP error.
    pub(super) quoted: bool,
}

impl Depth {
    /// The maximum number of tunnels around a packet.
    pub(super) const TUNNELS: u8 = 2;
}

/// Returns text of the network in printable ASCII: other bytes and the backslash become `\` and three decimal digits,
/// as in RFC 1035, section 5.1.
pub(super) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\092"),
            byte if byte.is_ascii_graphic() => text.push(char::from(*byte)),
            byte => text.push_str(&format!("\\{byte:03}")),
        }
    }
    text
}
