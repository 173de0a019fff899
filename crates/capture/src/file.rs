//! Reads and writes capture files.
//!
//! [`Reader`] reads pcap (<https://www.tcpdump.org/manpages/pcap-savefile.5.html>) and pcapng
//! (<https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/>) as a stream, so it also reads from a program that still
//! captures. It holds one record in memory. [`Writer`] writes pcapng, and [`merge`] joins several captures into one.

mod buffer;
mod damage;
mod merge;
mod pcap;
mod pcapng;
mod write;

use std::{io::Read, ops::Range};

pub use damage::{BadCapture, Damage, DamageKind};
pub use merge::{Merged, merge};
pub use write::Writer;

use crate::frame::LinkType;
use buffer::Buffer;

/// The maximum number of bytes that a record has: the longest that tcpdump captures. A longer record is damage.
pub const MAX_RECORD: usize = 256 << 10;

/// The maximum number of interfaces in a file. A file with more is damaged.
pub const MAX_POINTS: usize = 1024;

/// The interface or the pipe where packets were captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The name of the interface. pcap has no names.
    pub name: Option<String>,
    /// The comment about the interface.
    pub comment: Option<String>,
    /// The type of its frames.
    pub link: LinkType,
    /// The maximum number of bytes that the capture kept of each frame, or 0 for no limit.
    pub snap_length: u32,
    /// The counters of the interface. They are at the end of a pcapng file, and pcap has none.
    pub statistics: Option<Statistics>,
}

impl Point {
    /// Returns a point with a name and nothing else to say.
    pub fn new(name: impl Into<String>, link: LinkType, snap_length: u32) -> Self {
        Self { name: Some(name.into()), comment: None, link, snap_length, statistics: None }
    }
}

/// The counters of an interface, in packets since the capture began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The packets that the interface received.
    pub received: Option<u64>,
    /// The packets that the interface dropped, because it lacked resources.
    pub dropped_by_interface: Option<u64>,
    /// The packets that the filter accepted.
    pub accepted: Option<u64>,
    /// The packets that the operating system dropped, because the capturing program was too slow.
    pub dropped_by_system: Option<u64>,
    /// The packets that the capturing program received.
    pub delivered: Option<u64>,
}

/// A frame in a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The time of the capture, in nanoseconds since 1970-01-01 UTC. It is 0 if the file has no time for the frame
    /// ([`Reader::untimed`]), and the minimum or the maximum if the time does not fit.
    pub nanos: u64,
    /// The index of the interface in [`Reader::points`].
    pub point: usize,
    /// The type of the interface's frames.
    pub link: LinkType,
    /// The length of the frame in bytes on the wire.
    pub length: u32,
    /// The bytes of the frame that the capture kept.
    pub bytes: &'a [u8],
}

/// Reads the records of a capture file.
#[derive(Debug)]
pub struct Reader<R> {
    buffer: Buffer<R>,
    format: Format,
    points: Vec<Point>,
    clocks: Vec<pcapng::Clock>,
    untimed: u64,
    skipped: u64,
    ended: bool,
}

/// What the beginning of a file says about the rest.
#[derive(Clone, Copy, Debug)]
enum Format {
    Pcap {
        big_endian: bool,
        /// The number of nanoseconds of the unit of the second half of a time.
        unit: u64,
    },
    Pcapng {
        big_endian: bool,
        /// The index of the first interface of this section.
        section: usize,
    },
}

/// A record whose bytes are still in the buffer.
struct BufferedRecord {
    nanos: u64,
    point: usize,
    length: u32,
    /// The bytes of the frame, in the buffer's last piece.
    bytes: Range<usize>,
}

impl<R: Read> Reader<R> {
    /// Reads the beginning of a capture file.
    ///
    /// # Errors
    ///
    /// The source is empty, cannot be read, or is not a capture file.
    pub fn open(source: R) -> Result<Self, BadCapture> {
        let mut buffer = Buffer::new(source);
        let begin = buffer.peek(4).map_err(BadCapture::Read)?;
        if begin.is_empty() {
            return Err(BadCapture::Empty);
        }
        let mut reader = Self {
            format: Format::Pcapng { big_endian: false, section: 0 },
            buffer,
            points: Vec::new(),
            clocks: Vec::new(),
            untimed: 0,
            skipped: 0,
            ended: false,
        };
        if reader.buffer.peek(4).map_err(BadCapture::Read)? == pcapng::MAGIC {
            reader.section_header().map_err(BadCapture::Damaged)?;
        } else {
            reader.pcap_header()?;
        }
        Ok(reader)
    }

    /// Returns the next record, or `None` at the end.
    ///
    /// # Errors
    ///
    /// The file is damaged at this place, or ends inside a record. Nothing can be read after it, so the next call
    /// returns `None`.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend its items")]
    pub fn next(&mut self) -> Option<Result<Record<'_>, Damage>> {
        if self.ended {
            return None;
        }
        let found = match self.format {
            Format::Pcap { big_endian, unit } => self.pcap_record(big_endian, unit),
            Format::Pcapng { .. } => self.pcapng_record(),
        };
        match found {
            Ok(Some(BufferedRecord { nanos, point, length, bytes })) => {
                let bytes = self.buffer.last().get(bytes).unwrap_or_default();
                let link = self.points.get(point).map_or(LinkType::Other(u16::MAX), |point| point.link);
                Some(Ok(Record { nanos, point, link, length, bytes }))
            }
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(damage) => {
                self.ended = true;
                Some(Err(damage))
            }
        }
    }

    /// Returns the interfaces that the reader met so far. A pcap file has one.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Returns the number of records without a time so far: simple packet blocks of pcapng.
    pub fn untimed(&self) -> u64 {
        self.untimed
    }

    /// Returns the number of pcapng blocks so far that hold no packet and that the reader does not know.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Returns the number of bytes that the reader used so far.
    pub fn offset(&self) -> u64 {
        self.buffer.offset()
    }
}
